//! The proc-host host process: pools, supervision, routing.
//!
//! Owns: which worker serves what, and every call from its acceptance to its one outcome. [`run`]
//! is a shell that moves bytes, starts processes and tells the time; behind it is a state machine
//! that does none of this ([`host`]). May not know: wasm, the engine, or what guests' values mean:
//! bodies are routed, never decoded.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by it"))]

pub mod config;
mod error;
mod host;
mod listener;
mod options;
mod shell;
mod stop;

pub use config::Config;
pub use error::{ListenerError, ModuleFailure, ServerError};
pub use options::{Bounds, ModuleConfig, ModuleDefaults, Options, PoolConfig};
pub use stop::{Stop, StopSource, Stopper};

use std::path::Path;

use proc_host_jail::Launcher;

/// What a host says once every worker is ready.
#[derive(Debug)]
pub struct Ready<'a> {
    /// Where it listens.
    pub socket: &'a Path,
    /// Its pools, each with its slots and the names of its modules.
    pub pools: Vec<ReadyPool>,
    /// Modules left out because they do not load and were not named explicitly.
    pub skipped: Vec<ModuleFailure>,
}

/// A pool that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyPool {
    /// Its name.
    pub name: String,
    /// How many slots.
    pub slots: u32,
    /// Its modules.
    pub modules: Vec<String>,
}

/// Serves until it is told to stop, on this thread. Leaves no process and no file behind.
pub fn run(
    options: Options,
    launcher: Launcher,
    stop: StopSource,
    on_ready: impl FnOnce(&Ready<'_>),
) -> Result<(), ServerError> {
    shell::run(options, launcher, stop, on_ready)
}
