//! A stream on its way from a guest to a reader behind the host.
//!
//! Owns: the credit, that items written one by one travel many to a frame, and that the stream ends
//! once. May not know: what the items are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use proc_host_wire::limits::MAX_PIECE;
use proc_host_wire::message::Window;
use proc_host_wire::{Attachment, Denied, DeniedReason, Message, Outcome, Value};

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
    /// Written by the guest since the socket was last written to.
    pending: BytesMut,
    count: u32,
}

impl Outgoing {
    pub(crate) fn new(id: u32, window: Window, call: Arc<Call>, link: Arc<Link>) -> Outgoing {
        let state = State {
            items: u64::from(window.items),
            bytes: i64::from(window.bytes),
            closed: false,
            waker: None,
            pending: BytesMut::new(),
            count: 0,
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

    /// Sends items that were credited, together with what else is written before the socket's turn
    /// comes.
    pub(crate) fn send(self: &Arc<Outgoing>, count: u32, items: Value) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.items = state.items.saturating_sub(u64::from(count));
        state.bytes -= i64::try_from(items.body.len()).unwrap_or(i64::MAX);
        // Items name their attachments by index in their own table: such frames are not joined.
        let apart = !items.attachments.is_empty();
        if apart || state.pending.len() + items.body.len() > MAX_PIECE {
            self.flush_locked(&mut state);
        }
        if state.count == 0 {
            self.link.has_items(self.clone());
        }
        state.count += count;
        state.pending.extend_from_slice(&items.body);
        if apart {
            self.post(&mut state, items.attachments);
        }
    }

    /// Hands what is pending to the socket.
    pub(crate) fn flush(&self) {
        self.flush_locked(&mut self.lock());
    }

    fn flush_locked(&self, state: &mut State) {
        if state.count > 0 {
            self.post(state, Vec::new());
        }
    }

    fn post(&self, state: &mut State, attachments: Vec<Attachment>) {
        let count = std::mem::take(&mut state.count);
        let items = Value {
            body: state.pending.split().freeze(),
            attachments,
        };
        let (call, stream) = (self.call.id, self.id);
        if let Err(error) = self.link.send(Message::Items {
            call,
            stream,
            count,
            items,
        }) {
            state.closed = true;
            let message = format!("an item cannot be sent: {error}");
            let denied = Denied::new(DeniedReason::TooLarge, message);
            let failure = Some(Outcome::Denied(denied).into());
            let _ = self.link.send(Message::End {
                call,
                stream,
                failure,
            });
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

    /// Marks it closed behind what is pending, and wakes the guest's side; false where it was.
    pub(crate) fn shut(&self) -> bool {
        let mut state = self.lock();
        self.flush_locked(&mut state);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        !std::mem::replace(&mut state.closed, true)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
