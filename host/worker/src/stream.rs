//! The pumps' two ends: what a guest writes goes out, what a caller sends comes in.
//!
//! Owns: turning attachments met in results and items into entries of the wire. May not know:
//! credit, which the streams keep.

use std::sync::Arc;
use std::task::{Context, Poll};

use proc_host_wire::{Attachment as Entry, AttachmentKind, Value};
use wasmtime::{AsContextMut, Result};

use crate::call::Call;
use crate::convert::{
    Attachment, CheckedItems, Credit, Future, ItemSink, ItemSource, Items, Stream,
};
use crate::handles::Handles;
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;

/// Where a guest's items go.
#[derive(Debug)]
pub(crate) struct Sink {
    stream: Arc<Outgoing>,
    call: Arc<Call>,
    handles: Arc<Handles>,
}

/// A stream of a guest that has its place on the wire and waits for its Store to let it flow.
#[derive(Debug)]
pub(crate) struct Piping {
    from: Readable,
    into: Sink,
}

#[derive(Debug)]
enum Readable {
    Stream(Stream),
    Future(Future),
}

impl Piping {
    /// Lets it flow.
    pub(crate) fn start(self, store: impl AsContextMut) -> Result<()> {
        match self.from {
            Readable::Stream(stream) => stream.pipe(store, self.into),
            Readable::Future(future) => future.pipe(store, self.into),
        }
    }
}

impl Sink {
    /// Gives an attachment its entry on the wire; a stream or future still has to be started.
    pub(crate) fn receive(
        attachment: Attachment,
        call: &Arc<Call>,
        handles: &Arc<Handles>,
    ) -> (Entry, Option<Piping>) {
        let (kind, from) = match attachment {
            Attachment::Resource(resource) => {
                let id = handles.insert(resource);
                return (
                    Entry {
                        kind: AttachmentKind::Resource,
                        id,
                    },
                    None,
                );
            }
            Attachment::Stream(stream) => (AttachmentKind::Stream, Readable::Stream(stream)),
            Attachment::Future(future) => (AttachmentKind::Future, Readable::Future(future)),
        };
        let stream = call.open_outgoing();
        let entry = Entry {
            kind,
            id: u64::from(stream.id),
        };
        let into = Sink {
            stream,
            call: call.clone(),
            handles: handles.clone(),
        };
        (entry, Some(Piping { from, into }))
    }
}

impl ItemSink for Sink {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Option<Credit>> {
        self.stream.poll_credit(context).map(|items| {
            items.map(|items| Credit {
                items,
                bytes: self.stream.byte_credit(),
            })
        })
    }

    fn push(&mut self, items: Items) {
        let mut attachments = Vec::with_capacity(items.attachments.len());
        for attachment in items.attachments {
            let (entry, piping) = Sink::receive(attachment, &self.call, &self.handles);
            attachments.push(entry);
            if let Some(piping) = piping {
                self.handles.pipe(piping);
            }
        }
        let count = u32::try_from(items.count).unwrap_or(u32::MAX);
        self.stream.send(
            count,
            Value {
                body: items.body.into(),
                attachments,
            },
        );
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stream.end();
    }
}

/// Where a guest's items come from.
#[derive(Debug)]
pub(crate) struct Source(pub(crate) Arc<Incoming>);

impl ItemSource for Source {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<CheckedItems>> {
        self.0.poll_take(context)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.0.close();
    }
}
