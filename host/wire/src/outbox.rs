//! From messages to the bytes to write.
//!
//! Owns: coalescing small messages into one buffer, and cutting long bodies into pieces that take
//! turns. Messages of one call keep their order; others pass a long one by.

use std::collections::VecDeque;

use crate::frame::{CONTINUED, Frame, HEADER, MORE, ProtocolError};
use crate::limits::{MAX_ATTACHMENTS, MAX_BODY, MAX_PIECE, MAX_ROUTING};
use crate::message::Message;

/// The write half of a connection, without the socket.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Encoded, to be written as it is.
    ready: Vec<u8>,
    /// Calls with a long body under way, each with what waits behind it.
    lanes: VecDeque<Lane>,
    /// Bytes that wait in the lanes.
    waiting: usize,
}

#[derive(Debug)]
struct Lane {
    call: u64,
    queue: VecDeque<Frame>,
    /// How much of the first frame's body is written.
    sent: usize,
}

impl Outbox {
    /// Queues a message. Errors where one of its sections is over a limit of the wire; nothing is
    /// queued then.
    pub fn push(&mut self, message: Message) -> Result<(), ProtocolError> {
        let frame = message.into_frame();
        for (what, length, limit) in [
            ("body", frame.body.len(), MAX_BODY),
            ("routing section", frame.routing.len(), MAX_ROUTING),
            ("attachment table", frame.attachments.len(), MAX_ATTACHMENTS),
        ] {
            if length > limit {
                return Err(ProtocolError::TooLong {
                    what,
                    length,
                    limit,
                });
            }
        }
        let lane = self.lanes.iter_mut().find(|lane| lane.call == frame.call);
        match lane {
            Some(lane) if !frame.kind.passes_by() => {
                self.waiting += frame.body.len() + HEADER;
                lane.queue.push_back(frame);
            }
            _ if frame.body.len() > MAX_PIECE => {
                self.waiting += frame.body.len() + HEADER;
                let (call, queue) = (frame.call, VecDeque::from([frame]));
                self.lanes.push_back(Lane {
                    call,
                    queue,
                    sent: 0,
                });
            }
            _ => frame.put(0, &frame.body, &mut self.ready),
        }
        Ok(())
    }

    /// Moves what is to be written next into `buffer`: all that is short, then a piece of each long
    /// message in turn. Returns false where there was nothing.
    pub fn fill(&mut self, buffer: &mut Vec<u8>) -> bool {
        let before = buffer.len();
        if buffer.is_empty() {
            std::mem::swap(buffer, &mut self.ready);
        } else {
            buffer.append(&mut self.ready);
        }
        for _ in 0..self.lanes.len() {
            if buffer.len() >= 4 * MAX_PIECE {
                break;
            }
            let Some(mut lane) = self.lanes.pop_front() else {
                break;
            };
            self.waiting -= lane.step(buffer);
            if !lane.queue.is_empty() {
                self.lanes.push_back(lane);
            }
        }
        buffer.len() > before
    }

    /// True where nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.lanes.is_empty()
    }

    /// Bytes that wait to be written.
    pub fn len(&self) -> usize {
        self.ready.len() + self.waiting
    }
}

impl Lane {
    /// Writes one piece, and every short message behind it that is then due.
    fn step(&mut self, buffer: &mut Vec<u8>) -> usize {
        let mut released = 0;
        while let Some(frame) = self.queue.front() {
            let rest = frame.body.len() - self.sent;
            let piece = rest.min(MAX_PIECE);
            let first = if self.sent == 0 { 0 } else { CONTINUED };
            let more = if rest > piece { MORE } else { 0 };
            frame.put(
                first | more,
                &frame.body[self.sent..self.sent + piece],
                buffer,
            );
            released += piece;
            if more != 0 {
                self.sent += piece;
                break;
            }
            self.sent = 0;
            released += HEADER;
            self.queue.pop_front();
            if self
                .queue
                .front()
                .is_some_and(|next| next.body.len() > MAX_PIECE)
            {
                break;
            }
        }
        released
    }
}
