//! One call on this worker, from its dispatch to the frame that lets go of it.
//!
//! Owns: that a call is answered once, that each of its streams ends once, and that `Ended` is the
//! last frame of it. May not know: instances, wasm.
//!
//! ```text
//! dispatched ──answer──> answered ──last stream ends──> ended
//!      └────────────────answer, no streams──────────────^
//! ```

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use proc_host_wire::message::{Answer, Ended, Window};
use proc_host_wire::outcome::Routed;
use proc_host_wire::{Message, Outcome};
use tokio::sync::Notify;

use crate::incoming::Incoming;
use crate::link::Link;
use crate::outgoing::Outgoing;

/// Callbacks of one call that wait for their answer at the most.
pub(crate) const MAX_CALLBACKS: usize = 1_000;

/// Calls by their id. Each instance has one for the calls it holds, the worker one for all.
pub(crate) type Calls = Mutex<HashMap<u64, Arc<Call>>>;

/// A call.
#[derive(Debug)]
pub(crate) struct Call {
    /// The host's id for it.
    pub(crate) id: u64,
    /// What people know it by.
    pub(crate) number: u64,
    /// Index of the module.
    pub(crate) module: u32,
    /// Index of the function.
    pub(crate) function: u32,
    /// When it is over.
    pub(crate) deadline: Option<Instant>,
    /// Whether anybody answers its callbacks.
    pub(crate) listens: bool,
    /// The first credit of each stream of its result.
    pub(crate) window: Window,
    /// Epoch ticks its code has run after it was let go of.
    pub(crate) overtime: AtomicU32,
    link: Arc<Link>,
    state: Mutex<State>,
    /// Raised by a cancel and when the call ends.
    changed: Notify,
    all: Weak<Calls>,
}

#[derive(Debug, Default)]
struct State {
    answered: bool,
    cancelled: bool,
    ended: bool,
    /// The table of the instance that runs it.
    home: Weak<Calls>,
    next_stream: u32,
    outgoing: HashMap<u32, Arc<Outgoing>>,
    incoming: HashMap<u32, Arc<Incoming>>,
    /// Streams of the arguments that ended before they were opened.
    early_ends: Vec<u32>,
    /// Where the answers to its open callbacks go.
    callbacks: HashMap<u32, tokio::sync::oneshot::Sender<Answer>>,
    log: LogBudget,
}

/// How much a call has logged.
#[derive(Debug, Default)]
pub(crate) struct LogBudget {
    /// Bytes sent.
    pub(crate) spent: u64,
    /// Entries dropped since the last one sent.
    pub(crate) dropped: u32,
    /// A line of standard output without its end yet, and one of standard error.
    pub(crate) partial: [Vec<u8>; 2],
}

/// What a call is made of when it arrives.
#[derive(Debug)]
pub(crate) struct CallSpec {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) module: u32,
    pub(crate) function: u32,
    pub(crate) deadline: Option<Instant>,
    pub(crate) listens: bool,
    pub(crate) window: Window,
}

impl Call {
    /// A call that has just arrived, entered in the table of all.
    pub(crate) fn new(spec: CallSpec, link: Arc<Link>, all: &Arc<Calls>) -> Arc<Call> {
        let call = Arc::new(Call {
            id: spec.id,
            number: spec.number,
            module: spec.module,
            function: spec.function,
            deadline: spec.deadline,
            listens: spec.listens,
            window: spec.window,
            overtime: AtomicU32::new(0),
            link,
            state: Mutex::new(State {
                next_stream: 1,
                ..State::default()
            }),
            changed: Notify::new(),
            all: Arc::downgrade(all),
        });
        lock(all).insert(call.id, call.clone());
        call
    }

    /// Enters the call in the table of the instance that begins it, whose fate it shares from then
    /// on.
    pub(crate) fn settle(self: &Arc<Call>, home: &Arc<Calls>) {
        let mut state = self.lock();
        if !state.ended {
            state.home = Arc::downgrade(home);
            lock(home).insert(self.id, self.clone());
        }
    }

    /// Sends the outcome, where none was sent; the call ends here unless streams are open.
    pub(crate) fn answer(&self, outcome: impl Into<Routed>) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.answered, true) {
            return;
        }
        let outcome = outcome.into();
        let sent = self.link.send(Message::Outcome(Ended {
            call: self.id,
            worker: None,
            attempts: 1,
            outcome,
        }));
        if let Err(error) = sent {
            let denied = proc_host_wire::Denied::new(
                proc_host_wire::DeniedReason::TooLarge,
                format!("the result cannot be sent: {error}"),
            );
            let _ = self.link.send(Message::Outcome(Ended {
                call: self.id,
                worker: None,
                attempts: 1,
                outcome: Outcome::Denied(denied).into(),
            }));
        }
        self.end_if_done(state);
    }

    /// Answers and lets go at once: streams of it are closed on both sides, with `failure` told to
    /// readers of its results.
    pub(crate) fn abandon(&self, outcome: impl Into<Routed>) {
        let outcome = outcome.into();
        let (outgoing, incoming) = {
            let mut state = self.lock();
            (
                std::mem::take(&mut state.outgoing),
                std::mem::take(&mut state.incoming),
            )
        };
        // A stream that has no reader yet ends with the call that would have told of it.
        let answered = self.is_answered();
        for stream in outgoing.into_values() {
            if stream.shut() && answered {
                let _ = self.link.send(Message::End {
                    call: self.id,
                    stream: stream.id,
                    failure: Some(outcome.clone()),
                });
            }
        }
        for stream in incoming.into_values() {
            if stream.shut() {
                let _ = self.link.send(Message::Close {
                    call: self.id,
                    stream: stream.id,
                });
            }
        }
        self.answer(outcome);
        self.end_if_done(self.lock());
    }

    /// The host wants the call to end.
    pub(crate) fn cancel(&self) {
        let answered = {
            let mut state = self.lock();
            state.cancelled = true;
            state.answered
        };
        self.changed.notify_waiters();
        if answered {
            self.abandon(Outcome::Cancelled { dispatched: true });
        }
    }

    /// Waits until the call is cancelled.
    pub(crate) async fn cancelled(&self) {
        self.wait_for(|state| state.cancelled).await;
    }

    /// Waits until the call has been let go of.
    pub(crate) async fn ended(&self) {
        self.wait_for(|state| state.ended).await;
    }

    async fn wait_for(&self, is: impl Fn(&State) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if is(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.lock().answered
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    /// One more tick of its code has passed after it was let go of; how many by now.
    pub(crate) fn tick_overtime(&self) -> u32 {
        self.overtime.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Opens a stream of the result, numbered odd.
    pub(crate) fn open_outgoing(self: &Arc<Call>) -> Arc<Outgoing> {
        let mut state = self.lock();
        let id = state.next_stream;
        state.next_stream += 2;
        let stream = Arc::new(Outgoing::new(
            id,
            self.window,
            self.clone(),
            self.link.clone(),
        ));
        state.outgoing.insert(id, stream.clone());
        stream
    }

    /// Opens a stream of the arguments; false where its number is taken.
    pub(crate) fn open_incoming(&self, stream: Arc<Incoming>) -> bool {
        let mut state = self.lock();
        let is_over = state.early_ends.contains(&stream.id);
        let is_new = state.incoming.insert(stream.id, stream.clone()).is_none();
        drop(state);
        if is_new && is_over {
            stream.end();
        }
        is_new
    }

    /// The caller has ended a stream of the arguments, which may not be open yet.
    pub(crate) fn end_incoming(&self, id: u32) {
        let mut state = self.lock();
        let Some(stream) = state.incoming.get(&id).cloned() else {
            return state.early_ends.push(id);
        };
        drop(state);
        stream.end();
    }

    pub(crate) fn outgoing(&self, id: u32) -> Option<Arc<Outgoing>> {
        self.lock().outgoing.get(&id).cloned()
    }

    pub(crate) fn incoming(&self, id: u32) -> Option<Arc<Incoming>> {
        self.lock().incoming.get(&id).cloned()
    }

    /// A stream of either direction has ended.
    pub(crate) fn forget_stream(&self, id: u32) {
        let mut state = self.lock();
        state.outgoing.remove(&id);
        state.incoming.remove(&id);
        self.end_if_done(state);
    }

    /// Notes an open callback; none where too many are open.
    pub(crate) fn open_callback(&self, id: u32) -> Option<tokio::sync::oneshot::Receiver<Answer>> {
        let mut state = self.lock();
        if state.callbacks.len() >= MAX_CALLBACKS {
            return None;
        }
        let (sender, receiver) = tokio::sync::oneshot::channel();
        state.callbacks.insert(id, sender);
        Some(receiver)
    }

    /// Hands over the answer to an open callback.
    pub(crate) fn answer_callback(&self, id: u32, answer: Answer) {
        if let Some(sender) = self.lock().callbacks.remove(&id) {
            let _ = sender.send(answer);
        }
    }

    /// What it has logged.
    pub(crate) fn with_log<R>(&self, with: impl FnOnce(&mut LogBudget) -> R) -> R {
        with(&mut self.lock().log)
    }

    fn end_if_done(&self, mut state: MutexGuard<'_, State>) {
        let streams = !state.outgoing.is_empty() || !state.incoming.is_empty();
        if !state.answered || streams || std::mem::replace(&mut state.ended, true) {
            return;
        }
        // Whoever still waits for an answer hears that the caller has gone.
        state.callbacks.clear();
        let home = std::mem::take(&mut state.home);
        drop(state);
        let _ = self.link.send(Message::Ended { call: self.id });
        for table in [&self.all, &home] {
            if let Some(table) = table.upgrade() {
                lock(&table).remove(&self.id);
            }
        }
        self.changed.notify_waiters();
        self.link.quieter.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Locks a table of calls.
pub(crate) fn lock(calls: &Calls) -> MutexGuard<'_, HashMap<u64, Arc<Call>>> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}
