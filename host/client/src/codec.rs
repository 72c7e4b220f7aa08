//! Between Rust values and the CBOR that travels.
//!
//! Owns: serde in both directions, and the text a value is shown as in an error. May not know:
//! WIT types, calls, sockets.

mod bytes;
mod show;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

pub use self::bytes::Bytes;
pub(crate) use self::show::show;

/// A value that could not be written as CBOR, or read from it as the type asked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct CodecError(pub(crate) String);

impl serde::ser::Error for CodecError {
    fn custom<T: std::fmt::Display>(message: T) -> CodecError {
        CodecError(message.to_string())
    }
}

/// One document of any serialisable value.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    encode_into(value, &mut out)?;
    Ok(out)
}

/// Appends one document to `out`, which on failure holds part of it.
pub(crate) fn encode_into<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    value.serialize(write::Serializer { out })
}

/// Reads the one document `body` is. No bytes at all stand for no value, and read as `null` does.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, CodecError> {
    const NULL: &[u8] = &[0xf6];
    let mut rest = if body.is_empty() { NULL } else { body };
    let value = decode_next(&mut rest)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(CodecError("trailing bytes".to_owned()))
    }
}

/// Reads the document at the front of `rest` and moves past it.
pub(crate) fn decode_next<T: DeserializeOwned>(rest: &mut &[u8]) -> Result<T, CodecError> {
    use ciborium::de::Error;
    ciborium::from_reader(rest).map_err(|error| {
        CodecError(match error {
            Error::Io(_) => "truncated value".to_owned(),
            Error::Syntax(offset) => format!("malformed value at byte {offset}"),
            Error::Semantic(_, message) => message,
            Error::RecursionLimitExceeded => "nested too deeply".to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proc_host_wire::cbor::{Limits, validate};
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::Value;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Dot,
        Circle(f32),
        Line(u8, u8),
        Rect { w: u64, h: i64 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Everything {
        shapes: Vec<Shape>,
        name: Option<String>,
        none: Option<u8>,
        letter: char,
        bytes: Bytes,
        map: BTreeMap<String, i8>,
        pair: (bool, f64),
        #[serde(flatten)]
        rest: BTreeMap<String, u32>,
    }

    #[test]
    fn what_is_written_is_read_again_and_within_the_subset() {
        let value = Everything {
            shapes: vec![
                Shape::Dot,
                Shape::Circle(0.1),
                Shape::Line(1, 2),
                Shape::Rect {
                    w: u64::MAX,
                    h: i64::MIN,
                },
            ],
            name: Some("ö".to_owned()),
            none: None,
            letter: '🦀',
            bytes: Bytes(vec![0, 255]),
            map: [("a".to_owned(), -1)].into(),
            pair: (true, f64::INFINITY),
            rest: (0..300).map(|n| (format!("k{n}"), n)).collect(),
        };
        let body = encode(&value).unwrap();
        validate(&body, Limits::DEFAULT).unwrap();
        assert_eq!(decode::<Everything>(&body).unwrap(), value);
    }

    #[test]
    fn a_sequence_of_unknown_length_gets_a_definite_one() {
        struct Odd;
        impl Serialize for Odd {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_seq((0..100).filter(|n| n % 2 == 1))
            }
        }
        let body = encode(&Odd).unwrap();
        validate(&body, Limits::DEFAULT).unwrap();
        assert_eq!(decode::<Vec<u8>>(&body).unwrap().len(), 50);
    }

    #[test]
    fn untyped_values_and_tags_survive() {
        let value = Value::Array(vec![
            Value::Tag(41_000, Box::new(Value::Integer(0.into()))),
            Value::Null,
            Value::Bytes(vec![1]),
            Value::Integer((-7).into()),
        ]);
        assert_eq!(decode::<Value>(&encode(&value).unwrap()).unwrap(), value);
    }

    #[test]
    fn bytes_read_as_a_vector_and_nothing_as_unit() {
        assert_eq!(
            decode::<Vec<u8>>(&encode(&Bytes(vec![1, 2])).unwrap()).unwrap(),
            [1, 2]
        );
        decode::<()>(&[]).unwrap();
        assert_eq!(decode::<Option<u8>>(&[]).unwrap(), None);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(encode(&u128::MAX).is_err());
        assert!(decode::<u8>(&encode(&300).unwrap()).is_err());
        assert!(decode::<u8>(&[1, 1]).is_err());
        assert!(decode::<u8>(&[0x19, 1]).is_err());
    }
}
