//! What the running call may know of itself.

use crate::host;

/// The call that is running, and where it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// The pool, as it was named when it was made.
    pub pool: String,
    /// The module, as it was named when it was loaded.
    pub module: String,
    /// The slot of this worker in its pool, from 0.
    pub worker: u32,
    /// The generation of this worker in its slot, from 1.
    pub generation: u64,
    /// The call, as the log shows it; 0 outside of any call.
    pub call: u64,
}

/// The call that is running.
#[must_use]
pub fn current() -> Call {
    host::current()
}
