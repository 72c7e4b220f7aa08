//! Questions that guests ask their callers.
//!
//! A question goes to the connection that made the call, where it listens; else to the pool's
//! handler; else the worker hears why nobody answers. The asked connection knows it by a number of
//! its own, the worker by the one it chose.

use bytes::Bytes;
use proc_host_wire::message::{Answer, Origin};
use proc_host_wire::{Message, ProtocolError};

use super::arena::Id;
use super::call::Call;
use super::client::Client;
use super::worker::Worker;
use super::{Breach, Host};

/// Questions of one call at once.
const MOST: usize = 1024;

/// A question as its call remembers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The worker's number for it.
    number: u32,
    client: Id<Client>,
    /// The client's number for it.
    theirs: u32,
}

/// A question as the asked connection remembers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    call: Id<Call>,
    number: u32,
    /// The call as the client was told: its own id, or 0.
    told: u64,
}

impl Host {
    pub(super) fn worker_callback(
        &mut self,
        worker: Id<Worker>,
        call: u64,
        number: u32,
        payload: Bytes,
    ) -> Result<(), Breach> {
        let id = Id::from_raw(call);
        let record = self
            .calls
            .get(id)
            .filter(|call| call.runs_on(worker))
            .ok_or(ProtocolError::UnknownId {
                what: "call",
                id: call,
            })?;
        if record.asked.iter().any(|asked| asked.number == number) {
            return Err(Breach::Rule(
                "a callback with the number of one that is open",
            ));
        }
        let asks = |answer| Message::Answer {
            call,
            callback: number,
            answer,
        };
        if record.asked.len() >= MOST {
            let why = format!("more than {MOST} callbacks of one call are open");
            self.tell_worker(worker, asks(Answer::Failed(why)));
            return Ok(());
        }
        let handler = self.pools.get(record.pool).and_then(|pool| pool.handler);
        let caller = record.listener().filter(|_| record.listens);
        let (client, told) = match (caller, handler) {
            (Some(client), _) => (client, record.theirs),
            (None, Some(handler)) => (handler, 0),
            (None, None) => {
                let answer = if record.listens {
                    Answer::Gone
                } else {
                    Answer::Unheard
                };
                self.tell_worker(worker, asks(answer));
                return Ok(());
            }
        };
        let origin = self.origin(record);
        let low = self.settings.bounds.outbox_low;
        let Some(listener) = self.clients.get_mut(client) else {
            return Ok(());
        };
        if listener.link.outbox.len() >= low {
            let why = "the listener does not keep up".to_owned();
            self.tell_worker(worker, asks(Answer::Failed(why)));
            return Ok(());
        }
        // Numbers come round only after four thousand million questions.
        listener.last_question = listener.last_question.wrapping_add(1).max(1);
        let theirs = listener.last_question;
        listener.questions.insert(
            theirs,
            Question {
                call: id,
                number,
                told,
            },
        );
        if let Some(record) = self.calls.get_mut(id) {
            record.asked.push(Asked {
                number,
                client,
                theirs,
            });
        }
        let question = Message::Callback {
            call: told,
            callback: theirs,
            origin,
            payload,
        };
        self.tell_client(client, question);
        Ok(())
    }

    fn origin(&self, call: &Call) -> Option<Origin> {
        Some(Origin {
            pool: self.pools.get(call.pool)?.name.clone(),
            module: call.module.name.clone(),
            worker: call.run()?.at,
            host_call: call.number,
        })
    }

    pub(super) fn client_answer(
        &mut self,
        client: Id<Client>,
        call: u64,
        callback: u32,
        answer: Answer,
    ) -> Result<(), Breach> {
        let Some(record) = self.clients.get_mut(client) else {
            return Ok(());
        };
        let unknown = ProtocolError::UnknownId {
            what: "callback",
            id: u64::from(callback),
        };
        match record.questions.get(&callback) {
            Some(question) if question.told != call => return Err(unknown.into()),
            Some(_) => {}
            // The call ended while the answer was under way.
            None if callback != 0 && callback <= record.last_question => return Ok(()),
            None => return Err(unknown.into()),
        }
        let Some(question) = record.questions.remove(&callback) else {
            return Ok(());
        };
        self.pass_answer(question, answer);
        Ok(())
    }

    /// The connection that was asked has gone.
    pub(super) fn lose_listener(&mut self, question: Question) {
        self.pass_answer(question, Answer::Gone);
    }

    fn pass_answer(&mut self, question: Question, answer: Answer) {
        let Some(call) = self.calls.get_mut(question.call) else {
            return;
        };
        call.asked.retain(|asked| asked.number != question.number);
        let Some(run) = call.run().copied() else {
            return;
        };
        let (call, callback) = (question.call.raw(), question.number);
        self.tell_worker(
            run.worker,
            Message::Answer {
                call,
                callback,
                answer,
            },
        );
    }

    /// The call is gone: its questions need no answers.
    pub(super) fn forget_questions(&mut self, asked: &[Asked]) {
        for asked in asked {
            if let Some(client) = self.clients.get_mut(asked.client) {
                client.questions.remove(&asked.theirs);
            }
        }
    }
}
