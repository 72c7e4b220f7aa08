//! Why arguments were refused.
//!
//! Owns: the path to the value at fault and the words for it. May not know: how to print the
//! signature beside them; the caller has it.

use std::fmt::{self, Write as _};

/// Arguments that do not fit their function, found before the engine saw them.
///
/// Prints as `argument 2 "point".x: expected s32, found text`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct ArgumentError {
    /// Where: the parameter or item, and the path within its value.
    pub place: Place,
    /// What is wrong there.
    pub what: String,
}

/// Where in the arguments a fault lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The parameter, counted from 1, with its name; none for the arguments as a whole.
    pub parameter: Option<(usize, String)>,
    /// Fields, cases and indices from there to the value.
    pub path: String,
    /// Whether this is an item of a stream or future rather than an argument.
    pub item: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parameter {
            Some((number, name)) => write!(f, "argument {number} \"{name}\"")?,
            None if self.item => f.write_str("item")?,
            None => f.write_str("arguments")?,
        }
        f.write_str(&self.path)
    }
}

/// A fault on its way out of nested values; each level prepends its step.
#[derive(Debug)]
pub(crate) struct Mismatch(Box<(Vec<Step>, String)>);

#[derive(Debug)]
enum Step {
    Name(String),
    Index(usize),
}

impl Mismatch {
    #[cold]
    pub(crate) fn new(what: impl Into<String>) -> Mismatch {
        Mismatch(Box::new((Vec::new(), what.into())))
    }

    #[cold]
    pub(crate) fn under(mut self, name: &str) -> Mismatch {
        self.0.0.push(Step::Name(name.to_owned()));
        self
    }

    #[cold]
    pub(crate) fn index(mut self, index: usize) -> Mismatch {
        self.0.0.push(Step::Index(index));
        self
    }

    /// Whether the fault lies within a named or numbered part.
    pub(crate) fn is_nested(&self) -> bool {
        !self.0.0.is_empty()
    }

    /// Without the outermost step, for a caller that names it in its own way.
    #[cold]
    pub(crate) fn unnested(mut self) -> Mismatch {
        self.0.0.pop();
        self
    }

    #[cold]
    pub(crate) fn in_parameter(self, number: usize, name: &str) -> ArgumentError {
        self.placed(Some((number, name.to_owned())), false)
    }

    #[cold]
    pub(crate) fn in_item(self) -> ArgumentError {
        self.placed(None, true)
    }

    #[cold]
    pub(crate) fn in_arguments(self) -> ArgumentError {
        self.placed(None, false)
    }

    fn placed(self, parameter: Option<(usize, String)>, item: bool) -> ArgumentError {
        let (steps, what) = *self.0;
        let mut path = String::new();
        for step in steps.iter().rev() {
            // Writing to a string cannot fail.
            let _ = match step {
                Step::Name(name) => write!(path, ".{name}"),
                Step::Index(index) => write!(path, "[{index}]"),
            };
        }
        ArgumentError {
            place: Place {
                parameter,
                path,
                item,
            },
            what,
        }
    }
}

impl From<proc_host_wire::cbor::CborError> for Mismatch {
    #[cold]
    fn from(error: proc_host_wire::cbor::CborError) -> Mismatch {
        Mismatch::new(error.fault.to_string())
    }
}
