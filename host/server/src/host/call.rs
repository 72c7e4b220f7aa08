//! One call, from its acceptance until its worker holds nothing of it any more.
//!
//! ```text
//!             dispatched            the worker's outcome
//!  Queued ───────────────> Running ─────────────────────> Running, answered
//!    │                        │                                  │
//!    │ cancel, deadline,      │ cancel, deadline: the host       │ every stream over
//!    │ denied                 │ answers, tells the worker        ▼
//!    └──────> gone            └──────────────> Running, over for the client
//!                                                     │ the worker's `Ended`, or its death
//!                                                     ▼
//!                                                    gone
//! ```

use std::sync::Arc;

use proc_host_wire::Value;
use proc_host_wire::message::{Window, WorkerRef};
use proc_host_wire::outcome::Routed;

use super::arena::Id;
use super::callback::Asked;
use super::client::Client;
use super::module::Module;
use super::pool::{Entry, Pool};
use super::queue::Want;
use super::stream::Streams;
use super::time::Time;
use super::worker::Worker;

#[derive(Debug)]
pub(crate) struct Call {
    /// As the log shows it: calls count up from 1.
    pub(crate) number: u64,
    /// Whoever made it, while connected.
    pub(crate) client: Option<Id<Client>>,
    /// Its id there.
    pub(crate) theirs: u64,
    pub(crate) pool: Id<Pool>,
    pub(crate) entry: Id<Entry>,
    /// The module in the version that `function` counts in.
    pub(crate) module: Arc<Module>,
    pub(crate) function: u32,
    /// What follows `module.` in the reference, to be looked up again where a newer version of the
    /// module comes before the call is dispatched.
    pub(crate) path: Box<str>,
    pub(crate) want: Want,
    pub(crate) listens: bool,
    pub(crate) window: Window,
    pub(crate) deadline: Option<Time>,
    /// The deadline is the caller's own: it covers the streams of the result too.
    pub(crate) covers_streams: bool,
    pub(crate) timer: Option<Time>,
    pub(crate) place: Place,
    pub(crate) streams: Streams,
    /// Argument streams that ended while the call waited.
    pub(crate) early_ends: Vec<(u32, Option<Routed>)>,
    /// Resources among its arguments, by the worker that has them and its numbers for them.
    pub(crate) borrowed: Vec<(Id<Worker>, u64)>,
    /// Open callbacks.
    pub(crate) asked: Vec<Asked>,
}

#[derive(Debug)]
pub(crate) enum Place {
    /// Waiting, with its arguments.
    Queued(Value),
    Running(Run),
}

/// A call on a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) worker: Id<Worker>,
    pub(crate) at: WorkerRef,
    /// Its place in the worker's list of calls.
    pub(crate) index: usize,
    /// Index of the module on the worker.
    pub(crate) module: usize,
    /// The client has its outcome.
    pub(crate) is_answered: bool,
    /// The client has heard the last of it: its id is free there.
    pub(crate) is_over: bool,
    /// The worker has sent its outcome.
    pub(crate) is_reported: bool,
    /// The worker has been told to end it.
    pub(crate) is_cancelled: bool,
}

impl Call {
    pub(crate) fn run(&self) -> Option<&Run> {
        match &self.place {
            Place::Running(run) => Some(run),
            Place::Queued(_) => None,
        }
    }

    pub(crate) fn run_mut(&mut self) -> Option<&mut Run> {
        match &mut self.place {
            Place::Running(run) => Some(run),
            Place::Queued(_) => None,
        }
    }

    pub(crate) fn runs_on(&self, worker: Id<Worker>) -> bool {
        self.run().is_some_and(|run| run.worker == worker)
    }

    /// The caller, while it still hears of this call.
    pub(crate) fn listener(&self) -> Option<Id<Client>> {
        self.client
            .filter(|_| !self.run().is_some_and(|run| run.is_over))
    }
}
