//! Streams and futures between a guest and the wire, with backpressure.
//!
//! Owns: the pumps. May not know: frames, connections; those stand behind [`ItemSink`] and
//! [`ItemSource`]. A pump runs only while its Store is driven (`run_concurrent`, `call_async`).

mod consume;
mod produce;

use std::task::{Context, Poll};

use bytes::Bytes;
use wasmtime::component::{FutureAny, FutureReader, StreamAny, StreamReader};
use wasmtime::{AsContextMut, Result};

use super::abi::Item;
use super::element::{Carries, CheckedItems, Element};
use super::handle::{Attachment, Future, Stream};

/// What a reader can take now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// How many items, at least one.
    pub items: usize,
    /// About how many bytes: the item that reaches it is the last one taken.
    pub bytes: usize,
}

/// Items a guest wrote.
#[derive(Debug)]
pub struct Items {
    /// How many: at least one.
    pub count: usize,
    /// One CBOR value each, one after the other; see [`Carries`].
    pub body: Vec<u8>,
    /// What the body names by index.
    pub attachments: Vec<Attachment>,
}

/// Where a guest's items go. Dropped when the guest has ended its stream, or its Store is gone.
pub trait ItemSink: Send + Unpin + 'static {
    /// How much may be taken from the guest now; none once the reader has gone, which ends the
    /// guest's writes. While it is pending the guest waits.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Option<Credit>>;

    /// Takes items; only called with credit, within it.
    fn push(&mut self, items: Items);
}

/// Where items for a guest come from. Dropped when the guest has dropped its end.
pub trait ItemSource: Send + Unpin + 'static {
    /// The next items, checked against the element; none at the end, and from then on.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<CheckedItems>>;
}

impl Stream {
    /// Lets a guest's items flow into `sink`.
    ///
    /// # Errors
    /// If the Store no longer knows the stream.
    pub fn pipe(self, store: impl AsContextMut, sink: impl ItemSink) -> Result<()> {
        match self.carries {
            Carries::Nothing => self
                .any
                .try_into_stream_reader::<()>()?
                .pipe(store, consume::Units(sink)),
            Carries::Bytes => self
                .any
                .try_into_stream_reader::<u8>()?
                .pipe(store, consume::Chunks(sink)),
            Carries::Values => self
                .any
                .try_into_stream_reader::<Item>()?
                .pipe(store, consume::Values(sink)),
        }
    }

    /// Makes a stream for a guest to read what `source` gives.
    ///
    /// # Errors
    /// If the Store has too many streams, or no concurrency.
    pub fn from_source(
        mut store: impl AsContextMut,
        element: Element,
        source: impl ItemSource,
    ) -> Result<Stream> {
        let carries = element.carries();
        let any = match carries {
            Carries::Nothing => {
                let reader = StreamReader::new(&mut store, produce::Units::new(source))?;
                StreamAny::try_from_stream_reader(&mut store, reader)?
            }
            Carries::Bytes => {
                let reader = StreamReader::new(&mut store, produce::Chunks::new(source))?;
                StreamAny::try_from_stream_reader(&mut store, reader)?
            }
            Carries::Values => {
                let reader = StreamReader::new(&mut store, produce::Values::new(source))?;
                StreamAny::try_from_stream_reader(&mut store, reader)?
            }
        };
        Ok(Stream {
            any,
            carries,
            element: Some(element),
        })
    }
}

impl Future {
    /// Lets a guest's value flow into `sink`, as one item.
    ///
    /// # Errors
    /// If the Store no longer knows the future.
    pub fn pipe(self, store: impl AsContextMut, sink: impl ItemSink) -> Result<()> {
        match self.carries {
            Carries::Nothing => self
                .any
                .try_into_future_reader::<()>()?
                .pipe(store, consume::Units(sink)),
            Carries::Bytes | Carries::Values => self
                .any
                .try_into_future_reader::<Item>()?
                .pipe(store, consume::Values(sink)),
        }
    }

    /// Makes a future for a guest that resolves to the first item of `source`.
    ///
    /// A source that ends without one leaves the guest waiting, until its call is ended.
    ///
    /// # Errors
    /// If the Store has too many futures, or no concurrency.
    pub fn from_source(
        mut store: impl AsContextMut,
        element: Element,
        source: impl ItemSource,
    ) -> Result<Future> {
        let carries = element.carries();
        let any = match carries {
            Carries::Nothing => {
                let reader = FutureReader::new(&mut store, produce::Units::new(source))?;
                FutureAny::try_from_future_reader(&mut store, reader)?
            }
            Carries::Bytes | Carries::Values => {
                let reader = FutureReader::new(&mut store, produce::Values::new(source))?;
                FutureAny::try_from_future_reader(&mut store, reader)?
            }
        };
        Ok(Future {
            any,
            carries,
            element: Some(element),
        })
    }
}

impl CheckedItems {
    /// The next item's bytes.
    fn take(&mut self) -> Option<Bytes> {
        let end = *self.ends.get(self.taken)?;
        let start = self
            .taken
            .checked_sub(1)
            .map_or(0, |before| self.ends[before]);
        self.taken += 1;
        Some(self.body.slice(start..end))
    }
}
