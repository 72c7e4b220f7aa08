//! Taking the descriptors a process was started with, each once.
//!
//! Owns the record of what has been taken. Knows nothing of what the descriptors are.

use std::os::fd::{OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use crate::error::JailError;
use crate::message::MAX_FDS;
use crate::sys;

/// The number of the first descriptor a process is given.
pub const FIRST_FD: RawFd = 3;

static TAKEN: AtomicU64 = AtomicU64::new(0);

/// Takes inherited descriptor `number` (3, 4, 5, … in the order of the request).
///
/// To be called at the start of main. A descriptor that is not open, was taken before, or has
/// `CLOEXEC` set, and so was opened by this process, is refused. What is taken gets `CLOEXEC`.
pub fn inherited_fd(number: RawFd) -> Result<OwnedFd, JailError> {
    let refused = || JailError::Inherited(number);
    let index = number
        .checked_sub(FIRST_FD)
        .and_then(|index| usize::try_from(index).ok());
    let index = index.filter(|index| *index < MAX_FDS).ok_or_else(refused)?;
    let bit = 1 << index;
    if TAKEN.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        return Err(refused());
    }
    let inherited = sys::peek(number, |fd| match fcntl_getfd(fd) {
        Ok(flags) if flags.is_empty() => fcntl_setfd(fd, FdFlags::CLOEXEC).is_ok(),
        _ => false,
    });
    if inherited {
        Ok(sys::own(number))
    } else {
        Err(refused())
    }
}
