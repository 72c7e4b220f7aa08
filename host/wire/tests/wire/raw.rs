//! Frames as bytes, written by hand, and the shortest ways through outbox and inbox.

use bytes::Bytes;
use proc_host_wire::{Frame, Inbox, Link, Message, Outbox, ProtocolError};

/// The four directions.
pub(crate) const LINKS: [Link; 4] = [
    Link::ClientToHost,
    Link::HostToClient,
    Link::HostToWorker,
    Link::WorkerToHost,
];

/// A header, every field free, and what comes behind it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    pub(crate) body: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) routing: u16,
    pub(crate) call: u64,
    pub(crate) stream: u32,
    pub(crate) items: u32,
    pub(crate) attachments: u16,
    pub(crate) reserved: [u8; 6],
    pub(crate) rest: Vec<u8>,
}

impl Raw {
    pub(crate) fn new(kind: u8) -> Raw {
        Raw {
            kind,
            ..Raw::default()
        }
    }

    /// The frame with these sections, its lengths right.
    pub(crate) fn with(self, routing: &[u8], table: &[[u8; 16]], body: &[u8]) -> Raw {
        Raw {
            routing: routing.len().try_into().unwrap(),
            attachments: table.len().try_into().unwrap(),
            body: body.len().try_into().unwrap(),
            rest: [routing, table.as_flattened(), body].concat(),
            ..self
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.body.to_le_bytes());
        out.extend([self.kind, self.flags]);
        out.extend(self.routing.to_le_bytes());
        out.extend(self.call.to_le_bytes());
        out.extend(self.stream.to_le_bytes());
        out.extend(self.items.to_le_bytes());
        out.extend(self.attachments.to_le_bytes());
        out.extend(self.reserved);
        out.extend(&self.rest);
        out
    }

    /// What the inbox says to it alone.
    pub(crate) fn take(&self) -> Result<Option<Frame>, ProtocolError> {
        take(&self.bytes())
    }

    /// What it means on a link.
    pub(crate) fn read(&self, link: Link) -> Result<Message, ProtocolError> {
        Message::from_frame(link, self.take()?.unwrap())
    }
}

/// What the inbox makes of the first message of some bytes.
pub(crate) fn take(bytes: &[u8]) -> Result<Option<Frame>, ProtocolError> {
    let mut inbox = Inbox::default();
    inbox.feed(bytes);
    inbox.next_frame()
}

/// Everything an outbox has to write.
pub(crate) fn drain(outbox: &mut Outbox) -> Vec<u8> {
    let (mut bytes, mut buffer) = (Vec::new(), Vec::new());
    while outbox.fill(&mut buffer) {
        bytes.append(&mut buffer);
    }
    assert!(outbox.is_empty());
    assert_eq!(outbox.len(), 0);
    bytes
}

/// A message as bytes.
pub(crate) fn write(message: Message) -> Vec<u8> {
    let mut outbox = Outbox::default();
    outbox.push(message).unwrap();
    drain(&mut outbox)
}

/// The whole frame of a message.
pub(crate) fn frame(message: Message) -> Frame {
    take(&write(message)).unwrap().unwrap()
}

/// A frame again, with another routing section.
pub(crate) fn rerouted(frame: &Frame, routing: &[u8]) -> Frame {
    Frame {
        routing: Bytes::copy_from_slice(routing),
        ..frame.clone()
    }
}
