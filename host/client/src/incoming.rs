//! Reading the streams of a result.

use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use proc_host_wire::Message;
use proc_host_wire::cbor::{Limits, Reader};
use proc_host_wire::message::Window;
use serde::de::DeserializeOwned;

use crate::attached::{self, Attached};
use crate::call_error::CallError;
use crate::codec::{self, CodecError};
use crate::link::Batch;
use crate::outcome::Encoded;
use crate::running::Place;

/// What a stream may have under way unread: what the guest gets ahead of its reader.
pub(crate) const WINDOW: Window = Window {
    items: 16 << 10,
    bytes: 512 << 10,
};

/// The readable end of a stream, with items as they travel. Dropped early, it ends the producer.
#[derive(Debug)]
pub struct Incoming {
    place: Place,
    stream: u32,
    /// What is left of the last batch.
    batch: Option<Unread>,
    /// Read and not yet granted again.
    read_items: u32,
    read_bytes: u32,
    ended: bool,
}

#[derive(Debug)]
struct Unread {
    body: Bytes,
    left: u32,
    attached: Vec<Option<Attached>>,
}

impl Incoming {
    pub(crate) fn new(place: Place, stream: u32) -> Incoming {
        Incoming {
            place,
            stream,
            batch: None,
            read_items: 0,
            read_bytes: 0,
            ended: false,
        }
    }

    /// Its number in its call.
    pub fn number(&self) -> u32 {
        self.stream
    }

    /// The next item; `None` after the last. An error says why the stream ended early.
    pub fn poll_item<T: DeserializeOwned>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<T, CallError>>> {
        if let Err(end) = ready!(self.poll_batch(cx)) {
            return Poll::Ready(end.map(Err));
        }
        let Some(unread) = &mut self.batch else {
            return Poll::Ready(None);
        };
        // Numbers, texts and records name nothing; only a batch that does needs its table.
        if !unread.attached.is_empty() {
            let item = ready!(self.poll_encoded(cx));
            return Poll::Ready(item.map(|item| item?.decode().map_err(|error| self.fail(error))));
        }
        let mut rest: &[u8] = &unread.body;
        let item = codec::decode_next(&mut rest);
        let used = unread.body.len() - rest.len();
        Poll::Ready(Some(match item {
            Ok(item) => {
                unread.body.advance(used);
                self.used(used);
                Ok(item)
            }
            Err(error) => Err(self.fail(error)),
        }))
    }

    /// The next item as it travels, like [`Incoming::poll_item`].
    pub fn poll_encoded(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Encoded, CallError>>> {
        if let Err(end) = ready!(self.poll_batch(cx)) {
            return Poll::Ready(end.map(Err));
        }
        let Some(unread) = &mut self.batch else {
            return Poll::Ready(None);
        };
        let mut reader = Reader::new(&unread.body, Limits::DEFAULT);
        if let Err(error) = reader.skip() {
            return Poll::Ready(Some(Err(self.fail(CodecError(error.to_string())))));
        }
        let used = reader.position();
        let body = unread.body.split_to(used);
        let attached = attached::take_named(&mut unread.attached, &body);
        self.used(used);
        Poll::Ready(Some(Ok(Encoded::new(body, attached))))
    }

    /// Makes sure of a batch with items in it; `Err` where there will be none.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Option<CallError>>> {
        while self.batch.as_ref().is_none_or(|unread| unread.left == 0) {
            self.batch = None;
            if self.ended {
                return Poll::Ready(Err(None));
            }
            let mut state = self.place.link.lock();
            let Some(entry) = state.calls.get_mut(&self.place.call) else {
                return Poll::Ready(Err(None));
            };
            let Some(source) = entry.sources.get_mut(&self.stream) else {
                return Poll::Ready(Err(None));
            };
            let Some(Batch {
                body,
                count,
                attachments,
            }) = source.batches.pop_front()
            else {
                let Some(end) = source.end.take() else {
                    source.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                };
                entry.sources.remove(&self.stream);
                state.reap(self.place.call);
                drop(state);
                self.ended = true;
                return Poll::Ready(Err(end.map(|end| {
                    CallError::ended(&self.place.about, None, self.place.outcome(end))
                })));
            };
            drop(state);
            let attached = Attached::table(&self.place, attachments);
            self.batch = Some(Unread {
                body,
                left: count,
                attached,
            });
        }
        Poll::Ready(Ok(()))
    }

    /// Counts an item as read, and grants more once half of the window is.
    fn used(&mut self, bytes: usize) {
        if let Some(unread) = &mut self.batch {
            unread.left -= 1;
        }
        self.read_items += 1;
        self.read_bytes = self
            .read_bytes
            .saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if self.read_items < WINDOW.items / 2 && self.read_bytes < WINDOW.bytes / 2 {
            return;
        }
        let (items, bytes) = (self.read_items, self.read_bytes);
        (self.read_items, self.read_bytes) = (0, 0);
        let (call, stream) = (self.place.call, self.stream);
        let mut state = self.place.link.lock();
        let source = state
            .calls
            .get_mut(&call)
            .and_then(|entry| entry.sources.get_mut(&stream));
        let Some(source) = source.filter(|source| source.end.is_none()) else {
            return;
        };
        source.granted += u64::from(items);
        state.send(Message::Credit {
            call,
            stream,
            items,
            bytes,
        });
        drop(state);
        self.place.link.wake();
    }

    /// An item that is not what was asked for ends the stream: its place in the batch is lost.
    fn fail(&mut self, error: CodecError) -> CallError {
        self.close();
        CallError::result(&self.place.about, error)
    }

    fn close(&mut self) {
        self.batch = None;
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let (call, stream) = (self.place.call, self.stream);
        let mut state = self.place.link.lock();
        let source = state
            .calls
            .get_mut(&call)
            .and_then(|entry| entry.sources.remove(&stream));
        let Some(source) = source else { return };
        if source.end.is_none() {
            state.send(Message::Close { call, stream });
        }
        for batch in &source.batches {
            state.discard(call, &batch.attachments);
        }
        // Whoever waits for callbacks of the call may have waited for this stream alone.
        let waker = state
            .calls
            .get_mut(&call)
            .and_then(|entry| entry.waker.take());
        state.reap(call);
        drop(state);
        waker.into_iter().for_each(std::task::Waker::wake);
        self.place.link.wake();
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.close();
    }
}
