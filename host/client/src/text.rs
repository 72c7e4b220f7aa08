//! Values as people write and read them: WAVE, and JSON.
//!
//! Owns: both notations in both directions, by WIT type, and errors that point at the place. May
//! not know: connections, calls under way.
//!
//! JSON follows the mapping of the wire: a record is an object, a variant is text or an object of
//! one entry, an enum is text, flags are an array of text, an option is `null` or the value (an
//! option in an option an array of none or one), a result inside data is `{"ok": …}` or
//! `{"err": …}`. A `list<u8>` is an array of numbers in both notations. Floats that JSON has no
//! number for are the texts `"nan"`, `"inf"` and `"-inf"`. Where a stream is a parameter, a list
//! of its items stands for it; where a future is, its value. Items of a `stream<u8>` are printed as
//! they come: many to a line, as a list. Handles cannot be written; read, they
//! are `resource#number`, streams `stream#number`, futures `future#number`.

mod error;
mod expression;
mod json_arguments;
mod json_read;
mod json_write;
mod labels;
mod outline;
mod returns;
mod wave_read;
mod wave_write;

#[cfg(test)]
mod tests;

pub use self::error::TextError;
pub use self::expression::Expression;
pub use self::json_arguments::{arguments_from_json, value_from_json};
pub use self::json_write::{to_json, untyped_to_json};
pub use self::labels::{Flow, flows};
pub use self::returns::{Returned, Returns};
pub use self::wave_write::to_wave;
