//! What a frame means: the closed set of messages, each with the link it may cross.

mod decode;
mod encode;
mod links;

use bytes::Bytes;

use crate::control::{Reply, Request};
use crate::log::{Level, LogEntry};
use crate::outcome::{Routed, Value};
use crate::start::Start;

/// A direction of a socket. A message on a link it does not belong to is a protocol error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// What a client sends.
    ClientToHost,
    /// What a client receives.
    HostToClient,
    /// What a worker or compiler receives.
    HostToWorker,
    /// What a worker or compiler sends.
    WorkerToHost,
}

/// A worker of a pool: the slot, and which of the processes that have served it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkerRef {
    /// The slot, from 0.
    pub slot: u32,
    /// The generation in that slot, from 1.
    pub generation: u64,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deadline {
    /// What the module, pool or host says.
    #[default]
    Default,
    /// Without end.
    Never,
    /// This many microseconds from its arrival at the host.
    Micros(u64),
}

/// The credit a stream starts with, granted with the call whose result it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Items.
    pub items: u32,
    /// Bytes of items.
    pub bytes: u32,
}

/// A client's call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Chosen by the client; not in use on this connection.
    pub call: u64,
    /// The pool's name.
    pub pool: String,
    /// `module.function` or `module.interface.function`.
    pub target: String,
    /// This slot, or any.
    pub slot: Option<u32>,
    /// This very generation of the slot.
    pub generation: Option<u64>,
    /// How long it may take.
    pub deadline: Deadline,
    /// Whether the client answers callbacks of this call.
    pub listens: bool,
    /// The first credit of each stream of the result.
    pub window: Window,
    /// A CBOR array (positional) or map (by parameter name).
    pub arguments: Value,
}

/// The host's call to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Chosen by the host; not in use on this worker.
    pub call: u64,
    /// What people know the call by: log and guests show it.
    pub number: u64,
    /// Index of the module in the worker's start.
    pub module: u32,
    /// Index of the function in the module's interface.
    pub function: u32,
    /// Microseconds left.
    pub deadline: Option<u64>,
    /// Whether anybody answers callbacks of this call.
    pub listens: bool,
    /// The first credit of each stream of the result.
    pub window: Window,
    /// A CBOR array (positional) or map (by parameter name).
    pub arguments: Value,
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which call.
    pub call: u64,
    /// Where it ran.
    pub worker: Option<WorkerRef>,
    /// How many times it was tried.
    pub attempts: u32,
    /// How it ended.
    pub outcome: Routed,
}

/// Where a callback comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The pool.
    pub pool: String,
    /// The module.
    pub module: String,
    /// The worker.
    pub worker: WorkerRef,
    /// The call's id at the host, as the log shows it.
    pub host_call: u64,
}

/// What a caller answers to a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A CBOR document.
    Value(Bytes),
    /// The handler failed, with this message.
    Failed(String),
    /// Nobody listens.
    Unheard,
    /// The caller has gone.
    Gone,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// First frame of a client.
    Hello {
        /// Wire version; must equal [`crate::WIRE_MAJOR`].
        major: u16,
        /// What the client understands.
        features: u64,
        /// The secret from the file beside the socket.
        token: [u8; 32],
        /// What the client calls itself.
        name: String,
    },
    /// The host accepts a client.
    Welcome {
        /// What both understand.
        features: u64,
        /// The host's version.
        version: String,
        /// The host's process.
        pid: u32,
    },
    /// Why the host closes this connection.
    Refused(String),
    /// Anything but a call.
    Request {
        /// Chosen by the client.
        id: u64,
        /// What it asks.
        request: Request,
        /// Bytes that go with it (components).
        payload: Bytes,
    },
    /// The answer to a request.
    Response {
        /// Which request.
        id: u64,
        /// The answer, or why there is none.
        reply: Result<Reply, String>,
    },
    /// An entry of the log, to a client that follows it.
    Log(LogEntry),
    /// An entry of the log, from a worker.
    GuestLog {
        /// The call that wrote it; 0 where none did.
        call: u64,
        /// The module that wrote it.
        module: u32,
        /// Where from.
        level: Level,
        /// Entries of this call dropped just before this one.
        dropped: u32,
        /// One line.
        text: Bytes,
    },
    /// A client's call.
    Call(Call),
    /// The host's call to a worker.
    Dispatch(Dispatch),
    /// End this call.
    Cancel {
        /// Which call.
        call: u64,
    },
    /// How a call ended.
    Outcome(Ended),
    /// The worker holds nothing of this call any more.
    Ended {
        /// Which call.
        call: u64,
    },
    /// Items of a stream.
    Items {
        /// The call it belongs to.
        call: u64,
        /// The stream of that call.
        stream: u32,
        /// How many.
        count: u32,
        /// CBOR documents one after another, and what they name by index.
        items: Value,
    },
    /// The writer has ended a stream.
    End {
        /// The call it belongs to.
        call: u64,
        /// The stream of that call.
        stream: u32,
        /// Why it ended early, where it did.
        failure: Option<Routed>,
    },
    /// The reader grants more.
    Credit {
        /// The call it belongs to.
        call: u64,
        /// The stream of that call.
        stream: u32,
        /// So many items more.
        items: u32,
        /// So many bytes more.
        bytes: u32,
    },
    /// The reader has dropped a stream.
    Close {
        /// The call it belongs to.
        call: u64,
        /// The stream of that call.
        stream: u32,
    },
    /// A guest asks its caller.
    Callback {
        /// The asking call; 0 towards a pool's handler that did not make the call.
        call: u64,
        /// The question, unique on its connection while it is open.
        callback: u32,
        /// Where it comes from, as the host tells a client.
        origin: Option<Origin>,
        /// A CBOR document.
        payload: Bytes,
    },
    /// The answer to a callback.
    Answer {
        /// As in the question.
        call: u64,
        /// As in the question.
        callback: u32,
        /// The answer.
        answer: Answer,
    },
    /// A client drops a handle.
    Release {
        /// Which.
        handle: u64,
    },
    /// What to load.
    Start(Start),
    /// Loaded, locked, serving.
    Ready {
        /// Layers of the jail that hold, by bit.
        layers: u32,
    },
    /// What could not be loaded.
    Failed {
        /// Which module, where it is one's fault.
        module: Option<u32>,
        /// Why.
        message: String,
    },
    /// Let calls end, then exit.
    Drain,
    /// Are you alive?
    Ping {
        /// Comes back in the pong.
        nonce: u64,
    },
    /// Yes.
    Pong {
        /// As in the ping.
        nonce: u64,
    },
    /// A component is compiled.
    Compiled {
        /// Bytes of the artifact in the output descriptor.
        artifact_len: u64,
        /// The [`crate::interface::Interface`], encoded.
        interface: Bytes,
    },
}

const NO_WINDOW: Window = Window { items: 0, bytes: 0 };

impl Default for Window {
    fn default() -> Window {
        NO_WINDOW
    }
}
