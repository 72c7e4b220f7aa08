//! What a stream or future carries, and items on their way into a guest.
//!
//! Owns: the form of items on the wire, and their check. May not know: credit, frames, instances.
//!
//! A run of items is the concatenation of one CBOR value each. A `stream<u8>` carries byte strings
//! instead, each a chunk of any length, so that bulk data is copied and not parsed; a stream or
//! future without a type carries `null`s.

use std::sync::Arc;

use bytes::Bytes;

use super::check::Checker;
use super::error::{ArgumentError, Mismatch};
use super::shape::{Kind, Shape};

/// The type of a parameter's items.
#[derive(Clone, Debug)]
pub struct Element {
    shape: Option<Arc<Shape>>,
    carries: Carries,
}

/// The form items travel in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// `null`s: the stream or future has no type.
    Nothing,
    /// Byte strings, each a chunk of a `stream<u8>`.
    Bytes,
    /// One CBOR value each.
    Values,
}

/// Items that fit their element type; what a source hands to a guest.
#[derive(Clone, Debug)]
pub struct CheckedItems {
    pub(crate) body: Bytes,
    /// Where each item ends.
    pub(crate) ends: Vec<usize>,
    /// How many have been handed on.
    pub(crate) taken: usize,
}

impl Element {
    pub(crate) fn of_stream(shape: Option<Arc<Shape>>) -> Element {
        let carries = match shape.as_ref().map(|shape| &shape.kind) {
            None => Carries::Nothing,
            Some(Kind::Int("u8", ..)) => Carries::Bytes,
            Some(_) => Carries::Values,
        };
        Element { shape, carries }
    }

    /// The one value of a future is never a chunk.
    pub(crate) fn of_future(shape: Option<Arc<Shape>>) -> Element {
        let carries = if shape.is_some() {
            Carries::Values
        } else {
            Carries::Nothing
        };
        Element { shape, carries }
    }

    /// The form the items travel in.
    pub fn carries(&self) -> Carries {
        self.carries
    }

    /// Checks the items of one frame: exactly `count` of them, each a value of the type.
    ///
    /// # Errors
    /// At the first item that does not fit.
    pub fn check(&self, body: Bytes, count: u32) -> Result<CheckedItems, ArgumentError> {
        let mut checker = Checker::new(&body, &[]);
        let mut ends = Vec::new();
        for index in 0..count {
            let item = match &self.shape {
                Some(shape) if self.carries == Carries::Values => checker.value(shape),
                Some(_) => checker.reader.bytes().map(drop).map_err(Mismatch::from),
                None => checker.reader.null().map_err(Mismatch::from),
            };
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            item.map_err(|m| m.index(index).in_item())?;
            ends.push(checker.reader.position());
        }
        checker
            .reader
            .finish()
            .map_err(|error| Mismatch::from(error).in_item())?;
        Ok(CheckedItems {
            body,
            ends,
            taken: 0,
        })
    }

    /// Checks the one value of a future.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn check_one(&self, body: Bytes) -> Result<CheckedItems, ArgumentError> {
        self.check(body, 1)
    }

    /// Whether both are the very same type of the same signature.
    pub(crate) fn is(&self, other: &Element) -> bool {
        match (&self.shape, &other.shape) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        }
    }
}

impl CheckedItems {
    /// How many items are left.
    pub fn len(&self) -> usize {
        self.ends.len() - self.taken
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
