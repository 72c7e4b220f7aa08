//! Why a host does not start, or stops before it should.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::config::ConfigError;

/// The host cannot run.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The socket could not be set up.
    #[error(transparent)]
    Listener(#[from] ListenerError),
    /// The configuration does not fit.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Modules that were named explicitly, and why each does not load.
    #[error("{}", lines(.0))]
    Modules(Vec<ModuleFailure>),
    /// A pool that cannot be made.
    #[error("pool {pool}: {why}")]
    Pool {
        /// Its name.
        pool: String,
        /// Why.
        why: String,
    },
    /// The host was told to stop before it was ready.
    #[error("stopped before it was ready")]
    Stopped,
    /// The launcher has gone: nothing can be started or stopped any more.
    #[error("failed to reach the launcher: {0}")]
    Launcher(#[source] io::Error),
    /// The event loop could not be set up.
    #[error("failed to start the event loop: {0}")]
    Runtime(#[source] io::Error),
}

/// The socket could not be set up.
#[derive(Debug, Error)]
pub enum ListenerError {
    /// Another host listens there.
    #[error("another host serves {}", .0.display())]
    Busy(PathBuf),
    /// The directory belongs to somebody else, or others may write there.
    #[error("{}: {why}", .directory.display())]
    Directory {
        /// Which directory.
        directory: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The socket's path is no file name or too long for a socket.
    #[error("{}: {why}", .path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A step of setting up failed.
    #[error("failed to {step} {}: {source}", .path.display())]
    Step {
        /// What was being done.
        step: &'static str,
        /// To which file.
        path: PathBuf,
        /// How it failed.
        #[source]
        source: io::Error,
    },
}

/// A module that did not load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFailure {
    /// The pool.
    pub pool: String,
    /// The module's name.
    pub module: String,
    /// The file it came from.
    pub file: PathBuf,
    /// Why, in words.
    pub why: String,
}

impl std::fmt::Display for ModuleFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

fn lines(failures: &[ModuleFailure]) -> String {
    failures
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
