//! Processes: asking the launcher for them, and hearing what became of them.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::Arc;

use proc_host_jail::{Event as Launched, Role, SpawnRequest};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::Interest;
use tokio::task::spawn_local;

use super::{Shell, State, files};
use crate::host::{Compile, Death, Event, Id, Process, Worker};

/// Bytes a socket to a process holds, where the system allows it.
const SOCKET_BUFFER: usize = 1 << 20;

/// A request the launcher has not been sent.
#[derive(Debug)]
pub(super) enum Pending {
    Spawn(SpawnRequest),
    Kill(u64),
}

impl Shell {
    pub(super) fn spawn_worker(
        self: &Rc<Shell>,
        state: &mut State,
        worker: Id<Worker>,
        artifacts: &[Arc<OwnedFd>],
    ) -> io::Result<()> {
        let fds = artifacts.iter().map(|fd| fd.try_clone());
        let fds = fds.collect::<io::Result<Vec<_>>>()?;
        self.spawn(state, Process::Worker(worker), Role::Worker, fds)
    }

    pub(super) fn spawn_compiler(
        self: &Rc<Shell>,
        state: &mut State,
        compile: Id<Compile>,
        component: &OwnedFd,
    ) -> io::Result<()> {
        let output = files::memory_file("artifact")?;
        let fds = vec![component.try_clone()?, output.try_clone()?];
        state.outputs.insert(compile, output);
        self.spawn(state, Process::Compiler(compile), Role::Compile, fds)
    }

    /// Asks for a process with a socket, then these descriptors.
    fn spawn(
        self: &Rc<Shell>,
        state: &mut State,
        process: Process,
        role: Role,
        fds: Vec<OwnedFd>,
    ) -> io::Result<()> {
        let (ours, theirs) = UnixStream::pair()?;
        for end in [&ours, &theirs] {
            // The default is only smaller.
            let _ = set_socket_send_buffer_size(end, SOCKET_BUFFER);
        }
        let (pipe, stdio) = pipe_with(PipeFlags::CLOEXEC)?;
        let flags = fcntl_getfl(pipe.as_fd())?;
        fcntl_setfl(pipe.as_fd(), flags | OFlags::NONBLOCK)?;
        state.last_launch += 1;
        let id = state.last_launch;
        self.attach(state, process.into(), ours)?;
        spawn_local(self.clone().listen_to(process, pipe));
        state.processes.insert(id, process);
        state.launched.insert(process, id);
        let fds = std::iter::once(OwnedFd::from(theirs)).chain(fds).collect();
        let request = SpawnRequest {
            id,
            role,
            stdio,
            fds,
            skip: self.skip,
        };
        state.pending.push_back(Pending::Spawn(request));
        self.unsent.notify_one();
        Ok(())
    }

    /// Sends the launcher what waits for it.
    pub(super) async fn tell_launcher(self: Rc<Shell>) {
        loop {
            self.unsent.notified().await;
            while let Some(request) = self.next_pending() {
                let sent = self
                    .launcher
                    .async_io(Interest::WRITABLE, |launcher| match &request {
                        Pending::Spawn(request) => launcher.spawn(request),
                        Pending::Kill(id) => launcher.kill(*id),
                    })
                    .await;
                if let (Err(error), Pending::Spawn(request)) = (sent, request) {
                    self.not_spawned(request.id, &error.to_string());
                }
            }
        }
    }

    fn next_pending(&self) -> Option<Pending> {
        let pending: &mut VecDeque<Pending> = &mut self.state.borrow_mut().pending;
        pending.pop_front()
    }

    /// Hears what became of processes.
    pub(super) async fn hear_launcher(self: Rc<Shell>) {
        loop {
            let heard = self
                .launcher
                .async_io(Interest::READABLE, |launcher| {
                    launcher
                        .try_recv()?
                        .ok_or_else(|| io::ErrorKind::WouldBlock.into())
                })
                .await;
            match heard {
                Ok(Launched::Spawned { id, pid, .. }) => {
                    if let Some(process) = self.process(id) {
                        self.post(Event::Spawned(
                            process,
                            u32::try_from(pid).unwrap_or_default(),
                        ));
                    }
                }
                Ok(Launched::SpawnFailed { id, step, errno }) => {
                    self.not_spawned(id, &format!("failed to {step}: {errno}"));
                }
                Ok(Launched::Exited { id, status }) => {
                    if let Some(process) = self.process(id) {
                        self.post(Event::Exited(process, death(status)));
                    }
                }
                Err(error) => {
                    // Every process has gone with it.
                    self.state.borrow_mut().broken = Some(error);
                    self.progress.notify_one();
                    return;
                }
            }
        }
    }

    fn process(&self, id: u64) -> Option<Process> {
        self.state.borrow().processes.get(&id).copied()
    }

    fn not_spawned(self: &Rc<Shell>, id: u64, why: &str) {
        if let Some(process) = self.process(id) {
            self.post(Event::SpawnFailed(process, why.to_owned()));
        }
    }
}

fn death(status: ExitStatus) -> Death {
    match (status.code(), status.signal()) {
        (Some(code), _) => Death::Exit(code),
        (None, signal) => Death::Signal(signal.unwrap_or_default()),
    }
}
