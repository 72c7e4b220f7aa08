//! How a host is told to stop: once to drain, twice to stop at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// How urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Let calls that run end first.
    Drain,
    /// At once.
    Now,
}

/// Tells a host to stop; cheap to clone, from any thread.
#[derive(Clone, Debug)]
pub struct Stopper(mpsc::UnboundedSender<Stop>);

impl Stopper {
    /// Stops the host this was made for. A second `Drain` counts as `Now`.
    pub fn stop(&self, how: Stop) {
        // A host that has ended needs no telling.
        let _ = self.0.send(how);
    }
}

/// Where a host hears that it should stop.
#[derive(Debug)]
pub struct StopSource(Source);

#[derive(Debug)]
enum Source {
    Process,
    Channel(mpsc::UnboundedReceiver<Stop>),
}

impl StopSource {
    /// SIGINT and SIGTERM of this process.
    pub fn signals() -> StopSource {
        StopSource(Source::Process)
    }

    /// A handle of the program's own.
    pub fn channel() -> (Stopper, StopSource) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Stopper(sender), StopSource(Source::Channel(receiver)))
    }

    /// Starts listening; inside a runtime.
    pub(crate) fn listen(self) -> io::Result<StopListener> {
        Ok(match self.0 {
            Source::Channel(receiver) => StopListener::Channel(receiver),
            Source::Process => StopListener::Process(
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            ),
        })
    }
}

#[derive(Debug)]
pub(crate) enum StopListener {
    Process(Signal, Signal),
    Channel(mpsc::UnboundedReceiver<Stop>),
}

impl StopListener {
    /// The next request to stop; never ends where nobody can ask any more.
    pub(crate) async fn next(&mut self) -> Stop {
        match self {
            StopListener::Process(interrupt, terminate) => {
                tokio::select! {
                    _ = interrupt.recv() => Stop::Drain,
                    _ = terminate.recv() => Stop::Drain,
                }
            }
            StopListener::Channel(receiver) => match receiver.recv().await {
                Some(stop) => stop,
                None => std::future::pending().await,
            },
        }
    }
}
