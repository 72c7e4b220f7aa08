//! The worker process: guests run here, and nothing else does.
//!
//! Owns: one engine, the modules it was started with, their instances and calls. It loads, locks
//! itself in, says so, and only then runs guest code. May not know: clients, pools beyond its own
//! place in one, files, the network.
//!
//! A call comes in by [`link`], is checked and placed by [`worker`], runs in the [`instance`] it is
//! given to during a [`turn`], and answers for itself ([`call`]).

mod artifact;
mod call;
pub mod convert;
mod handles;
mod imports;
mod incoming;
mod instance;
mod link;
mod module;
mod outgoing;
mod process;
mod serve;
mod stdio;
mod store;
mod stream;
mod ticker;
mod trap;
mod turn;
mod worker;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by it")]
mod tests;

pub use process::main;
