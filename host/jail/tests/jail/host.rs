//! The host's side of a case: spawn, converse, and await events, each within a bounded time.

use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::time::Duration;

use proc_host_jail::{Event, Launcher, Layers, Role, SpawnRequest};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Host {
    pub(crate) launcher: Launcher,
    next: Cell<u64>,
}

/// A process that runs.
pub(crate) struct Running {
    pub(crate) id: u64,
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) socket: UnixStream,
    pub(crate) stdio: OwnedFd,
}

impl Host {
    pub(crate) fn new(launcher: Launcher) -> Self {
        Self {
            launcher,
            next: Cell::new(1),
        }
    }

    /// A request whose first descriptor is one end of the socket.
    pub(crate) fn request(&self, role: Role, skip: Layers) -> (SpawnRequest, UnixStream, OwnedFd) {
        let id = self.next.replace(self.next.get() + 1);
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        ours.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let (reader, stdio) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        (
            SpawnRequest {
                id,
                role,
                stdio,
                fds: vec![theirs.into()],
                skip,
            },
            ours,
            reader,
        )
    }

    pub(crate) fn event(&self) -> Event {
        loop {
            if let Some(event) = self.launcher.try_recv().expect("the launcher lives") {
                return event;
            }
            await_readable(&self.launcher);
        }
    }

    /// Spawns and tells the process what to do.
    pub(crate) fn spawn(&self, role: Role, skip: Layers, scenario: &str) -> Running {
        let (request, socket, stdio) = self.request(role, skip);
        self.launcher.spawn(&request).expect("asked for");
        let id = request.id;
        drop(request);
        let (spawned, pid, pidfd) = match self.event() {
            Event::Spawned { id, pid, pidfd } => (id, pid, pidfd),
            other => panic!("{scenario}: not spawned: {other:?}"),
        };
        assert_eq!(spawned, id);
        let running = Running {
            id,
            pid,
            pidfd,
            socket,
            stdio,
        };
        writeln!(&running.socket, "{scenario}").expect("told");
        running
    }

    /// How it ended, and all it said.
    pub(crate) fn end(&self, mut running: Running) -> (ExitStatus, String) {
        let mut said = Vec::new();
        // A process killed with a word of ours unread resets the connection.
        let _ = running.socket.read_to_end(&mut said);
        let event = self.event();
        let Event::Exited { id, status } = event else {
            panic!("not the end: {event:?}")
        };
        assert_eq!(id, running.id);
        await_readable(&running.pidfd);
        (status, String::from_utf8(said).expect("text"))
    }

    /// What a process says to a scenario, having ended well.
    pub(crate) fn ask(&self, role: Role, skip: Layers, scenario: &str) -> String {
        let running = self.spawn(role, skip, scenario);
        let stdio = rustix::io::dup(&running.stdio).expect("a copy");
        let (status, said) = self.end(running);
        let mut log = [0; 4096];
        let length = rustix::io::read(&stdio, &mut log).unwrap_or(0);
        let log = String::from_utf8_lossy(&log[..length]).into_owned();
        assert!(
            status.success(),
            "{scenario}: {status}, said {said:?}, logged {log:?}"
        );
        said
    }
}

/// Waits until there is something to read, or an end.
pub(crate) fn await_readable(fd: impl AsFd) {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    let patience = Timespec {
        tv_sec: PATIENCE.as_secs().cast_signed(),
        tv_nsec: 0,
    };
    assert_eq!(poll(&mut fds, Some(&patience)), Ok(1), "nothing happened");
}
