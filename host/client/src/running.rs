//! A call under way: what it asks and how it ends.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use proc_host_wire::Message;
use proc_host_wire::message::Answer;
use proc_host_wire::outcome::{Outcome as Sent, Value};

use crate::attached::Attached;
use crate::call_error::CallError;
use crate::callback::Question;
use crate::generator::Generator;
use crate::handle::Handle;
use crate::link::{Finish, Link};
use crate::outcome::{Encoded, Ended, Outcome};

/// What a call was made for, for those who have to name it.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) pool: Arc<str>,
    pub(crate) target: String,
}

/// A call on a connection.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) link: Link,
    pub(crate) call: u64,
    pub(crate) about: Arc<About>,
}

/// A call that has been sent. Dropping it before it has ended cancels it.
#[derive(Debug)]
pub struct Running {
    place: Place,
    /// Lent to the call: the host must not hear of their release before it has the whole call.
    _lent: Vec<Handle>,
}

/// Something that happens to a call.
#[derive(Debug)]
pub enum Event {
    /// The guest asks its caller, and waits for the answer.
    Callback(Question),
    /// The call has ended. Its streams may go on, and with them its callbacks.
    Ended(Ended),
}

impl Running {
    pub(crate) fn new(place: Place, lent: Vec<Handle>) -> Running {
        Running { place, _lent: lent }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// What happens next; `None` once the call and all its streams have ended.
    pub async fn event(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// [`Running::event`], to be polled.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.place.link.lock();
        let Some(entry) = state.calls.get_mut(&self.place.call) else {
            return Poll::Ready(None);
        };
        let event = if let Some(asked) = entry.asked.pop_front() {
            Event::Callback(Question::new(self.place.link.clone(), asked))
        } else if let Some(finish) = entry.ended.take() {
            drop(state);
            Event::Ended(self.place.ended(finish))
        } else if entry.is_quiet() {
            return Poll::Ready(None);
        } else {
            if !entry
                .waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                entry.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        Poll::Ready(Some(event))
    }

    /// The items of this call, where it has returned a generator.
    pub fn generator(&self, ended: Ended) -> Result<Generator, CallError> {
        Generator::new(&self.place, ended.worker, ended.outcome)
    }

    /// The end of this call as an error, to be printed or returned.
    pub fn error(&self, ended: Ended) -> CallError {
        CallError::ended(&self.place.about, ended.worker, ended.outcome)
    }

    /// Asks the host to end the call. It still ends with an outcome, most often `Cancelled`.
    pub fn cancel(&self) {
        let call = self.place.call;
        self.place.link.send(Message::Cancel { call });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let call = self.place.call;
        let mut state = self.place.link.lock();
        let Some(entry) = state.calls.get_mut(&call) else {
            return;
        };
        entry.held = false;
        let asked = std::mem::take(&mut entry.asked);
        let ended = entry.ended.take();
        let mut wakers = Vec::new();
        if !entry.is_ended {
            wakers.extend(entry.close_sinks());
            // Streams whose announcement will now never be seen.
            entry.sources.clear();
            state.send(Message::Cancel { call });
        }
        for asked in &asked {
            state.answer(asked, Answer::Gone);
        }
        if let Some(Finish {
            outcome: Sent::Returned(value) | Sent::Raised(value),
            ..
        }) = ended
        {
            if let Some(entry) = state.calls.get_mut(&call) {
                for attachment in &value.attachments {
                    entry
                        .sources
                        .remove(&u32::try_from(attachment.id).unwrap_or_default());
                }
            }
            state.discard(call, &value.attachments);
        }
        state.reap(call);
        drop(state);
        wakers.into_iter().for_each(std::task::Waker::wake);
        self.place.link.wake();
    }
}

impl Place {
    fn ended(&self, finish: Finish) -> Ended {
        let Finish {
            worker,
            attempts,
            outcome,
        } = finish;
        Ended {
            outcome: self.outcome(outcome),
            worker,
            attempts,
        }
    }

    /// An outcome with everything it names in somebody's hands.
    pub(crate) fn outcome(&self, outcome: Sent) -> Outcome {
        match outcome {
            Sent::Returned(value) => Outcome::Returned(self.value(value)),
            Sent::Raised(value) => Outcome::Raised(self.value(value)),
            Sent::Trapped(trap) => Outcome::Trapped(trap),
            Sent::Faulted(fault) => Outcome::Faulted(fault),
            Sent::Denied(denied) => Outcome::Denied(denied),
            Sent::Cancelled { dispatched } => Outcome::Cancelled { dispatched },
            Sent::TimedOut { dispatched } => Outcome::TimedOut { dispatched },
            Sent::Unknown(why) => Outcome::Unknown(why),
        }
    }

    fn value(&self, value: Value) -> Encoded {
        let attached = Attached::table(self, value.attachments);
        Encoded::new(value.body, attached)
    }
}
