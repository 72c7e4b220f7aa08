//! Frames, messages and types of every proc-host socket: client to host, and host to worker.
//!
//! Owns: the bytes. A frame is a fixed header, a small routing section, an attachment table and an
//! opaque body ([`frame`]); a [`Message`] is what a frame means; [`Inbox`] and [`Outbox`] turn
//! byte streams into messages and back, bounded. May not know: sockets, time, wasmtime, pools.

pub mod cbor;
pub mod control;
pub mod frame;
pub mod interface;
pub mod limits;
pub mod log;
pub mod message;
pub mod outcome;
pub mod start;

mod inbox;
mod outbox;
mod routing;

pub use frame::{Attachment, AttachmentKind, Frame, Kind, ProtocolError};
pub use inbox::Inbox;
pub use message::{Link, Message};
pub use outbox::Outbox;
pub use outcome::{Denied, DeniedReason, Fault, FaultCause, Outcome, Trap, TrapFrame, Value};

/// Major version of the wire: both ends must agree exactly.
pub const WIRE_MAJOR: u16 = 1;

/// Feature bits this build understands; a peer uses only what both ends name.
pub const WIRE_FEATURES: u64 = 0;
