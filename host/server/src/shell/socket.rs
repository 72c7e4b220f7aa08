//! A peer's socket: reading in batches, writing in batches.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use proc_host_wire::{Inbox, Outbox};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};

use super::{Shared, Shell, State};
use crate::host::{Event, Host, Peer, Process};

/// How long the last bytes to a client may take.
const LAST_BYTES: Duration = Duration::from_secs(1);
/// A buffer larger than this is not kept.
const KEPT: usize = 4 << 20;

/// The write half, and the tasks that serve the socket.
#[derive(Debug)]
pub(super) struct Socket {
    write: OwnedWriteHalf,
    buffer: RefCell<Unwritten>,
    /// The socket is full: its writer waits until it is not.
    is_full: Cell<bool>,
    full: Notify,
    /// Something has been written.
    drained: Notify,
    tasks: RefCell<Vec<AbortHandle>>,
}

#[derive(Debug, Default)]
struct Unwritten {
    bytes: Vec<u8>,
    written: usize,
}

impl Socket {
    /// Writes what waits for `peer`, as far as the socket takes it.
    pub(super) fn flush(&self, host: &mut Host, peer: Peer) {
        if self.is_full.get() {
            return;
        }
        let filled = self.write_all(|bytes| host.fill(peer, bytes));
        if filled {
            self.drained.notify_one();
        }
    }

    /// Writes all that `fill` has until the socket is full; true where anything was written. A broken
    /// socket takes everything: its reader hears of it.
    fn write_all(&self, mut fill: impl FnMut(&mut Vec<u8>) -> bool) -> bool {
        let mut unwritten = self.buffer.borrow_mut();
        let mut any = false;
        loop {
            if unwritten.written == unwritten.bytes.len() {
                unwritten.written = 0;
                if unwritten.bytes.capacity() > KEPT {
                    unwritten.bytes = Vec::new();
                }
                unwritten.bytes.clear();
                if !fill(&mut unwritten.bytes) {
                    return any;
                }
            }
            match self.write.try_write(&unwritten.bytes[unwritten.written..]) {
                Ok(count) => {
                    unwritten.written += count;
                    any = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_full.set(true);
                    self.full.notify_one();
                    return any;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => unwritten.written = unwritten.bytes.len(),
            }
        }
    }

    /// Writes what is left, for a moment at most, then closes.
    pub(super) async fn finish(&self, mut outbox: Outbox) {
        self.stop();
        let finish = async {
            loop {
                self.is_full.set(false);
                self.write_all(|bytes| outbox.fill(bytes));
                if !self.is_full.get() {
                    return;
                }
                if self.write.writable().await.is_err() {
                    return;
                }
            }
        };
        // A client that does not read has missed its chance.
        let _ = tokio::time::timeout(LAST_BYTES, finish).await;
    }

    /// Ends the tasks: they hold the socket, so it is not dropped before.
    pub(super) fn stop(&self) {
        for task in self.tasks.borrow_mut().drain(..) {
            task.abort();
        }
    }
}

impl Shell {
    /// Serves a connected socket from now on.
    pub(super) fn attach(
        self: &Rc<Shell>,
        state: &mut State,
        peer: Peer,
        socket: UnixStream,
    ) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        let (read, write) = tokio::net::UnixStream::from_std(socket)?.into_split();
        let socket = Rc::new(Socket {
            write,
            buffer: RefCell::default(),
            is_full: Cell::new(false),
            full: Notify::new(),
            drained: Notify::new(),
            tasks: RefCell::default(),
        });
        let reader = spawn_local(read_from(self.clone(), peer, read));
        let writer = spawn_local(write_to(self.clone(), peer));
        *socket.tasks.borrow_mut() = vec![reader.abort_handle(), writer.abort_handle()];
        state.sockets.insert(peer, socket);
        Ok(())
    }

    fn socket(&self, peer: Peer) -> Option<Rc<Socket>> {
        self.state.borrow().sockets.get(&peer).cloned()
    }
}

/// Goes on writing whenever a full socket takes more.
async fn write_to(shell: Shared, peer: Peer) {
    while let Some(socket) = shell.socket(peer) {
        socket.full.notified().await;
        let writable = socket.write.writable().await;
        socket.is_full.set(false);
        if writable.is_err() {
            return;
        }
        let mut state = shell.state.borrow_mut();
        socket.flush(&mut state.host, peer);
        shell.carry_on(&mut state);
    }
}

async fn read_from(shell: Shared, peer: Peer, mut read: OwnedReadHalf) {
    let mut inbox = Inbox::default();
    loop {
        while !shell.state.borrow().host.may_read(peer) {
            let Some(socket) = shell.socket(peer) else {
                return;
            };
            socket.drained.notified().await;
        }
        match read.read_buf(inbox.space()).await {
            Ok(0) | Err(_) => {
                let gone = match peer {
                    Peer::Client(id) => Event::ClientGone(id),
                    Peer::Worker(id) => Event::Hangup(Process::Worker(id)),
                    Peer::Compiler(id) => Event::Hangup(Process::Compiler(id)),
                };
                return shell.post(gone);
            }
            Ok(_) => {
                let mut state = shell.state.borrow_mut();
                take_in(&mut state, peer, &mut inbox);
                shell.carry_on(&mut state);
            }
        }
    }
}

/// Hands every whole message of an inbox to the host.
fn take_in(state: &mut State, peer: Peer, inbox: &mut Inbox) {
    let now = state.clock.now();
    loop {
        let message = match inbox.next_frame() {
            Ok(None) => return,
            Ok(Some(frame)) => Host::understand(peer, frame),
            Err(error) => Err(error),
        };
        let is_bad = message.is_err();
        let event = match (peer, message) {
            (Peer::Client(id), Ok(message)) => Event::FromClient(id, message),
            (Peer::Client(id), Err(error)) => Event::BadClient(id, error),
            (Peer::Worker(id), Ok(message)) => Event::FromProcess(Process::Worker(id), message),
            (Peer::Worker(id), Err(error)) => Event::BadProcess(Process::Worker(id), error),
            (Peer::Compiler(id), Ok(message)) => Event::FromProcess(Process::Compiler(id), message),
            (Peer::Compiler(id), Err(error)) => Event::BadProcess(Process::Compiler(id), error),
        };
        state.host.handle(now, event);
        if is_bad {
            return;
        }
    }
}
