//! The two acts by which a process jails itself, and what then holds.
//!
//! Owns their order. Knows nothing of what the process is for beyond its profile.
//!
//! Two acts, because capabilities and Landlock belong to a thread and must go before there are
//! others, while system calls and executable memory are needed until all is loaded:
//!
//! ```text
//! main -> Jail::enter -> take descriptors, load, start threads -> Jail::lock -> Ready, guests
//! ```

use std::fs;

use rustix::process::{
    DumpableBehavior, Signal, dumpable_behavior, getpid, getuid, parent_process_death_signal,
    set_dumpable_behavior,
};
use rustix::thread::{no_new_privs, set_no_new_privs};

use crate::error::JailError;
use crate::layers::Layers;
use crate::spawned::Spawned;
use crate::{limits, rights, root, seccomp, sys};

/// What a process needs once it is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Talks over sockets it has, on threads it has.
    Worker,
    /// Reads one memory file and writes another, and starts threads.
    Compiler {
        /// Processor time, of all threads together, before it is killed by `SIGXCPU`.
        cpu_seconds: u64,
        /// Private writable memory before an allocation fails.
        data_bytes: u64,
        /// Size a file can be written to before it is killed by `SIGXFSZ`.
        output_bytes: u64,
    },
}

/// A process that is in the jail, and not yet locked in.
#[derive(Debug)]
#[must_use = "a jail that is not locked lets system calls pass"]
pub struct Jail {
    skip: Layers,
    held: Layers,
}

impl Jail {
    /// Gives up the file system, capabilities and privileges.
    ///
    /// To be called first thing in a role's main: with more than one thread it is refused, since
    /// the others would keep what this one gives up. Afterwards there is no path that leads to
    /// anything, `/proc` included.
    pub fn enter() -> Result<Self, JailError> {
        let Spawned { made, skip } = Spawned::of_this_process().ok_or(JailError::NotSpawned)?;
        let wants = |layer| !skip.contains(layer);
        if fs::read_dir("/proc/self/task")
            .map_err(JailError::CountThreads)?
            .count()
            != 1
        {
            return Err(JailError::Threads);
        }
        let mut held = verified(made);
        if wants(Layers::DUMPABLE) {
            set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(JailError::Dumpable)?;
        }
        if wants(Layers::ROOT) && made.contains(Layers::MOUNTNS) {
            root::exchange()?;
            if root::is_empty() {
                held = held.with(Layers::ROOT);
            }
        }
        if wants(Layers::CAPS) {
            rights::drop_capabilities()?;
        }
        if wants(Layers::NO_NEW_PRIVS) {
            set_no_new_privs(true).map_err(JailError::NoNewPrivs)?;
        }
        if wants(Layers::LANDLOCK) && rights::restrict_by_landlock().map_err(JailError::Landlock)? {
            held = held.with(Layers::LANDLOCK);
        }
        Ok(Self { skip, held })
    }

    /// Sets the limits of the profile and closes the list of system calls, in every thread.
    ///
    /// To be called when everything is loaded and every thread of a worker has been started, and
    /// before any guest code. What then holds is for the host to judge: see
    /// [`Layers::required`].
    pub fn lock(self, profile: Profile) -> Result<Layers, JailError> {
        let wants = |layer| !self.skip.contains(layer);
        let mut held = self.held;
        let mut hold = |layer, holds| {
            if holds {
                held = held.with(layer);
            }
        };
        if wants(Layers::RLIMITS) {
            limits::at_lock(profile).map_err(JailError::Limits)?;
            hold(Layers::RLIMITS, true);
        }
        if wants(Layers::MDWE) {
            hold(
                Layers::MDWE,
                sys::refuse_executable_memory().map_err(JailError::Mdwe)?,
            );
        }
        // Read back now, since the filter forbids asking later.
        hold(
            Layers::PDEATHSIG,
            parent_process_death_signal() == Ok(Some(Signal::KILL)),
        );
        hold(
            Layers::DUMPABLE,
            dumpable_behavior() == Ok(DumpableBehavior::NotDumpable),
        );
        hold(Layers::NO_NEW_PRIVS, no_new_privs() == Ok(true));
        hold(Layers::CAPS, rights::has_no_capability());
        if wants(Layers::SECCOMP) {
            seccomp::install(profile).map_err(JailError::Seccomp)?;
            hold(Layers::SECCOMP, true);
            // It cannot be had without, so that leaving that one out takes leaving this one out.
            hold(Layers::NO_NEW_PRIVS, true);
        }
        Ok(held)
    }
}

/// The namespaces the launcher says it made, less those that plainly are not there.
fn verified(made: Layers) -> Layers {
    let mut held = made;
    if !getuid().is_root() {
        held = held.without(Layers::USERNS);
    }
    // Init is the first process of the namespace and this one its only child.
    if getpid().as_raw_nonzero().get() != 2 {
        held = held.without(Layers::PIDNS);
    }
    held
}
