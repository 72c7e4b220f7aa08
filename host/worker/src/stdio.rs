//! A guest's standard output and error: lines in the log, each marked with the call that wrote it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use proc_host_wire::Message;
use proc_host_wire::log::Level;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::call::{Call, LogBudget};
use crate::link::Link;
use crate::store::Current;

/// Bytes of a line above which it is cut in two.
const MAX_LINE: usize = 16 << 10;

/// One of the two streams of an instance.
#[derive(Clone, Debug)]
pub(crate) struct Stdio {
    level: Level,
    module: u32,
    link: Arc<Link>,
    current: Arc<Current>,
    limit: u64,
    /// For what is printed outside of any call.
    stray: Arc<Mutex<LogBudget>>,
}

impl Stdio {
    pub(crate) fn new(
        level: Level,
        module: u32,
        link: &Arc<Link>,
        current: &Arc<Current>,
        limit: u64,
    ) -> Stdio {
        Stdio {
            level,
            module,
            link: link.clone(),
            current: current.clone(),
            limit,
            stray: Arc::default(),
        }
    }

    fn print(&self, bytes: &[u8]) {
        let entry = Entry {
            link: &self.link,
            module: self.module,
            level: self.level,
            limit: self.limit,
        };
        match self.current.get() {
            Some(call) => call.with_log(|log| entry.print(call.id, log, bytes)),
            None => {
                let mut log = self.stray.lock().unwrap_or_else(PoisonError::into_inner);
                entry.print(0, &mut log, bytes);
            }
        }
    }
}

/// Where log entries of one module and level go, and how many bytes of them one call may send.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) link: &'a Link,
    pub(crate) module: u32,
    pub(crate) level: Level,
    pub(crate) limit: u64,
}

impl Entry<'_> {
    /// Appends printed bytes; every line that is whole by then goes out.
    fn print(&self, call: u64, log: &mut LogBudget, mut bytes: &[u8]) {
        let at = usize::from(self.level == Level::Stderr);
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let mut line = std::mem::take(&mut log.partial[at]);
            line.extend_from_slice(&bytes[..end]);
            self.send(call, log, line);
            bytes = &bytes[end + 1..];
        }
        for chunk in bytes.chunks(MAX_LINE) {
            log.partial[at].extend_from_slice(chunk);
            if log.partial[at].len() >= MAX_LINE {
                let line = std::mem::take(&mut log.partial[at]);
                self.send(call, log, line);
            }
        }
    }

    /// Sends one entry, or drops and counts it: a log never slows a guest down.
    pub(crate) fn send(&self, call: u64, log: &mut LogBudget, text: Vec<u8>) {
        // Each entry costs at least its frame, or empty ones would be free.
        let cost = text.len() as u64 + 64;
        if log.spent + cost > self.limit || !self.link.has_room() {
            log.dropped = log.dropped.saturating_add(1);
            return;
        }
        log.spent += cost;
        let dropped = std::mem::take(&mut log.dropped);
        let _ = self.link.send(Message::GuestLog {
            call,
            module: self.module,
            level: self.level,
            dropped,
            text: Bytes::from(text),
        });
    }
}

/// Sends what `call` printed without ending the line, and how much of its log was dropped.
pub(crate) fn flush(link: &Link, call: &Call, module: u32) {
    call.with_log(|log| {
        for (at, level) in [(0, Level::Stdout), (1, Level::Stderr)] {
            let line = std::mem::take(&mut log.partial[at]);
            if !line.is_empty() {
                Entry {
                    link,
                    module,
                    level,
                    limit: u64::MAX,
                }
                .send(call.id, log, line);
            }
        }
        if log.dropped > 0 {
            let text = b"log entries of this call were dropped".to_vec();
            Entry {
                link,
                module,
                level: Level::Warn,
                limit: u64::MAX,
            }
            .send(call.id, log, text);
        }
    });
}

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdio {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stdio {
    async fn ready(&mut self) {}
}

impl OutputStream for Stdio {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_LINE)
    }
}

impl AsyncWrite for Stdio {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.print(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
