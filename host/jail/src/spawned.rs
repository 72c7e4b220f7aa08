//! The argument by which a process learns what the launcher made for it.
//!
//! Owns its form: `<made>:<skipped>`, both as hexadecimal layer bits, at argv[2].

use std::ffi::CString;

use crate::layers::Layers;

/// What the launcher made, and what it and the process are told to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spawned {
    pub(crate) made: Layers,
    pub(crate) skip: Layers,
}

impl Spawned {
    pub(crate) fn to_argument(self) -> CString {
        let text = format!("{:x}:{:x}", self.made.bits(), self.skip.bits());
        // Hexadecimal digits hold no zero byte, so that the default is never used.
        CString::new(text).unwrap_or_default()
    }

    pub(crate) fn from_argument(text: &str) -> Option<Self> {
        let (made, skip) = text.split_once(':')?;
        let layers = |text| Layers::from_bits(u32::from_str_radix(text, 16).ok()?);
        Some(Self {
            made: layers(made)?,
            skip: layers(skip)?,
        })
    }

    /// The argument of this process.
    pub(crate) fn of_this_process() -> Option<Self> {
        Self::from_argument(std::env::args_os().nth(2)?.to_str()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_survives_the_trip() {
        let spawned = Spawned {
            made: Layers::NAMESPACES,
            skip: Layers::LANDLOCK,
        };
        let text = spawned.to_argument();
        assert_eq!(text.to_str(), Ok("7f:400"));
        assert_eq!(Spawned::from_argument("7f:400"), Some(spawned));
        for nonsense in ["", "7f", "7f:", ":", "10000:0", "7f:400:0"] {
            assert_eq!(Spawned::from_argument(nonsense), None);
        }
    }
}
