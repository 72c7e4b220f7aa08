//! The log as a stream.

use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use proc_host_wire::control::{Reply, Request};
use proc_host_wire::log::LogEntry;
use tokio::sync::mpsc;

use crate::error::RequestError;
use crate::link::Link;

/// Entries that may wait for a slow reader; what comes on top is dropped and counted.
const WAITING: usize = 16 << 10;

/// Entries of the log, as a `futures::Stream`.
pub struct Logs {
    link: Link,
    entries: mpsc::Receiver<LogEntry>,
    request: Option<BoxFuture<'static, Result<Reply, RequestError>>>,
    follow: bool,
}

impl Logs {
    pub(crate) async fn open(path: &Path, follow: bool) -> Result<Logs, RequestError> {
        let (link, _) = Link::open(path).await?;
        let (sender, entries) = mpsc::channel(WAITING);
        link.lock().logs = Some(sender);
        let asking = link.clone();
        let request = async move { asking.request(Request::Logs { follow }, Bytes::new()).await };
        Ok(Logs {
            link,
            entries,
            request: Some(Box::pin(request)),
            follow,
        })
    }

    /// Entries lost so far because they were not read in time.
    pub fn dropped(&self) -> u64 {
        self.link.lock().logs_dropped
    }
}

impl Stream for Logs {
    type Item = Result<LogEntry, RequestError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(request) = &mut self.request
            && let Poll::Ready(reply) = request.as_mut().poll(cx)
        {
            self.request = None;
            if let Err(error) = reply {
                return Poll::Ready(Some(Err(error)));
            }
            if !self.follow {
                // The answer comes behind the last entry; nobody will send another.
                self.link.lock().logs = None;
            }
        }
        self.entries.poll_recv(cx).map(|entry| entry.map(Ok))
    }
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs")
            .field("follow", &self.follow)
            .finish_non_exhaustive()
    }
}
