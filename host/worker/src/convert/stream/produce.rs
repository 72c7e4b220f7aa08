//! Into a guest: the host's end of a stream or future that a guest reads.
//!
//! Owns: what a guest's read is given. May not know: element types; items were checked. A source is
//! asked for more only when all it gave has been read, so what is unread here is one batch.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use proc_host_wire::cbor::{Limits, Reader};
use wasmtime::component::{Destination, FutureProducer, StreamProducer, StreamResult, VecBuffer};
use wasmtime::{Result, StoreContextMut};

use super::super::abi::Item;
use super::super::element::CheckedItems;
use super::ItemSource;

/// Items a source gave, until they are read.
struct Feed<S> {
    source: S,
    items: Option<CheckedItems>,
}

impl<S: ItemSource> Feed<S> {
    fn new(source: S) -> Feed<S> {
        Feed {
            source,
            items: None,
        }
    }

    /// Awaits items; `Err` is how the read ends without any.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        finish: bool,
    ) -> Poll<Result<&mut CheckedItems, StreamResult>> {
        while self.items.as_ref().is_none_or(CheckedItems::is_empty) {
            self.items = match self.source.poll_next(cx) {
                Poll::Ready(Some(items)) => Some(items),
                Poll::Ready(None) => return Poll::Ready(Err(StreamResult::Dropped)),
                Poll::Pending if finish => return Poll::Ready(Err(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            };
        }
        match &mut self.items {
            Some(items) => Poll::Ready(Ok(items)),
            None => Poll::Pending,
        }
    }
}

impl<S: ItemSource> Feed<S> {
    /// Awaits the value of a future; none ends the read without one, when it is to finish.
    ///
    /// A source that ends too early leaves the guest waiting. The engine's only other way out is to
    /// trap, and a peer that goes must not end every call of a shared instance.
    fn first(&mut self, cx: &mut Context<'_>, finish: bool) -> Poll<Option<&mut CheckedItems>> {
        match self.poll(cx, finish) {
            Poll::Ready(Ok(items)) => Poll::Ready(Some(items)),
            Poll::Ready(Err(_)) if finish => Poll::Ready(None),
            _ => Poll::Pending,
        }
    }
}

/// Items of any type.
pub(super) struct Values<S>(Feed<S>);

/// Items without a type.
pub(super) struct Units<S>(Feed<S>);

/// Bytes, in chunks.
pub(super) struct Chunks<S> {
    feed: Feed<S>,
    rest: Bytes,
}

impl<S: ItemSource> Values<S> {
    pub(super) fn new(source: S) -> Values<S> {
        Values(Feed::new(source))
    }
}

impl<S: ItemSource> Units<S> {
    pub(super) fn new(source: S) -> Units<S> {
        Units(Feed::new(source))
    }
}

impl<S: ItemSource> Chunks<S> {
    pub(super) fn new(source: S) -> Chunks<S> {
        Chunks {
            feed: Feed::new(source),
            rest: Bytes::new(),
        }
    }
}

impl<D: 'static, S: ItemSource> StreamProducer<D> for Values<S> {
    type Item = Item;
    type Buffer = VecBuffer<Item>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Item, VecBuffer<Item>>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let items = match ready!(self.0.poll(cx, finish)) {
            Ok(items) => items,
            Err(end) => return Poll::Ready(Ok(end)),
        };
        // A read of nothing asks whether there is something.
        if destination.remaining(store) != Some(0) {
            let values: Vec<Item> = std::iter::from_fn(|| items.take())
                .map(Item::Value)
                .collect();
            destination.set_buffer(values.into());
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<D: 'static, S: ItemSource> StreamProducer<D> for Units<S> {
    type Item = ();
    type Buffer = VecBuffer<()>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, (), VecBuffer<()>>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let items = match ready!(self.0.poll(cx, finish)) {
            Ok(items) => items,
            Err(end) => return Poll::Ready(Ok(end)),
        };
        if destination.remaining(store) != Some(0) {
            let units: Vec<()> = std::iter::from_fn(|| items.take()).map(drop).collect();
            destination.set_buffer(units.into());
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<D: 'static, S: ItemSource> StreamProducer<D> for Chunks<S> {
    type Item = u8;
    type Buffer = VecBuffer<u8>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        destination: Destination<'a, u8, VecBuffer<u8>>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        while self.rest.is_empty() {
            let items = match ready!(self.feed.poll(cx, finish)) {
                Ok(items) => items,
                Err(end) => return Poll::Ready(Ok(end)),
            };
            if let Some(item) = items.take() {
                // The chunk is the end of the item, past the string's head.
                let chunk = Reader::new(&item, Limits::DEFAULT).bytes()?.len();
                self.rest = item.slice(item.len() - chunk..);
            }
        }
        if destination.remaining(&mut store) != Some(0) {
            let mut direct = destination.as_direct(store, self.rest.len());
            let room = direct.remaining();
            let length = room.len().min(self.rest.len());
            room[..length].copy_from_slice(&self.rest[..length]);
            direct.mark_written(length);
            self.rest.advance(length);
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<D: 'static, S: ItemSource> FutureProducer<D> for Values<S> {
    type Item = Item;

    fn poll_produce(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: StoreContextMut<'_, D>,
        finish: bool,
    ) -> Poll<Result<Option<Item>>> {
        let items = self.0.first(cx, finish);
        items.map(|items| Ok(items.and_then(CheckedItems::take).map(Item::Value)))
    }
}

impl<D: 'static, S: ItemSource> FutureProducer<D> for Units<S> {
    type Item = ();

    fn poll_produce(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: StoreContextMut<'_, D>,
        finish: bool,
    ) -> Poll<Result<Option<()>>> {
        let items = self.0.first(cx, finish);
        items.map(|items| Ok(items.and_then(CheckedItems::take).map(drop)))
    }
}
