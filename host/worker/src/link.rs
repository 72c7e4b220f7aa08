//! The worker's socket to the host.
//!
//! Owns: reading and writing messages, and the bound on what waits to be written. May not know:
//! what the messages mean.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use proc_host_wire::{Inbox, Link as Direction, Message, Outbox, ProtocolError};
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

use crate::outgoing::Outgoing;

/// Bytes waiting to be written above which guests that want to send more are made to wait, and log
/// entries are dropped.
const HIGH_WATER: usize = 8 << 20;

/// What waits to be written. Cheap to share; a lock is never held across an await.
#[derive(Debug, Default)]
pub(crate) struct Link {
    outbox: Mutex<Outbox>,
    /// Streams with items that have not been handed over yet.
    written: Mutex<Vec<Arc<Outgoing>>>,
    /// Something waits to be written.
    filled: Notify,
    /// The outbox has been emptied.
    drained: Notify,
    /// A call has ended or a handle has gone.
    pub(crate) quieter: Notify,
}

/// Why the socket cannot go on.
#[derive(Debug, Error)]
pub(crate) enum LinkError {
    #[error("failed to use the socket to the host: {0}")]
    Io(#[from] io::Error),
    #[error("failed to understand the host: {0}")]
    Protocol(#[from] ProtocolError),
}

impl Link {
    /// Queues a message. One that breaks a limit of the wire is given back as its error.
    pub(crate) fn send(&self, message: Message) -> Result<(), ProtocolError> {
        let result = self.lock().push(message);
        self.filled.notify_one();
        result
    }

    /// Items of a stream wait to be handed over when the socket's turn comes.
    pub(crate) fn has_items(&self, stream: Arc<Outgoing>) {
        self.written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(stream);
        self.filled.notify_one();
    }

    /// Moves what is to be written next into `buffer`; false where there is nothing.
    fn fill(&self, buffer: &mut Vec<u8>) -> bool {
        let written =
            std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner));
        for stream in written {
            stream.flush();
        }
        self.lock().fill(buffer)
    }

    /// Whether little enough waits to be written.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().len() < HIGH_WATER
    }

    /// Waits until little enough waits to be written.
    pub(crate) async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            if self.has_room() {
                return;
            }
            drained.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is queued, for as long as the socket lives. Everything queued by then goes into
    /// one write.
    pub(crate) async fn write(&self, socket: &OwnedWriteHalf) -> LinkError {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            while !self.fill(&mut buffer) {
                self.filled.notified().await;
            }
            let mut rest = &buffer[..];
            while !rest.is_empty() {
                match socket.try_write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        if let Err(error) = socket.writable().await {
                            return error.into();
                        }
                    }
                    Err(error) => return error.into(),
                }
            }
            if buffer.capacity() > 4 << 20 {
                buffer = Vec::new();
            }
            self.drained.notify_waiters();
        }
    }

    /// Writes what is queued, then returns. For the last words of a worker.
    pub(crate) async fn flush(&self, socket: &OwnedWriteHalf) -> Result<(), LinkError> {
        let mut buffer = Vec::new();
        while self.fill(&mut buffer) {
            let mut rest = &buffer[..];
            while !rest.is_empty() {
                socket.writable().await?;
                match socket.try_write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
            buffer.clear();
        }
        Ok(())
    }
}

/// The read half: messages from the host.
#[derive(Debug)]
pub(crate) struct Reader {
    socket: OwnedReadHalf,
    inbox: Inbox,
}

impl Reader {
    /// Splits a connected socket.
    pub(crate) fn new(socket: UnixStream) -> (Reader, OwnedWriteHalf) {
        let (read, write) = socket.into_split();
        (
            Reader {
                socket: read,
                inbox: Inbox::default(),
            },
            write,
        )
    }

    /// The next message that has been read already.
    pub(crate) fn buffered(&mut self) -> Result<Option<Message>, LinkError> {
        match self.inbox.next_frame()? {
            Some(frame) => Ok(Some(Message::from_frame(Direction::HostToWorker, frame)?)),
            None => Ok(None),
        }
    }

    /// The next message; `None` once the host has closed its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, LinkError> {
        loop {
            if let Some(message) = self.buffered()? {
                return Ok(Some(message));
            }
            self.socket.readable().await?;
            match self.socket.try_read_buf(self.inbox.space()) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
