//! The whole path: real binaries, real sockets, real guests.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod bad_input;
mod callbacks;
mod calls;
mod client;
mod commands;
mod instances;
mod limits;
mod logs;
mod modules;
mod processes;
mod setup;
mod streams;
mod traps;
mod types;
