//! One connection: what every part of the client shares.
//!
//! Owns: the outbox, the ids, and the table of calls, streams and requests under way. A message is
//! queued under the lock by whoever sends it; one task moves bytes ([`drive`]) and sorts what
//! arrives into the table ([`receive`]). The lock is never held across an await.

mod drive;
mod entry;
mod handshake;
mod receive;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use proc_host_wire::control::{Reply, Request};
use proc_host_wire::log::LogEntry;
use proc_host_wire::message::Call;
use proc_host_wire::{Message, Outbox, ProtocolError};
use tokio::sync::{Notify, mpsc, oneshot};

pub(crate) use self::entry::{Batch, CallEntry, Finish};
use crate::callback::PoolHandler;
use crate::error::RequestError;

/// A user's hold on the connection: it closes when the last one goes.
#[derive(Clone, Debug)]
pub(crate) struct Link(Arc<User>);

/// A [`Link`] that does not keep the connection open.
#[derive(Clone, Debug)]
pub(crate) struct WeakLink(Weak<User>);

#[derive(Debug)]
struct User {
    shared: Arc<Shared>,
}

/// What users and the driving task have in common.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    wake: Notify,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) outbox: Outbox,
    /// The last id given to a call or request; they share one sequence and none comes again.
    last_id: u64,
    pub(crate) calls: HashMap<u64, CallEntry>,
    requests: HashMap<u64, oneshot::Sender<Result<Reply, RequestError>>>,
    pub(crate) handlers: HashMap<String, PoolHandler>,
    pub(crate) logs: Option<mpsc::Sender<LogEntry>>,
    /// Entries the log's reader was too slow for.
    pub(crate) logs_dropped: u64,
    /// Why nothing more comes.
    pub(crate) lost: Option<String>,
    /// No user is left.
    closing: bool,
}

/// A call or request that was not sent.
#[derive(Debug)]
pub(crate) enum NotSent {
    Lost(String),
    TooLarge(ProtocolError),
}

impl Link {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.shared.lock()
    }

    pub(crate) fn downgrade(&self) -> WeakLink {
        WeakLink(Arc::downgrade(&self.0))
    }

    /// Queues a message where the connection still stands.
    pub(crate) fn send(&self, message: Message) {
        self.lock().send(message);
        self.wake();
    }

    /// Has the queue written.
    pub(crate) fn wake(&self) {
        self.0.shared.wake.notify_one();
    }

    /// Queues a call and enters it in the table; its id is chosen here.
    pub(crate) fn call(&self, mut call: Call, sinks: usize) -> Result<u64, NotSent> {
        let mut state = self.lock();
        let id = state.next_id()?;
        call.call = id;
        let (listens, window) = (call.listens, call.window);
        state
            .outbox
            .push(Message::Call(call))
            .map_err(NotSent::TooLarge)?;
        state
            .calls
            .insert(id, CallEntry::new(listens, window, sinks));
        drop(state);
        self.wake();
        Ok(id)
    }

    /// Asks and waits for the answer.
    pub(crate) async fn request(
        &self,
        request: Request,
        payload: bytes::Bytes,
    ) -> Result<Reply, RequestError> {
        let (sender, receiver) = oneshot::channel();
        let queued = {
            let mut state = self.lock();
            state.next_id().and_then(|id| {
                state
                    .outbox
                    .push(Message::Request {
                        id,
                        request,
                        payload,
                    })
                    .map_err(NotSent::TooLarge)?;
                state.requests.insert(id, sender);
                Ok(())
            })
        };
        match queued {
            Ok(()) => self.wake(),
            Err(NotSent::Lost(why)) => return Err(RequestError::Lost(why)),
            Err(NotSent::TooLarge(error)) => return Err(RequestError::TooLarge(error)),
        }
        receiver
            .await
            .unwrap_or_else(|_| Err(RequestError::Lost("closed".to_owned())))
    }
}

impl WeakLink {
    pub(crate) fn upgrade(&self) -> Option<Link> {
        self.0.upgrade().map(Link)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_id(&mut self) -> Result<u64, NotSent> {
        if let Some(why) = &self.lost {
            return Err(NotSent::Lost(why.clone()));
        }
        self.last_id += 1;
        Ok(self.last_id)
    }

    /// Queues a message of bounded size.
    pub(crate) fn send(&mut self, message: Message) {
        if self.lost.is_none() {
            let queued = self.outbox.push(message);
            debug_assert!(queued.is_ok());
        }
    }

    /// Ends everything under way: calls are unknown, streams and requests lost.
    fn lose(&mut self, why: &str) -> Vec<Waker> {
        self.lost = Some(why.to_owned());
        self.outbox = Outbox::default();
        self.logs = None;
        self.handlers.clear();
        for (_, request) in self.requests.drain() {
            // The asker may have stopped waiting.
            let _ = request.send(Err(RequestError::Lost(why.to_owned())));
        }
        self.calls
            .values_mut()
            .flat_map(|call| call.lose(why))
            .collect()
    }

    /// Forgets a call nobody waits for any more.
    pub(crate) fn reap(&mut self, call: u64) {
        if self.calls.get(&call).is_some_and(CallEntry::is_over) {
            self.calls.remove(&call);
        }
    }
}
