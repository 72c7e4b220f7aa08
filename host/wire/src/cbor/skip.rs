//! Passing over values.
//!
//! Owns: the walk over a value nobody looks at, bounded in depth. May not know: duplicate keys and
//! canonical forms; those are the business of the whole-document check.

use super::{CborError, Fault, Kind, Reader};

impl Reader<'_> {
    /// Passes over one value of any kind, checking it on the way.
    ///
    /// # Errors
    /// If it is malformed, too deep or too large.
    pub fn skip(&mut self) -> Result<(), CborError> {
        self.skip_within(self.depth_limit())
    }

    fn skip_within(&mut self, depth: u8) -> Result<(), CborError> {
        let inner = || {
            depth
                .checked_sub(1)
                .ok_or_else(|| self.fault(Fault::TooDeep))
        };
        match self.peek()? {
            Kind::Text => self.text().map(drop),
            Kind::Bytes => self.bytes().map(drop),
            Kind::Array => {
                let inner = inner()?;
                for _ in 0..self.array()? {
                    self.skip_within(inner)?;
                }
                Ok(())
            }
            Kind::Map => {
                let inner = inner()?;
                for _ in 0..self.map()? {
                    self.skip_within(inner)?;
                    self.skip_within(inner)?;
                }
                Ok(())
            }
            Kind::Tag => {
                let inner = inner()?;
                self.tag()?;
                self.skip_within(inner)
            }
            Kind::Simple => Err(self.fault(Fault::Simple)),
            Kind::Uint | Kind::Nint | Kind::Bool | Kind::Null | Kind::Float => {
                self.head().map(drop)
            }
        }
    }
}
