//! Values between the wire and a guest, without a stop in between.
//!
//! Owns: what CBOR is which WIT value, the check that goes before every call, and the pumps of
//! streams. May not know: connections, modules, deadlines.
//!
//! | WIT | CBOR | | WIT | CBOR |
//! |---|---|---|---|---|
//! | integers, bool | same | | record | map by field name |
//! | `f32`, `f64` | float, or an exact integer | | variant | text, or map of one entry |
//! | `string`, `char` | text | | enum | text |
//! | `list<u8>` | bytes | | flags | array of text |
//! | `list<T>`, tuple | array | | result | `{"ok": v}` or `{"err": e}` |
//! | `map<K, V>` | map | | | |
//! | option | `null` or value | | resource, stream, future | tag and attachment index |
//!
//! An option directly in an option is an array of 0 or 1 for the outer one. A field that is an
//! option may be left out. See [`Carries`] for items of streams, and
//! [`proc_host_wire::cbor`] for the tags.
//!
//! ```text
//!  load:      Signature::new(types)                                  once per export
//!  instance:  TypedCall::bind(store, func, signature)
//!  call:      signature.arguments(body, kinds)   the complete check: the last point to refuse
//!             Stream::from_source(…)             for each stream the arguments want
//!             call.attach(arguments, attachments)
//!             call.start(…), call.finish(…)      or call_async, call: an error costs the Store
//!             reply.attachments: pipe, keep or close each
//! ```

mod abi;
mod arguments;
mod call;
mod check;
mod element;
mod error;
mod handle;
mod number;
mod shape;
mod signature;
mod stream;

#[cfg(test)]
mod tests;

pub use abi::CborArgs;
pub use arguments::{Arguments, Wanted};
pub use call::{Reply, Started, TypedCall};
pub use element::{Carries, CheckedItems, Element};
pub use error::{ArgumentError, Place};
pub use handle::{Attachment, Future, Stream};
pub use shape::Unsupported;
pub use signature::Signature;
pub use stream::{Credit, ItemSink, ItemSource, Items};

/// The longest body a guest may give back, and the longest run of items.
pub const MAX_BODY: usize = 64 << 20;
