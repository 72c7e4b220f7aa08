//! From messages to the bytes to write.
//!
//! Owns: coalescing small messages into one buffer, and cutting long bodies into pieces that take
//! turns, never more of them at once than the peer's [`crate::Inbox`] holds. Messages of one call
//! keep their order; others pass a long one by.

use std::collections::{HashMap, VecDeque};

use crate::frame::{CONTINUED, Frame, Kind, MORE, ProtocolError};
use crate::limits::{
    MAX_ATTACHMENTS, MAX_BODY, MAX_PIECE, MAX_ROUTING, MAX_UNFINISHED, MAX_UNFINISHED_COUNT,
};
use crate::message::Message;

/// A message is long where it is over a piece, so the bound on bytes keeps the one on messages too.
const _: () = assert!(MAX_UNFINISHED / MAX_PIECE < MAX_UNFINISHED_COUNT);

/// The write half of a connection, without the socket.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Encoded, to be written as it is.
    ready: Vec<u8>,
    /// Calls with a long message that is not yet whole at the peer.
    lanes: HashMap<u64, Lane>,
    /// The lanes whose turns come round.
    begun: VecDeque<u64>,
    /// The lanes that wait until the peer has room for them, oldest first.
    next: VecDeque<u64>,
    /// What the peer may have to hold of the lanes that have begun.
    unfinished: usize,
    /// Bytes that wait in the lanes.
    waiting: usize,
}

/// A long message, and what came for the same call since, in order.
#[derive(Debug)]
struct Lane {
    queue: VecDeque<Frame>,
    /// How much of the first frame's body is written.
    sent: usize,
    /// What the peer may have to hold of the first frame; 0 where it has not begun, or is short.
    cost: usize,
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
        let is_long = frame.body.len() > MAX_PIECE;
        let lane = if self.lanes.is_empty() {
            None
        } else {
            self.lanes.get_mut(&frame.call)
        };
        match lane {
            Some(lane) if lane.holds_back(frame.kind) => {
                self.waiting += frame.weight();
                lane.queue.push_back(frame);
            }
            None if is_long => {
                self.waiting += frame.weight();
                self.next.push_back(frame.call);
                let (call, queue) = (frame.call, VecDeque::from([frame]));
                let lane = Lane {
                    queue,
                    sent: 0,
                    cost: 0,
                };
                self.lanes.insert(call, lane);
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
        self.begin();
        for turn in 0..self.begun.len() {
            // However much is short, a long one gets on.
            if turn > 0 && buffer.len() >= 4 * MAX_PIECE {
                break;
            }
            let Some(call) = self.begun.pop_front() else {
                break;
            };
            self.turn(call, buffer);
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

    /// Lets lanes begin for as long as the peer has room for all of them, whole.
    fn begin(&mut self) {
        while let Some(&call) = self.next.front() {
            if let Some(lane) = self.lanes.get_mut(&call)
                && let Some(first) = lane.queue.front()
            {
                let cost = if first.body.len() > MAX_PIECE {
                    first.weight()
                } else {
                    0
                };
                if self.unfinished + cost > MAX_UNFINISHED {
                    return;
                }
                lane.cost = cost;
                self.unfinished += cost;
                self.begun.push_back(call);
            }
            self.next.pop_front();
        }
    }

    /// Writes a piece of a lane that has begun, and where that is the last of its message, what is
    /// short behind it, as long as all of it is no more than a piece.
    fn turn(&mut self, call: u64, buffer: &mut Vec<u8>) {
        let Some(lane) = self.lanes.get_mut(&call) else {
            return;
        };
        let start = buffer.len();
        while let Some(frame) = lane.queue.front() {
            let rest = frame.body.len() - lane.sent;
            let piece = rest.min(MAX_PIECE);
            let overhead = frame.weight() - frame.body.len();
            let written = buffer.len() - start;
            if written > 0 && written + overhead + piece > MAX_PIECE {
                self.next.push_back(call);
                return;
            }
            let continued = if lane.sent == 0 { 0 } else { CONTINUED };
            let more = if rest > piece { MORE } else { 0 };
            let body = &frame.body[lane.sent..lane.sent + piece];
            frame.put(continued | more, body, buffer);
            self.waiting -= piece;
            if more != 0 {
                lane.sent += piece;
                self.begun.push_back(call);
                return;
            }
            self.waiting -= overhead;
            self.unfinished -= std::mem::take(&mut lane.cost);
            lane.sent = 0;
            lane.queue.pop_front();
        }
        self.lanes.remove(&call);
    }
}

impl Lane {
    /// Whether a message of this kind waits for what is queued before it.
    fn holds_back(&self, kind: Kind) -> bool {
        match kind {
            // The peer does not know what to cancel before the call is there.
            Kind::Cancel => self.queue.iter().any(|frame| frame.kind.opens_call()),
            kind => !kind.passes_by(),
        }
    }
}
