//! Handles and streams inside values.
//!
//! A document names them by index. Serde has no way to carry the table along, so it lies in a
//! thread-local for the length of one (synchronous) run of a serializer.

use std::cell::RefCell;

use ciborium::tag::Required;
use proc_host_wire::Attachment;
use proc_host_wire::AttachmentKind;
use proc_host_wire::cbor::{CborError, Kind, Limits, Reader, TAG_FUTURE, TAG_RESOURCE, TAG_STREAM};
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{self, Serialize, Serializer};

use crate::arguments::Argument;
use crate::handle::Handle;
use crate::incoming::Incoming;
use crate::running::Place;

/// Something a value of a result names.
#[derive(Debug)]
pub enum Attached {
    /// A resource.
    Handle(Handle),
    /// A stream.
    Stream(Incoming),
    /// A future: a stream of at most one item.
    Future(Incoming),
}

impl Attached {
    /// A message's attachment table in this program's hands.
    pub(crate) fn table(place: &Place, table: Vec<Attachment>) -> Vec<Option<Attached>> {
        table
            .into_iter()
            .map(|attachment| Some(Attached::new(place, attachment)))
            .collect()
    }

    fn new(place: &Place, attachment: Attachment) -> Attached {
        let incoming = || {
            // The connection has refused numbers out of range when it entered the stream.
            Incoming::new(
                place.clone(),
                u32::try_from(attachment.id).unwrap_or_default(),
            )
        };
        match attachment.kind {
            AttachmentKind::Resource => Attached::Handle(Handle::new(place.clone(), attachment.id)),
            AttachmentKind::Stream => Attached::Stream(incoming()),
            AttachmentKind::Future => Attached::Future(incoming()),
        }
    }
}

/// Takes from `table` what the document `body` names, each at its own index.
pub(crate) fn take_named(table: &mut [Option<Attached>], body: &[u8]) -> Vec<Option<Attached>> {
    let mut named = Vec::new();
    // A document that is malformed fails when it is decoded.
    let _ = indices(
        &mut Reader::new(body, Limits::DEFAULT),
        Limits::DEFAULT.depth,
        &mut named,
    );
    let mut taken = Vec::new();
    for index in named {
        if let Some(attached) = table.get_mut(index).and_then(Option::take) {
            taken.resize_with(taken.len().max(index + 1), || None);
            taken[index] = Some(attached);
        }
    }
    taken
}

fn indices(reader: &mut Reader<'_>, depth: u8, named: &mut Vec<usize>) -> Result<(), CborError> {
    let count = match reader.peek()? {
        Kind::Array if depth > 0 => reader.array()?,
        Kind::Map if depth > 0 => 2 * reader.map()?,
        Kind::Tag if depth > 0 => match reader.tag()? {
            TAG_RESOURCE | TAG_STREAM | TAG_FUTURE => {
                named.extend(usize::try_from(reader.uint()?));
                0
            }
            _ => 1,
        },
        _ => return reader.skip(),
    };
    (0..count).try_for_each(|_| indices(reader, depth - 1, named))
}

thread_local! {
    static DECODING: RefCell<Option<Vec<Option<Attached>>>> = const { RefCell::new(None) };
    static ENCODING: RefCell<Option<Vec<Argument>>> = const { RefCell::new(None) };
}

/// Puts the outer table back, also where a serializer panics.
struct Restore<T: 'static>(
    &'static std::thread::LocalKey<RefCell<Option<T>>>,
    Option<T>,
);

impl<T> Drop for Restore<T> {
    fn drop(&mut self) {
        let outer = self.1.take();
        // Dropped outside of the borrow: what it lets go of may be anything.
        let inner = self
            .0
            .with(|slot| std::mem::replace(&mut *slot.borrow_mut(), outer));
        drop(inner);
    }
}

/// Runs `decode` with `table` at hand; what it leaves there is dropped.
pub(crate) fn while_decoding<T>(table: Vec<Option<Attached>>, decode: impl FnOnce() -> T) -> T {
    if table.is_empty() {
        return decode();
    }
    let _restore = Restore(&DECODING, DECODING.replace(Some(table)));
    decode()
}

/// Runs `encode` and returns what it has attached.
pub(crate) fn while_encoding<T>(encode: impl FnOnce() -> T) -> (T, Vec<Argument>) {
    let _restore = Restore(&ENCODING, ENCODING.replace(Some(Vec::new())));
    let value = encode();
    (value, ENCODING.take().unwrap_or_default())
}

/// Writes a tag and the index under which `argument` now is in the table.
pub(crate) fn attach<S: Serializer>(
    serializer: S,
    argument: Result<Argument, &'static str>,
) -> Result<S::Ok, S::Error> {
    use ser::Error as _;
    let argument = argument.map_err(S::Error::custom)?;
    let kind = argument.kind();
    let index = ENCODING.with_borrow_mut(|table| {
        let table = table.as_mut()?;
        table.push(argument);
        Some(table.len() as u64 - 1)
    });
    let index = index.ok_or_else(|| {
        S::Error::custom("a handle, stream or future can only be an argument of a call")
    })?;
    match kind {
        AttachmentKind::Resource => Required::<u64, TAG_RESOURCE>(index).serialize(serializer),
        AttachmentKind::Stream => Required::<u64, TAG_STREAM>(index).serialize(serializer),
        AttachmentKind::Future => Required::<u64, TAG_FUTURE>(index).serialize(serializer),
    }
}

/// Reads a tag and takes what its index stands for out of the table.
pub(crate) fn detach<'de, D: Deserializer<'de>, const TAG: u64>(
    deserializer: D,
) -> Result<Attached, D::Error> {
    use de::Error as _;
    let Required(index) = Required::<u64, TAG>::deserialize(deserializer)?;
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    DECODING
        .with_borrow_mut(|table| table.as_mut()?.get_mut(index)?.take())
        .ok_or_else(|| D::Error::custom(format!("the value has no attachment {index}")))
}
