//! One instance and the task that drives it: its Store, its calls, its resources.
//!
//! Owns: what ends with the Store, and who is told. Everything in one Store shares its fate: one
//! trap, one spinning call, and all of them are over. May not know: the socket, other instances.
//!
//! ```text
//! spawned ──first job──> making ──> turning <──> releasing resources (between turns)
//!                          │           │
//!                          └──error────┴──trap──> failed: every call is told, the rest sent back
//! ```

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use proc_host_wire::start::Instances;
use proc_host_wire::{Outcome, Trap};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wasmtime::{AsContextMut, Engine, Store};

use crate::call::{Call, Calls, lock};
use crate::convert::Arguments;
use crate::handles::Handles;
use crate::module::Module;
use crate::store::{Data, Stop, new_store, running};
use crate::stream::Piping;
use crate::turn::{Exit, Turn};
use crate::{stdio, trap};

/// Calls whose code did not end when they were let go of, above which an instance takes no more.
const MAX_LEFTOVERS: u32 = 64;

/// An instance, as the dispatcher sees it.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) module: Arc<Module>,
    pub(crate) calls: Arc<Calls>,
    pub(crate) handles: Arc<Handles>,
    /// Takes no more calls than it has.
    pub(crate) retired: Cell<bool>,
    /// Calls it was given and has not begun.
    pub(crate) queued: Cell<u32>,
    /// Calls it was given, ever.
    pub(crate) uses: Cell<u32>,
    /// Code of calls that were let go of and that has not ended.
    pub(crate) leftovers: Cell<u32>,
    jobs: UnboundedSender<Job>,
}

/// What an instance is asked to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// Run a call.
    Call(Pending),
    /// Let a stream flow that came inside of an item.
    Pipe(Piping),
    /// Look at the handles: some were released.
    Release,
}

/// A call that waits for its instance.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) call: Arc<Call>,
    pub(crate) arguments: Arguments,
    pub(crate) attachments: Vec<proc_host_wire::Attachment>,
}

/// What instances are made with.
#[derive(Debug)]
pub(crate) struct Maker {
    pub(crate) engine: Engine,
    /// One permit for each instance the engine's pool has room for.
    pub(crate) room: Arc<Semaphore>,
    /// Where calls go that an instance could not begin.
    pub(crate) returns: UnboundedSender<Pending>,
}

impl Instance {
    /// An instance to be made at its first call.
    pub(crate) fn spawn(maker: &Rc<Maker>, module: &Arc<Module>) -> Rc<Instance> {
        let (sender, jobs) = unbounded_channel();
        let instance = Rc::new(Instance {
            module: module.clone(),
            calls: Arc::default(),
            handles: Arc::new(Handles::new(sender.clone())),
            retired: Cell::new(false),
            queued: Cell::new(0),
            uses: Cell::new(0),
            leftovers: Cell::new(0),
            jobs: sender,
        });
        tokio::task::spawn_local(drive(maker.clone(), instance.clone(), jobs));
        instance
    }

    /// Gives it a call. An instance that is over sends it back to be placed anew.
    pub(crate) fn give(&self, pending: Pending) -> Result<(), Pending> {
        self.uses.set(self.uses.get() + 1);
        self.queued.set(self.queued.get() + 1);
        self.jobs
            .send(Job::Call(pending))
            .map_err(|unsent| match unsent.0 {
                Job::Call(pending) => pending,
                Job::Pipe(_) | Job::Release => unreachable!("a call was sent"),
            })
    }

    /// Begins a call: from here on it shares the fate of the instance.
    pub(crate) fn begin(&self, call: &Arc<Call>) {
        self.queued.set(self.queued.get().saturating_sub(1));
        call.settle(&self.calls);
    }

    /// Code of a call that was let go of has not ended. A shared instance bears some of it, any
    /// other takes no more calls.
    pub(crate) fn leave_behind(&self) {
        self.leftovers.set(self.leftovers.get() + 1);
        if self.module.instances != Instances::Shared || self.leftovers.get() >= MAX_LEFTOVERS {
            self.retired.set(true);
        }
    }

    /// Whether it takes new calls.
    pub(crate) fn is_open(&self) -> bool {
        !self.retired.get() && !self.jobs.is_closed()
    }

    /// Whether nothing of it is in use.
    pub(crate) fn is_idle(&self) -> bool {
        self.queued.get() == 0 && lock(&self.calls).is_empty() && self.handles.is_empty()
    }
}

/// The life of one instance.
async fn drive(maker: Rc<Maker>, instance: Rc<Instance>, mut jobs: UnboundedReceiver<Job>) {
    let Some(Job::Call(first)) = jobs.recv().await else {
        return;
    };
    let permit = tokio::select! {
        permit = maker.room.clone().acquire_owned() => permit,
        stop = expired(&first.call) => {
            instance.retired.set(true);
            first.call.abandon(outcome(stop, None));
            return give_back(&maker, jobs);
        }
    };
    instance.begin(&first.call);
    let mut store = new_store(&maker.engine, &instance.module, &first.call);
    let made = instance.module.pre.instantiate_async(&mut store).await;
    let result = match made {
        Ok(made) => {
            store.data_mut().started();
            let mut turn = Turn::new(instance.clone(), made);
            turn.begin_with(first);
            turns(&mut store, &mut turn, &mut jobs).await
        }
        Err(error) => Err(error),
    };
    instance.retired.set(true);
    if let Err(error) = result {
        fail(&mut store, &instance, &error);
    }
    // Calls given from here on are sent back by `give`, those already in the channel here.
    give_back(&maker, jobs);
    drop(store);
    drop(permit);
}

async fn turns(
    store: &mut Store<Data>,
    turn: &mut Turn,
    jobs: &mut UnboundedReceiver<Job>,
) -> wasmtime::Result<()> {
    loop {
        match store
            .run_concurrent(async |accessor| turn.run(accessor, jobs).await)
            .await?
        {
            Exit::Done => return Ok(()),
            Exit::Failed(error) => return Err(error),
            Exit::Release(resources) => {
                for resource in resources {
                    resource.resource_drop_async(&mut *store).await?;
                }
                turn.module().link.quieter.notify_one();
            }
        }
    }
}

/// Tells every call of the instance why it is over.
fn fail(store: &mut Store<Data>, instance: &Instance, error: &wasmtime::Error) {
    let trap = trap::describe(error);
    let stopped = store.data_mut().take_stopped();
    let calls: Vec<_> = lock(&instance.calls).values().cloned().collect();
    let culprit = match &stopped {
        Some((call, _)) => Some(call.clone()),
        None => running(&mut store.as_context_mut())
            .or_else(|| <[_; 1]>::try_from(calls.clone()).ok().map(|[only]| only)),
    };
    for call in calls {
        stdio::flush(&instance.module.link, &call, instance.module.index);
        let own = culprit
            .as_ref()
            .is_some_and(|culprit| Arc::ptr_eq(culprit, &call));
        let stop = stopped.as_ref().filter(|_| own).map(|(_, stop)| *stop);
        call.abandon(match stop {
            Some(stop) => outcome(stop, Some(&trap)),
            None if own || culprit.is_none() => Outcome::Trapped(trap.clone()),
            None => Outcome::Trapped(Trap {
                reason: format!(
                    "another call ended the instance they shared: {}",
                    trap.reason
                ),
                own: false,
                backtrace: Vec::new(),
            }),
        });
    }
}

/// What a call is told whose code was stopped.
pub(crate) fn outcome(stop: Stop, trap: Option<&Trap>) -> Outcome {
    match (stop, trap) {
        (Stop::TimedOut, _) => Outcome::TimedOut { dispatched: true },
        (Stop::Overtime, Some(trap)) => Outcome::Trapped(trap.clone()),
        (Stop::Cancelled | Stop::Overtime, _) => Outcome::Cancelled { dispatched: true },
    }
}

/// Waits until the call's time is up or it is cancelled.
pub(crate) async fn expired(call: &Call) -> Stop {
    let deadline = async {
        match call.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = call.cancelled() => Stop::Cancelled,
        () = deadline => Stop::TimedOut,
    }
}

fn give_back(maker: &Maker, mut jobs: UnboundedReceiver<Job>) {
    jobs.close();
    while let Ok(job) = jobs.try_recv() {
        if let Job::Call(pending) = job {
            let _ = maker.returns.send(pending);
        }
    }
}
