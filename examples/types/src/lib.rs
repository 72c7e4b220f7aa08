//! Every WIT type as a parameter and as a result, by plain wit-bindgen: no SDK, and nothing of
//! proc-host. This is how any component looks to the host.

// What is here is for the component; natively only its tests are.
#![cfg(target_arch = "wasm32")]

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use bindings::exports::example::types::api;
use wit_bindgen::{FutureReader, StreamReader};

/// What wit-bindgen makes of `wit/world.wit`.
#[allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "generated code"
)]
mod bindings {
    wit_bindgen::generate!({ world: "types", path: "wit", additional_derives: [Clone] });
}

struct Types;

#[allow(
    unsafe_code,
    clippy::undocumented_unsafe_blocks,
    reason = "generated code"
)]
mod export {
    use super::{Types, bindings};
    bindings::export!(Types with_types_in bindings);
}

/// The counters there are.
static ALIVE: AtomicU32 = AtomicU32::new(0);

struct Counter(Cell<u32>);

impl Counter {
    fn at(start: u32) -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Self(Cell::new(start))
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

impl api::GuestCounter for Counter {
    fn new(start: u32) -> Self {
        Self::at(start)
    }

    fn increment(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }

    fn add(&self, other: api::CounterBorrow<'_>) -> u32 {
        self.0.set(self.0.get() + other.get::<Self>().0.get());
        self.0.get()
    }

    fn value(&self) -> u32 {
        self.0.get()
    }

    async fn value_later(&self) -> u32 {
        wit_bindgen::yield_async().await;
        self.0.get()
    }

    fn merge(a: api::Counter, b: api::Counter) -> api::Counter {
        let sum = a.get::<Self>().0.get() + b.get::<Self>().0.get();
        api::Counter::new(Self::at(sum))
    }

    fn alive() -> u32 {
        ALIVE.load(Ordering::Relaxed)
    }
}

impl api::Guest for Types {
    type Counter = Counter;

    fn echo_bool(value: bool) -> bool {
        value
    }

    fn echo_u8(value: u8) -> u8 {
        value
    }

    fn echo_u16(value: u16) -> u16 {
        value
    }

    fn echo_u32(value: u32) -> u32 {
        value
    }

    fn echo_u64(value: u64) -> u64 {
        value
    }

    fn echo_s8(value: i8) -> i8 {
        value
    }

    fn echo_s16(value: i16) -> i16 {
        value
    }

    fn echo_s32(value: i32) -> i32 {
        value
    }

    fn echo_s64(value: i64) -> i64 {
        value
    }

    fn echo_f32(value: f32) -> f32 {
        value
    }

    fn echo_f64(value: f64) -> f64 {
        value
    }

    fn echo_char(value: char) -> char {
        value
    }

    fn echo_string(value: String) -> String {
        value
    }

    fn echo_bytes(value: Vec<u8>) -> Vec<u8> {
        value
    }

    fn echo_numbers(value: Vec<i32>) -> Vec<i32> {
        value
    }

    fn echo_strings(value: Vec<String>) -> Vec<String> {
        value
    }

    fn echo_matrix(value: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        value
    }

    fn echo_tuple(value: (u8, String, bool)) -> (u8, String, bool) {
        value
    }

    fn echo_record(value: api::Point) -> api::Point {
        value
    }

    fn echo_nested(value: api::Person) -> api::Person {
        value
    }

    fn echo_records(value: Vec<api::Person>) -> Vec<api::Person> {
        value
    }

    fn echo_enum(value: api::Mood) -> api::Mood {
        value
    }

    fn echo_variant(value: api::Shape) -> api::Shape {
        value
    }

    fn echo_flags(value: api::Rights) -> api::Rights {
        value
    }

    fn echo_option(value: Option<String>) -> Option<String> {
        value
    }

    fn echo_option_option(value: Option<Option<u32>>) -> Option<Option<u32>> {
        value
    }

    fn echo_result(value: (Result<u32, String>,)) -> (Result<u32, String>,) {
        value
    }

    fn echo_results(value: Vec<Result<(), api::Mood>>) -> Vec<Result<(), api::Mood>> {
        value
    }

    fn echo_empty_result(value: Option<Result<(), ()>>) -> Option<Result<(), ()>> {
        value
    }

    fn check(value: u32) -> Result<u32, String> {
        if value.is_multiple_of(2) {
            Ok(value)
        } else {
            Err(format!("{value} is odd"))
        }
    }

    fn demand(mood: api::Mood) -> Result<(), api::Shape> {
        match mood {
            api::Mood::Calm => Ok(()),
            api::Mood::Happy => Err(api::Shape::Empty),
            api::Mood::Angry => Err(api::Shape::Circle(1.5)),
        }
    }

    fn refuse() -> Result<(), ()> {
        Err(())
    }

    fn nothing() {}

    fn many(
        a: u8,
        b: u16,
        c: u32,
        d: u64,
        e: i8,
        f: i16,
        g: i32,
        h: i64,
        i: f32,
        j: f64,
        k: bool,
        l: char,
        m: String,
        n: api::Point,
        o: Option<u8>,
        p: Vec<u8>,
        q: api::Mood,
    ) -> String {
        let (x, y) = (n.x, n.y);
        format!("{a} {b} {c} {d} {e} {f} {g} {h} {i} {j} {k} {l} {m} ({x}, {y}) {o:?} {p:?} {q:?}")
    }

    fn make_counter(start: u32) -> api::Counter {
        api::Counter::new(Counter::at(start))
    }

    fn consume_counter(counter: api::Counter) -> u32 {
        counter.get::<Counter>().0.get()
    }

    fn make_counters(starts: Vec<u32>) -> Vec<api::Counter> {
        starts.into_iter().map(Self::make_counter).collect()
    }

    async fn later(value: String) -> FutureReader<String> {
        let (writer, reader) = bindings::wit_future::new(String::new);
        wit_bindgen::spawn_local(async move {
            // A reader that is gone does not miss it.
            let _ = writer.write(value).await;
        });
        reader
    }

    async fn resolve(value: FutureReader<String>) -> String {
        value.await
    }

    async fn line(start: api::Point, step: api::Point, count: u32) -> StreamReader<api::Point> {
        let (mut writer, reader) = bindings::wit_stream::new();
        wit_bindgen::spawn_local(async move {
            let mut point = start;
            for _ in 0..count {
                let next = api::Point {
                    x: point.x + step.x,
                    y: point.y + step.y,
                };
                if writer.write_one(point).await.is_some() {
                    return;
                }
                point = next;
            }
        });
        reader
    }

    async fn centre(mut points: StreamReader<api::Point>) -> Option<api::Point> {
        let (mut count, mut sum) = (0.0, api::Point { x: 0.0, y: 0.0 });
        while let Some(point) = points.next().await {
            count += 1.0;
            sum = api::Point {
                x: sum.x + point.x,
                y: sum.y + point.y,
            };
        }
        (count > 0.0).then(|| api::Point {
            x: sum.x / count,
            y: sum.y / count,
        })
    }

    async fn double(mut bytes: StreamReader<u8>) -> StreamReader<u8> {
        let (mut writer, reader) = bindings::wit_stream::new();
        wit_bindgen::spawn_local(async move {
            loop {
                let (result, mut batch) = bytes.read(Vec::with_capacity(4096)).await;
                for byte in &mut batch {
                    *byte = byte.wrapping_mul(2);
                }
                let unread = writer.write_all(batch).await;
                if !unread.is_empty() || !matches!(result, wit_bindgen::StreamResult::Complete(_)) {
                    return;
                }
            }
        });
        reader
    }

    async fn queue(
        people: Vec<api::Person>,
    ) -> (StreamReader<api::Person>, FutureReader<Result<(), String>>) {
        let (mut writer, reader) = bindings::wit_stream::new();
        let (end, ended) = bindings::wit_future::new(|| Ok(()));
        wit_bindgen::spawn_local(async move {
            let mut outcome = Ok(());
            for person in people {
                if matches!(person.mood, api::Mood::Angry) {
                    outcome = Err(format!("{} is angry", person.name));
                    break;
                }
                if writer.write_one(person).await.is_some() {
                    break;
                }
            }
            drop(writer);
            // A reader that is gone does not miss it.
            let _ = end.write(outcome).await;
        });
        (reader, ended)
    }
}
