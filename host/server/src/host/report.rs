//! What workers say of how calls end: checked, translated, passed on.

use proc_host_wire::message::Ended;
use proc_host_wire::outcome::{OutcomeCode, Routed};
use proc_host_wire::{Attachment, AttachmentKind, Message, Outcome, ProtocolError, Trap};

use super::arena::Id;
use super::call::Call;
use super::stream::Side;
use super::worker::Worker;
use super::{Breach, Host};

/// Bytes of a trap's or denial's description.
const DESCRIPTION: usize = 1 << 20;

impl Host {
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
