//! How calls end. Exactly one outcome leaves here for each accepted call.

use proc_host_wire::message::{Ended, WorkerRef};
use proc_host_wire::outcome::Routed;
use proc_host_wire::{DeniedReason, Fault, Message, Outcome};

use super::Host;
use super::arena::Id;
use super::call::{Call, Place};
use super::client::Client;
use super::stream::Side;
use super::worker::Worker;

impl Host {
    /// Tells a client how a call ended.
    pub(super) fn answer_client(
        &mut self,
        client: Id<Client>,
        call: u64,
        worker: Option<WorkerRef>,
        attempts: u32,
        outcome: Routed,
    ) {
        self.tell_client(
            client,
            Message::Outcome(Ended {
                call,
                worker,
                attempts,
                outcome,
            }),
        );
    }

    /// Gives a call its outcome, where its client has not heard one, and frees its id there.
    pub(super) fn answer(&mut self, id: Id<Call>, outcome: Routed) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let (client, theirs, run) = (call.listener(), call.theirs, call.run().copied());
        if let Some(run) = call.run_mut() {
            (run.is_answered, run.is_over) = (true, true);
        }
        let Some(client) = client else { return };
        if !run.is_some_and(|run| run.is_answered) {
            let attempts = u32::from(run.is_some());
            self.answer_client(client, theirs, run.map(|run| run.at), attempts, outcome);
        }
        self.free_id(client, theirs);
    }

    pub(super) fn free_id(&mut self, client: Id<Client>, call: u64) {
        if let Some(client) = self.clients.get_mut(client) {
            client.calls.remove(&call);
        }
    }

    /// Ends a call for its client now, and tells its worker to let go of it.
    pub(super) fn give_up(&mut self, id: Id<Call>, outcome: impl Fn(bool) -> Outcome) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let Some(run) = call.run().copied() else {
            self.leave_queue(id);
            self.answer(id, outcome(false).into());
            self.forget_call(id);
            return;
        };
        self.end_for_client(id, &outcome(true));
        if !run.is_cancelled {
            let due = self.now.time + self.settings.bounds.let_go;
            if let Some(run) = self.calls.get_mut(id).and_then(Call::run_mut) {
                run.is_cancelled = true;
            }
            self.tell_worker(run.worker, Message::Cancel { call: id.raw() });
            self.arm_call(id, Some(due));
        }
    }

    /// The last a client hears of a call that runs: its outcome, or the end of each of its streams.
    fn end_for_client(&mut self, id: Id<Call>, outcome: &Outcome) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let Some(run) = call.run().copied() else {
            return;
        };
        let results = call.streams.close_all(Side::Worker);
        let arguments = call.streams.close_all(Side::Client);
        let (client, theirs) = (call.listener(), call.theirs);
        if let Some(client) = client
            && run.is_answered
        {
            for stream in results {
                let failure = Some(outcome.clone().into());
                self.tell_client(
                    client,
                    Message::End {
                        call: theirs,
                        stream,
                        failure,
                    },
                );
            }
            for stream in arguments {
                self.tell_client(
                    client,
                    Message::Close {
                        call: theirs,
                        stream,
                    },
                );
            }
        }
        self.answer(id, outcome.clone().into());
    }

    pub(super) fn client_cancel(&mut self, client: Id<Client>, call: u64) {
        let id = self
            .clients
            .get(client)
            .and_then(|client| client.calls.get(&call).copied());
        // A call that is not there has ended while the cancel was under way.
        if let Some(id) = id {
            self.give_up(id, |dispatched| Outcome::Cancelled { dispatched });
        }
    }

    /// Whoever made the call has gone.
    pub(super) fn lose_caller(&mut self, id: Id<Call>) {
        if let Some(call) = self.calls.get_mut(id) {
            call.client = None;
        }
        self.give_up(id, |dispatched| Outcome::Cancelled { dispatched });
    }

    /// A call's time has come: its deadline, or the end of patience with its worker.
    pub(super) fn call_due(&mut self, id: Id<Call>) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.timer = None;
        match call.run().copied() {
            Some(run) if run.is_cancelled => {
                let number = call.number;
                self.unresponsive(run.worker, &format!("it did not let go of call {number}"));
            }
            _ => self.give_up(id, |dispatched| Outcome::TimedOut { dispatched }),
        }
    }

    /// One stream more is over; perhaps the call is, too.
    pub(super) fn over_if_done(&mut self, id: Id<Call>) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let (client, theirs) = (call.listener(), call.theirs);
        if call.streams.any_open(Side::Worker) || call.streams.any_open(Side::Client) {
            return;
        }
        let Some(run) = call.run_mut() else { return };
        if !run.is_answered || run.is_over {
            return;
        }
        run.is_over = true;
        // What is left is a worker that has to let go, which it may take its time for.
        call.timer = None;
        if let Some(client) = client {
            self.free_id(client, theirs);
        }
    }

    /// Takes a call out of the table, and lets go of what it had.
    pub(super) fn forget_call(&mut self, id: Id<Call>) -> Option<Call> {
        let call = self.calls.remove(id)?;
        self.forget_questions(&call.asked);
        self.give_back(&call.borrowed);
        Some(call)
    }

    /// Takes a call that ran out of the tables.
    pub(super) fn let_go(&mut self, id: Id<Call>) {
        let Some(call) = self.forget_call(id) else {
            return;
        };
        let Place::Running(run) = call.place else {
            return;
        };
        let Some(worker) = self.workers.get_mut(run.worker) else {
            return;
        };
        worker.done += 1;
        worker.hosted[run.module].running -= 1;
        worker.calls.swap_remove(run.index);
        if let Some(moved) = worker.calls.get(run.index).copied()
            && let Some(moved) = self.calls.get_mut(moved).and_then(Call::run_mut)
        {
            moved.index = run.index;
        }
        self.pump(run.worker, run.module);
        self.leave_if_idle(run.worker);
    }

    /// A worker has died: its calls end with it.
    pub(super) fn fault_calls(&mut self, worker: Id<Worker>, fault: &Fault) {
        let calls = self
            .workers
            .get_mut(worker)
            .map(|worker| std::mem::take(&mut worker.calls));
        for id in calls.unwrap_or_default() {
            self.end_for_client(id, &Outcome::Faulted(fault.clone()));
            self.forget_call(id);
        }
    }

    /// Every call of the host ends now, because the host does.
    pub(super) fn end_all_calls(&mut self) {
        for id in self.calls.ids() {
            if self.calls.get(id).is_some_and(|call| call.run().is_some()) {
                self.give_up(id, |dispatched| Outcome::Cancelled { dispatched });
            } else {
                self.deny_queued(id, DeniedReason::Stopping, "the host has stopped");
            }
        }
    }
}
