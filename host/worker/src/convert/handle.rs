//! Handles: what a body names by tag and index instead of containing it.
//!
//! Owns: the attachments of arguments and results. May not know: wire ids; the worker keeps the
//! table that turns those into these and back.

use wasmtime::AsContextMut;
use wasmtime::component::{FutureAny, ResourceAny, StreamAny};

use super::element::{Carries, Element};

/// One entry of an attachment table, on this side of the wire.
///
/// Each is owned: dropping one in Rust frees nothing in its Store. What is neither passed on nor
/// piped must be closed or, for a resource, dropped by `resource_drop_async`.
#[derive(Debug)]
pub enum Attachment {
    /// A resource, owned or borrowed.
    Resource(ResourceAny),
    /// The readable end of a stream.
    Stream(Stream),
    /// The readable end of a future.
    Future(Future),
}

/// The readable end of a stream, with what its items are.
#[derive(Debug)]
pub struct Stream {
    pub(crate) any: StreamAny,
    pub(crate) carries: Carries,
    /// What its items were checked against, for one that was made here.
    pub(crate) element: Option<Element>,
}

/// The readable end of a future, with what its value is.
#[derive(Debug)]
pub struct Future {
    pub(crate) any: FutureAny,
    pub(crate) carries: Carries,
    /// What its value is checked against, for one that was made here.
    pub(crate) element: Option<Element>,
}

impl Stream {
    /// Closes the stream unread: its writer learns of it at its next write.
    ///
    /// # Errors
    /// If the Store no longer knows the stream.
    pub fn close(mut self, store: impl AsContextMut) -> wasmtime::Result<()> {
        self.any.close(store)
    }
}

impl Future {
    /// Closes the future unread.
    ///
    /// # Errors
    /// If the Store no longer knows the future.
    pub fn close(mut self, store: impl AsContextMut) -> wasmtime::Result<()> {
        self.any.close(store)
    }
}
