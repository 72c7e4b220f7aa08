//! From the clone to the execution: the tiny init of a process's namespaces, and the process.
//!
//! Owns everything that runs between clone and exec. Nothing here returns, and nothing is
//! dropped: what the launcher owned is a copy here. Knows nothing of the host.
//!
//! ```text
//! launcher --clone--> init: wait for the id maps, become inner root, arm PDEATHSIG
//!                      |--fork--> process: session, limits, descriptors, exec
//!                      |  <-- pipe: end of file at exec, or the step that failed
//!                      |--> launcher: Spawned with a pidfd, or Failed
//!                      '--> reap everything; Exited with the process's status; end
//! ```

use std::convert::Infallible;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Gid, Pid, Signal, Uid, WaitOptions, getpid, getppid, set_parent_process_death_signal, setsid,
    wait,
};
use rustix::stdio;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::inherited::FIRST_FD;
use crate::layers::Layers;
use crate::limits;
use crate::message::{LEN, Record, Role};
use crate::packet;
use crate::spawned::Spawned;
use crate::step::Step;
use crate::sys::{self, Side};

/// What inits are called in a list of processes.
const INIT_NAME: &CStr = c"proc-host-init";
const HOSTNAME: &[u8] = b"proc-host";
/// Of a process that could not execute, and of an init without an answer.
const FAILED: i32 = 127;

type Failure = (Step, Errno);

/// What init and the process need of the launcher.
pub(crate) struct Birth<'a> {
    pub(crate) id: u64,
    pub(crate) role: Role,
    pub(crate) spawned: Spawned,
    /// Whether the map gives the process a user of its own.
    pub(crate) unique_user: bool,
    pub(crate) control: &'a OwnedFd,
    pub(crate) launcher: &'a OwnedFd,
    pub(crate) binary: &'a OwnedFd,
    pub(crate) null: &'a OwnedFd,
    pub(crate) stdio: &'a OwnedFd,
    pub(crate) fds: &'a [OwnedFd],
}

impl Birth<'_> {
    /// The life of init, in the process just cloned by the launcher.
    pub(crate) fn init(&self) -> ! {
        let Err((step, errno)) = self.prepare().and_then(|()| self.bear());
        let errno = errno.raw_os_error();
        let _ = packet::send(
            self.control,
            Record::Failed {
                id: self.id,
                step,
                errno,
            },
            &[],
            true,
        );
        sys::exit_now(FAILED)
    }

    fn prepare(&self) -> Result<(), Failure> {
        // End of file of the control socket would not do: this is a copy of the launcher, which
        // holds the launcher's end too.
        self.die_with_launcher()?;
        match packet::receive(self.control, true) {
            Ok(Some(packet)) if packet.record == Record::Release => {}
            // The launcher is gone, or has given this process up.
            _ => sys::exit_now(FAILED),
        }
        let made = self.spawned.made;
        if made.contains(Layers::USERNS) {
            self.become_inner_root()
                .map_err(|errno| (Step::Ids, errno))?;
        }
        // Again, since the kernel forgets it when the user changes.
        self.die_with_launcher()?;
        if made.contains(Layers::UTSNS) {
            rustix::system::sethostname(HOSTNAME).map_err(|errno| (Step::Hostname, errno))?;
        }
        let _ = rustix::thread::set_name(INIT_NAME);
        Ok(())
    }

    fn become_inner_root(&self) -> Result<(), Errno> {
        if self.unique_user {
            set_thread_groups(&[])?;
        }
        set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
        set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
    }

    fn die_with_launcher(&self) -> Result<(), Failure> {
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| (Step::ParentDeath, e))?;
        // It may have died before. Its pid tells nothing inside a pid namespace; its pidfd does.
        let mut fds = [PollFd::new(self.launcher, PollFlags::IN)];
        match poll(
            &mut fds,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        ) {
            Ok(0) => Ok(()),
            _ => sys::exit_now(FAILED),
        }
    }

    /// Forks the process, tells the launcher how that went, and reaps until the process ends.
    fn bear(&self) -> Result<Infallible, Failure> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(|e| (Step::Fork, e))?;
        let init = getpid();
        let (pid, pidfd) = match sys::clone(0).map_err(|errno| (Step::Fork, errno))? {
            Side::Parent { pid, pidfd } => (pid, pidfd),
            Side::Child => self.execute(init, &writer),
        };
        drop(writer);
        // From here on init holds nothing but its line to the launcher: whoever waits for the end
        // of file of something the process was given must not wait for init.
        let mut bytes = [0; LEN];
        let length = rustix::io::read(&reader, &mut bytes).unwrap_or(0);
        let birth = match Record::decode(&bytes[..length]) {
            Some(failed) => packet::send(self.control, failed, &[], true),
            None => {
                let record = Record::Spawned {
                    id: self.id,
                    pid: 0,
                };
                packet::send(self.control, record, &[pidfd.as_fd()], true)
            }
        };
        if birth.is_err()
            || stdio::dup2_stdin(self.control).is_err()
            || sys::close_from(1, false).is_err()
        {
            sys::exit_now(FAILED);
        }
        let status = reap_until(pid);
        let record = Record::Exited {
            id: self.id,
            status,
        };
        let told = packet::send(stdio::stdin(), record, &[], true);
        // Were `reader` and `pidfd` dropped, they would be closed again.
        sys::exit_now(if told.is_ok() { 0 } else { FAILED })
    }

    /// Becomes the process, or tells init what failed.
    fn execute(&self, init: Pid, writer: &OwnedFd) -> ! {
        // Above all that is placed, else a failure would be written into a descriptor.
        let (step, errno) = match fcntl_dupfd_cloexec(writer, self.end()) {
            Err(errno) => (Step::Descriptors, errno),
            Ok(writer) => {
                let (step, errno) = match self.settle(init) {
                    Err(failure) => failure,
                    Ok(binary) => (Step::Exec, self.run(&binary)),
                };
                self.tell(&writer, step, errno)
            }
        };
        self.tell(writer, step, errno)
    }

    fn tell(&self, writer: &OwnedFd, step: Step, errno: Errno) -> ! {
        let record = Record::Failed {
            id: self.id,
            step,
            errno: errno.raw_os_error(),
        };
        let _ = rustix::io::write(writer, &record.encode());
        sys::exit_now(FAILED)
    }

    fn run(&self, binary: &OwnedFd) -> Errno {
        let role = match self.role {
            Role::Worker => c"worker",
            Role::Compile => c"compile",
        };
        let layers = self.spawned.to_argument();
        sys::execute(
            binary.as_fd(),
            &[c"proc-host", role, &layers],
            &[c"RUST_BACKTRACE=0"],
        )
    }

    fn settle(&self, init: Pid) -> Result<OwnedFd, Failure> {
        setsid().map_err(|errno| (Step::Session, errno))?;
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| (Step::ParentDeath, e))?;
        if getppid() != Some(init) {
            return Err((Step::ParentDeath, Errno::SRCH));
        }
        let binary = self.arrange().map_err(|errno| (Step::Descriptors, errno))?;
        limits::at_start().map_err(|errno| (Step::Limits, errno))?;
        Ok(binary)
    }

    /// The first number that is not given to the process.
    fn end(&self) -> RawFd {
        FIRST_FD + self.fds.iter().map(|_| 1).sum::<RawFd>()
    }

    /// Puts the descriptors where the process expects them; all others end with the execution.
    fn arrange(&self) -> Result<OwnedFd, Errno> {
        // First out of the way, else placing one could overwrite another.
        let above = |fd: BorrowedFd<'_>| fcntl_dupfd_cloexec(fd, self.end());
        let binary = above(self.binary.as_fd())?;
        let null = above(self.null.as_fd())?;
        let stdio = above(self.stdio.as_fd())?;
        let fds: Vec<OwnedFd> = self
            .fds
            .iter()
            .map(|fd| above(fd.as_fd()))
            .collect::<Result<_, _>>()?;
        sys::close_from(FIRST_FD.unsigned_abs(), true)?;
        stdio::dup2_stdin(&null)?;
        stdio::dup2_stdout(&stdio)?;
        stdio::dup2_stderr(&stdio)?;
        for (number, fd) in (FIRST_FD..).zip(&fds) {
            sys::place(fd.as_fd(), number)?;
        }
        Ok(binary)
    }
}

/// Reaps whatever ends until it is `pid`; its raw wait status.
fn reap_until(pid: Pid) -> i32 {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == pid => return status.as_raw(),
            Ok(_) | Err(Errno::INTR) => {}
            // Without a child there is nothing left to tell; it never comes to that.
            Err(_) => return FAILED << 8,
        }
    }
}
