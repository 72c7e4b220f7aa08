//! Every type that the SDK turns into WIT, there and back.

#[proc_guest::module]
mod values {
    //! Every kind of value that a Rust signature can name.

    use std::collections::{BTreeMap, HashMap};

    use proc_guest::Stream;

    /// A number with a name of its own.
    #[derive(Debug, Clone, Copy)]
    pub struct Id(u64);

    /// The keywords of both languages, and numbers in names.
    #[derive(Debug, Clone)]
    pub struct Awkward {
        pub r#type: Id,
        pub list: Vec<Id>,
        pub from: Option<Id>,
        pub line_2: String,
        pub x1: f32,
        own: i8,
    }

    #[derive(Debug, Clone, Copy)]
    pub enum HTTPStatus {
        Ok,
        NotFound,
        Error500,
    }

    #[derive(Debug, Clone)]
    pub enum Event {
        Closed,
        Moved(i32, i32, String),
        Answered(HTTPStatus),
        Awkward(Awkward),
        Many(Vec<(Id, Option<HTTPStatus>)>),
        Tried(Result<Id, HTTPStatus>),
    }

    type Ages = BTreeMap<String, Id>;

    #[expect(clippy::too_many_arguments, reason = "one of each")]
    pub fn scalars(
        a: u8,
        b: i8,
        c: u16,
        d: i16,
        e: u32,
        f: i32,
        g: u64,
        h: i64,
        i: f32,
        j: f64,
        k: bool,
        l: char,
    ) -> (u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, bool, char) {
        (a, b, c, d, e, f, g, h, i, j, k, l)
    }

    pub fn id(id: Id) -> Id {
        Id(id.0 + 1)
    }

    pub fn awkward(awkward: Awkward) -> Awkward {
        Awkward {
            own: awkward.own.wrapping_add(1),
            ..awkward
        }
    }

    pub fn status(status: HTTPStatus) -> HTTPStatus {
        match status {
            HTTPStatus::Ok => HTTPStatus::NotFound,
            HTTPStatus::NotFound => HTTPStatus::Error500,
            HTTPStatus::Error500 => HTTPStatus::Ok,
        }
    }

    pub fn event(event: Event) -> Event {
        match event {
            Event::Moved(x, y, by) => Event::Moved(y, x, by),
            other => other,
        }
    }

    pub fn events(events: Vec<Event>) -> Vec<Event> {
        events.into_iter().rev().collect()
    }

    pub fn ages(ages: Ages) -> Ages {
        ages
    }

    pub fn counts(words: HashMap<String, u32>) -> u64 {
        words.into_values().map(u64::from).sum()
    }

    pub fn nested(
        value: Option<Option<(Id, Vec<HTTPStatus>)>>,
    ) -> Option<Option<(Id, Vec<HTTPStatus>)>> {
        value
    }

    /// Borrowed parameters.
    pub fn borrowed(text: &str, bytes: &[u8], ids: &[Id], awkward: &Awkward) -> String {
        format!("{text} {} {} {}", bytes.len(), ids.len(), awkward.line_2)
    }

    pub fn raises(event: Event) -> Result<Id, Event> {
        match event {
            Event::Closed => Ok(Id(0)),
            other => Err(other),
        }
    }

    pub fn only_raises(status: HTTPStatus) -> Result<(), HTTPStatus> {
        match status {
            HTTPStatus::Ok => Ok(()),
            other => Err(other),
        }
    }

    pub fn only_fails(fail: bool) -> Result<(), ()> {
        if fail { Err(()) } else { Ok(()) }
    }

    /// Streams of what must be turned into something else on the way.
    pub async fn pass(events: Stream<Event>) -> Stream<Event> {
        events
    }

    pub fn each<'a>(events: &'a [Event]) -> impl Iterator<Item = Event> + 'a {
        events.iter().cloned()
    }

    pub fn boxed(n: u32) -> Box<dyn Iterator<Item = Result<Id, Event>>> {
        Box::new((0..n).map(|number| Ok(Id(number.into()))))
    }

    /// Names that WIT keeps for itself.
    pub fn list(record: u32, r#use: u32) -> u32 {
        record + r#use
    }

    /// A name that Rust keeps for itself.
    pub fn r#match(r#type: u32) -> u32 {
        r#type
    }
}
