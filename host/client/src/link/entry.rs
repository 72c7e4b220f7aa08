//! One call in the table, with its streams.

use std::collections::{HashMap, VecDeque};
use std::task::Waker;

use bytes::Bytes;
use proc_host_wire::message::{Window, WorkerRef};
use proc_host_wire::{Attachment, Outcome};

use crate::callback::Asked;

/// A call from its sending until its outcome is taken and its streams have ended.
#[derive(Debug)]
pub(crate) struct CallEntry {
    /// Somebody holds the call and will take its outcome.
    pub(crate) held: bool,
    /// The holder answers callbacks.
    pub(crate) listens: bool,
    pub(crate) window: Window,
    /// Set once, then taken by the holder.
    pub(crate) ended: Option<Finish>,
    pub(crate) is_ended: bool,
    pub(crate) asked: VecDeque<Asked>,
    pub(crate) waker: Option<Waker>,
    /// Streams of the result, by number.
    pub(crate) sources: HashMap<u32, Source>,
    /// Streams among the arguments, by number.
    pub(crate) sinks: HashMap<u32, Sink>,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Finish {
    pub(crate) worker: Option<WorkerRef>,
    pub(crate) attempts: u32,
    pub(crate) outcome: Outcome,
}

/// A stream that is read here.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) batches: VecDeque<Batch>,
    /// Items the writer may still send.
    pub(crate) granted: u64,
    /// `Some(None)` after a plain end.
    pub(crate) end: Option<Option<Outcome>>,
    pub(crate) waker: Option<Waker>,
}

/// Items as they came.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) body: Bytes,
    pub(crate) count: u32,
    pub(crate) attachments: Vec<Attachment>,
}

/// A stream that is written here.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) items: u64,
    pub(crate) bytes: i64,
    /// The reader has gone, or the call came to nothing.
    pub(crate) closed: bool,
    pub(crate) waker: Option<Waker>,
}

impl CallEntry {
    pub(crate) fn new(listens: bool, window: Window, sinks: usize) -> CallEntry {
        // The client's own streams are numbered 2, 4, 6, …
        let sinks = (1..)
            .take(sinks)
            .map(|n: u32| (2 * n, Sink::default()))
            .collect();
        CallEntry {
            held: true,
            listens,
            window,
            ended: None,
            is_ended: false,
            asked: VecDeque::new(),
            waker: None,
            sources: HashMap::new(),
            sinks,
        }
    }

    /// Nothing of it can matter any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_ended
            && !self.held
            && self.sources.is_empty()
            && self.sinks.values().all(|sink| sink.closed)
    }

    /// Nothing more can happen to it: its holder need not wait for callbacks.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_ended && self.sources.values().all(|source| source.end.is_some())
    }

    /// A stream whose reader has gone, or of a call nobody holds: what still comes is let go.
    /// Until the outcome is there, a number not seen before is a stream about to be announced.
    pub(crate) fn forgot(&self, stream: u32) -> bool {
        (self.is_ended || !self.held) && !self.sources.contains_key(&stream)
    }

    /// The stream, entered where it is new: items of a stream may overtake its announcement.
    pub(crate) fn source(&mut self, stream: u32) -> &mut Source {
        let granted = u64::from(self.window.items);
        self.sources.entry(stream).or_insert_with(|| Source {
            batches: VecDeque::new(),
            granted,
            end: None,
            waker: None,
        })
    }

    /// Stops whoever feeds the arguments.
    pub(crate) fn close_sinks(&mut self) -> impl Iterator<Item = Waker> {
        self.sinks.values_mut().filter_map(|sink| {
            sink.closed = true;
            sink.waker.take()
        })
    }

    /// The connection is gone.
    pub(crate) fn lose(&mut self, why: &str) -> Vec<Waker> {
        let outcome = Outcome::Unknown(why.to_owned());
        if !self.is_ended {
            self.is_ended = true;
            self.ended = Some(Finish {
                worker: None,
                attempts: 0,
                outcome: outcome.clone(),
            });
        }
        let mut wakers: Vec<Waker> = self.waker.take().into_iter().collect();
        for source in self.sources.values_mut() {
            if source.end.is_none() {
                source.end = Some(Some(outcome.clone()));
            }
            wakers.extend(source.waker.take());
        }
        wakers.extend(self.close_sinks());
        wakers
    }
}
