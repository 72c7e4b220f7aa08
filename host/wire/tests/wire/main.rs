//! The wire from outside: what goes in comes out, and what does not belong is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod golden;
mod hostile;
mod interface;
mod order;
mod outcome;
mod raw;
mod round_trip;
mod samples;
mod strategies;
