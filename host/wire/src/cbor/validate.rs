//! The whole-document check.
//!
//! Owns: what makes bytes one acceptable document. May not know: its meaning.

use super::reader::Head;
use super::{CborError, Fault, Kind, Limits, Reader};

/// How many keys are compared with each other before they are sorted instead.
const FEW_KEYS: usize = 16;

/// Checks that `bytes` are exactly one document of the subset, within `limits`.
///
/// # Errors
/// At the first fault: malformed or unsupported values, duplicate keys, trailing bytes, or more
/// than the limits allow.
pub fn validate(bytes: &[u8], limits: Limits) -> Result<(), CborError> {
    Walk {
        reader: Reader::new(bytes, limits),
        canonical: false,
    }
    .document(limits.depth)
}

/// [`validate`], and every integer, length and tag is in its shortest form.
///
/// # Errors
/// As [`validate`], and [`Fault::NotShortest`].
pub fn validate_canonical(bytes: &[u8], limits: Limits) -> Result<(), CborError> {
    Walk {
        reader: Reader::new(bytes, limits),
        canonical: true,
    }
    .document(limits.depth)
}

struct Walk<'a> {
    reader: Reader<'a>,
    canonical: bool,
}

impl<'a> Walk<'a> {
    fn document(&mut self, depth: u8) -> Result<(), CborError> {
        self.value(depth, self.canonical)?;
        self.reader.finish()
    }

    fn value(&mut self, depth: u8, shortest: bool) -> Result<(), CborError> {
        let start = self.reader.position();
        let kind = self.reader.peek()?;
        let deeper = depth.checked_sub(1).ok_or(CborError {
            offset: start,
            fault: Fault::TooDeep,
        });
        let head = {
            let mut ahead = self.reader.clone();
            ahead.head()?
        };
        self.check_head(start, kind, head, shortest)?;
        match kind {
            Kind::Array => {
                let deeper = deeper?;
                for _ in 0..self.reader.array()? {
                    self.value(deeper, shortest)?;
                }
            }
            Kind::Map => self.map(deeper?, shortest)?,
            Kind::Tag => {
                self.reader.tag()?;
                self.value(deeper?, shortest)?;
            }
            _ => self.reader.skip()?,
        }
        Ok(())
    }

    fn check_head(
        &self,
        start: usize,
        kind: Kind,
        head: Head,
        strict: bool,
    ) -> Result<(), CborError> {
        // A float's argument is its bits, so its width is its own.
        if strict && kind != Kind::Float && !head.shortest {
            return Err(CborError {
                offset: start,
                fault: Fault::NotShortest,
            });
        }
        Ok(())
    }

    fn map(&mut self, depth: u8, shortest: bool) -> Result<(), CborError> {
        let length = self.reader.map()?;
        let mut few: [&'a [u8]; FEW_KEYS] = [&[]; FEW_KEYS];
        let mut many: Vec<(&'a [u8], usize)> = Vec::new();
        for index in 0..length {
            let start = self.reader.position();
            self.value(depth, true)?;
            let key = self.reader.since(start);
            let duplicate = CborError {
                offset: start,
                fault: Fault::DuplicateKey,
            };
            if length > FEW_KEYS {
                many.push((key, start));
            } else {
                if few[..index].contains(&key) {
                    return Err(duplicate);
                }
                few[index] = key;
            }
            self.value(depth, shortest)?;
        }
        many.sort_unstable();
        match many.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(CborError {
                offset: pair[1].1,
                fault: Fault::DuplicateKey,
            }),
            None => Ok(()),
        }
    }
}
