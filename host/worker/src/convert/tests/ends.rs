//! A source and a sink without a wire between them, and what passed through.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::super::{CheckedItems, Credit, ItemSink, ItemSource, Items};

/// Both ends of a wire that is not there.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) input: VecDeque<CheckedItems>,
    pub(super) input_ended: bool,
    input_waker: Option<Waker>,
    pub(super) source_dropped: bool,
    pub(super) output: Vec<u8>,
    pub(super) count: usize,
    pub(super) pushes: Vec<usize>,
    pub(super) credit: usize,
    pub(super) bytes: usize,
    pub(super) closed: bool,
    sink_waker: Option<Waker>,
    pub(super) sink_dropped: bool,
}

#[derive(Clone, Default)]
pub(super) struct Ends(pub(super) Arc<Mutex<Shared>>);

pub(super) struct Source(pub(super) Ends);
pub(super) struct Sink(pub(super) Ends);

impl ItemSource for Source {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<CheckedItems>> {
        let mut shared = self.0.0.lock().unwrap();
        match shared.input.pop_front() {
            Some(items) => Poll::Ready(Some(items)),
            None if shared.input_ended => Poll::Ready(None),
            None => {
                shared.input_waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().source_dropped = true;
    }
}

impl ItemSink for Sink {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Option<Credit>> {
        let mut shared = self.0.0.lock().unwrap();
        match shared.credit {
            _ if shared.closed => Poll::Ready(None),
            0 => {
                shared.sink_waker = Some(cx.waker().clone());
                Poll::Pending
            }
            items => Poll::Ready(Some(Credit {
                items,
                bytes: shared.bytes,
            })),
        }
    }

    fn push(&mut self, items: Items) {
        let mut shared = self.0.0.lock().unwrap();
        assert!(
            items.count > 0 && items.count <= shared.credit,
            "credit overrun"
        );
        shared.credit -= items.count;
        shared.count += items.count;
        shared.pushes.push(items.count);
        shared.output.extend(items.body);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().sink_dropped = true;
    }
}

impl Ends {
    pub(super) fn grant(&self, items: usize) {
        let mut shared = self.0.lock().unwrap();
        shared.credit += items;
        shared.sink_waker.take().into_iter().for_each(Waker::wake);
    }

    pub(super) fn feed(&self, items: CheckedItems, ended: bool) {
        let mut shared = self.0.lock().unwrap();
        shared.input.push_back(items);
        shared.input_ended = ended;
        shared.input_waker.take().into_iter().for_each(Waker::wake);
    }

    pub(super) fn close(&self) {
        let mut shared = self.0.lock().unwrap();
        shared.closed = true;
        shared.sink_waker.take().into_iter().for_each(Waker::wake);
    }

    pub(super) async fn until(&self, done: impl Fn(&Shared) -> bool) {
        for _ in 0..100_000 {
            if done(&self.0.lock().unwrap()) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("not reached");
    }
}
