//! The shell around the state machine: sockets, processes, files and time.
//!
//! Owns: every system call of a running host. One thread runs it all: each socket has a task that
//! reads what is there, hands all its messages to the [`Host`], then lets every peer that has
//! something to be written be written to. The host is never borrowed across an await. May not
//! decide: what an event means, the host says, in [`Effect`]s.

mod clock;
mod files;
mod launch;
mod socket;
mod startup;
mod stdio;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use proc_host_jail::{Launcher, Layers};
use tokio::io::unix::AsyncFd;
use tokio::net::UnixListener;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};

use self::clock::{Clock, System};
use self::launch::Pending;
use self::socket::Socket;
use crate::error::ServerError;
use crate::host::{
    Compile, Effect, Event, Host, Id, Load, LoadResult, Peer, Process, Settings, Time,
};
use crate::listener::{Listener, is_ours};
use crate::options::Options;
use crate::stop::{StopListener, StopSource};
use crate::{Ready, Stop};

/// The shell, shared by its tasks.
type Shared = Rc<Shell>;

pub(crate) struct Shell {
    state: RefCell<State>,
    launcher: Rc<AsyncFd<Launcher>>,
    skip: Layers,
    /// The earliest alarm has come nearer.
    alarm: Notify,
    /// Something for the launcher waits.
    unsent: Notify,
    /// No new clients.
    deaf: Notify,
    /// A load of the startup has ended, or the host has.
    progress: Notify,
    /// Clients whose last bytes are being written.
    closing: Cell<usize>,
    closed: Notify,
}

struct State {
    host: Host,
    clock: Clock,
    sockets: HashMap<Peer, Rc<Socket>>,
    /// Processes by the ids the launcher knows them by.
    processes: HashMap<u64, Process>,
    launched: HashMap<Process, u64>,
    last_launch: u64,
    pending: VecDeque<Pending>,
    /// Memory files compilers write to.
    outputs: HashMap<Id<Compile>, OwnedFd>,
    /// What [`Shell::keep_time`] waits for.
    armed: Option<Time>,
    loaded: HashMap<Id<Load>, Vec<LoadResult>>,
    is_deaf: bool,
    is_stopped: bool,
    /// The launcher has gone.
    broken: Option<io::Error>,
}

/// See [`crate::run`].
pub(crate) fn run(
    options: Options,
    launcher: Launcher,
    stop: StopSource,
    on_ready: impl FnOnce(&Ready<'_>),
) -> Result<(), ServerError> {
    let listener = Listener::open(&options.socket)?;
    files::raise_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServerError::Runtime)?;
    LocalSet::new().block_on(
        &runtime,
        serve(options, launcher, stop, &listener, on_ready),
    )
}

async fn serve(
    options: Options,
    launcher: Launcher,
    stop: StopSource,
    listener: &Listener,
    on_ready: impl FnOnce(&Ready<'_>),
) -> Result<(), ServerError> {
    let launcher = files::watch(launcher).map_err(ServerError::Runtime)?;
    let settings = Settings {
        bounds: options.bounds,
        token: listener.token,
        skip_layers: options.skip_layers,
        pid: std::process::id(),
    };
    let shell = Rc::new(Shell {
        state: RefCell::new(State::new(Host::new(settings, Box::new(System)))),
        launcher: Rc::new(launcher),
        skip: options.skip_layers,
        alarm: Notify::new(),
        unsent: Notify::new(),
        deaf: Notify::new(),
        progress: Notify::new(),
        closing: Cell::new(0),
        closed: Notify::new(),
    });
    let stop = stop.listen().map_err(ServerError::Runtime)?;
    spawn_local(Shell::keep_time(shell.clone()));
    spawn_local(Shell::hear_launcher(shell.clone()));
    spawn_local(Shell::tell_launcher(shell.clone()));
    spawn_local(Shell::obey(shell.clone(), stop));
    if let Some(owner) = options.owner {
        let owner = files::Owner::new(owner).map_err(ServerError::Runtime)?;
        spawn_local(Shell::serve_owner(shell.clone(), owner));
    }
    let started = startup::start(&shell, options.pools).await;
    let result = match started {
        Ok((pools, skipped)) => match shell.listen(listener) {
            Ok(()) => {
                on_ready(&Ready {
                    socket: &listener.path,
                    pools,
                    skipped,
                });
                Ok(())
            }
            Err(error) => Err(ServerError::Runtime(error)),
        },
        Err(error) => Err(error),
    };
    if result.is_err() {
        shell.post(Event::Stop(Stop::Now));
    }
    shell.wait_for_end().await;
    let broken = shell.state.borrow_mut().broken.take();
    match broken {
        Some(error) if result.is_ok() => Err(ServerError::Launcher(error)),
        _ => result,
    }
}

impl State {
    fn new(host: Host) -> State {
        State {
            host,
            clock: Clock::new(),
            sockets: HashMap::new(),
            processes: HashMap::new(),
            launched: HashMap::new(),
            last_launch: 0,
            pending: VecDeque::new(),
            outputs: HashMap::new(),
            armed: None,
            loaded: HashMap::new(),
            is_deaf: false,
            is_stopped: false,
            broken: None,
        }
    }
}

impl Shell {
    /// Tells the host of one event, and does what it says.
    fn post(self: &Rc<Shell>, event: Event) {
        let mut state = self.state.borrow_mut();
        let now = state.clock.now();
        state.host.handle(now, event);
        self.carry_on(&mut state);
    }

    /// Carries out effects, writes what is to be written, keeps the alarm.
    fn carry_on(self: &Rc<Shell>, state: &mut State) {
        loop {
            let effects = state.host.take_effects();
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                if let Some(event) = self.carry_out(state, effect) {
                    let now = state.clock.now();
                    state.host.handle(now, event);
                }
            }
        }
        while let Some(peer) = state.host.next_dirty() {
            if let Some(socket) = state.sockets.get(&peer) {
                socket.flush(&mut state.host, peer);
            }
        }
        let due = state.host.next_due();
        if due.is_some_and(|due| state.armed.is_none_or(|armed| due < armed)) {
            self.alarm.notify_one();
        }
    }

    /// Does one thing; what comes of it at once is an event.
    fn carry_out(self: &Rc<Shell>, state: &mut State, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Prepare { compile, component } => {
                spawn_local(self.clone().prepare(compile, component));
                None
            }
            Effect::SpawnCompiler { compile, component } => {
                let spawned = self.spawn_compiler(state, compile, &component);
                not_spawned(Process::Compiler(compile), spawned)
            }
            Effect::SpawnWorker { worker, artifacts } => {
                let spawned = self.spawn_worker(state, worker, &artifacts);
                not_spawned(Process::Worker(worker), spawned)
            }
            Effect::Seal { compile, length } => {
                let sealed = match state.outputs.remove(&compile) {
                    Some(output) => files::seal_artifact(output, length),
                    None => Err("there is no artifact".to_owned()),
                };
                Some(Event::Sealed(compile, sealed))
            }
            Effect::Kill(process) => {
                if let Some(id) = state.launched.get(&process) {
                    state.pending.push_back(Pending::Kill(*id));
                    self.unsent.notify_one();
                }
                None
            }
            Effect::Forget(process) => {
                if let Some(socket) = state.sockets.remove(&process.into()) {
                    socket.stop();
                }
                if let Some(id) = state.launched.remove(&process) {
                    state.processes.remove(&id);
                }
                if let Process::Compiler(id) = process {
                    state.outputs.remove(&id);
                }
                None
            }
            Effect::CloseClient { client, outbox } => {
                if let Some(socket) = state.sockets.remove(&Peer::Client(client)) {
                    self.closing.set(self.closing.get() + 1);
                    let shell = self.clone();
                    spawn_local(async move {
                        socket.finish(outbox).await;
                        shell.closing.set(shell.closing.get() - 1);
                        shell.closed.notify_one();
                    });
                }
                None
            }
            Effect::Loaded { load, results } => {
                state.loaded.insert(load, results);
                self.progress.notify_one();
                None
            }
            Effect::StopListening => {
                state.is_deaf = true;
                self.deaf.notify_one();
                None
            }
            Effect::Stopped => {
                state.is_stopped = true;
                self.progress.notify_one();
                None
            }
        }
    }

    /// Accepts clients from now on.
    fn listen(self: &Rc<Shell>, listener: &Listener) -> io::Result<()> {
        let socket = UnixListener::from_std(listener.socket.try_clone()?)?;
        spawn_local(self.clone().accept(socket));
        Ok(())
    }

    async fn accept(self: Rc<Shell>, listener: UnixListener) {
        while !self.state.borrow().is_deaf {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.deaf.notified() => break,
            };
            match accepted {
                Ok((socket, _)) => self.welcome(socket),
                // No descriptor is free: some client may go.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
        // The listener holds the socket open until the end: who connects now is told at once.
        let _ = rustix::net::shutdown(&listener, rustix::net::Shutdown::Both);
    }

    fn welcome(self: &Rc<Shell>, socket: tokio::net::UnixStream) {
        let Ok(socket) = socket.into_std() else {
            return;
        };
        if !is_ours(&socket) {
            return;
        }
        let mut state = self.state.borrow_mut();
        let now = state.clock.now();
        let client = state.host.connect(now);
        match self.attach(&mut state, Peer::Client(client), socket) {
            Ok(()) => {}
            Err(_) => state.host.handle(now, Event::ClientGone(client)),
        }
        self.carry_on(&mut state);
    }

    /// Ticks when the host wants it.
    async fn keep_time(self: Rc<Shell>) {
        loop {
            let due = {
                let mut state = self.state.borrow_mut();
                state.armed = state.host.next_due();
                state.armed.map(|due| state.clock.instant(due))
            };
            let sleep = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => self.post(Event::Tick),
                () = self.alarm.notified() => {}
            }
        }
    }

    async fn obey(self: Rc<Shell>, mut stop: StopListener) {
        loop {
            let how = stop.next().await;
            self.post(Event::Stop(how));
        }
    }

    /// Stops when the owner has gone.
    async fn serve_owner(self: Rc<Shell>, owner: files::Owner) {
        owner.gone().await;
        self.post(Event::Stop(Stop::Now));
    }

    /// Waits until no process and no client is left.
    async fn wait_for_end(&self) {
        loop {
            let is_over = {
                let state = self.state.borrow();
                state.is_stopped || state.broken.is_some()
            };
            if is_over {
                break;
            }
            self.progress.notified().await;
        }
        while self.closing.get() > 0 {
            self.closed.notified().await;
        }
    }
}

fn not_spawned(process: Process, spawned: io::Result<()>) -> Option<Event> {
    let error = spawned.err()?;
    Some(Event::SpawnFailed(process, error.to_string()))
}
