//! The resources of one instance that callers hold handles to.
//!
//! Owns: that a resource lives while it is lent, and is dropped once it is released. May not know:
//! who holds a handle; the host keeps that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;
use wasmtime::component::ResourceAny;

use crate::instance::Job;
use crate::stream::Piping;

/// Handles are unique in a worker: no instance ever answers to another's.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The table of one instance.
#[derive(Debug)]
pub(crate) struct Handles {
    state: Mutex<State>,
    /// Wakes the instance.
    jobs: UnboundedSender<Job>,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<u64, Entry>,
    released: Vec<ResourceAny>,
}

#[derive(Debug)]
struct Entry {
    resource: ResourceAny,
    /// Running calls it is lent to.
    borrowers: Vec<u64>,
    /// The call that is about to consume it.
    taker: Option<u64>,
    released: bool,
}

impl Handles {
    pub(crate) fn new(jobs: UnboundedSender<Job>) -> Handles {
        Handles {
            state: Mutex::default(),
            jobs,
        }
    }

    /// A handle for a resource the guest has given away.
    pub(crate) fn insert(&self, resource: ResourceAny) -> u64 {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let entry = Entry {
            resource,
            borrowers: Vec::new(),
            taker: None,
            released: false,
        };
        self.lock().open.insert(id, entry);
        id
    }

    /// Takes a resource for `call`: for good once it begins where `owned`, else until
    /// [`Handles::give_back`]. None where there is no such handle, or it would be consumed while it
    /// is lent.
    pub(crate) fn lend(&self, id: u64, owned: bool, call: u64) -> Option<ResourceAny> {
        let mut state = self.lock();
        let entry = state.open.get_mut(&id);
        let entry = entry.filter(|entry| !entry.released && entry.taker.is_none())?;
        if !owned {
            entry.borrowers.push(call);
        } else if entry.borrowers.is_empty() {
            entry.taker = Some(call);
        } else {
            return None;
        }
        Some(entry.resource)
    }

    /// `call` begins: what it owns is the guest's again.
    pub(crate) fn consume(&self, call: u64) {
        self.lock()
            .open
            .retain(|_, entry| entry.taker != Some(call));
    }

    /// `call` borrows nothing any more, and consumes nothing where it did not begin.
    pub(crate) fn give_back(&self, call: u64) {
        let mut state = self.lock();
        if state.open.is_empty() {
            return;
        }
        for entry in state.open.values_mut() {
            entry.borrowers.retain(|borrower| *borrower != call);
            entry.taker = entry.taker.filter(|taker| *taker != call);
        }
        Self::sweep(&mut state);
    }

    /// The holder of a handle has dropped it.
    pub(crate) fn release(&self, id: u64) {
        let mut state = self.lock();
        if let Some(entry) = state.open.get_mut(&id) {
            entry.released = true;
        }
        Self::sweep(&mut state);
        drop(state);
        let _ = self.jobs.send(Job::Release);
    }

    /// A resource nobody got a handle to.
    pub(crate) fn release_resource(&self, resource: ResourceAny) {
        self.lock().released.push(resource);
        let _ = self.jobs.send(Job::Release);
    }

    /// Has a stream flow that came inside of an item.
    pub(crate) fn pipe(&self, piping: Piping) {
        let _ = self.jobs.send(Job::Pipe(piping));
    }

    /// What is to be dropped now.
    pub(crate) fn take_released(&self) -> Vec<ResourceAny> {
        std::mem::take(&mut self.lock().released)
    }

    pub(crate) fn holds(&self, id: u64) -> bool {
        self.lock().open.contains_key(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.open.is_empty() && state.released.is_empty()
    }

    fn sweep(state: &mut State) {
        let State { open, released } = state;
        open.retain(|_, entry| {
            let done = entry.released && entry.borrowers.is_empty();
            if done {
                released.push(entry.resource);
            }
            !done
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
