//! Echo components of random types, and hand-written ones for handles and streams.
//!
//! Owns: what a transcoded value must look like after a round trip. May not know: the wire.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod echo;
mod ends;
mod handles;
mod oracle;
mod refused;
mod spelling;
mod streams;
mod types;
mod wat;
