//! One process as the launcher sees it: the line to its init, and init's end.
//!
//! Owns the rule that a process has one last record: `Failed`, or `Exited` after `Spawned`.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_send_signal, waitid};

use crate::message::Record;
use crate::packet;
use crate::step::Step;
use crate::users::Slot;

/// The wait status where there is none to be had: exit code 127, never success.
const SILENT: i32 = 127 << 8;

#[derive(Debug)]
pub(crate) struct Child {
    id: u64,
    slot: Slot,
    control: OwnedFd,
    init: OwnedFd,
    state: State,
    /// Init has closed its end: there is nothing more to hear.
    silent: bool,
}

#[derive(Debug)]
enum State {
    Starting,
    Running,
    /// The last record is known; init has yet to be reaped.
    Ended(Record),
}

impl Child {
    pub(crate) fn new(id: u64, slot: Slot, control: OwnedFd, init: OwnedFd) -> Self {
        Self {
            id,
            slot,
            control,
            init,
            state: State::Starting,
            silent: false,
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn slot(&self) -> Slot {
        self.slot
    }

    /// Readable where init has something to say.
    pub(crate) fn speaks(&self) -> BorrowedFd<'_> {
        // A closed line would be readable for as long as the kernel clears the namespace.
        if self.silent {
            self.ends()
        } else {
            self.control.as_fd()
        }
    }

    /// Readable where init has ended.
    pub(crate) fn ends(&self) -> BorrowedFd<'_> {
        self.init.as_fd()
    }

    /// Lets init go on.
    pub(crate) fn release(&mut self) -> Result<(), Errno> {
        packet::send(&self.control, Record::Release, &[], false)
    }

    /// Ends a process whose start failed on the launcher's side.
    pub(crate) fn give_up(&mut self, step: Step, errno: Errno) {
        let errno = errno.raw_os_error();
        self.state = State::Ended(Record::Failed {
            id: self.id,
            step,
            errno,
        });
        self.kill();
    }

    /// Kills init, and with it the whole pid namespace.
    pub(crate) fn kill(&self) {
        // It may have ended already; it is reaped either way.
        let _ = pidfd_send_signal(&self.init, Signal::KILL);
    }

    /// What init says next, as far as it is for the host now.
    pub(crate) fn hear(&mut self) -> Option<(Record, Option<OwnedFd>)> {
        loop {
            let packet = match packet::receive(&self.control, false) {
                Ok(Some(packet)) => packet,
                Err(Errno::AGAIN) => return None,
                // Init has ended, or will be found dead: its end tells the rest.
                Ok(None) | Err(_) => {
                    self.silent = true;
                    return None;
                }
            };
            match (&self.state, packet.record) {
                (State::Starting, Record::Spawned { .. }) => {
                    let pidfd = packet.fds.into_iter().next();
                    let Some((pidfd, pid)) = pidfd.and_then(|fd| pid_of(&fd).map(|pid| (fd, pid)))
                    else {
                        self.give_up(Step::Channel, Errno::MFILE);
                        continue;
                    };
                    self.state = State::Running;
                    return Some((Record::Spawned { id: self.id, pid }, Some(pidfd)));
                }
                (State::Starting, failed @ Record::Failed { .. }) => {
                    self.state = State::Ended(failed);
                }
                (State::Running, exited @ Record::Exited { .. }) => {
                    self.state = State::Ended(exited);
                }
                _ => {}
            }
        }
    }

    /// Reaps init where it has ended; the last record.
    pub(crate) fn reap(&mut self) -> Option<Record> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = loop {
            match waitid(WaitId::PidFd(self.init.as_fd()), options) {
                Ok(None) => return None,
                Ok(Some(status)) => break Some(status),
                Err(Errno::INTR) => {}
                // There is nothing to reap, so it has ended.
                Err(_) => break None,
            }
        };
        let id = self.id;
        Some(match self.state {
            State::Ended(record) => record,
            State::Running => Record::Exited {
                id,
                status: status.as_ref().map_or(SILENT, raw),
            },
            State::Starting => Record::Failed {
                id,
                step: Step::Init,
                errno: Errno::CHILD.raw_os_error(),
            },
        })
    }

    /// Waits for the end of init and reaps it.
    pub(crate) fn wait(&mut self) {
        while let Err(Errno::INTR) = waitid(WaitId::PidFd(self.init.as_fd()), WaitIdOptions::EXITED)
        {
        }
    }
}

/// The wait status as `wait` would have told it. An init that ended without a word was killed, and
/// its process with it.
fn raw(status: &WaitIdStatus) -> i32 {
    match (status.terminating_signal(), status.exit_status()) {
        (Some(signal), _) => signal,
        (None, code) => code.map_or(SILENT, |code| code << 8),
    }
}

/// The pid, in this process's namespace, of the process a pidfd is for.
fn pid_of(pidfd: &OwnedFd) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    let pid: i32 = text
        .lines()
        .find_map(|line| line.strip_prefix("Pid:"))?
        .trim()
        .parse()
        .ok()?;
    // -1 where it has ended and was reaped: it was ours all the same.
    Some(pid)
}
