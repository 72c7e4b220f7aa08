//! Launcher and jail of proc-host processes.
//!
//! The host holds a [`Launcher`], which starts every other process in namespaces of its own; such a
//! process gives up its rights by [`Jail::enter`] before it has threads, and its system calls by
//! [`Jail::lock`] when all it needs is loaded. Knows nothing of wasm, of the wire, or of a runtime.

mod birth;
mod child;
mod error;
mod inherited;
mod launcher;
mod layers;
mod limits;
mod lock;
mod message;
mod namespaces;
mod packet;
mod rights;
mod root;
mod seccomp;
mod serve;
mod spawned;
mod step;
mod sys;
mod syscalls;
mod users;

pub use error::JailError;
pub use inherited::{FIRST_FD, inherited_fd};
pub use launcher::{Event, Launcher, SpawnRequest};
pub use layers::Layers;
pub use lock::{Jail, Profile};
pub use message::{MAX_FDS, Role};
pub use serve::launcher_main;
pub use step::Step;
