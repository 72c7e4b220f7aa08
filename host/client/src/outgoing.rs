//! Streams among the arguments of a call.

use std::future::{Future, poll_fn};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use proc_host_wire::limits::MAX_PIECE;
use proc_host_wire::outcome::{Outcome, Value};
use proc_host_wire::{Denied, DeniedReason, Message};
use serde::{Serialize, Serializer};

use crate::arguments::Argument;
use crate::attached;
use crate::codec::{self, CodecError};
use crate::link::Link;

/// A stream parameter: `pool.call("sum.sum", (StreamArg::new(numbers),))`.
///
/// Its items are sent as the guest takes them. The stream is polled on a task of its own and
/// dropped once the guest drops its end. A `stream<u8>` takes [`Bytes`](crate::Bytes), of any size.
pub struct StreamArg(Mutex<Option<Chunks>>);

/// A future parameter.
pub struct FutureArg(Mutex<Option<Chunks>>);

/// Encoded items.
pub(crate) struct Chunks(BoxStream<'static, Result<Vec<u8>, CodecError>>);

impl StreamArg {
    /// A parameter fed by `items`.
    pub fn new<S>(items: S) -> StreamArg
    where
        S: Stream<Item: Serialize> + Send + 'static,
    {
        let encoded = items.map(|item| codec::encode(&item));
        StreamArg(Mutex::new(Some(Chunks(encoded.boxed()))))
    }
}

impl FutureArg {
    /// A parameter that `value` resolves.
    pub fn new<F>(value: F) -> FutureArg
    where
        F: Future<Output: Serialize> + Send + 'static,
    {
        let encoded = stream::once(value.map(|value| codec::encode(&value)));
        FutureArg(Mutex::new(Some(Chunks(encoded.boxed()))))
    }
}

impl Chunks {
    /// Items that are CBOR already.
    pub(crate) fn encoded(items: Vec<Vec<u8>>) -> Chunks {
        Chunks(stream::iter(items.into_iter().map(Ok)).boxed())
    }

    /// Feeds `stream` of `call` until one side has enough.
    pub(crate) fn feed(self, link: Link, call: u64, stream: u32) {
        tokio::spawn(
            Feed {
                link,
                call,
                stream,
                items: self,
                next: None,
                done: false,
            }
            .run(),
        );
    }
}

struct Feed {
    link: Link,
    call: u64,
    stream: u32,
    items: Chunks,
    /// Taken from the source, and waiting for credit.
    next: Option<Vec<u8>>,
    done: bool,
}

/// What came of one turn.
enum Turn {
    More,
    Finished,
}

impl Feed {
    async fn run(mut self) {
        while let Turn::More = poll_fn(|cx| self.turn(cx)).await {}
    }

    /// Sends as much as is there and granted, in one message.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        let Some((mut items, mut bytes)) = self.credit(cx) else {
            return Poll::Ready(Turn::Finished);
        };
        let (granted, mut body, mut count) = (items, Vec::new(), 0);
        let mut failure = None;
        while !self.done {
            if self.next.is_none() {
                match self.items.0.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(item))) => self.next = Some(item),
                    Poll::Ready(Some(Err(error))) => {
                        failure = Some(error);
                        self.done = true;
                    }
                    Poll::Ready(None) => self.done = true,
                    Poll::Pending => break,
                }
            }
            // The last item may overdraw the bytes, else a large one would never pass.
            if items == 0 || bytes <= 0 || body.len() >= MAX_PIECE {
                break;
            }
            if let Some(item) = self.next.take() {
                items -= 1;
                bytes -= i64::try_from(item.len()).unwrap_or(i64::MAX);
                count += 1;
                body.extend_from_slice(&item);
            }
        }
        let finished = self.done && self.next.is_none();
        if count == 0 && !finished {
            return Poll::Pending;
        }
        self.send(granted - items, body, count, finished.then_some(failure));
        Poll::Ready(if finished { Turn::Finished } else { Turn::More })
    }

    /// What may be sent; `None` once the reader has gone. Leaves a waker for more.
    fn credit(&self, cx: &Context<'_>) -> Option<(u64, i64)> {
        let mut state = self.link.lock();
        let entry = state.calls.get_mut(&self.call)?;
        let sink = entry
            .sinks
            .get_mut(&self.stream)
            .filter(|sink| !sink.closed)?;
        sink.waker = Some(cx.waker().clone());
        Some((sink.items, sink.bytes))
    }

    fn send(&self, used: u64, body: Vec<u8>, count: u32, end: Option<Option<CodecError>>) {
        let (call, stream) = (self.call, self.stream);
        let mut state = self.link.lock();
        let entry = state.calls.get_mut(&call);
        let sink = entry.and_then(|entry| entry.sinks.get_mut(&stream));
        let Some(sink) = sink.filter(|sink| !sink.closed) else {
            return;
        };
        sink.items -= used;
        sink.bytes = sink
            .bytes
            .saturating_sub(i64::try_from(body.len()).unwrap_or(i64::MAX));
        sink.closed = end.is_some();
        if count > 0 {
            let items = Value {
                body: body.into(),
                attachments: Vec::new(),
            };
            state.send(Message::Items {
                call,
                stream,
                count,
                items,
            });
        }
        if let Some(error) = end {
            let failure = error.map(|error| {
                let why = format!("an item cannot be sent: {error}");
                Outcome::Denied(Denied::new(DeniedReason::BadArguments, why)).into()
            });
            state.send(Message::End {
                call,
                stream,
                failure,
            });
            state.reap(call);
        }
        drop(state);
        self.link.wake();
    }
}

fn take(slot: &Mutex<Option<Chunks>>) -> Result<Chunks, &'static str> {
    let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    taken.ok_or("a stream or future can be sent only once")
}

impl Serialize for StreamArg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attached::attach(serializer, take(&self.0).map(Argument::Stream))
    }
}

impl Serialize for FutureArg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attached::attach(serializer, take(&self.0).map(Argument::Future))
    }
}

impl std::fmt::Debug for StreamArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamArg")
    }
}

impl std::fmt::Debug for FutureArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FutureArg")
    }
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chunks")
    }
}
