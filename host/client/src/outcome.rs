//! How a call ended, as data.

use bytes::Bytes;
use proc_host_wire::message::WorkerRef;
use proc_host_wire::{Denied, Fault, Trap};
use serde::de::DeserializeOwned;

use crate::attached::{self, Attached};
use crate::codec::{self, CodecError};

/// The end of a call.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// Where it ran; `None` where it never started.
    pub worker: Option<WorkerRef>,
    /// How many times it was tried.
    pub attempts: u32,
}

/// The one terminal outcome of a call.
#[derive(Debug)]
pub enum Outcome {
    /// The function returned this value.
    Returned(Encoded),
    /// The function's result is `result<T, E>`, and it returned this `E`.
    Raised(Encoded),
    /// The guest's code stopped, and its instance is gone.
    Trapped(Trap),
    /// The worker process died.
    Faulted(Fault),
    /// The call never started.
    Denied(Denied),
    /// The caller, or somebody else with the right to, cancelled it.
    Cancelled {
        /// Whether a worker may have begun it.
        dispatched: bool,
    },
    /// Its deadline passed.
    TimedOut {
        /// Whether a worker may have begun it.
        dispatched: bool,
    },
    /// The connection was lost after the call was sent: it may have run or not.
    Unknown(String),
}

/// A value as it travels: one CBOR document, and the handles and streams that it names by index.
///
/// What is not taken out of it is let go when it is dropped: handles are released, streams closed.
#[derive(Debug, Default)]
pub struct Encoded {
    body: Bytes,
    attached: Vec<Option<Attached>>,
}

impl Encoded {
    pub(crate) fn new(body: Bytes, attached: Vec<Option<Attached>>) -> Encoded {
        Encoded { body, attached }
    }

    /// The document; empty where the function has no result.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What the document names, by index. An item's indices are those of the batch it came in, so
    /// there may be others between them.
    pub fn attached(&self) -> &[Option<Attached>] {
        &self.attached
    }

    /// Both parts.
    pub fn into_parts(self) -> (Bytes, Vec<Option<Attached>>) {
        (self.body, self.attached)
    }

    /// The value as a Rust type. A [`Handle`](crate::Handle),
    /// [`RemoteStream`](crate::RemoteStream) or [`RemoteFuture`](crate::RemoteFuture) may stand
    /// anywhere in it.
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, CodecError> {
        attached::while_decoding(self.attached, || codec::decode(&self.body))
    }
}
