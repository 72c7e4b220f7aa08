//! What the two readers have in common: a document in the making, and the words for types.

use proc_host_wire::cbor::{TAG_FUTURE, TAG_STREAM, Writer};
use proc_host_wire::interface::{Function, Interface, Type, TypeId};

use crate::arguments::{Argument, Arguments};
use crate::outgoing::Chunks;

/// A document that is being written, and the streams it names.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) body: Vec<u8>,
    streams: Vec<Argument>,
}

impl Document {
    pub(super) fn writer(&mut self) -> Writer<'_> {
        Writer::new(&mut self.body)
    }

    /// A stream of these items (each a document) in the place of a value.
    pub(super) fn stream(&mut self, items: Vec<Vec<u8>>) {
        self.attach(TAG_STREAM, Argument::Stream(Chunks::encoded(items)));
    }

    /// A future of this value in its place.
    pub(super) fn future(&mut self, value: Vec<u8>) {
        self.attach(TAG_FUTURE, Argument::Future(Chunks::encoded(vec![value])));
    }

    fn attach(&mut self, tag: u64, argument: Argument) {
        let index = self.streams.len() as u64;
        self.streams.push(argument);
        let mut writer = self.writer();
        writer.tag(tag);
        writer.uint(index);
    }

    pub(super) fn into_arguments(self) -> Arguments {
        Arguments::encoded(self.body, self.streams)
    }
}

/// `u8`, whose lists are bytes.
pub(super) fn is_byte(interface: &Interface, id: TypeId) -> bool {
    matches!(interface.ty(id), Type::U8)
}

/// An option in an option is an array of none or one.
pub(super) fn is_option(interface: &Interface, id: TypeId) -> bool {
    matches!(interface.ty(id), Type::Option(_))
}

/// The least and the greatest of an integer type.
pub(super) fn range(ty: &Type) -> Option<(i128, i128)> {
    Some(match ty {
        Type::S8 => (i8::MIN.into(), i8::MAX.into()),
        Type::U8 => (0, u8::MAX.into()),
        Type::S16 => (i16::MIN.into(), i16::MAX.into()),
        Type::U16 => (0, u16::MAX.into()),
        Type::S32 => (i32::MIN.into(), i32::MAX.into()),
        Type::U32 => (0, u32::MAX.into()),
        Type::S64 => (i64::MIN.into(), i64::MAX.into()),
        Type::U64 => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// Writes an integer that has passed its range.
pub(super) fn put_integer(writer: &mut Writer<'_>, value: i128) {
    match (u64::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => writer.uint(value),
        (_, Ok(value)) => writer.int(value),
        _ => {}
    }
}

/// What a type is called in an error: its name, and its definition where it has one.
pub(super) fn type_name(interface: &Interface, id: TypeId) -> String {
    match interface.definition_text(id) {
        Some(definition) => definition,
        None => interface.type_text(id),
    }
}

/// What cannot be written as text.
pub(super) fn unwritable(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Own(_) | Type::Borrow(_) => {
            Some("a resource cannot be written as text: it lives in one connection")
        }
        Type::ErrorContext => Some("an error-context cannot be written as text"),
        Type::Stream(None) => Some("a stream without items cannot be written as text"),
        _ => None,
    }
}

/// `expected 2 arguments, found 3`.
pub(super) fn wrong_count(function: &Function, found: usize) -> String {
    let count = |n: usize| match n {
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    };
    format!("expected {}, found {found}", count(function.params.len()))
}

/// Where in the arguments a value is: `argument 2 "b"`, and the path within it.
pub(super) fn argument(number: usize, name: &str, path: &str) -> String {
    format!("argument {number} \"{name}\"{path}")
}
