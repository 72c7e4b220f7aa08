//! The cursor: one method per kind of value.
//!
//! Owns: the position in one document and what is left of its element budget. May not know: what
//! follows the value it was asked for.

use super::{CborError, Fault, Kind, Limits};

/// A cursor over one CBOR document.
///
/// A read that fails leaves the cursor where it was found; the document is then of no further use.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    elements: u32,
    depth: u8,
}

/// The head of a value: its kind, the initial byte's low bits and the argument.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) initial: u8,
    pub(super) argument: u64,
    pub(super) shortest: bool,
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `bytes`.
    pub fn new(bytes: &'a [u8], limits: Limits) -> Reader<'a> {
        Reader {
            bytes,
            at: 0,
            elements: limits.elements,
            depth: limits.depth,
        }
    }

    /// A cursor at `offset` of `bytes`, to read again what was read before.
    pub fn at(bytes: &'a [u8], offset: usize, limits: Limits) -> Reader<'a> {
        Reader {
            at: offset.min(bytes.len()),
            ..Reader::new(bytes, limits)
        }
    }

    /// The offset of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The bytes between an earlier position and this one.
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// How deep [`Reader::skip`] goes.
    pub fn depth_limit(&self) -> u8 {
        self.depth
    }

    /// Whether every byte was read.
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Checks that every byte was read.
    ///
    /// # Errors
    /// [`Fault::Trailing`] if a byte is left.
    pub fn finish(&self) -> Result<(), CborError> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(self.fault(Fault::Trailing))
        }
    }

    /// What kind of value is next.
    ///
    /// # Errors
    /// [`Fault::Truncated`] at the end of the document.
    #[inline]
    pub fn peek(&self) -> Result<Kind, CborError> {
        self.bytes
            .get(self.at)
            .map(|b| Kind::of(*b))
            .ok_or_else(|| self.fault(Fault::Truncated))
    }

    /// Reads a non-negative integer.
    ///
    /// # Errors
    /// If the next value is none.
    #[inline]
    pub fn uint(&mut self) -> Result<u64, CborError> {
        self.expect(0, "non-negative integer")
    }

    /// Reads an integer of either sign; CBOR's cover -2^64 to 2^64-1.
    ///
    /// # Errors
    /// If the next value is none.
    #[inline]
    pub fn int(&mut self) -> Result<i128, CborError> {
        match self.peek()? {
            Kind::Uint => Ok(i128::from(self.head()?.argument)),
            Kind::Nint => Ok(-1 - i128::from(self.head()?.argument)),
            found => Err(self.expected("integer", found)),
        }
    }

    /// Reads an integer that fits `i64`, fast; none, and the cursor unmoved, if it is anything else.
    #[inline]
    pub fn try_i64(&mut self) -> Option<i64> {
        let (&initial, rest) = self.bytes.get(self.at..)?.split_first()?;
        if initial >> 6 != 0 {
            return None;
        }
        let (argument, width) = match initial & 0x1f {
            small @ 0..24 => (i64::from(small), 0),
            24 => (i64::from(*rest.first()?), 1),
            25 => (i64::from(u16::from_be_bytes(fixed(rest)?)), 2),
            26 => (i64::from(u32::from_be_bytes(fixed(rest)?)), 4),
            27 => (i64::try_from(u64::from_be_bytes(fixed(rest)?)).ok()?, 8),
            _ => return None,
        };
        self.elements = self.elements.checked_sub(1)?;
        self.at += 1 + width;
        // A negative integer's argument is its complement.
        Some(if initial < 0x20 { argument } else { !argument })
    }

    /// Reads an integer that fits `i64`.
    ///
    /// # Errors
    /// If the next value is none, or is out of range.
    pub fn i64(&mut self) -> Result<i64, CborError> {
        let start = self.at;
        let value = self.int()?;
        i64::try_from(value).map_err(|_| CborError {
            offset: start,
            fault: Fault::IntegerRange,
        })
    }

    /// Reads a float of any width, widened. An integer is not a float here.
    ///
    /// # Errors
    /// If the next value is none.
    pub fn float(&mut self) -> Result<f64, CborError> {
        match self.peek()? {
            Kind::Float => {}
            found => return Err(self.expected("float", found)),
        }
        let Head {
            initial, argument, ..
        } = self.head()?;
        let low = |bits: u32| u32::try_from(argument & ((1u64 << bits) - 1)).unwrap_or_default();
        Ok(match initial & 0x1f {
            25 => half(low(16)),
            26 => f64::from(f32::from_bits(u32::try_from(argument).unwrap_or_default())),
            _ => f64::from_bits(argument),
        })
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// If the next value is neither.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, CborError> {
        match self.peek()? {
            Kind::Bool => Ok(self.head()?.initial == 0xf5),
            found => Err(self.expected("bool", found)),
        }
    }

    /// Reads `null`.
    ///
    /// # Errors
    /// If the next value is something else.
    #[inline]
    pub fn null(&mut self) -> Result<(), CborError> {
        match self.peek()? {
            Kind::Null => self.head().map(drop),
            found => Err(self.expected("null", found)),
        }
    }

    /// Reads a text string.
    ///
    /// # Errors
    /// If the next value is none, is cut short or is not UTF-8.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, CborError> {
        let start = self.at;
        let bytes = self.text_bytes()?;
        std::str::from_utf8(bytes).map_err(|_| CborError {
            offset: start,
            fault: Fault::Utf8,
        })
    }

    /// Reads a text string without looking at its encoding: for text that was checked before.
    ///
    /// # Errors
    /// If the next value is none or is cut short.
    #[inline]
    pub fn text_bytes(&mut self) -> Result<&'a [u8], CborError> {
        let start = self.at;
        let length = self.expect(3, "text")?;
        self.take(start, length)
    }

    /// Reads a byte string.
    ///
    /// # Errors
    /// If the next value is none or is cut short.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let start = self.at;
        let length = self.expect(2, "bytes")?;
        self.take(start, length)
    }

    /// Enters an array: its elements follow.
    ///
    /// # Errors
    /// If the next value is none, or the document is too short for that many elements.
    #[inline]
    pub fn array(&mut self) -> Result<usize, CborError> {
        let start = self.at;
        let length = self.expect(4, "array")?;
        self.room(start, length, 1)
    }

    /// Enters a map: its keys and values follow, in turn.
    ///
    /// # Errors
    /// If the next value is none, or the document is too short for that many entries.
    #[inline]
    pub fn map(&mut self) -> Result<usize, CborError> {
        let start = self.at;
        let length = self.expect(5, "map")?;
        self.room(start, length, 2)
    }

    /// Reads a tag: its content follows.
    ///
    /// # Errors
    /// If the next value has none.
    #[inline]
    pub fn tag(&mut self) -> Result<u64, CborError> {
        self.expect(6, "tag")
    }

    /// An error at the cursor.
    #[cold]
    pub(super) fn fault(&self, fault: Fault) -> CborError {
        CborError {
            offset: self.at,
            fault,
        }
    }

    #[cold]
    fn expected(&self, expected: &'static str, found: Kind) -> CborError {
        self.fault(match found {
            Kind::Simple => Fault::Simple,
            found => Fault::Expected { expected, found },
        })
    }

    #[inline]
    fn expect(&mut self, major: u8, expected: &'static str) -> Result<u64, CborError> {
        match self.bytes.get(self.at) {
            Some(initial) if initial >> 5 == major => Ok(self.head()?.argument),
            Some(initial) => Err(self.expected(expected, Kind::of(*initial))),
            None => Err(self.fault(Fault::Truncated)),
        }
    }

    /// Reads an initial byte and its argument, and pays for one element.
    #[inline]
    pub(super) fn head(&mut self) -> Result<Head, CborError> {
        let Some(&initial) = self.bytes.get(self.at) else {
            return Err(self.fault(Fault::Truncated));
        };
        let Some(elements) = self.elements.checked_sub(1) else {
            return Err(self.fault(Fault::TooManyElements));
        };
        let rest = &self.bytes[self.at + 1..];
        let (argument, width, least) = match initial & 0x1f {
            small @ 0..24 => (u64::from(small), 0, 0),
            24 => (rest.first().map_or(0, |b| u64::from(*b)), 1, 24),
            25 => (
                fixed(rest).map_or(0, |b| u64::from(u16::from_be_bytes(b))),
                2,
                1 << 8,
            ),
            26 => (
                fixed(rest).map_or(0, |b| u64::from(u32::from_be_bytes(b))),
                4,
                1 << 16,
            ),
            27 => (fixed(rest).map_or(0, u64::from_be_bytes), 8, 1 << 32),
            31 => return Err(self.fault(Fault::Indefinite)),
            _ => return Err(self.fault(Fault::Reserved)),
        };
        if rest.len() < width {
            return Err(self.fault(Fault::Truncated));
        }
        self.elements = elements;
        self.at += 1 + width;
        Ok(Head {
            initial,
            argument,
            shortest: argument >= least,
        })
    }

    fn take(&mut self, start: usize, length: u64) -> Result<&'a [u8], CborError> {
        let taken = usize::try_from(length)
            .ok()
            .and_then(|l| self.bytes[self.at..].get(..l));
        let Some(taken) = taken else {
            return Err(CborError {
                offset: start,
                fault: Fault::Truncated,
            });
        };
        self.at += taken.len();
        Ok(taken)
    }

    /// Checks that `length` values of at least `least` bytes can follow, before anyone makes room.
    fn room(&self, start: usize, length: u64, least: usize) -> Result<usize, CborError> {
        let left = self.bytes.len() - self.at;
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= left / least)
            .ok_or(CborError {
                offset: start,
                fault: Fault::Truncated,
            })
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.first_chunk().copied()
}

/// Widens an IEEE 754 half, by the method of RFC 8949, appendix D.
fn half(bits: u32) -> f64 {
    let exponent = (bits >> 10) & 0x1f;
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2f64.powi(i32::try_from(exponent).unwrap_or_default() - 25),
    };
    if bits & 0x8000 == 0 {
        magnitude
    } else {
        -magnitude
    }
}
