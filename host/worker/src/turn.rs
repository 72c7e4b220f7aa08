//! The calls of one instance, while its Store runs.
//!
//! Owns: starting calls, waiting for the first of return, cancel and deadline, and answering. May
//! not know: how the Store is made or ends.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt};
use proc_host_wire::outcome::OutcomeCode;
use proc_host_wire::{AttachmentKind, Denied, DeniedReason, Outcome, Value, outcome::Routed};
use tokio::sync::mpsc::UnboundedReceiver;
use wasmtime::component::{Accessor, GuestTaskId, ResourceAny};
use wasmtime::{AsContextMut, Result, StoreContextMut};

use crate::call::Call;
use crate::convert::{Attachment, Future, Reply, Started, Stream, TypedCall, Wanted};
use crate::incoming::Incoming;
use crate::instance::{Instance, Job, Pending, expired, outcome};
use crate::module::Module;
use crate::stdio;
use crate::store::{Data, Stop};
use crate::stream::{Sink, Source};

/// Why a turn ended.
#[derive(Debug)]
pub(crate) enum Exit {
    /// Nothing is left to do, and nothing will come.
    Done,
    /// These resources are to be dropped, which takes the Store as a whole.
    Release(Vec<ResourceAny>),
    /// The Store is dead.
    Failed(wasmtime::Error),
}

/// What the calls of an instance wait for.
#[derive(Debug)]
pub(crate) struct Turn {
    instance: Rc<Instance>,
    made: wasmtime::component::Instance,
    bound: Vec<Option<TypedCall>>,
    running: FuturesUnordered<Pin<Box<dyn std::future::Future<Output = Event>>>>,
    first: Option<Pending>,
}

type Finish = Pin<Box<dyn std::future::Future<Output = Result<Reply>>>>;

/// What a call does next.
enum Event {
    /// Its function returned, or the Store is dead.
    Returned(Arc<Call>, GuestTaskId, Result<Reply>),
    /// Its time was up while it waited.
    Expired(Arc<Call>, GuestTaskId, Stop, Finish),
    /// Code of a call that had been let go of ended.
    Left(Arc<Call>, GuestTaskId, Result<Reply>),
    /// The last stream of a call ended.
    Ended(Arc<Call>, GuestTaskId),
}

impl Turn {
    pub(crate) fn new(instance: Rc<Instance>, made: wasmtime::component::Instance) -> Turn {
        let bound = instance.module.functions.iter().map(|_| None).collect();
        Turn {
            instance,
            made,
            bound,
            running: FuturesUnordered::new(),
            first: None,
        }
    }

    pub(crate) fn module(&self) -> &Module {
        &self.instance.module
    }

    /// The call the instance was made for, which has begun.
    pub(crate) fn begin_with(&mut self, first: Pending) {
        self.first = Some(first);
    }

    /// Runs calls until the Store is needed as a whole, or over.
    pub(crate) async fn run(
        &mut self,
        accessor: &Accessor<Data>,
        jobs: &mut UnboundedReceiver<Job>,
    ) -> Exit {
        match self.try_run(accessor, jobs).await {
            Ok(exit) => exit,
            Err(error) => Exit::Failed(error),
        }
    }

    async fn try_run(
        &mut self,
        accessor: &Accessor<Data>,
        jobs: &mut UnboundedReceiver<Job>,
    ) -> Result<Exit> {
        if let Some(first) = self.first.take() {
            self.start(accessor, first)?;
        }
        loop {
            while let Ok(job) = jobs.try_recv() {
                self.take(accessor, job)?;
            }
            let released = self.instance.handles.take_released();
            if !released.is_empty() {
                return Ok(Exit::Release(released));
            }
            if self.is_over() {
                return Ok(Exit::Done);
            }
            tokio::select! {
                Some(event) = self.running.next() => self.handle(accessor, event)?,
                job = jobs.recv() => match job {
                    Some(job) => self.take(accessor, job)?,
                    None => return Ok(Exit::Done),
                },
            }
        }
    }

    /// Whether no call is left and none will come. Code of calls that were let go of ends with the
    /// Store: nothing else would end it where it waits.
    fn is_over(&self) -> bool {
        let instance = &self.instance;
        instance.retired.get()
            && self.running.len() == instance.leftovers.get() as usize
            && instance.is_idle()
    }

    fn take(&mut self, accessor: &Accessor<Data>, job: Job) -> Result<()> {
        match job {
            Job::Call(pending) => {
                self.instance.begin(&pending.call);
                self.start(accessor, pending)
            }
            Job::Pipe(piping) => accessor.with(|mut access| piping.start(access.as_context_mut())),
            Job::Release => Ok(()),
        }
    }

    /// Hands a call to the guest. Whatever can be refused is refused here; an error from here on
    /// costs the Store.
    fn start(&mut self, accessor: &Accessor<Data>, pending: Pending) -> Result<()> {
        let call = pending.call.clone();
        if call.is_cancelled() {
            call.abandon(Outcome::Cancelled { dispatched: true });
            return Ok(());
        }
        if call
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now())
        {
            call.abandon(Outcome::TimedOut { dispatched: true });
            return Ok(());
        }
        let started = accessor.with(|mut access| {
            let mut store = access.as_context_mut();
            let Some(started) = self.enter(&mut store, pending)? else {
                return Ok(None);
            };
            store.data_mut().own(started.task(), call.clone());
            Ok::<_, wasmtime::Error>(Some(started))
        })?;
        if let Some(started) = started {
            self.running.push(Box::pin(watch(call, started)));
        }
        Ok(())
    }

    fn enter(
        &mut self,
        store: &mut StoreContextMut<'_, Data>,
        pending: Pending,
    ) -> Result<Option<Started<Data>>> {
        let Pending {
            call,
            arguments,
            attachments,
        } = pending;
        let typed = self.typed(store, call.function)?;
        let attached = match self.attach(store, &call, arguments.wanted(), &attachments)? {
            Ok(attached) => attached,
            Err(denied) => {
                self.instance.handles.give_back(call.id);
                call.abandon(Outcome::Denied(denied));
                return Ok(None);
            }
        };
        let handles = &self.instance.handles;
        let bare = attached.is_empty();
        match typed.attach(arguments, attached) {
            Ok(args) => {
                if !bare {
                    handles.consume(call.id);
                }
                typed.start(store, args).map(Some)
            }
            Err(error) => {
                handles.give_back(call.id);
                let function = &self.instance.module.functions[call.function as usize];
                let message = format!("{error}; the function is `{}`", function.text);
                call.abandon(Outcome::Denied(Denied::new(
                    DeniedReason::BadArguments,
                    message,
                )));
                Ok(None)
            }
        }
    }

    fn typed(&mut self, store: &mut StoreContextMut<'_, Data>, function: u32) -> Result<TypedCall> {
        let at = function as usize;
        if let Some(Some(typed)) = self.bound.get(at) {
            return Ok(typed.clone());
        }
        let function = &self.instance.module.functions[at];
        let func = self
            .made
            .get_func(&mut *store, function.index)
            .ok_or_else(|| wasmtime::format_err!("the instance lacks `{}`", function.text))?;
        let signature = function
            .signature
            .clone()
            .map_err(|why| wasmtime::format_err!("{why}"))?;
        let typed = TypedCall::bind(&*store, func, signature)?;
        self.bound[at] = Some(typed.clone());
        Ok(typed)
    }

    /// Turns what the arguments name by index into what the guest gets.
    fn attach(
        &self,
        store: &mut StoreContextMut<'_, Data>,
        call: &Arc<Call>,
        wanted: impl Iterator<Item = (usize, Wanted)>,
        attachments: &[proc_host_wire::Attachment],
    ) -> Result<Result<Vec<Attachment>, Denied>> {
        let link = &self.instance.module.link;
        let mut attached = Vec::with_capacity(attachments.len());
        for (index, wanted) in wanted {
            debug_assert_eq!(index, attached.len());
            let id = attachments[index].id;
            let open = |element: &crate::convert::Element, single| {
                u32::try_from(id)
                    .ok()
                    .and_then(|id| Incoming::open(id, call, link, element.clone(), single))
                    .ok_or_else(|| {
                        let message = format!("stream {id} of the arguments is named twice");
                        Denied::new(DeniedReason::BadArguments, message)
                    })
            };
            attached.push(match wanted {
                Wanted::Own | Wanted::Borrow => {
                    let owned = matches!(wanted, Wanted::Own);
                    match self.instance.handles.lend(id, owned, call.id) {
                        Some(resource) => Attachment::Resource(resource),
                        None => {
                            let message = format!("handle {id} is not open, or is in use");
                            return Ok(Err(Denied::new(DeniedReason::UnknownHandle, message)));
                        }
                    }
                }
                Wanted::Stream(element) => match open(&element, false) {
                    Ok(incoming) => Attachment::Stream(Stream::from_source(
                        &mut *store,
                        element,
                        Source(incoming),
                    )?),
                    Err(denied) => return Ok(Err(denied)),
                },
                Wanted::Future(element) => match open(&element, true) {
                    Ok(incoming) => Attachment::Future(Future::from_source(
                        &mut *store,
                        element,
                        Source(incoming),
                    )?),
                    Err(denied) => return Ok(Err(denied)),
                },
            });
        }
        Ok(Ok(attached))
    }

    fn handle(&mut self, accessor: &Accessor<Data>, event: Event) -> Result<()> {
        match event {
            Event::Returned(call, task, Ok(reply)) => {
                accessor.with(|mut access| {
                    let mut store = access.as_context_mut();
                    self.answer(&mut store, &call, reply)?;
                    if call.is_ended() {
                        store.data_mut().disown(task, &call);
                    }
                    Ok::<_, wasmtime::Error>(())
                })?;
                if !call.is_ended() {
                    self.running.push(Box::pin(async move {
                        call.ended().await;
                        Event::Ended(call, task)
                    }));
                }
            }
            Event::Expired(call, task, stop, finish) => {
                stdio::flush(
                    &self.instance.module.link,
                    &call,
                    self.instance.module.index,
                );
                call.abandon(outcome(stop, None));
                self.instance.handles.give_back(call.id);
                let instance = &self.instance;
                instance.leave_behind();
                self.running.push(Box::pin(async move {
                    let result = finish.await;
                    Event::Left(call, task, result)
                }));
            }
            Event::Left(call, task, Ok(reply)) => {
                self.instance
                    .leftovers
                    .set(self.instance.leftovers.get().saturating_sub(1));
                accessor.with(|mut access| {
                    let mut store = access.as_context_mut();
                    store.data_mut().disown(task, &call);
                    for attachment in reply.attachments {
                        match attachment {
                            Attachment::Stream(stream) => stream.close(&mut store)?,
                            Attachment::Future(future) => future.close(&mut store)?,
                            Attachment::Resource(resource) => {
                                self.instance.handles.release_resource(resource);
                            }
                        }
                    }
                    Ok::<_, wasmtime::Error>(())
                })?;
            }
            Event::Returned(_, _, Err(error)) | Event::Left(_, _, Err(error)) => return Err(error),
            Event::Ended(call, task) => accessor.with(|mut access| {
                access.as_context_mut().data_mut().disown(task, &call);
            }),
        }
        Ok(())
    }

    /// Sends what a function returned, and lets its streams flow.
    fn answer(
        &self,
        store: &mut StoreContextMut<'_, Data>,
        call: &Arc<Call>,
        reply: Reply,
    ) -> Result<()> {
        self.instance.handles.give_back(call.id);
        stdio::flush(&self.instance.module.link, call, self.instance.module.index);
        let mut attachments = Vec::with_capacity(reply.attachments.len());
        for attachment in reply.attachments {
            let (entry, piping) = Sink::receive(attachment, call, &self.instance.handles);
            attachments.push(entry);
            if let Some(piping) = piping {
                piping.start(&mut *store)?;
            }
        }
        let code = if reply.raised {
            OutcomeCode::Raised
        } else {
            OutcomeCode::Returned
        };
        let value = Value {
            body: reply.body.into(),
            attachments,
        };
        call.answer(Routed {
            code,
            dispatched: true,
            value,
        });
        Ok(())
    }
}

async fn watch(call: Arc<Call>, started: Started<Data>) -> Event {
    let task = started.task();
    let mut finish: Finish = Box::pin(started.finish());
    tokio::select! {
        biased;
        result = &mut finish => Event::Returned(call, task, result),
        stop = expired(&call) => Event::Expired(call, task, stop, finish),
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Event::Returned(..) => "Returned",
            Event::Expired(..) => "Expired",
            Event::Left(..) => "Left",
            Event::Ended(..) => "Ended",
        })
    }
}

/// The kinds of an attachment table, as arguments are checked against.
pub(crate) fn kinds(attachments: &[proc_host_wire::Attachment]) -> Vec<AttachmentKind> {
    attachments
        .iter()
        .map(|attachment| attachment.kind)
        .collect()
}
