//! The one CBOR codec of proc-host: a strict, bounded cursor and a deterministic writer.
//!
//! Owns: the subset of RFC 8949 that travels on every socket, its limits, and the tag numbers that
//! stand for handles. May not know: what a value means, WIT types, frames, sockets.
//!
//! The subset: definite lengths only; integers of up to 64 bits; floats of 16, 32 or 64 bits;
//! `false`, `true` and `null`, but no other simple value; valid UTF-8. Integers and lengths may be
//! wider than needed unless a document must be canonical ([`validate_canonical`]), except in map
//! keys, which are always compared, and so always written, in their shortest form.
//! Nothing here allocates in proportion to a length it has not yet seen the bytes of.

mod reader;
mod skip;
mod validate;
mod writer;

use std::fmt;

pub use self::reader::Reader;
pub use self::validate::{validate, validate_canonical};
pub use self::writer::Writer;

/// Tag of a resource handle: the content is its index in the frame's attachment table.
///
/// The three numbers are unassigned in the IANA registry, in its first-come range.
pub const TAG_RESOURCE: u64 = 41_000;
/// Tag of the readable end of a stream: the content is its index in the attachment table.
pub const TAG_STREAM: u64 = 41_001;
/// Tag of the readable end of a future: the content is its index in the attachment table.
pub const TAG_FUTURE: u64 = 41_002;

/// What a document may cost its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many arrays, maps and tags may enclose a value.
    pub depth: u8,
    /// How many values a document may hold, counting containers, keys and tags.
    pub elements: u32,
}

impl Limits {
    /// 64 levels and 16 Mi values: the largest body (64 MiB) of numbers that each take four bytes.
    pub const DEFAULT: Limits = Limits {
        depth: 64,
        elements: 16 << 20,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

/// What kind of value starts at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A non-negative integer.
    Uint,
    /// A negative integer.
    Nint,
    /// A byte string.
    Bytes,
    /// A text string.
    Text,
    /// An array.
    Array,
    /// A map.
    Map,
    /// A tagged value.
    Tag,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// A float of any width.
    Float,
    /// A simple value this subset does not have (`undefined` among them).
    Simple,
}

impl Kind {
    pub(crate) fn of(initial: u8) -> Kind {
        match initial >> 5 {
            0 => Kind::Uint,
            1 => Kind::Nint,
            2 => Kind::Bytes,
            3 => Kind::Text,
            4 => Kind::Array,
            5 => Kind::Map,
            6 => Kind::Tag,
            _ => match initial & 0x1f {
                20 | 21 => Kind::Bool,
                22 => Kind::Null,
                25..=27 => Kind::Float,
                _ => Kind::Simple,
            },
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Uint => "integer",
            Kind::Nint => "negative integer",
            Kind::Bytes => "bytes",
            Kind::Text => "text",
            Kind::Array => "array",
            Kind::Map => "map",
            Kind::Tag => "tag",
            Kind::Bool => "bool",
            Kind::Null => "null",
            Kind::Float => "float",
            Kind::Simple => "unknown simple value",
        })
    }
}

/// Why a document was refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset}")]
pub struct CborError {
    /// The byte the fault starts at.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The document ends inside a value.
    #[error("truncated value")]
    Truncated,
    /// Bytes follow the one value a document is.
    #[error("trailing bytes")]
    Trailing,
    /// Another kind of value was asked for.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What was asked for.
        expected: &'static str,
        /// What is there.
        found: Kind,
    },
    /// The integer does not fit 64 bits.
    #[error("integer beyond 64 bits")]
    IntegerRange,
    /// A string, array or map of indefinite length, or a stray break.
    #[error("indefinite length")]
    Indefinite,
    /// Additional information 28 to 30, which the standard reserves.
    #[error("reserved additional information")]
    Reserved,
    /// A simple value this subset does not have.
    #[error("unsupported simple value")]
    Simple,
    /// An integer, length or tag wider than it need be.
    #[error("integer not in its shortest form")]
    NotShortest,
    /// A key occurs twice in one map.
    #[error("duplicate map key")]
    DuplicateKey,
    /// A text string is not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// More levels than [`Limits::depth`].
    #[error("nested too deeply")]
    TooDeep,
    /// More values than [`Limits::elements`].
    #[error("too many values")]
    TooManyElements,
}

#[cfg(test)]
mod tests;
