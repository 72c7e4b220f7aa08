//! A worker process.
//!
//! ```text
//!         `Ready`          superseded            idle: `Drain`
//! Starting ─────> Ready ──────────────> Draining ─────────────> Leaving
//!    │              │                      │                       │
//!    │ `Failed`,    │ end, breach,         │ the same              │ end, or 2 s: killed
//!    │ end, 10 s    │ no answer            │                       │
//!    └──────────────┴──────────┬───────────┴───────────────────────┘
//!                              ▼
//!                            Dead ──reaped──> gone
//! ```
//!
//! - Starting → Ready: the first thing a worker says. Which calls it gets, its set decides.
//! - Ready → Draining: no module points to it any more. It gets no calls but those that name it or
//!   one of its handles.
//! - Draining → Leaving: it has no call and no handle, or its time to drain is over.
//! - → Dead: its calls have their outcomes, its place has been filled or waits for it. A dead worker
//!   is listened to no more, and gone once the launcher has reaped it.

use std::collections::HashMap;
use std::sync::Arc;

use proc_host_jail::Layers;
use proc_host_wire::log::Level;
use proc_host_wire::message::WorkerRef;
use proc_host_wire::{DeniedReason, Fault, FaultCause, Kind, Message, ProtocolError};

use super::arena::Id;
use super::call::Call;
use super::handle::Lent;
use super::link::{Link, Process};
use super::module::Module;
use super::pool::{Entry, Pool};
use super::process::End;
use super::queue::Want;
use super::set::Set;
use super::time::{Alarm, Time};
use super::{Breach, Effect, Host};

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) link: Link,
    pub(crate) pool: Id<Pool>,
    pub(crate) set: Id<Set>,
    pub(crate) at: WorkerRef,
    /// The modules it was started with.
    pub(crate) hosted: Vec<Hosted>,
    pub(super) state: State,
    pub(crate) pid: Option<u32>,
    /// Calls that have been dispatched and not let go of, in no order.
    pub(crate) calls: Vec<Id<Call>>,
    /// Resources of it that clients hold.
    pub(crate) handles: usize,
    /// Resources that calls have among their arguments, by its own numbers.
    pub(super) lent: HashMap<u64, Lent>,
    /// Its handles are no longer honoured.
    pub(super) is_cut: bool,
    pub(crate) done: u64,
    /// A running number of dispatches.
    pub(crate) last_used: u64,
    pub(super) began: Time,
    /// When it was asked whether it is alive, if it has said nothing since.
    pub(super) pinged: Option<Time>,
    /// It had too much to read when it was last looked at.
    pub(super) was_full: bool,
    pub(super) end: End,
    pub(crate) timer: Option<Time>,
}

/// A module on a worker.
#[derive(Debug)]
pub(crate) struct Hosted {
    pub(crate) module: Arc<Module>,
    /// The name it serves, once it does.
    pub(crate) entry: Option<Id<Entry>>,
    pub(crate) running: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Starting,
    Ready,
    Draining,
    Leaving,
    Dead,
}

impl Worker {
    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Ready && !self.end.has_begun()
    }

    /// It can run a call that is bound to it.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, State::Ready | State::Draining) && !self.end.has_begun()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state == State::Dead
    }

    /// Its handles lead somewhere.
    pub(crate) fn keeps_handles(&self) -> bool {
        self.is_alive() && !self.is_cut
    }

    /// The index of `module` here, where one more call of it may run.
    pub(crate) fn room(&self, module: &Arc<Module>) -> Option<usize> {
        let index = self
            .hosted
            .iter()
            .position(|hosted| Arc::ptr_eq(&hosted.module, module))?;
        (self.hosted[index].running < module.concurrency()).then_some(index)
    }
}

impl Host {
    pub(super) fn worker_said(&mut self, id: Id<Worker>, message: Message) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        worker.pinged = None;
        let heard = match (worker.state, message) {
            (State::Dead, _) => return,
            (
                _,
                Message::GuestLog {
                    call,
                    module,
                    level,
                    dropped,
                    text,
                },
            ) => self.guest_log(id, call, module, level, dropped, &text),
            (State::Starting, Message::Ready { layers }) => {
                self.worker_ready(id, layers);
                Ok(())
            }
            (State::Starting, Message::Failed { module, message }) => {
                self.start_failed(id, module, message);
                Ok(())
            }
            (State::Starting, _) => Err(Breach::Rule("a worker that speaks before it is ready")),
            (_, Message::Outcome(ended)) => self.worker_outcome(id, ended),
            (_, Message::Ended { call }) => self.worker_ended(id, call),
            (
                _,
                Message::Items {
                    call,
                    stream,
                    count,
                    items,
                },
            ) => self.worker_items(id, call, stream, count, items),
            (
                _,
                Message::End {
                    call,
                    stream,
                    failure,
                },
            ) => self.worker_end(id, call, stream, failure),
            (
                _,
                Message::Credit {
                    call,
                    stream,
                    items,
                    bytes,
                },
            ) => self.worker_credit(id, call, stream, items, bytes),
            (_, Message::Close { call, stream }) => self.worker_close(id, call, stream),
            (
                _,
                Message::Callback {
                    call,
                    callback,
                    origin: None,
                    payload,
                },
            ) => self.worker_callback(id, call, callback, payload),
            (_, Message::Pong { .. }) => Ok(()),
            (_, Message::Callback { .. }) => {
                Err(Breach::Rule("a callback that says where it comes from"))
            }
            _ => Err(ProtocolError::Unexpected(Kind::Ready).into()),
        };
        if let Err(breach) = heard {
            self.worker_broke(id, &breach);
        }
    }

    fn worker_ready(&mut self, id: Id<Worker>, layers: u32) {
        let held = Layers::from_bits(layers).unwrap_or(Layers::NONE);
        let missing = Layers::required()
            .without(held)
            .without(self.settings.skip_layers);
        if !missing.is_empty() {
            let why = format!("its jail lacks {missing}");
            self.start_failed(id, None, why);
            return;
        }
        let due = self.now.time + self.settings.bounds.heartbeat;
        if let Some(worker) = self.workers.get_mut(id) {
            worker.state = State::Ready;
            worker.timer = Some(due);
            self.timers.push(due, Alarm::Worker(id));
            let (set, slot) = (worker.set, worker.at.slot);
            self.seated(set, slot);
            self.pump_all(id);
        }
    }

    /// A worker broke the protocol: whatever it says is worth nothing.
    pub(super) fn worker_broke(&mut self, id: Id<Worker>, breach: &Breach) {
        self.condemn(
            id,
            FaultCause::Protocol,
            &format!("broke the protocol and was killed: {breach}"),
        );
    }

    /// A worker does not do what it must.
    pub(super) fn unresponsive(&mut self, id: Id<Worker>, why: &str) {
        self.condemn(id, FaultCause::Unresponsive, &format!("was killed: {why}"));
    }

    fn condemn(&mut self, id: Id<Worker>, cause: FaultCause, why: &str) {
        let Some(worker) = self.workers.get(id) else {
            return;
        };
        if worker.state == State::Starting {
            self.start_failed(id, None, format!("the worker {why}"));
        } else if !worker.is_dead() {
            let message = format!("{} {why}", self.describe_worker(id));
            self.fall(id, Fault { cause, message });
        }
    }

    /// `worker 1 of pool Workers (generation 2, pid 4711)`.
    fn describe_worker(&self, id: Id<Worker>) -> String {
        let Some(worker) = self.workers.get(id) else {
            return "a worker".to_owned();
        };
        let pool = self.pools.get(worker.pool).map_or("", |pool| &pool.name);
        let WorkerRef { slot, generation } = worker.at;
        let pid = worker
            .pid
            .map(|pid| format!(", pid {pid}"))
            .unwrap_or_default();
        format!("worker {slot} of pool {pool} (generation {generation}{pid})")
    }

    /// Its end is known, as far as it will be.
    pub(super) fn worker_ended_life(&mut self, id: Id<Worker>) {
        let Some(worker) = self.workers.get(id) else {
            return;
        };
        match (worker.state, worker.end.death) {
            (State::Dead, Some(_)) => self.reap(id),
            (State::Dead, None) => {}
            (State::Starting, death) => {
                let how = how(death);
                self.start_failed(id, None, format!("the worker {how} before it was ready"));
            }
            (State::Leaving, _) => self.bury(id),
            (_, death) => {
                let cause = death.map_or(FaultCause::Lost, |death| death.cause());
                let how = how(death);
                let message = format!("{} {how}", self.describe_worker(id));
                self.fall(id, Fault { cause, message });
            }
        }
    }

    /// A worker that served is no more: its calls end, its place is filled again.
    fn fall(&mut self, id: Id<Worker>, fault: Fault) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        worker.state = State::Dead;
        let (set, slot, lived) = (worker.set, worker.at.slot, self.now.time - worker.began);
        self.note_worker(id, Level::Warn, fault.message.as_bytes());
        self.fault_calls(id, &fault);
        self.deny_bound(id);
        self.bury(id);
        self.replace(set, slot, id, lived, None);
    }

    /// Ends a worker without a word: nothing more is heard of it or sent to it.
    pub(super) fn bury(&mut self, id: Id<Worker>) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        worker.state = State::Dead;
        worker.timer = None;
        worker.link = Link::default();
        if worker.end.death.is_some() {
            self.reap(id);
        } else {
            self.emit(Effect::Kill(Process::Worker(id)));
        }
    }

    /// Calls that wait for this very worker wait in vain.
    pub(super) fn deny_bound(&mut self, id: Id<Worker>) {
        let hosted = self
            .workers
            .get(id)
            .map(|w| w.hosted.iter().filter_map(|h| h.entry));
        let entries: Vec<Id<Entry>> = hosted.into_iter().flatten().collect();
        for entry in entries {
            let waiting = self.entries.get(entry).map(|entry| entry.waiting.ids());
            for call in waiting.unwrap_or_default() {
                if self
                    .calls
                    .get(call)
                    .is_some_and(|call| call.want == Want::Worker(id))
                {
                    self.deny_queued(call, DeniedReason::UnknownWorker, "the worker died");
                }
            }
        }
    }

    /// The launcher has reaped it.
    fn reap(&mut self, id: Id<Worker>) {
        let Some(worker) = self.workers.get(id) else {
            return;
        };
        let (pool, slot) = (worker.pool, worker.at.slot as usize);
        if let Some(slot) = self
            .pools
            .get_mut(pool)
            .and_then(|pool| pool.slots.get_mut(slot))
        {
            slot.workers.retain(|other| *other != id);
        }
        self.workers.remove(id);
        self.emit(Effect::Forget(Process::Worker(id)));
    }

    /// There is no process after all.
    pub(super) fn worker_not_spawned(&mut self, id: Id<Worker>, why: &str) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        worker.end.death = Some(super::Death::Exit(0));
        if worker.is_dead() {
            self.reap(id);
        } else {
            self.start_failed(id, None, format!("the worker could not be started: {why}"));
        }
    }
}

fn how(death: Option<super::Death>) -> String {
    match death {
        Some(death) => death.to_string(),
        None => "hung up".to_owned(),
    }
}
