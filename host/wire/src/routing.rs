//! The routing section: a flat run of fixed fields and short texts, in the order its message names.

use bytes::{Buf, Bytes};

use crate::frame::{Kind, ProtocolError};
use crate::limits::MAX_TEXT;

/// Writes a routing section.
#[derive(Debug)]
pub(crate) struct Put(Vec<u8>);

impl Put {
    pub(crate) fn new() -> Put {
        Put(Vec::with_capacity(64))
    }

    pub(crate) fn u8(mut self, value: u8) -> Put {
        self.0.push(value);
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Put {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Put {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// `None` is one zero byte, `Some` a one and the value.
    pub(crate) fn option_u64(self, value: Option<u64>) -> Put {
        match value {
            None => self.u8(0),
            Some(value) => self.u8(1).u64(value),
        }
    }

    /// Cut at a character where it is over [`MAX_TEXT`].
    pub(crate) fn text(mut self, value: &str) -> Put {
        let cut = value.floor_char_boundary(MAX_TEXT);
        let length = u16::try_from(cut).unwrap_or_default();
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(&value.as_bytes()[..cut]);
        self
    }

    pub(crate) fn bytes(mut self, value: &[u8]) -> Put {
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn done(self) -> Bytes {
        Bytes::from(self.0)
    }
}

/// Reads a routing section; [`Take::end`] refuses what is left over.
#[derive(Debug)]
pub(crate) struct Take {
    kind: Kind,
    rest: Bytes,
}

impl Take {
    pub(crate) fn new(kind: Kind, routing: Bytes) -> Take {
        Take {
            kind,
            rest: routing,
        }
    }

    pub(crate) fn wrong(&self, why: &'static str) -> ProtocolError {
        ProtocolError::Routing {
            kind: self.kind,
            why,
        }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ProtocolError> {
        self.rest.try_get_u8().map_err(|_| self.wrong("ends early"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, ProtocolError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.wrong("a flag that is neither 0 nor 1")),
        }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ProtocolError> {
        self.rest
            .try_get_u32_le()
            .map_err(|_| self.wrong("ends early"))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ProtocolError> {
        self.rest
            .try_get_u64_le()
            .map_err(|_| self.wrong("ends early"))
    }

    pub(crate) fn option_u64(&mut self) -> Result<Option<u64>, ProtocolError> {
        if self.flag()? {
            self.u64().map(Some)
        } else {
            Ok(None)
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, ProtocolError> {
        let length = self
            .rest
            .try_get_u16_le()
            .map_err(|_| self.wrong("ends early"))?;
        let length = usize::from(length);
        if length > MAX_TEXT {
            return Err(self.wrong("a text over the limit"));
        }
        if length > self.rest.len() {
            return Err(self.wrong("ends early"));
        }
        let text = self.rest.split_to(length);
        std::str::from_utf8(&text)
            .map(str::to_owned)
            .map_err(|_| self.wrong("a text that is not UTF-8"))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let mut array = [0; N];
        self.rest
            .try_copy_to_slice(&mut array)
            .map_err(|_| self.wrong("ends early"))?;
        Ok(array)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn end(self) -> Result<(), ProtocolError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.wrong("runs on"))
        }
    }
}
