//! What a caller gets where it does not get its value.

use std::fmt;
use std::sync::Arc;

use proc_host_wire::message::WorkerRef;
use proc_host_wire::{Denied, Trap};
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::codec::{self, CodecError};
use crate::outcome::{Ended, Outcome};
use crate::running::About;

/// A call that did not bring the value asked for. It prints as one line, which names the function,
/// the worker and why; a trap's has the guest's stack below it.
#[derive(Debug, Error)]
pub struct CallError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    about: Arc<About>,
    worker: Option<WorkerRef>,
    failure: Failure,
}

/// Why there is no value.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The call ended otherwise than by returning.
    Outcome(Outcome),
    /// It was not sent: the connection was lost before.
    NotSent(String),
    /// It was not sent: its arguments cannot be.
    Arguments(CodecError),
    /// It returned something else than the type asked for.
    Result(CodecError),
}

impl CallError {
    fn new(about: &Arc<About>, worker: Option<WorkerRef>, failure: Failure) -> CallError {
        CallError(Box::new(Inner {
            about: Arc::clone(about),
            worker,
            failure,
        }))
    }

    pub(crate) fn ended(
        about: &Arc<About>,
        worker: Option<WorkerRef>,
        outcome: Outcome,
    ) -> CallError {
        CallError::new(about, worker, Failure::Outcome(outcome))
    }

    /// The same, where it is not known already that it ran there.
    pub(crate) fn on(mut self, worker: Option<WorkerRef>) -> CallError {
        self.0.worker = self.0.worker.or(worker);
        self
    }

    pub(crate) fn result(about: &Arc<About>, error: CodecError) -> CallError {
        CallError::new(about, None, Failure::Result(error))
    }

    pub(crate) fn arguments(about: &Arc<About>, error: CodecError) -> CallError {
        CallError::new(about, None, Failure::Arguments(error))
    }

    pub(crate) fn not_sent(about: &Arc<About>, why: String) -> CallError {
        CallError::new(about, None, Failure::NotSent(why))
    }

    /// The value, or why there is none.
    pub(crate) fn value<T: DeserializeOwned>(
        about: &Arc<About>,
        ended: Ended,
    ) -> Result<T, CallError> {
        let failure = match ended.outcome {
            Outcome::Returned(value) => match value.decode() {
                Ok(value) => return Ok(value),
                Err(error) => Failure::Result(error),
            },
            outcome => Failure::Outcome(outcome),
        };
        Err(CallError::new(about, ended.worker, failure))
    }

    /// What was called and where it ran, as the first words of what it prints.
    pub fn place(&self) -> String {
        let Inner { about, worker, .. } = &*self.0;
        let mut place = format!("{} in pool {}", about.target, about.pool);
        if let Some(WorkerRef { slot, generation }) = worker {
            place.push_str(&format!(", worker {slot} (generation {generation})"));
        }
        place
    }

    /// The pool that was called.
    pub fn pool(&self) -> &str {
        &self.0.about.pool
    }

    /// The function that was called, as `module.function`.
    pub fn target(&self) -> &str {
        &self.0.about.target
    }

    /// Where it ran, where that is known.
    pub fn worker(&self) -> Option<WorkerRef> {
        self.0.worker
    }

    /// Why there is no value.
    pub fn failure(&self) -> &Failure {
        &self.0.failure
    }

    /// How the call ended, where it did.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.0.failure {
            Failure::Outcome(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The `E` that the function raised, where it did and its value is of this type.
    pub fn raised<E: DeserializeOwned>(&self) -> Option<E> {
        match self.outcome() {
            Some(Outcome::Raised(value)) => codec::decode(value.body()).ok(),
            _ => None,
        }
    }

    /// The trap that ended the call, where one did.
    pub fn trap(&self) -> Option<&Trap> {
        match self.outcome() {
            Some(Outcome::Trapped(trap)) => Some(trap),
            _ => None,
        }
    }

    /// The denial, where the call never started.
    pub fn denied(&self) -> Option<&Denied> {
        match self.outcome() {
            Some(Outcome::Denied(denied)) => Some(denied),
            _ => None,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())?;
        match &self.0.failure {
            Failure::Outcome(outcome) => write!(f, " {outcome}"),
            Failure::NotSent(why) => write!(f, " was not called: connection lost: {why}"),
            Failure::Arguments(error) => write!(f, " was not called: {error}"),
            Failure::Result(error) => write!(f, " returned something else than expected: {error}"),
        }
    }
}

/// The second half of a sentence whose first half names the call.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begun = |dispatched: &bool| match dispatched {
            true => "after it had been handed to a worker",
            false => "before it reached a worker",
        };
        match self {
            Outcome::Returned(_) => f.write_str("returned"),
            Outcome::Raised(value) if matches!(value.body(), [] | [0xf6]) => {
                f.write_str("raised an error without a value")
            }
            Outcome::Raised(value) => write!(f, "raised {}", codec::show(value.body())),
            Outcome::Trapped(trap) => {
                let whose = if trap.own {
                    ""
                } else {
                    " (with another call of its instance)"
                };
                write!(f, "trapped{whose}: {}", trap.reason)?;
                for (at, frame) in trap.backtrace.iter().enumerate() {
                    write!(f, "\n  {at:>3}: {}", frame.function)?;
                    if let Some(module) = &frame.module {
                        write!(f, " in {module}")?;
                    }
                    if let Some(offset) = frame.offset {
                        write!(f, " @ {offset:#x}")?;
                    }
                }
                Ok(())
            }
            Outcome::Faulted(fault) => write!(f, "lost its worker: {}", fault.message),
            Outcome::Denied(denied) => write!(f, "was denied: {}", denied.message),
            Outcome::Cancelled { dispatched } => write!(f, "was cancelled {}", begun(dispatched)),
            Outcome::TimedOut { dispatched } => write!(f, "timed out {}", begun(dispatched)),
            Outcome::Unknown(why) => write!(f, "may have run or not: connection lost: {why}"),
        }
    }
}
