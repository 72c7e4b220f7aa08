//! Resource limits: those every process starts with, and those of each profile.
//!
//! Owns their values. The address space has no limit: the engine reserves far more than it uses.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::lock::Profile;

/// Threads and processes of a compiler.
const COMPILER_THREADS: u64 = 128;

/// The limits set before the execution.
pub(crate) fn at_start() -> Result<(), Errno> {
    lower(Resource::Core, 0, 0)?;
    lower(Resource::Nofile, 256, 256)?;
    lower(Resource::Memlock, 0, 0)?;
    lower(Resource::Msgqueue, 0, 0)
}

/// The limits set when everything is loaded.
pub(crate) fn at_lock(profile: Profile) -> Result<(), Errno> {
    match profile {
        Profile::Worker => {
            // Not earlier: the engine copies memory images into a memory file while it loads.
            lower(Resource::Fsize, 0, 0)?;
            lower(Resource::Nproc, 0, 0)
        }
        Profile::Compiler {
            cpu_seconds,
            data_bytes,
            output_bytes,
        } => {
            lower(Resource::Fsize, output_bytes, output_bytes)?;
            // The soft limit ends the process by SIGXCPU, which says why; the hard one is for
            // code that has learnt to ignore it.
            lower(Resource::Cpu, cpu_seconds, cpu_seconds.saturating_add(1))?;
            lower(Resource::Data, data_bytes, data_bytes)?;
            lower(Resource::Nproc, COMPILER_THREADS, COMPILER_THREADS)
        }
    }
}

/// Gives the launcher as many descriptors as it may have: it keeps two for each process.
pub(crate) fn raise_descriptors() -> Result<(), Errno> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )
}

/// Never raises a limit that is lower already.
fn lower(resource: Resource, soft: u64, hard: u64) -> Result<(), Errno> {
    let now = getrlimit(resource);
    let maximum = now.maximum.map_or(hard, |maximum| maximum.min(hard));
    let current = now
        .current
        .map_or(soft, |current| current.min(soft))
        .min(maximum);
    setrlimit(
        resource,
        Rlimit {
            current: Some(current),
            maximum: Some(maximum),
        },
    )
}
