//! How calls end. Exactly one outcome leaves here for each accepted call.

use proc_host_wire::message::{Ended, WorkerRef};
use proc_host_wire::outcome::{OutcomeCode, Routed};
use proc_host_wire::{
    Attachment, AttachmentKind, DeniedReason, Fault, Message, Outcome, ProtocolError, Trap,
};

use super::arena::Id;
use super::call::{Call, Place};
use super::client::Client;
use super::stream::Side;
use super::worker::Worker;
use super::{Breach, Host};

/// Bytes of a trap's or denial's description.
const DESCRIPTION: usize = 1 << 20;

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

    fn free_id(&mut self, client: Id<Client>, call: u64) {
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

    /// A worker says how a call ended.
    pub(super) fn worker_outcome(
        &mut self,
        worker: Id<Worker>,
        ended: Ended,
    ) -> Result<(), Breach> {
        let id = Id::from_raw(ended.call);
        let outcome = checked(ended.outcome)?;
        let call = self.call_on(worker, ended.call)?;
        let window = call.window;
        let Some(run) = call.run_mut() else {
            return Ok(());
        };
        if std::mem::replace(&mut run.is_reported, true) {
            return Err(Breach::Rule("a second outcome of a call"));
        }
        let was_over = run.is_over;
        for attachment in streams_of(&outcome.value.attachments) {
            call.streams.announce(Side::Worker, attachment.id, window)?;
        }
        if was_over {
            let dropped = call.streams.close_all(Side::Worker);
            self.discard(worker, &outcome.value.attachments);
            for stream in dropped {
                self.tell_worker(
                    worker,
                    Message::Close {
                        call: id.raw(),
                        stream,
                    },
                );
            }
            return Ok(());
        }
        self.pass_outcome(id, worker, outcome);
        Ok(())
    }

    /// Passes a worker's outcome on to the client that waits for it.
    fn pass_outcome(&mut self, id: Id<Call>, worker: Id<Worker>, mut outcome: Routed) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let Some(client) = call.listener() else {
            return;
        };
        let (theirs, at) = (call.theirs, call.run().map(|run| run.at));
        if outcome.code != OutcomeCode::Returned {
            self.end_arguments(id, worker, &outcome);
        }
        if !self.hand_out(client, worker, &mut outcome.value.attachments) {
            self.discard(worker, &outcome.value.attachments);
            let most = self.settings.bounds.handles;
            let reason = format!("its caller holds {most} handles, which is as many as it may");
            let trap = Trap {
                reason,
                own: true,
                backtrace: Vec::new(),
            };
            self.give_up(id, |_| Outcome::Trapped(trap.clone()));
            return;
        }
        self.answer_client(client, theirs, at, 1, outcome);
        let grace = self.settings.bounds.grace;
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let is_over = !call.streams.any_open(Side::Worker) && !call.streams.any_open(Side::Client);
        let due = call.deadline.filter(|_| call.covers_streams && !is_over);
        if let Some(run) = call.run_mut() {
            (run.is_answered, run.is_over) = (true, is_over);
        }
        if is_over {
            self.free_id(client, theirs);
        }
        self.arm_call(id, due.map(|due| due + grace));
    }

    /// A call that did not return needs no more arguments, and its client sends none.
    fn end_arguments(&mut self, id: Id<Call>, worker: Id<Worker>, outcome: &Routed) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let arguments = call.streams.close_all(Side::Client);
        if outcome.code == OutcomeCode::Raised {
            for stream in arguments {
                let failure = Some(Outcome::Cancelled { dispatched: true }.into());
                self.tell_worker(
                    worker,
                    Message::End {
                        call: id.raw(),
                        stream,
                        failure,
                    },
                );
            }
        } else {
            call.streams.close_all(Side::Worker);
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

    /// A worker holds nothing of a call any more.
    pub(super) fn worker_ended(&mut self, worker: Id<Worker>, call: u64) -> Result<(), Breach> {
        let id = Id::from_raw(call);
        let call = self.call_on(worker, call)?;
        let is_reported = call.run().is_some_and(|run| run.is_reported);
        if !is_reported || call.streams.any_open(Side::Worker) {
            return Err(Breach::Rule(
                "a call ended without its outcome or with open streams",
            ));
        }
        let unread = call.streams.close_all(Side::Client);
        if let Some(client) = call.listener() {
            let theirs = call.theirs;
            for stream in unread {
                self.tell_client(
                    client,
                    Message::Close {
                        call: theirs,
                        stream,
                    },
                );
            }
            self.free_id(client, theirs);
        }
        self.let_go(id);
        Ok(())
    }

    /// Takes a call out of the table, and lets go of what it had.
    pub(super) fn forget_call(&mut self, id: Id<Call>) -> Option<Call> {
        let call = self.calls.remove(id)?;
        self.forget_questions(&call.asked);
        self.give_back(&call.borrowed);
        Some(call)
    }

    /// Takes a call that ran out of the tables.
    fn let_go(&mut self, id: Id<Call>) {
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

    /// The call that a worker names, if it runs there.
    pub(super) fn call_on(
        &mut self,
        worker: Id<Worker>,
        call: u64,
    ) -> Result<&mut Call, ProtocolError> {
        self.calls
            .get_mut(Id::from_raw(call))
            .filter(|record| record.runs_on(worker))
            .ok_or(ProtocolError::UnknownId {
                what: "call",
                id: call,
            })
    }
}

/// The streams and futures among attachments.
pub(super) fn streams_of(attachments: &[Attachment]) -> impl Iterator<Item = &Attachment> {
    attachments
        .iter()
        .filter(|attachment| attachment.kind != AttachmentKind::Resource)
}

/// An outcome that a worker may give: what a client would choke on stops here.
pub(super) fn checked(mut outcome: Routed) -> Result<Routed, Breach> {
    let value = &outcome.value;
    match outcome.code {
        OutcomeCode::Returned | OutcomeCode::Raised => {
            outcome.dispatched = true;
            return Ok(outcome);
        }
        OutcomeCode::Trapped | OutcomeCode::Denied => {
            if value.body.len() > DESCRIPTION {
                return Err(Breach::Rule("a description of an outcome over the limit"));
            }
            outcome.clone().open()?;
        }
        OutcomeCode::Cancelled | OutcomeCode::TimedOut if !value.body.is_empty() => {
            return Err(Breach::Rule("an outcome with a value where none belongs"));
        }
        OutcomeCode::Cancelled | OutcomeCode::TimedOut => outcome.dispatched = true,
        OutcomeCode::Faulted => return Err(Breach::Rule("a fault that the worker tells itself")),
    }
    if !outcome.value.attachments.is_empty() {
        return Err(Breach::Rule("attachments of an outcome without a value"));
    }
    Ok(outcome)
}
