//! The host's handle of its launcher: requests out, events in, never waiting.
//!
//! Owns the launcher process: dropping the handle ends it and all it started. Knows no runtime; it
//! is a descriptor to be polled.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};

use crate::error::JailError;
use crate::inherited::FIRST_FD;
use crate::layers::Layers;
use crate::message::{MAX_FDS, Record, Role};
use crate::packet;
use crate::step::Step;
use crate::sys;

/// A process to be started.
#[derive(Debug)]
pub struct SpawnRequest {
    /// Chosen by the host; free again after `SpawnFailed` or `Exited`.
    pub id: u64,
    /// The subcommand it runs.
    pub role: Role,
    /// Its standard output and error: the writing end of a pipe.
    pub stdio: OwnedFd,
    /// What it finds at descriptors 3, 4, 5, …: at most [`MAX_FDS`].
    pub fds: Vec<OwnedFd>,
    /// The layers left out, here and by the process itself.
    pub skip: Layers,
}

/// What became of a request. Every `spawn` ends in one `SpawnFailed`, or in one `Spawned` and one
/// `Exited`.
#[derive(Debug)]
pub enum Event {
    /// The process runs its role.
    Spawned {
        /// Of the request.
        id: u64,
        /// Its number outside the jail.
        pid: i32,
        /// The process itself; readable when it has ended.
        pidfd: OwnedFd,
    },
    /// There is no process.
    SpawnFailed {
        /// Of the request.
        id: u64,
        /// The step that failed.
        step: Step,
        /// How it failed.
        errno: Errno,
    },
    /// The process, and all that was in its namespace, is gone.
    Exited {
        /// Of the request.
        id: u64,
        /// How it ended.
        status: ExitStatus,
    },
}

/// The launcher of a host.
#[derive(Debug)]
pub struct Launcher {
    socket: OwnedFd,
    process: Child,
}

impl Launcher {
    /// Starts the launcher: this binary once more, with the arguments `proc-host launcher`.
    ///
    /// To be called first thing in main, before any thread. The binary calls
    /// [`launcher_main`](crate::launcher_main) for that subcommand.
    pub fn start() -> Result<Self, JailError> {
        let (ours, theirs) = packet::pair().map_err(|errno| JailError::Launcher(errno.into()))?;
        // Not by its name: this is the same binary even where the file has been replaced.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("proc-host")
            .arg("launcher")
            .stdin(Stdio::null());
        sys::give(&mut command, theirs, FIRST_FD);
        let process = command.spawn().map_err(JailError::Launcher)?;
        Ok(Self {
            socket: ours,
            process,
        })
    }

    /// Asks for a process; `WouldBlock` where the launcher has not read enough yet, and then the
    /// request can be sent again. Its descriptors may be dropped afterwards.
    pub fn spawn(&self, request: &SpawnRequest) -> io::Result<()> {
        if request.fds.len() > MAX_FDS {
            return Err(Errno::INVAL.into());
        }
        let fds: Vec<_> = [&request.stdio]
            .into_iter()
            .chain(&request.fds)
            .map(AsFd::as_fd)
            .collect();
        let SpawnRequest { id, role, skip, .. } = *request;
        Ok(packet::send(
            &self.socket,
            Record::Spawn { id, role, skip },
            &fds,
            false,
        )?)
    }

    /// Asks for the end of a process and of all in its namespace; nothing where it has ended.
    pub fn kill(&self, id: u64) -> io::Result<()> {
        Ok(packet::send(&self.socket, Record::Kill { id }, &[], false)?)
    }

    /// The next event, or none yet. `UnexpectedEof` where the launcher is gone, and with it every
    /// process. `EMFILE` where this process had no number free for the pidfd of one that started:
    /// it is killed, and its `Exited` follows.
    pub fn try_recv(&self) -> io::Result<Option<Event>> {
        let packet = match packet::receive(&self.socket, false) {
            Ok(Some(packet)) => packet,
            Ok(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let event = match packet.record {
            Record::Spawned { id, pid } => match packet.fds.into_iter().next() {
                Some(pidfd) => Event::Spawned { id, pid, pidfd },
                None => {
                    self.kill(id)?;
                    return Err(Errno::MFILE.into());
                }
            },
            Record::Failed { id, step, errno } => Event::SpawnFailed {
                id,
                step,
                errno: Errno::from_raw_os_error(errno),
            },
            Record::Exited { id, status } => Event::Exited {
                id,
                status: ExitStatus::from_raw(status),
            },
            _ => return Err(Errno::PROTO.into()),
        };
        Ok(Some(event))
    }

    /// The launcher's own pid, for whoever lists what runs.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl AsFd for Launcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Launcher {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        let _ = shutdown(&self.socket, Shutdown::Both);
        // It kills and reaps all it started before it ends.
        let _ = self.process.wait();
    }
}
