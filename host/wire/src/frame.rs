//! The frame: what crosses a socket as one piece.
//!
//! ```text
//!  0      4     5      6          8       16        20       24            26        28    32
//!  | body | kind | flags | routing | call   | stream  | items  | attachments | reserved  |
//!    u32    u8     u8      u16       u64      u32       u32      u16           u16, u32
//! ```
//!
//! Little-endian. `body` and `routing` count bytes, `attachments` counts entries of 16 bytes. After
//! the header come routing section, attachment table and body. Reserved fields are zero.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use crate::limits::{MAX_ATTACHMENTS, MAX_PIECE, MAX_ROUTING};

/// Bytes of a frame's header.
pub const HEADER: usize = 32;
/// Bytes of one entry of the attachment table.
pub const ENTRY: usize = 16;

/// More of this message's body follows in a later frame of the same kind, call and stream.
pub const MORE: u8 = 1;
/// This frame continues a message begun by an earlier one; it has no routing and no attachments.
pub const CONTINUED: u8 = 2;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        /// What a frame is. The set is closed: any other number is a protocol error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name = $value,)* }

        impl Kind {
            fn from_byte(byte: u8) -> Option<Kind> {
                match byte { $($value => Some(Kind::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// First frame of a client.
    Hello = 1,
    /// The host's answer to `Hello`.
    Welcome = 2,
    /// The last frame before the host closes a connection: why.
    Refused = 3,
    /// A client asks for something that is not a call.
    Request = 4,
    /// The answer to a request.
    Response = 5,
    /// One entry of the log.
    Log = 6,
    /// A client calls a function.
    Call = 10,
    /// The host hands a call to a worker.
    Dispatch = 11,
    /// A call should end.
    Cancel = 12,
    /// How a call ended, or, for a call with streams, its value.
    Outcome = 13,
    /// The worker has let go of a call whose outcome the host had already issued.
    Ended = 14,
    /// Items of a stream.
    Items = 20,
    /// The writer's end of a stream.
    End = 21,
    /// The reader grants the writer more.
    Credit = 22,
    /// The reader has dropped the stream.
    Close = 23,
    /// A guest asks its caller.
    Callback = 30,
    /// The caller's answer.
    Answer = 31,
    /// A client drops a handle.
    Release = 32,
    /// The host tells a worker what to load.
    Start = 40,
    /// The worker has loaded, locked itself and serves.
    Ready = 41,
    /// The worker or compiler could not do what it was started for.
    Failed = 42,
    /// The worker should let its calls end and exit.
    Drain = 43,
    /// Are you alive?
    Ping = 44,
    /// Yes.
    Pong = 45,
    /// The compiler has done its work.
    Compiled = 46,
}

/// What an attachment stands for in the body that names its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AttachmentKind {
    /// A resource; the id is a handle.
    Resource = 1,
    /// A stream; the id is a stream of the same call.
    Stream = 2,
    /// A future: a stream of at most one item.
    Future = 3,
}

/// One entry of the attachment table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// A handle (resource), or a stream number of the same call.
    pub id: u64,
}

/// One frame, its sections cut out of the read buffer without copying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// [`MORE`] and [`CONTINUED`].
    pub flags: u8,
    /// The call it belongs to, or the id of a request; 0 where there is none.
    pub call: u64,
    /// The stream or callback within the call; 0 where there is none.
    pub stream: u32,
    /// Items in the body, or granted.
    pub items: u32,
    /// Small, decoded by the host.
    pub routing: Bytes,
    /// What the body names by index.
    pub attachments: Vec<Attachment>,
    /// Opaque to the host.
    pub body: Bytes,
}

/// The peer broke the protocol. The connection cannot go on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProtocolError {
    /// A kind number that is not in [`Kind`].
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
    /// A kind that does not belong on this link, or not at this moment.
    #[error("unexpected {0:?} frame")]
    Unexpected(Kind),
    /// Flags or reserved bytes that must be zero.
    #[error("{0:?} frame with reserved bits set")]
    Reserved(Kind),
    /// A section longer than allowed.
    #[error("{what} of {length} exceeds the limit of {limit}")]
    TooLong {
        /// Which section.
        what: &'static str,
        /// Its claimed size.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A routing section that ends early, runs on, or holds a value out of range.
    #[error("malformed routing section of a {kind:?} frame: {why}")]
    Routing {
        /// The frame's kind.
        kind: Kind,
        /// What is wrong.
        why: &'static str,
    },
    /// A continuation of nothing, or one that does not fit what it continues; or another message
    /// of the same kind, call and stream before the one under way has ended.
    #[error("{0:?} frame that does not fit the messages under way")]
    Continuation(Kind),
    /// A body that should be a document and is not.
    #[error("malformed body of a {kind:?} frame: {why}")]
    Body {
        /// The frame's kind.
        kind: Kind,
        /// What is wrong.
        why: String,
    },
    /// An id the peer does not own, has not opened, or has used before.
    #[error("{what} {id} is not open")]
    UnknownId {
        /// What the id should name.
        what: &'static str,
        /// The id.
        id: u64,
    },
    /// The peer sent more than it was granted.
    #[error("stream {stream} of call {call} exceeds its credit")]
    Credit {
        /// The call.
        call: u64,
        /// The stream.
        stream: u32,
    },
}

impl Frame {
    /// A frame with nothing in it yet.
    pub fn new(kind: Kind, call: u64) -> Frame {
        Frame {
            kind,
            flags: 0,
            call,
            stream: 0,
            items: 0,
            routing: Bytes::new(),
            attachments: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Takes one frame off the front of `buffer`; `None` until a whole one is there. Lengths are
    /// checked as soon as the header is, before any of the rest is waited for.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Frame>, ProtocolError> {
        let Some(header) = buffer.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let u32_at = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let kind = Kind::from_byte(header[4]).ok_or(ProtocolError::UnknownKind(header[4]))?;
        let body = bounded("body", u32_at(0) as usize, MAX_PIECE)?;
        let flags = header[5];
        let routing = bounded("routing section", usize::from(u16_at(6)), MAX_ROUTING)?;
        let call = u64::from(u32_at(8)) | u64::from(u32_at(12)) << 32;
        let (stream, items) = (u32_at(16), u32_at(20));
        let count = bounded("attachment table", usize::from(u16_at(24)), MAX_ATTACHMENTS)?;
        let continued = flags & CONTINUED != 0;
        if flags & !(MORE | CONTINUED) != 0
            || u16_at(26) != 0
            || u32_at(28) != 0
            || (continued && (routing != 0 || count != 0))
        {
            return Err(ProtocolError::Reserved(kind));
        }
        let total = HEADER + routing + count * ENTRY + body;
        if buffer.len() < total {
            buffer.reserve(total - buffer.len());
            return Ok(None);
        }
        let mut rest = buffer.split_to(total).freeze();
        rest.advance(HEADER);
        let routing = rest.split_to(routing);
        let mut attachments = Vec::with_capacity(count);
        for entry in rest[..count * ENTRY].chunks_exact(ENTRY) {
            attachments.push(Attachment::decode(kind, entry)?);
        }
        rest.advance(count * ENTRY);
        Ok(Some(Frame {
            kind,
            flags,
            call,
            stream,
            items,
            routing,
            attachments,
            body: rest,
        }))
    }

    /// What it costs to hold, in bytes.
    pub(crate) fn weight(&self) -> usize {
        HEADER + self.routing.len() + self.attachments.len() * ENTRY + self.body.len()
    }

    /// Appends the frame to `out`, with `body` in place of its own.
    ///
    /// The caller keeps every section within [`crate::limits`]; [`crate::Outbox`] does.
    pub(crate) fn put(&self, flags: u8, body: &[u8], out: &mut Vec<u8>) {
        let continued = flags & CONTINUED != 0;
        let (routing, attachments): (&[u8], &[Attachment]) = if continued {
            (&[], &[])
        } else {
            (&self.routing, &self.attachments)
        };
        debug_assert!(body.len() <= MAX_PIECE && routing.len() <= MAX_ROUTING);
        out.reserve(HEADER + routing.len() + attachments.len() * ENTRY + body.len());
        out.extend_from_slice(&length::<u32>(body.len()).to_le_bytes());
        out.extend_from_slice(&[self.kind as u8, flags]);
        out.extend_from_slice(&length::<u16>(routing.len()).to_le_bytes());
        out.extend_from_slice(&self.call.to_le_bytes());
        out.extend_from_slice(&self.stream.to_le_bytes());
        out.extend_from_slice(&self.items.to_le_bytes());
        out.extend_from_slice(&length::<u16>(attachments.len()).to_le_bytes());
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(routing);
        for attachment in attachments {
            attachment.encode(out);
        }
        out.extend_from_slice(body);
    }
}

impl Attachment {
    fn decode(kind: Kind, entry: &[u8]) -> Result<Attachment, ProtocolError> {
        let wrong = |why| ProtocolError::Routing { kind, why };
        let (head, id) = entry
            .split_first_chunk::<8>()
            .ok_or_else(|| wrong("short attachment"))?;
        let id: [u8; 8] = id.try_into().map_err(|_| wrong("short attachment"))?;
        let what = match head {
            [1, 0, 0, 0, 0, 0, 0, 0] => AttachmentKind::Resource,
            [2, 0, 0, 0, 0, 0, 0, 0] => AttachmentKind::Stream,
            [3, 0, 0, 0, 0, 0, 0, 0] => AttachmentKind::Future,
            _ => return Err(wrong("unknown kind of attachment")),
        };
        Ok(Attachment {
            kind: what,
            id: u64::from_le_bytes(id),
        })
    }

    fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind as u8, 0, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&self.id.to_le_bytes());
    }
}

fn bounded(what: &'static str, length: usize, limit: usize) -> Result<usize, ProtocolError> {
    if length > limit {
        return Err(ProtocolError::TooLong {
            what,
            length,
            limit,
        });
    }
    Ok(length)
}

/// A length already bounded far below the integer's range.
fn length<T: TryFrom<usize> + Default>(length: usize) -> T {
    T::try_from(length).unwrap_or_default()
}
