//! The system calls no safe crate offers, each as a function that is safe to call where it is
//! called.
//!
//! Owns every `unsafe` of the launcher and of the jail. Knows nothing of what they are for.

#![expect(
    unsafe_code,
    reason = "raw system calls: clone, execveat, dup2, close_range, prctl"
)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{io, ptr};

use rustix::io::Errno;
use rustix::process::Pid;

/// Which side of a clone this is.
pub(crate) enum Side {
    Parent { pid: Pid, pidfd: OwnedFd },
    Child,
}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Clones this process, as `fork` does, into the namespaces of `flags`.
///
/// To be called in the launcher and in init alone, which have one thread each. Not `clone3`:
/// container runtimes often refuse it, and the older call can do all that is needed here.
pub(crate) fn clone(flags: libc::c_int) -> Result<Side, Errno> {
    let flags = libc::c_long::from(flags | libc::CLONE_PIDFD | libc::SIGCHLD);
    let mut pidfd: RawFd = -1;
    let none: libc::c_long = 0;
    // SAFETY: without CLONE_VM the child has its own copy of memory and goes on with the same
    // stack, as after a fork; `pidfd` is valid for the write. There is no other thread that could
    // hold a lock. The zeroes are stack, child tid and tls, so that their order does not matter.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, &raw mut pidfd, none, none) };
    match i32::try_from(pid) {
        Ok(0) => Ok(Side::Child),
        Ok(number @ 1..) => {
            // SAFETY: the kernel stored a new descriptor that nobody else knows.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent {
                pid: Pid::from_raw(number).ok_or(Errno::SRCH)?,
                pidfd,
            })
        }
        _ => Err(last_errno()),
    }
}

/// Replaces this process by the binary; returns only where that failed.
pub(crate) fn execute(binary: BorrowedFd<'_>, arguments: &[&CStr], environment: &[&CStr]) -> Errno {
    let pointers = |strings: &[&CStr]| -> Vec<*const libc::c_char> {
        strings
            .iter()
            .map(|string| string.as_ptr())
            .chain([ptr::null()])
            .collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both arrays end with a null pointer, and they and their strings outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            binary.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    last_errno()
}

/// Makes `number` a copy of `fd` that survives an execution, whatever it was before.
///
/// To be called only between clone and exec, where no owner of `number` runs any more.
pub(crate) fn place(fd: BorrowedFd<'_>, number: RawFd) -> Result<(), Errno> {
    // SAFETY: takes no pointers; the caller sees to it that `number` has no owner.
    if unsafe { libc::dup2(fd.as_raw_fd(), number) } < 0 {
        Err(last_errno())
    } else {
        Ok(())
    }
}

/// Closes every descriptor from `first` on, or marks them to be closed by the next execution.
///
/// To be called only where no owner of such a descriptor runs any more, or at the start of main.
pub(crate) fn close_from(first: u32, on_exec: bool) -> Result<(), Errno> {
    let flags = if on_exec {
        libc::CLOSE_RANGE_CLOEXEC
    } else {
        0
    };
    // SAFETY: takes no pointers; the caller sees to it that the descriptors have no owner.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) };
    if done < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Ends this process at once: no destructor, no exit handler.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: always sound; what is skipped belongs to the process this one was cloned from.
    unsafe { libc::_exit(code) }
}

/// Ends the making of executable memory; false where the kernel does not know how.
pub(crate) fn refuse_executable_memory() -> Result<bool, Errno> {
    let refuse = libc::c_ulong::from(libc::PR_MDWE_REFUSE_EXEC_GAIN);
    let none: libc::c_ulong = 0;
    // SAFETY: takes no pointers.
    if unsafe { libc::prctl(libc::PR_SET_MDWE, refuse, none, none, none) } == 0 {
        return Ok(true);
    }
    match last_errno() {
        Errno::INVAL | Errno::NOTSUP => Ok(false),
        errno => Err(errno),
    }
}

/// Arranges that the command starts with `fd` as its descriptor `number`.
pub(crate) fn give(command: &mut Command, fd: OwnedFd, number: RawFd) {
    // SAFETY: the closure makes one system call and allocates nothing. `number` cannot be the pipe
    // by which the command reports a failed execution: that one is made later, and `fd` and its
    // peer took the lowest free numbers, so that `number` is in use by then.
    unsafe {
        command.pre_exec(move || {
            if fd.as_raw_fd() == number {
                rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::empty())?;
            } else if libc::dup2(fd.as_raw_fd(), number) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// Takes ownership of an inherited descriptor by its number.
///
/// To be called once for each number: see `inherited`.
pub(crate) fn own(number: RawFd) -> OwnedFd {
    // SAFETY: the caller has checked that it is open, that it was not opened by this process
    // (which sets CLOEXEC on all it opens), and that it was not taken before.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Looks at an inherited descriptor without owning it.
pub(crate) fn peek<T>(number: RawFd, look: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: the number is not -1, and the borrow ends with the call; a closed one gives EBADF.
    look(unsafe { BorrowedFd::borrow_raw(number) })
}
