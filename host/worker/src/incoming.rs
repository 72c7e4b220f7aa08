//! A stream on its way from a caller to a guest.
//!
//! Owns: the queue of checked items, the credit granted for it, and that the stream ends once. May
//! not know: wasm.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use proc_host_wire::outcome::Routed;
use proc_host_wire::{Denied, DeniedReason, Message, Outcome};

use crate::call::Call;
use crate::convert::{CheckedItems, Element};
use crate::link::Link;

/// Items and bytes a caller may send before the guest has taken any.
const WINDOW: (u32, u32) = (256, 256 << 10);

/// The reader's end.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Its number within the call.
    pub(crate) id: u32,
    call: Arc<Call>,
    link: Arc<Link>,
    /// What the items are.
    element: Element,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(CheckedItems, u32)>,
    /// Taken by the guest and not yet granted again.
    taken: (u32, u32),
    ended: bool,
    closed: bool,
    waker: Option<Waker>,
}

impl Incoming {
    /// A stream of `call`, with its first credit granted.
    pub(crate) fn open(
        id: u32,
        call: &Arc<Call>,
        link: &Arc<Link>,
        element: Element,
        single: bool,
    ) -> Option<Arc<Incoming>> {
        let stream = Arc::new(Incoming {
            id,
            call: call.clone(),
            link: link.clone(),
            element,
            state: Mutex::default(),
        });
        let (items, bytes) = if single { (1, WINDOW.1) } else { WINDOW };
        call.open_incoming(stream.clone()).then(|| {
            let _ = link.send(Message::Credit {
                call: call.id,
                stream: id,
                items,
                bytes,
            });
            stream
        })
    }

    /// Items from the caller, checked before anything else sees them. Items that do not fit end the
    /// call: the guest must not take the stream for complete.
    pub(crate) fn receive(&self, count: u32, body: Bytes) {
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
        match self.element.check(body, count) {
            Ok(items) => {
                let mut state = self.lock();
                if !state.closed && !state.ended {
                    state.queue.push_back((items, size));
                    wake(&mut state);
                }
            }
            Err(error) => {
                let message = format!("stream {} of the arguments: {error}", self.id);
                let denied = Denied::new(DeniedReason::BadArguments, message);
                self.call.abandon(Outcome::Denied(denied));
            }
        }
    }

    /// The caller has ended the stream.
    pub(crate) fn end(&self) {
        {
            let mut state = self.lock();
            state.ended = true;
            wake(&mut state);
        }
        self.call.forget_stream(self.id);
    }

    /// The next items; `None` behind the last.
    pub(crate) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<CheckedItems>> {
        let mut state = self.lock();
        if let Some((items, size)) = state.queue.pop_front() {
            let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
            state.taken.0 = state.taken.0.saturating_add(count);
            state.taken.1 = state.taken.1.saturating_add(size);
            let due = state.taken.0 >= WINDOW.0 / 2 || state.taken.1 >= WINDOW.1 / 2;
            if due && !state.ended {
                let (items, bytes) = std::mem::take(&mut state.taken);
                drop(state);
                let (call, stream) = (self.call.id, self.id);
                let _ = self.link.send(Message::Credit {
                    call,
                    stream,
                    items,
                    bytes,
                });
            }
            return Poll::Ready(Some(items));
        }
        if state.ended || state.closed {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// The guest has dropped its end.
    pub(crate) fn close(&self) {
        let ended = self.lock().ended;
        if self.shut() && !ended {
            let _ = self.link.send(Message::Close {
                call: self.call.id,
                stream: self.id,
            });
        }
        self.call.forget_stream(self.id);
    }

    /// Marks it closed; false where it was.
    pub(crate) fn shut(&self) -> bool {
        let mut state = self.lock();
        state.queue.clear();
        wake(&mut state);
        !std::mem::replace(&mut state.closed, true)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a call ends whose caller could not go on with stream `id`: the guest must not take it for
/// complete.
pub(crate) fn failed(id: u32, failure: Routed) -> Outcome {
    let why = match failure.open() {
        Ok(Outcome::Denied(denied)) => denied.message,
        _ => "its caller failed".to_owned(),
    };
    let message = format!("stream {id} of the arguments: {why}");
    Outcome::Denied(Denied::new(DeniedReason::BadArguments, message))
}

fn wake(state: &mut State) {
    if let Some(waker) = state.waker.take() {
        waker.wake();
    }
}
