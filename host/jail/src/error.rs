//! What can go wrong on either side of the jail's door.
//!
//! Owns the error type of this crate. A failed spawn is not here: it is an event, with a `Step`.

use rustix::io::Errno;

/// A step that failed; reads as the end of "failed to …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JailError {
    /// The host could not start its launcher.
    #[error("start the launcher: {0}")]
    Launcher(#[source] std::io::Error),
    /// The process was started by hand, without the layer argument of a launcher.
    #[error("find the launcher's argument: roles are started by the launcher alone")]
    NotSpawned,
    /// The process has threads already, which would keep what the caller gives up.
    #[error("enter the jail with more than one thread")]
    Threads,
    /// The threads could not be counted.
    #[error("count the threads: {0}")]
    CountThreads(#[source] std::io::Error),
    /// Dumping could not be forbidden.
    #[error("forbid dumping: {0}")]
    Dumpable(#[source] Errno),
    /// Mount propagation could not be ended.
    #[error("make the mounts private: {0}")]
    Propagation(#[source] Errno),
    /// The empty root could not be mounted.
    #[error("mount the empty root: {0}")]
    MountRoot(#[source] Errno),
    /// The root could not be exchanged.
    #[error("pivot to the empty root: {0}")]
    Pivot(#[source] Errno),
    /// The old root could not be detached.
    #[error("detach the old root: {0}")]
    DetachRoot(#[source] Errno),
    /// The capability bounding or ambient set, or the secure bits, could not be emptied.
    #[error("give up capabilities for good: {0}")]
    CapabilityBounds(#[source] Errno),
    /// The capabilities could not be dropped.
    #[error("drop the capabilities: {0}")]
    Capabilities(#[source] Errno),
    /// `no_new_privs` could not be set.
    #[error("set no_new_privs: {0}")]
    NoNewPrivs(#[source] Errno),
    /// Landlock refused the rules.
    #[error("restrict by Landlock: {0}")]
    Landlock(#[source] landlock::RulesetError),
    /// A resource limit could not be set.
    #[error("set a resource limit: {0}")]
    Limits(#[source] Errno),
    /// Executable memory could not be forbidden.
    #[error("forbid executable memory: {0}")]
    Mdwe(#[source] Errno),
    /// The system call filter could not be built or installed.
    #[error("install the system call filter: {0}")]
    Seccomp(#[source] seccompiler::Error),
    /// The descriptor is not one the launcher passed, or has been taken before.
    #[error("take descriptor {0}: not inherited, or taken before")]
    Inherited(i32),
}
