//! How a call ended. An outcome is data: it is never an error that travels through `?`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cbor::Limits;
use crate::frame::{Attachment, Kind, ProtocolError};

/// The one terminal outcome of an accepted call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The function returned this value.
    Returned(Value),
    /// The function's result is `result<T, E>`, and it returned this `E`.
    Raised(Value),
    /// The guest's code stopped, and its instance is gone.
    Trapped(Trap),
    /// The worker process died.
    Faulted(Fault),
    /// The call never started.
    Denied(Denied),
    /// Its caller, or somebody else with the right to, cancelled it.
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

/// A value as it travels: one CBOR document, and what it names by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// The document. Empty where a function has no result.
    pub body: Bytes,
    /// Resources, streams and futures that the document names.
    pub attachments: Vec<Attachment>,
}

/// Why a guest's code stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trap {
    /// The cause, in words.
    pub reason: String,
    /// False where another call of the same shared instance trapped and this one ended with it.
    pub own: bool,
    /// The guest's stack, innermost first.
    pub backtrace: Vec<TrapFrame>,
}

/// One frame of a guest's stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapFrame {
    /// The function's name, demangled; its index where the component carries no names.
    pub function: String,
    /// The core module inside the component, where it has a name.
    pub module: Option<String>,
    /// Byte offset in that core module.
    pub offset: Option<u64>,
}

/// How a worker died under a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The cause.
    pub cause: FaultCause,
    /// The cause in words, with what is known of the worker.
    pub message: String,
}

/// What ended a worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultCause {
    /// A signal, by its number.
    Signal(i32),
    /// It exited by itself, with this code.
    Exit(i32),
    /// It broke the protocol and was killed.
    Protocol,
    /// It stopped answering and was killed.
    Unresponsive,
    /// Its socket closed and no cause of death is known.
    Lost,
}

/// Why a call never started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// The kind of reason.
    pub reason: DeniedReason,
    /// The reason in words: what was wrong, where, and what was expected.
    pub message: String,
}

/// Kinds of reasons for a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeniedReason {
    /// No pool of that name.
    UnknownPool,
    /// No module of that name in the pool.
    UnknownModule,
    /// No function of that name in the module.
    UnknownFunction,
    /// The short name fits several functions.
    Ambiguous,
    /// Arguments that do not fit the function's parameters.
    BadArguments,
    /// No worker of that number, or that very worker has gone.
    UnknownWorker,
    /// A handle the caller does not own, or of another worker.
    UnknownHandle,
    /// A value over a limit.
    TooLarge,
    /// Too many calls wait.
    QueueFull,
    /// The pool or the host is stopping.
    Stopping,
    /// No worker could be started for the module.
    Unavailable,
    /// The function, or a type of it, cannot be called this way.
    Unsupported,
}

/// The number of an outcome on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OutcomeCode {
    /// [`Outcome::Returned`].
    Returned = 1,
    /// [`Outcome::Raised`].
    Raised = 2,
    /// [`Outcome::Trapped`].
    Trapped = 3,
    /// [`Outcome::Faulted`].
    Faulted = 4,
    /// [`Outcome::Denied`].
    Denied = 5,
    /// [`Outcome::Cancelled`].
    Cancelled = 6,
    /// [`Outcome::TimedOut`].
    TimedOut = 7,
}

impl OutcomeCode {
    pub(crate) fn from_byte(byte: u8) -> Option<OutcomeCode> {
        Some(match byte {
            1 => OutcomeCode::Returned,
            2 => OutcomeCode::Raised,
            3 => OutcomeCode::Trapped,
            4 => OutcomeCode::Faulted,
            5 => OutcomeCode::Denied,
            6 => OutcomeCode::Cancelled,
            7 => OutcomeCode::TimedOut,
            _ => return None,
        })
    }
}

/// An outcome as it is routed: its code is known, its value is not looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// Which outcome.
    pub code: OutcomeCode,
    /// Whether a worker may have begun the call.
    pub dispatched: bool,
    /// The value, or the CBOR of a [`Trap`], [`Fault`] or [`Denied`].
    pub value: Value,
}

impl Routed {
    /// The outcome in full.
    pub fn open(self) -> Result<Outcome, ProtocolError> {
        Ok(match self.code {
            OutcomeCode::Returned => Outcome::Returned(self.value),
            OutcomeCode::Raised => Outcome::Raised(self.value),
            OutcomeCode::Trapped => Outcome::Trapped(decode(Kind::Outcome, &self.value.body)?),
            OutcomeCode::Faulted => Outcome::Faulted(decode(Kind::Outcome, &self.value.body)?),
            OutcomeCode::Denied => Outcome::Denied(decode(Kind::Outcome, &self.value.body)?),
            OutcomeCode::Cancelled => Outcome::Cancelled {
                dispatched: self.dispatched,
            },
            OutcomeCode::TimedOut => Outcome::TimedOut {
                dispatched: self.dispatched,
            },
        })
    }
}

impl From<Outcome> for Routed {
    /// `Unknown` is issued by clients alone and has no place on the wire: it becomes `Faulted`.
    fn from(outcome: Outcome) -> Routed {
        let plain = |code, dispatched, body| Routed {
            code,
            dispatched,
            value: Value {
                body,
                attachments: Vec::new(),
            },
        };
        match outcome {
            Outcome::Returned(value) => Routed {
                code: OutcomeCode::Returned,
                dispatched: true,
                value,
            },
            Outcome::Raised(value) => Routed {
                code: OutcomeCode::Raised,
                dispatched: true,
                value,
            },
            Outcome::Trapped(trap) => plain(OutcomeCode::Trapped, true, encode(&trap)),
            Outcome::Faulted(fault) => plain(OutcomeCode::Faulted, true, encode(&fault)),
            Outcome::Denied(denied) => plain(OutcomeCode::Denied, false, encode(&denied)),
            Outcome::Cancelled { dispatched } => {
                plain(OutcomeCode::Cancelled, dispatched, Bytes::new())
            }
            Outcome::TimedOut { dispatched } => {
                plain(OutcomeCode::TimedOut, dispatched, Bytes::new())
            }
            Outcome::Unknown(message) => plain(
                OutcomeCode::Faulted,
                true,
                encode(&Fault {
                    cause: FaultCause::Lost,
                    message,
                }),
            ),
        }
    }
}

impl Denied {
    /// A denial with its reason in words.
    pub fn new(reason: DeniedReason, message: impl Into<String>) -> Denied {
        Denied {
            reason,
            message: message.into(),
        }
    }
}

/// CBOR of a document of ours.
pub(crate) fn encode<T: Serialize>(value: &T) -> Bytes {
    let mut out = Vec::new();
    // Writing to memory and serialising plain data cannot fail.
    let written = ciborium::into_writer(value, &mut out);
    debug_assert!(written.is_ok());
    Bytes::from(out)
}

/// A document of ours from CBOR, checked for form and bounds before it is deserialised.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(
    kind: Kind,
    body: &[u8],
) -> Result<T, ProtocolError> {
    decode_within(kind, body, Limits::default())
}

/// [`decode`], with bounds of its own: each value may take many times its bytes in memory.
pub(crate) fn decode_within<T: for<'de> Deserialize<'de>>(
    kind: Kind,
    body: &[u8],
    limits: Limits,
) -> Result<T, ProtocolError> {
    let wrong = |why: String| ProtocolError::Body { kind, why };
    crate::cbor::validate(body, limits).map_err(|error| wrong(error.to_string()))?;
    ciborium::from_reader(body).map_err(|error| wrong(error.to_string()))
}
