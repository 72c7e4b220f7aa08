//! From bytes read to whole messages.
//!
//! Owns: cutting frames, joining the pieces of a long body, the bounds on what is unfinished.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};

use crate::frame::{CONTINUED, Frame, Kind, MORE, ProtocolError};
use crate::limits::{MAX_BODY, MAX_UNFINISHED, MAX_UNFINISHED_COUNT};

/// The read half of a connection, without the socket.
#[derive(Debug, Default)]
pub struct Inbox {
    buffer: BytesMut,
    unfinished: HashMap<(Kind, u64, u32), Unfinished>,
    /// What the unfinished messages cost to hold.
    held: usize,
}

#[derive(Debug)]
struct Unfinished {
    frame: Frame,
    body: BytesMut,
}

impl Inbox {
    /// The buffer to read into, with room for at least one more piece.
    pub fn space(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < 16 << 10 {
            self.buffer.reserve(64 << 10);
        }
        &mut self.buffer
    }

    /// Appends bytes that were read elsewhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.put_slice(bytes);
    }

    /// The next whole message; `None` until more bytes are there. After an error the connection
    /// is to be closed: nothing more can be understood.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, ProtocolError> {
        while let Some(frame) = Frame::take(&mut self.buffer)? {
            if let Some(whole) = self.join(frame)? {
                return Ok(Some(whole));
            }
        }
        Ok(None)
    }

    /// True where a frame or a message has begun and not ended: end of file is then an error.
    pub fn is_midway(&self) -> bool {
        !self.buffer.is_empty() || !self.unfinished.is_empty()
    }

    fn join(&mut self, mut frame: Frame) -> Result<Option<Frame>, ProtocolError> {
        let (more, continued) = (frame.flags & MORE != 0, frame.flags & CONTINUED != 0);
        let key = (frame.kind, frame.call, frame.stream);
        if !more && !continued {
            return if self.unfinished.is_empty() || !self.unfinished.contains_key(&key) {
                Ok(Some(frame))
            } else {
                Err(ProtocolError::Continuation(frame.kind))
            };
        }
        if continued {
            let entry = self
                .unfinished
                .get_mut(&key)
                .ok_or(ProtocolError::Continuation(frame.kind))?;
            bound("body", entry.body.len() + frame.body.len(), MAX_BODY)?;
            bound(
                "unfinished messages",
                self.held + frame.body.len(),
                MAX_UNFINISHED,
            )?;
            entry.body.put_slice(&frame.body);
            self.held += frame.body.len();
            if more {
                return Ok(None);
            }
            let Some(done) = self.unfinished.remove(&key) else {
                return Err(ProtocolError::Continuation(frame.kind));
            };
            self.held -= done.frame.weight() + done.body.len();
            return Ok(Some(Frame {
                flags: 0,
                body: done.body.freeze(),
                ..done.frame
            }));
        }
        let weight = frame.weight();
        bound("unfinished messages", self.held + weight, MAX_UNFINISHED)?;
        bound(
            "count of unfinished messages",
            self.unfinished.len() + 1,
            MAX_UNFINISHED_COUNT,
        )?;
        self.held += weight;
        // Copies, so that what is held does not keep the read buffer from being used again.
        let body = BytesMut::from(&frame.body[..]);
        frame.body = Bytes::new();
        frame.routing = Bytes::copy_from_slice(&frame.routing);
        let kind = frame.kind;
        match self.unfinished.insert(key, Unfinished { frame, body }) {
            Some(_) => Err(ProtocolError::Continuation(kind)),
            None => Ok(None),
        }
    }
}

fn bound(what: &'static str, length: usize, limit: usize) -> Result<(), ProtocolError> {
    if length > limit {
        return Err(ProtocolError::TooLong {
            what,
            length,
            limit,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
