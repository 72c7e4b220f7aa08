//! The one task of a connection: it moves bytes between the socket and the table.
//!
//! Each turn writes all that is queued in as few writes as the socket takes, then reads all that is
//! there and sorts it in under one lock.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use proc_host_wire::{Inbox, Link as Way, Message, ProtocolError};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::Shared;

/// Bytes read in one turn before what is queued gets its chance.
const READ_TURN: usize = 1 << 20;

/// Why the connection has ended.
enum End {
    /// The last user let go of it.
    Closed,
    Hangup,
    Io(io::Error),
    Protocol(ProtocolError),
}

pub(super) async fn drive(shared: Arc<Shared>, socket: UnixStream, inbox: Inbox) {
    let why = match turns(&shared, &socket, inbox).await {
        End::Closed => "closed by this program".to_owned(),
        End::Hangup => "the host closed it".to_owned(),
        End::Io(error) => error.to_string(),
        End::Protocol(error) => format!("the host broke the protocol: {error}"),
    };
    let wakers = {
        let mut state = shared.lock();
        // What the host said as it hung up comes first.
        let why = state.lost.take().unwrap_or(why);
        state.lose(&why)
    };
    wakers.into_iter().for_each(Waker::wake);
}

async fn turns(shared: &Shared, socket: &UnixStream, mut inbox: Inbox) -> End {
    let mut unwritten = Unwritten::default();
    // What came with the greeting is in the inbox already.
    if let Err(error) = sort(shared, &mut inbox) {
        return End::Protocol(error);
    }
    loop {
        match unwritten.write(shared, socket) {
            Ok(true) => {}
            Ok(false) => return End::Closed,
            Err(error) => return End::Io(error),
        }
        let interest = match unwritten.is_empty() {
            true => Interest::READABLE,
            false => Interest::READABLE | Interest::WRITABLE,
        };
        tokio::select! {
            ready = socket.ready(interest) => match ready {
                Ok(ready) if ready.is_readable() => {}
                Ok(_) => continue,
                Err(error) => return End::Io(error),
            },
            () = shared.wake.notified() => continue,
        }
        match read(socket, &mut inbox) {
            Ok(more) => {
                if let Err(error) = sort(shared, &mut inbox) {
                    return End::Protocol(error);
                }
                if !more {
                    return End::Hangup;
                }
            }
            Err(error) => return End::Io(error),
        }
    }
}

/// Reads what is there; false at the end of it all.
fn read(socket: &UnixStream, inbox: &mut Inbox) -> io::Result<bool> {
    let mut total = 0;
    while total < READ_TURN {
        let space = inbox.space();
        let room = space.capacity() - space.len();
        match socket.try_read_buf(space) {
            Ok(0) => return Ok(false),
            Ok(count) => {
                total += count;
                // A short read emptied the socket; asking again would only cost a call.
                if count < room {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn sort(shared: &Shared, inbox: &mut Inbox) -> Result<(), ProtocolError> {
    let mut wakers = Vec::new();
    let result = {
        let mut state = shared.lock();
        let mut next = || -> Result<bool, ProtocolError> {
            let Some(frame) = inbox.next_frame()? else {
                return Ok(false);
            };
            state.receive(Message::from_frame(Way::HostToClient, frame)?, &mut wakers)?;
            Ok(true)
        };
        loop {
            match next() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        }
    };
    wakers.into_iter().for_each(Waker::wake);
    result
}

/// Bytes on their way out.
#[derive(Default)]
struct Unwritten {
    buffer: Vec<u8>,
    written: usize,
}

impl Unwritten {
    fn is_empty(&self) -> bool {
        self.written == self.buffer.len()
    }

    /// Writes until the queue is empty or the socket full; false once nobody uses the connection
    /// and all is written.
    fn write(&mut self, shared: &Shared, socket: &UnixStream) -> io::Result<bool> {
        loop {
            if self.is_empty() {
                self.buffer.clear();
                self.written = 0;
                let mut state = shared.lock();
                if !state.outbox.fill(&mut self.buffer) {
                    return Ok(!state.closing);
                }
            }
            match socket.try_write(&self.buffer[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
