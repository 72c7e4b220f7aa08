//! Out of a guest: the host's end of a stream or future that a guest writes.
//!
//! Owns: when a guest's write completes. May not know: element types. Nothing is taken without
//! credit, and a write is read once and then completed, in part if need be.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use proc_host_wire::cbor::Writer;
use wasmtime::component::{FutureConsumer, Source, StreamConsumer, StreamResult};
use wasmtime::{Result, StoreContextMut};

use super::super::abi::{Item, read_items, read_units};
use super::{Credit, ItemSink, Items};

/// Items of any type.
pub(super) struct Values<S>(pub(super) S);

/// Items without a type.
pub(super) struct Units<S>(pub(super) S);

/// Bytes, in chunks.
pub(super) struct Chunks<S>(pub(super) S);

/// Awaits credit; `Err` is how the write ends without any.
fn credit(
    sink: &mut impl ItemSink,
    cx: &mut Context<'_>,
    finish: bool,
) -> Poll<Result<Credit, StreamResult>> {
    match sink.poll_ready(cx) {
        Poll::Ready(Some(credit)) => Poll::Ready(Ok(credit)),
        Poll::Ready(None) => Poll::Ready(Err(StreamResult::Dropped)),
        Poll::Pending if finish => Poll::Ready(Err(StreamResult::Cancelled)),
        Poll::Pending => Poll::Pending,
    }
}

impl<D: 'static, S: ItemSink> StreamConsumer<D> for Values<S> {
    type Item = Item;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'_, D>,
        mut source: Source<'_, Item>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let credit = match ready!(credit(&mut self.0, cx, finish)) {
            Ok(credit) => credit,
            Err(end) => return Poll::Ready(Ok(end)),
        };
        // A write of nothing asks whether one of something would be taken.
        if source.remaining(&mut store) > 0 {
            let (count, lifted) =
                read_items(store, &mut source, credit.items.max(1), credit.bytes)?;
            let (body, attachments) = (lifted.body, lifted.attachments);
            self.0.push(Items {
                count,
                body,
                attachments,
            });
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<D: 'static, S: ItemSink> StreamConsumer<D> for Units<S> {
    type Item = ();

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'_, D>,
        mut source: Source<'_, ()>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let credit = match ready!(credit(&mut self.0, cx, finish)) {
            Ok(credit) => credit,
            Err(end) => return Poll::Ready(Ok(end)),
        };
        if source.remaining(&mut store) > 0 {
            let most = credit.items.min(credit.bytes).max(1);
            let count = read_units(store, &mut source, most)?;
            self.0.push(units(count));
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<D: 'static, S: ItemSink> StreamConsumer<D> for Chunks<S> {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let credit = match ready!(credit(&mut self.0, cx, finish)) {
            Ok(credit) => credit,
            Err(end) => return Poll::Ready(Ok(end)),
        };
        let mut source = source.as_direct(store);
        let waiting = source.remaining();
        let chunk = &waiting[..waiting.len().min(credit.bytes.max(1))];
        let length = chunk.len();
        if length > 0 {
            let mut body = Vec::with_capacity(length + 9);
            Writer::new(&mut body).bytes(chunk);
            source.mark_read(length);
            self.0.push(Items {
                count: 1,
                body,
                attachments: Vec::new(),
            });
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<D: 'static, S: ItemSink> FutureConsumer<D> for Values<S> {
    type Item = Item;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        mut source: Source<'_, Item>,
        finish: bool,
    ) -> Poll<Result<()>> {
        let credit = ready!(credit(&mut self.0, cx, finish));
        if matches!(credit, Err(StreamResult::Cancelled)) {
            return Poll::Ready(Ok(()));
        }
        // A value nobody wants any more is taken all the same: the write has to end.
        let (count, lifted) = read_items(store, &mut source, 1, usize::MAX)?;
        if credit.is_ok() {
            let (body, attachments) = (lifted.body, lifted.attachments);
            self.0.push(Items {
                count,
                body,
                attachments,
            });
        }
        Poll::Ready(Ok(()))
    }
}

impl<D: 'static, S: ItemSink> FutureConsumer<D> for Units<S> {
    type Item = ();

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        mut source: Source<'_, ()>,
        finish: bool,
    ) -> Poll<Result<()>> {
        let credit = ready!(credit(&mut self.0, cx, finish));
        if matches!(credit, Err(StreamResult::Cancelled)) {
            return Poll::Ready(Ok(()));
        }
        let count = read_units(store, &mut source, 1)?;
        if credit.is_ok() {
            self.0.push(units(count));
        }
        Poll::Ready(Ok(()))
    }
}

fn units(count: usize) -> Items {
    let mut body = Vec::with_capacity(count);
    let mut writer = Writer::new(&mut body);
    (0..count).for_each(|_| writer.null());
    Items {
        count,
        body,
        attachments: Vec::new(),
    }
}
