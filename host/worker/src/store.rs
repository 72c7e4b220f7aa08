//! A Store: one guest instance, its limits, and whose code runs in it.
//!
//! Owns: attributing running code to a call, and stopping it. May not know: the socket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use proc_host_engine::TICK;
use wasmtime::component::{GuestTaskId, ResourceTable};
use wasmtime::{
    CallHook, Engine, Store, StoreContextMut, StoreLimits, StoreLimitsBuilder, UpdateDeadline,
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::call::Call;
use crate::module::Module;
use crate::stdio::Stdio;

/// Ticks that code of a call may still run after the call was let go of.
const OVERTIME: u32 = 50;

/// Bytes of host memory that lifting one value may take outside of the transcoder.
const HOSTCALL_FUEL: usize = 256 << 20;

/// What a Store holds besides its instance.
pub(crate) struct Data {
    pub(crate) module: Arc<Module>,
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
    /// Which call each of the guest's root tasks belongs to.
    tasks: HashMap<GuestTaskId, Arc<Call>>,
    /// The call whose code called into the host last.
    current: Arc<Current>,
    /// The call that the instance is made for, while it is.
    starting: Option<Arc<Call>>,
    /// The call whose code was stopped, and why.
    stopped: Option<(Arc<Call>, Stop)>,
}

/// The call whose code runs, where one's does.
#[derive(Debug, Default)]
pub(crate) struct Current(Mutex<Option<Arc<Call>>>);

/// Why running code was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its deadline has passed.
    TimedOut,
    /// It was cancelled.
    Cancelled,
    /// It ran on after its call had been let go of.
    Overtime,
}

impl Current {
    pub(crate) fn get(&self) -> Option<Arc<Call>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, call: Option<Arc<Call>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = call;
    }
}

impl Data {
    /// Notes whose task this is.
    pub(crate) fn own(&mut self, task: GuestTaskId, call: Arc<Call>) {
        self.tasks.insert(task, call);
    }

    /// Nobody's task any more.
    pub(crate) fn disown(&mut self, task: GuestTaskId, call: &Arc<Call>) {
        if self
            .tasks
            .get(&task)
            .is_some_and(|owner| Arc::ptr_eq(owner, call))
        {
            self.tasks.remove(&task);
        }
    }

    /// The instance is there: what runs from now on runs for its own call.
    pub(crate) fn started(&mut self) {
        self.starting = None;
    }

    /// The call whose code was stopped.
    pub(crate) fn take_stopped(&mut self) -> Option<(Arc<Call>, Stop)> {
        self.stopped.take()
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Data")
            .field("module", &self.module.name)
            .finish_non_exhaustive()
    }
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// A Store for one instance of `module`, made because of `call`.
pub(crate) fn new_store(engine: &Engine, module: &Arc<Module>, call: &Arc<Call>) -> Store<Data> {
    let current = Arc::new(Current::default());
    let stdio = |level| {
        Stdio::new(
            level,
            module.index,
            &module.link,
            &current,
            module.limits.log_bytes,
        )
    };
    // No arguments, variables, files or sockets; clocks and randomness as they are.
    let wasi = WasiCtxBuilder::new()
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(64 << 10)
        .stdout(stdio(proc_host_wire::log::Level::Stdout))
        .stderr(stdio(proc_host_wire::log::Level::Stderr))
        .build();
    let mut table = ResourceTable::new();
    table.set_max_capacity(1_000);
    let limits = StoreLimitsBuilder::new()
        .memory_size(usize::try_from(module.limits.memory).unwrap_or(usize::MAX))
        .table_elements(usize::try_from(module.limits.table).unwrap_or(usize::MAX))
        .instances(64)
        .memories(8)
        .tables(64)
        .build();
    let data = Data {
        module: module.clone(),
        wasi,
        table,
        limits,
        tasks: HashMap::new(),
        current,
        starting: Some(call.clone()),
        stopped: None,
    };
    let mut store = Store::new(engine, data);
    store.limiter(|data| &mut data.limits);
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(at_tick);
    store.call_hook(at_crossing);
    store
}

/// The call that the running code belongs to: whoever owns the root of the stack of tasks.
pub(crate) fn running(store: &mut StoreContextMut<'_, Data>) -> Option<Arc<Call>> {
    let root = store.async_call_stack().ok()?.last();
    let data = store.data();
    root.and_then(|root| data.tasks.get(&root))
        .or(data.starting.as_ref())
        .cloned()
}

/// Each tick of running code: it yields, unless its time is up. It yields to the runtime and not
/// just to its neighbours, so that calls that have arrived meanwhile are heard.
fn at_tick(mut store: StoreContextMut<'_, Data>) -> wasmtime::Result<UpdateDeadline> {
    if let Some(call) = running(&mut store)
        && let Some(stop) = overrun(&call, Instant::now())
    {
        store.data_mut().stopped = Some((call, stop));
        return Ok(UpdateDeadline::Interrupt);
    }
    let turn = Box::pin(tokio::task::yield_now());
    Ok(UpdateDeadline::YieldCustom(1, turn))
}

/// Whether code of `call` must not go on.
fn overrun(call: &Call, now: Instant) -> Option<Stop> {
    if call.is_ended() {
        return (call.tick_overtime() > OVERTIME).then_some(Stop::Overtime);
    }
    if call.is_cancelled() {
        return Some(Stop::Cancelled);
    }
    // Once it has answered, its streams live as long as the host lets them.
    let overdue = call.deadline.is_some_and(|deadline| deadline + TICK < now);
    (overdue && !call.is_answered()).then_some(Stop::TimedOut)
}

/// Each call from the guest into the host: what it prints and logs is its call's.
fn at_crossing(mut store: StoreContextMut<'_, Data>, hook: CallHook) -> wasmtime::Result<()> {
    if matches!(hook, CallHook::CallingHost) {
        let call = running(&mut store);
        store.data().current.set(call);
    }
    Ok(())
}
