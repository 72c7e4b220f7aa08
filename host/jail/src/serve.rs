//! The launcher's own process: one thread, one loop, which never waits for a child.
//!
//! Owns the table of live processes. Knows the host only as the socket it was started with.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, getpid, pidfd_open, setsid};

use crate::birth::Birth;
use crate::child::Child;
use crate::inherited::{FIRST_FD, inherited_fd};
use crate::layers::Layers;
use crate::limits;
use crate::message::{Record, Role};
use crate::namespaces::clone_into;
use crate::packet::{self, Packet};
use crate::spawned::Spawned;
use crate::step::Step;
use crate::sys::{self, Side};
use crate::users::Users;

/// Why the loop ended other than by the host's end of file.
const BROKEN: u8 = 1;

/// The hidden subcommand `launcher`: serves the host at the other end of descriptor 3 until it is
/// gone, then ends every process it started.
///
/// To be called first thing in main: it closes all other descriptors, and it must be alone.
#[must_use]
pub fn launcher_main() -> ExitCode {
    let Ok(host) = inherited_fd(FIRST_FD) else {
        return ExitCode::from(BROKEN);
    };
    let Ok(mut launcher) = Serve::new(host) else {
        return ExitCode::from(BROKEN);
    };
    let served = launcher.serve();
    launcher.end();
    if served.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BROKEN)
    }
}

struct Serve {
    host: OwnedFd,
    itself: OwnedFd,
    binary: OwnedFd,
    null: OwnedFd,
    users: Users,
    children: Vec<Child>,
    /// What the host has not read yet. No request is taken while there is any, so that it stays
    /// small: two records for each live process at most.
    unsent: VecDeque<(Record, Option<OwnedFd>)>,
}

impl Serve {
    fn new(host: OwnedFd) -> Result<Self, Errno> {
        sys::close_from(FIRST_FD.unsigned_abs() + 1, false)?;
        // Away from the terminal of the host, whose interrupt is for the host alone to handle.
        // Fails where this already leads a session, which does as well.
        let _ = setsid();
        let _ = rustix::thread::set_name(c"proc-host");
        limits::raise_descriptors()?;
        let open = |path, flags| openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty());
        Ok(Self {
            host,
            itself: pidfd_open(getpid(), PidfdFlags::empty())?,
            binary: open("/proc/self/exe", OFlags::PATH)?,
            null: open("/dev/null", OFlags::RDWR)?,
            users: Users::new(),
            children: Vec::new(),
            unsent: VecDeque::new(),
        })
    }

    /// Until the end of file of the host.
    fn serve(&mut self) -> Result<(), Errno> {
        loop {
            let ready = self.wait()?;
            // From the back, so that removing one does not move those to come.
            for index in (0..self.children.len()).rev() {
                if ready[2 * index] {
                    self.hear(index);
                }
                if ready[2 * index + 1] {
                    self.bury(index);
                }
            }
            self.flush()?;
            while self.unsent.is_empty() {
                match packet::receive(&self.host, false) {
                    Ok(None) => return Ok(()),
                    Ok(Some(packet)) => self.obey(packet)?,
                    Err(Errno::AGAIN) => break,
                    Err(errno) => return Err(errno),
                }
                self.flush()?;
            }
        }
    }

    /// Waits for anything; for each child, whether init speaks and whether it has ended.
    fn wait(&self) -> Result<Vec<bool>, Errno> {
        let host = if self.unsent.is_empty() {
            PollFlags::IN
        } else {
            PollFlags::OUT
        };
        let mut fds = Vec::with_capacity(2 * self.children.len() + 1);
        for child in &self.children {
            fds.push(PollFd::from_borrowed_fd(child.speaks(), PollFlags::IN));
            fds.push(PollFd::from_borrowed_fd(child.ends(), PollFlags::IN));
        }
        fds.push(PollFd::new(&self.host, host));
        loop {
            match poll(&mut fds, None) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect())
    }

    fn hear(&mut self, index: usize) {
        while let Some((record, fd)) = self.children[index].hear() {
            self.unsent.push_back((record, fd));
        }
    }

    fn bury(&mut self, index: usize) {
        // What it said before it ended comes first.
        self.hear(index);
        if let Some(last) = self.children[index].reap() {
            let child = self.children.swap_remove(index);
            self.users.release(child.slot());
            self.unsent.push_back((last, None));
        }
    }

    fn flush(&mut self) -> Result<(), Errno> {
        while let Some((record, fd)) = self.unsent.front() {
            let fds: Vec<_> = fd.iter().map(AsFd::as_fd).collect();
            match packet::send(&self.host, *record, &fds, false) {
                Ok(()) => self.unsent.pop_front(),
                // Also where too many descriptors are on their way already.
                Err(Errno::AGAIN | Errno::TOOMANYREFS) => return Ok(()),
                // The host is gone; reading says so too.
                Err(Errno::PIPE | Errno::CONNRESET) => {
                    self.unsent.clear();
                    return Ok(());
                }
                Err(errno) => return Err(errno),
            };
        }
        Ok(())
    }

    fn obey(&mut self, packet: Packet) -> Result<(), Errno> {
        match packet.record {
            Record::Spawn { id, role, skip } => {
                let born = if packet.truncated {
                    Err((Step::Descriptors, Errno::MFILE))
                } else {
                    let mut fds = packet.fds;
                    if fds.is_empty() {
                        return Err(Errno::PROTO);
                    }
                    let stdio = fds.remove(0);
                    self.bear(id, role, skip, &stdio, &fds)
                };
                match born {
                    Ok(child) => self.children.push(child),
                    Err((step, errno)) => {
                        let errno = errno.raw_os_error();
                        self.unsent
                            .push_back((Record::Failed { id, step, errno }, None));
                    }
                }
            }
            Record::Kill { id } => {
                // One that is not there has ended, and the host will read so.
                if let Some(child) = self.children.iter().find(|child| child.id() == id) {
                    child.kill();
                }
            }
            _ => return Err(Errno::PROTO),
        }
        Ok(())
    }

    fn bear(
        &mut self,
        id: u64,
        role: Role,
        skip: Layers,
        stdio: &OwnedFd,
        fds: &[OwnedFd],
    ) -> Result<Child, (Step, Errno)> {
        if self.children.iter().any(|child| child.id() == id) {
            return Err((Step::Id, Errno::EXIST));
        }
        let slot = self.users.take().ok_or((Step::Slot, Errno::AGAIN))?;
        let spawned = Spawned {
            made: Layers::NAMESPACES.without(skip),
            skip,
        };
        let child = packet::pair()
            .map_err(|errno| (Step::Channel, errno))
            .and_then(|pair| {
                let (ours, theirs) = pair;
                match clone_into(spawned.made)? {
                    Side::Parent { pid, pidfd } => Ok((Child::new(id, slot, ours, pidfd), pid)),
                    Side::Child => Birth {
                        id,
                        role,
                        spawned,
                        unique_user: self.users.are_unique(),
                        control: &theirs,
                        launcher: &self.itself,
                        binary: &self.binary,
                        null: &self.null,
                        stdio,
                        fds,
                    }
                    .init(),
                }
            });
        let (mut child, pid) = child.inspect_err(|_| self.users.release(slot))?;
        // Init waits: whatever must be true of a process from its start is made so here. Its
        // control group belongs here too.
        let mapped = if spawned.made.contains(Layers::USERNS) {
            self.users
                .map(pid, slot)
                .map_err(|errno| (Step::IdMap, errno))
        } else {
            Ok(())
        };
        if let Err((step, errno)) =
            mapped.and_then(|()| child.release().map_err(|errno| (Step::Release, errno)))
        {
            // It stays in the table until it is reaped, as any other.
            child.give_up(step, errno);
        }
        Ok(child)
    }

    /// Ends all children and waits for that: they are killed, so it is the kernel that is waited
    /// for.
    fn end(&mut self) {
        for child in &self.children {
            child.kill();
        }
        for child in &mut self.children {
            child.wait();
        }
    }
}
