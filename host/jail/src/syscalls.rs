//! The system calls of a locked process: one row each, with who needs it.
//!
//! Owns the list. A call that is not in it ends the process. Knows nothing of how a filter is made.

use libc::c_long;

/// Who may make a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Both,
    Compiler,
}

/// Under which condition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Always,
    /// The first argument is this process.
    OnItself,
    /// The first argument is this one.
    First(u32),
    /// The second argument is one of these.
    Second(&'static [u32]),
    /// The third argument, a protection, is not executable.
    NotExecutable,
    /// The first argument has `CLONE_THREAD` and no namespace.
    Thread,
    /// Never; the caller is told this error and lives on.
    Refused(i32),
}

pub(crate) struct Row {
    pub(crate) call: c_long,
    pub(crate) who: Who,
    pub(crate) rule: Rule,
}

const fn row(call: c_long, who: Who, rule: Rule, _needed_by: &str) -> Row {
    Row { call, who, rule }
}

use Rule::{Always, First, NotExecutable, OnItself, Refused, Second, Thread};
use Who::{Both, Compiler};

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // What is open is read and written.
    row(libc::SYS_read, Both, Always, "sockets, eventfd wake-ups, the compiler's input"),
    row(libc::SYS_write, Both, Always, "sockets, eventfd wake-ups, the log pipe, the output"),
    row(libc::SYS_readv, Both, Always, "batched frames"),
    row(libc::SYS_writev, Both, Always, "batched frames; a panic's message"),
    row(libc::SYS_recvfrom, Both, Always, "the host's socket"),
    row(libc::SYS_sendto, Both, Always, "the host's socket"),
    row(libc::SYS_recvmsg, Both, Always, "the host's socket, where descriptors may come"),
    row(libc::SYS_sendmsg, Both, Always, "the host's socket, batched"),
    row(libc::SYS_shutdown, Both, Always, "closing one half of the socket"),
    row(libc::SYS_close, Both, Always, "dropping what was inherited"),
    row(libc::SYS_fcntl, Both, Second(&[libc::F_GETFD as u32, libc::F_GETFL as u32]), "the standard library's debug assertions on descriptors"),
    row(libc::SYS_pread64, Compiler, Always, "the input"),
    row(libc::SYS_pwrite64, Compiler, Always, "the output"),
    row(libc::SYS_lseek, Compiler, Always, "the input and output"),
    row(libc::SYS_ftruncate, Compiler, Always, "the output's size"),
    row(libc::SYS_fstat, Compiler, Always, "the input's size"),
    row(libc::SYS_newfstatat, Compiler, Always, "the input's size; a path leads nowhere"),
    row(libc::SYS_statx, Compiler, Always, "the input's size; a path leads nowhere"),
    row(libc::SYS_openat, Compiler, Refused(libc::EACCES), "counting processors looks for control groups"),
    row(libc::SYS_ioctl, Compiler, Refused(libc::ENOTTY), "asking whether the log is a terminal"),

    // Waiting.
    #[cfg(target_arch = "x86_64")]
    row(libc::SYS_epoll_wait, Both, Always, "the runtime"),
    row(libc::SYS_epoll_pwait, Both, Always, "the runtime on aarch64"),
    row(libc::SYS_epoll_ctl, Both, Always, "the runtime, when a socket is dropped"),
    #[cfg(target_arch = "x86_64")]
    row(libc::SYS_poll, Both, Always, "waiting for one socket"),
    row(libc::SYS_ppoll, Both, Always, "waiting for one socket"),
    row(libc::SYS_futex, Both, Always, "locks, parking, joining"),
    row(libc::SYS_restart_syscall, Both, Always, "waiting on after a stop"),
    row(libc::SYS_sched_yield, Both, Always, "spinning locks"),
    row(libc::SYS_nanosleep, Both, Always, "the epoch ticker"),
    row(libc::SYS_clock_nanosleep, Both, Always, "the epoch ticker"),
    row(libc::SYS_clock_gettime, Both, Always, "time, where it is not read without a call"),
    row(libc::SYS_clock_getres, Both, Always, "the guest's clock resolution"),

    // Memory, never executable.
    row(libc::SYS_mmap, Both, NotExecutable, "the allocator, guest memories, the input"),
    row(libc::SYS_mprotect, Both, NotExecutable, "the allocator, growth of guest memories, guard pages"),
    row(libc::SYS_munmap, Both, Always, "the allocator, guest memories"),
    row(libc::SYS_mremap, Both, Always, "the allocator"),
    row(libc::SYS_madvise, Both, Always, "giving guest memory back"),
    row(libc::SYS_brk, Both, Always, "the allocator"),
    row(SYS_PROCESS_MADVISE, Both, Refused(libc::EPERM), "the engine tries it to decommit in batches, and has another way"),

    // Threads and signals of this process.
    row(libc::SYS_exit, Both, Always, "the end of a thread"),
    row(libc::SYS_exit_group, Both, Always, "the end"),
    row(libc::SYS_getpid, Both, Always, "abort"),
    row(libc::SYS_gettid, Both, Always, "abort, thread names in a panic"),
    row(libc::SYS_tgkill, Both, OnItself, "abort"),
    row(libc::SYS_rt_sigprocmask, Both, Always, "abort, starting threads"),
    row(libc::SYS_rt_sigreturn, Both, Always, "a wasm trap that was a signal"),
    row(libc::SYS_sigaltstack, Both, Always, "signal stacks of threads"),
    row(libc::SYS_set_robust_list, Both, Always, "the start of a thread"),
    row(libc::SYS_rseq, Both, Always, "the start of a thread"),
    row(libc::SYS_sched_getaffinity, Both, Always, "counting processors; the main thread's stack"),
    row(libc::SYS_getrandom, Both, Always, "hash seeds, the guest's random numbers"),
    row(libc::SYS_clone3, Both, Refused(libc::ENOSYS), "a filter cannot see its flags; libc goes on with clone"),
    row(libc::SYS_clone, Compiler, Thread, "the pool of compiling threads"),
    row(libc::SYS_prctl, Compiler, First(libc::PR_SET_NAME as u32), "names of threads"),
];

/// Missing from `libc` for some targets; the same number on all of them.
const SYS_PROCESS_MADVISE: c_long = 440;
