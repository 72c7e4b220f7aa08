//! A stream on its way from a guest to a reader behind the host.
//!
//! Owns: the credit, and that the stream ends once. May not know: what the items are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use proc_host_wire::message::Window;
use proc_host_wire::{Message, Value};

use crate::call::Call;
use crate::link::Link;

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Its number within the call.
    pub(crate) id: u32,
    call: Arc<Call>,
    link: Arc<Link>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    items: u64,
    /// May be overdrawn by the items of one frame: a writer sends while it is positive.
    bytes: i64,
    closed: bool,
    waker: Option<Waker>,
}

impl Outgoing {
    pub(crate) fn new(id: u32, window: Window, call: Arc<Call>, link: Arc<Link>) -> Outgoing {
        let state = State {
            items: u64::from(window.items),
            bytes: i64::from(window.bytes),
            closed: false,
            waker: None,
        };
        Outgoing {
            id,
            call,
            link,
            state: Mutex::new(state),
        }
    }

    /// How many items may be sent now; none once nobody reads any more.
    pub(crate) fn poll_credit(&self, context: &mut Context<'_>) -> Poll<Option<usize>> {
        let mut state = self.lock();
        if state.closed {
            return Poll::Ready(None);
        }
        if state.items > 0 && state.bytes > 0 {
            return Poll::Ready(Some(usize::try_from(state.items).unwrap_or(usize::MAX)));
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Bytes that may still be sent in this turn.
    pub(crate) fn byte_credit(&self) -> usize {
        usize::try_from(self.lock().bytes).unwrap_or(0)
    }

    /// Sends items that were credited.
    pub(crate) fn send(&self, count: u32, items: Value) {
        {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            state.items = state.items.saturating_sub(u64::from(count));
            state.bytes -= i64::try_from(items.body.len()).unwrap_or(i64::MAX);
        }
        let sent = self.link.send(Message::Items {
            call: self.call.id,
            stream: self.id,
            count,
            items,
        });
        if let Err(error) = sent {
            self.fail(&format!("an item cannot be sent: {error}"));
        }
    }

    /// The reader grants more.
    pub(crate) fn grant(&self, items: u32, bytes: u32) {
        let mut state = self.lock();
        state.items = state.items.saturating_add(u64::from(items));
        state.bytes = state.bytes.saturating_add(i64::from(bytes));
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// The guest has ended the stream.
    pub(crate) fn end(&self) {
        if self.shut() {
            let (call, stream) = (self.call.id, self.id);
            let _ = self.link.send(Message::End {
                call,
                stream,
                failure: None,
            });
        }
        self.call.forget_stream(self.id);
    }

    /// The reader has dropped the stream.
    pub(crate) fn close(&self) {
        self.shut();
        self.call.forget_stream(self.id);
    }

    /// Marks it closed and wakes the guest's side; false where it was.
    pub(crate) fn shut(&self) -> bool {
        let mut state = self.lock();
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        !std::mem::replace(&mut state.closed, true)
    }

    fn fail(&self, why: &str) {
        if self.shut() {
            let denied =
                proc_host_wire::Denied::new(proc_host_wire::DeniedReason::TooLarge, why.to_owned());
            let _ = self.link.send(Message::End {
                call: self.call.id,
                stream: self.id,
                failure: Some(proc_host_wire::Outcome::Denied(denied).into()),
            });
        }
        self.call.forget_stream(self.id);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
