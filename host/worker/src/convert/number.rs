//! Reading a CBOR value as something narrower: floats of one width, keys, sets of a few.
//!
//! Owns: which numbers are which floats. May not know: paths, messages; the check has them.

use proc_host_wire::cbor::{self, Reader};

/// Why a number is not a float of the width asked for.
#[derive(Debug)]
pub(crate) enum FloatFault {
    Cbor(cbor::CborError),
    Inexact(i128),
    TooLarge,
}

/// Reads an `f64`: a float of any width, or an integer it represents exactly.
pub(crate) fn float64(reader: &mut Reader<'_>) -> Result<f64, FloatFault> {
    match reader.peek().map_err(FloatFault::Cbor)? {
        cbor::Kind::Uint | cbor::Kind::Nint => {
            let integer = reader.int().map_err(FloatFault::Cbor)?;
            #[expect(clippy::cast_precision_loss, reason = "the loss is what is looked for")]
            let value = integer as f64;
            #[expect(clippy::cast_possible_truncation, reason = "64-bit integers fit i128")]
            match value as i128 == integer {
                true => Ok(value),
                false => Err(FloatFault::Inexact(integer)),
            }
        }
        _ => reader.float().map_err(FloatFault::Cbor),
    }
}

/// Reads an `f32`: a float of any width, rounded, or an integer it represents exactly.
pub(crate) fn float32(reader: &mut Reader<'_>) -> Result<f32, FloatFault> {
    let integer = matches!(reader.peek(), Ok(cbor::Kind::Uint | cbor::Kind::Nint));
    let wide = float64(reader)?;
    #[expect(clippy::cast_possible_truncation, reason = "rounding is the point")]
    let value = wide as f32;
    if integer && f64::from(value) != wide {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it was an integer of 64 bits"
        )]
        return Err(FloatFault::Inexact(wide as i128));
    }
    match value.is_infinite() && wide.is_finite() {
        true => Err(FloatFault::TooLarge),
        false => Ok(value),
    }
}

/// A key of a map, compared by what it is and not by how it is spelled.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key<'k> {
    Bool(bool),
    Int(i128),
    Text(&'k str),
}

impl<'k> Key<'k> {
    /// Reads a key; WIT allows no other types for one.
    pub(crate) fn read(reader: &mut Reader<'k>) -> Result<Key<'k>, cbor::CborError> {
        Ok(match reader.peek()? {
            cbor::Kind::Bool => Key::Bool(reader.bool()?),
            cbor::Kind::Text => Key::Text(reader.text()?),
            _ => Key::Int(reader.int()?),
        })
    }
}

/// Which of a few things were seen.
pub(crate) struct Seen {
    few: u128,
    many: Vec<bool>,
}

impl Seen {
    pub(crate) fn new(count: usize) -> Seen {
        Seen {
            few: 0,
            many: if count > 128 {
                vec![false; count]
            } else {
                Vec::new()
            },
        }
    }

    pub(crate) fn insert(&mut self, index: usize) -> bool {
        match self.many.get_mut(index) {
            Some(seen) => !std::mem::replace(seen, true),
            None => {
                let bit = 1u128 << (index & 127);
                let new = self.few & bit == 0;
                self.few |= bit;
                new
            }
        }
    }

    pub(crate) fn contains(&self, index: usize) -> bool {
        match self.many.get(index) {
            Some(seen) => *seen,
            None => self.few & (1 << (index & 127)) != 0,
        }
    }
}
