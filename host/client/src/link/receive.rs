//! What each message from the host does to the table.

use std::task::Waker;

use proc_host_wire::message::{Answer, Ended};
use proc_host_wire::{Attachment, AttachmentKind, Kind, Message, Outcome, ProtocolError};

use super::{Batch, Finish, State};
use crate::callback::Asked;
use crate::error::RequestError;

/// More questions than a guest has any use for: the peer is not well.
const MOST_QUESTIONS: usize = 10_000;

impl State {
    /// Takes one message in; `wakers` collects whom it concerns.
    pub(super) fn receive(
        &mut self,
        message: Message,
        wakers: &mut Vec<Waker>,
    ) -> Result<(), ProtocolError> {
        match message {
            Message::Outcome(ended) => self.outcome(ended, wakers),
            Message::Items {
                call,
                stream,
                count,
                items,
            } => {
                let batch = Batch {
                    body: items.body,
                    count,
                    attachments: items.attachments,
                };
                self.items(call, stream, batch, wakers)
            }
            Message::End {
                call,
                stream,
                failure,
            } => {
                let failure = failure.map(|routed| routed.open()).transpose()?;
                self.known(call)?;
                if let Some(source) = self
                    .calls
                    .get_mut(&call)
                    .filter(|entry| !entry.forgot(stream))
                {
                    let source = source.source(stream);
                    source.end = Some(failure);
                    wakers.extend(source.waker.take());
                    // Who waits for callbacks learns that none will come.
                    wakers.extend(
                        self.calls
                            .get_mut(&call)
                            .and_then(|entry| entry.waker.take()),
                    );
                }
                Ok(())
            }
            Message::Credit {
                call,
                stream,
                items,
                bytes,
            } => {
                self.known(call)?;
                let sink = self
                    .calls
                    .get_mut(&call)
                    .and_then(|entry| entry.sinks.get_mut(&stream));
                if let Some(sink) = sink {
                    sink.items += u64::from(items);
                    sink.bytes += i64::from(bytes);
                    wakers.extend(sink.waker.take());
                }
                Ok(())
            }
            Message::Close { call, stream } => {
                self.known(call)?;
                let sink = self
                    .calls
                    .get_mut(&call)
                    .and_then(|entry| entry.sinks.get_mut(&stream));
                if let Some(sink) = sink {
                    sink.closed = true;
                    wakers.extend(sink.waker.take());
                }
                self.reap(call);
                Ok(())
            }
            Message::Callback {
                call,
                callback,
                origin,
                payload,
            } => self.callback(
                Asked {
                    call,
                    callback,
                    origin,
                    payload,
                },
                wakers,
            ),
            Message::Response { id, reply } => {
                self.known(id)?;
                if let Some(request) = self.requests.remove(&id) {
                    // The asker may have stopped waiting.
                    let _ = request.send(reply.map_err(RequestError::Refused));
                }
                Ok(())
            }
            Message::Log(entry) => {
                if self
                    .logs
                    .as_ref()
                    .is_some_and(|logs| logs.try_send(entry).is_err())
                {
                    self.logs_dropped += 1;
                }
                Ok(())
            }
            Message::Refused(why) => {
                wakers.extend(self.lose(&why));
                Ok(())
            }
            _ => Err(ProtocolError::Unexpected(Kind::Welcome)),
        }
    }

    fn outcome(&mut self, ended: Ended, wakers: &mut Vec<Waker>) -> Result<(), ProtocolError> {
        let Ended {
            call,
            worker,
            attempts,
            outcome,
        } = ended;
        let outcome = outcome.open()?;
        self.known(call)?;
        let attachments = match &outcome {
            Outcome::Returned(value) | Outcome::Raised(value) => value.attachments.clone(),
            _ => Vec::new(),
        };
        let Some(entry) = self.calls.get_mut(&call).filter(|entry| !entry.is_ended) else {
            return Err(ProtocolError::UnknownId {
                what: "call",
                id: call,
            });
        };
        entry.is_ended = true;
        if !matches!(outcome, Outcome::Returned(_)) {
            wakers.extend(entry.close_sinks());
        }
        wakers.extend(entry.waker.take());
        if entry.held {
            entry.ended = Some(Finish {
                worker,
                attempts,
                outcome,
            });
            self.announce(call, &attachments);
        } else {
            self.discard(call, &attachments);
            self.reap(call);
        }
        Ok(())
    }

    fn items(
        &mut self,
        call: u64,
        stream: u32,
        batch: Batch,
        wakers: &mut Vec<Waker>,
    ) -> Result<(), ProtocolError> {
        self.known(call)?;
        let entry = self
            .calls
            .get_mut(&call)
            .filter(|entry| !entry.forgot(stream));
        let Some(entry) = entry else {
            // Sent before our `Close` got there.
            self.discard(call, &batch.attachments);
            return Ok(());
        };
        let source = entry.source(stream);
        source.granted = source
            .granted
            .checked_sub(u64::from(batch.count))
            .ok_or(ProtocolError::Credit { call, stream })?;
        wakers.extend(source.waker.take());
        let attachments = batch.attachments.clone();
        source.batches.push_back(batch);
        self.announce(call, &attachments);
        Ok(())
    }

    fn callback(&mut self, asked: Asked, wakers: &mut Vec<Waker>) -> Result<(), ProtocolError> {
        if asked.call == 0 {
            let pool = asked.origin.as_ref().map(|origin| origin.pool.as_str());
            match pool.and_then(|pool| self.handlers.get(pool)) {
                Some(handler) => handler.hear(asked),
                None => self.answer(&asked, Answer::Unheard),
            }
            return Ok(());
        }
        self.known(asked.call)?;
        match self.calls.get_mut(&asked.call) {
            Some(entry) if entry.listens && entry.held => {
                if entry.asked.len() >= MOST_QUESTIONS {
                    let (what, limit) = ("callbacks", MOST_QUESTIONS);
                    return Err(ProtocolError::TooLong {
                        what,
                        length: limit + 1,
                        limit,
                    });
                }
                entry.asked.push_back(asked);
                wakers.extend(entry.waker.take());
            }
            _ => self.answer(&asked, Answer::Gone),
        }
        Ok(())
    }

    /// Answers a callback.
    pub(crate) fn answer(&mut self, asked: &Asked, answer: Answer) {
        let (call, callback) = (asked.call, asked.callback);
        self.send(Message::Answer {
            call,
            callback,
            answer,
        });
    }

    /// Enters the streams a value names, so that they are read or closed by somebody.
    fn announce(&mut self, call: u64, attachments: &[Attachment]) {
        let Some(entry) = self.calls.get_mut(&call) else {
            return;
        };
        for attachment in attachments
            .iter()
            .filter(|a| a.kind != AttachmentKind::Resource)
        {
            if let Ok(stream) = u32::try_from(attachment.id) {
                entry.source(stream);
            }
        }
    }

    /// Lets go of what a value names, where nobody will have the value.
    pub(crate) fn discard(&mut self, call: u64, attachments: &[Attachment]) {
        for attachment in attachments {
            match (attachment.kind, u32::try_from(attachment.id)) {
                (AttachmentKind::Resource, _) => {
                    self.send(Message::Release {
                        handle: attachment.id,
                    });
                }
                (_, Ok(stream)) => self.send(Message::Close { call, stream }),
                (_, Err(_)) => {}
            }
        }
    }

    /// Refuses an id that was never given out.
    fn known(&self, id: u64) -> Result<(), ProtocolError> {
        match id {
            0 => Err(ProtocolError::UnknownId { what: "call", id }),
            id if id > self.last_id => Err(ProtocolError::UnknownId { what: "call", id }),
            _ => Ok(()),
        }
    }
}
