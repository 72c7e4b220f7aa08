//! The host as a state machine: events in, messages and effects out.
//!
//! Owns: every decision. An event changes the tables here, puts messages into the outboxes of peers
//! and effects into a list; the shell ([`crate::shell`]) writes the ones and carries out the others.
//! May not know: sockets, processes, files, the clock, or where randomness comes from: it is told
//! the time with every event and given an [`Environment`]. So every order of events can be tried in
//! a test.

mod arena;
mod budget;
mod call;
mod callback;
mod client;
mod compile;
mod dispatch;
mod drain;
mod handle;
mod link;
mod load;
mod log;
mod module;
mod names;
mod outcome;
mod placement;
mod pool;
mod process;
mod queue;
mod relay;
mod report;
mod request;
mod restart;
mod set;
mod shutdown;
mod stream;
mod submit;
mod time;
mod worker;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use proc_host_jail::Layers;
use proc_host_wire::{Frame, Message, Outbox, ProtocolError};
use thiserror::Error;

pub(crate) use self::arena::{Arena, Id};
pub(crate) use self::call::Call;
pub(crate) use self::client::Client;
pub(crate) use self::compile::{Compile, Digest};
pub(crate) use self::link::{Link, Peer, Process};
pub(crate) use self::load::{Load, LoadResult};
pub(crate) use self::log::Log;
pub(crate) use self::module::{Compiled, NewModule};
pub(crate) use self::pool::{Entry, Pool};
pub(crate) use self::process::Death;
pub(crate) use self::set::Set;
pub(crate) use self::shutdown::Phase;
pub(crate) use self::time::{Alarm, Now, Time, Timers};
pub(crate) use self::worker::Worker;

use crate::options::Bounds;

/// What the state machine asks of the world and is answered at once.
pub(crate) trait Environment {
    /// Any number, unpredictable to peers; from a seed in tests.
    fn random(&mut self) -> u64;
    /// Resident bytes of a process.
    fn resident(&mut self, pid: u32) -> u64;
}

/// What is fixed when the host starts.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) bounds: Bounds,
    pub(crate) token: [u8; 32],
    pub(crate) skip_layers: Layers,
    pub(crate) pid: u32,
}

/// A peer broke the rules: it is closed (a client) or killed (a worker).
#[derive(Debug, Error)]
pub(crate) enum Breach {
    #[error(transparent)]
    Wire(#[from] ProtocolError),
    #[error("call {0} is in use")]
    CallInUse(u64),
    #[error("{0}")]
    Rule(&'static str),
}

/// Something happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client sent a message.
    FromClient(Id<Client>, Message),
    /// A client sent what is no message.
    BadClient(Id<Client>, ProtocolError),
    /// A client's socket has ended.
    ClientGone(Id<Client>),
    /// A process sent a message.
    FromProcess(Process, Message),
    /// A process sent what is no message.
    BadProcess(Process, ProtocolError),
    /// A process's socket has ended: nothing more comes from it.
    Hangup(Process),
    /// A process runs.
    Spawned(Process, u32),
    /// A process could not be started.
    SpawnFailed(Process, String),
    /// A process has ended and is reaped.
    Exited(Process, Death),
    /// A process printed a line.
    Printed(Process, Bytes),
    /// A component lies in a sealed memory file.
    Prepared(Id<Compile>, Result<(Digest, Arc<OwnedFd>), String>),
    /// An artifact is sealed.
    Sealed(Id<Compile>, Result<Arc<OwnedFd>, String>),
    /// The host is told to stop.
    Stop(crate::Stop),
    /// Time has passed.
    Tick,
}

/// Something for the shell to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Digest the component, copy it into a sealed memory file; answer with `Prepared`.
    Prepare {
        compile: Id<Compile>,
        component: Bytes,
    },
    /// Start a compiler on this component and a new memory file.
    SpawnCompiler {
        compile: Id<Compile>,
        component: Arc<OwnedFd>,
    },
    /// Seal a compiler's memory file and check its size; answer with `Sealed`.
    Seal { compile: Id<Compile>, length: u64 },
    /// Start a worker with these artifacts.
    SpawnWorker {
        worker: Id<Worker>,
        artifacts: Vec<Arc<OwnedFd>>,
    },
    /// End a process that has been started.
    Kill(Process),
    /// Close what is left of a process that has ended.
    Forget(Process),
    /// Write what is left, then close a client's socket.
    CloseClient { client: Id<Client>, outbox: Outbox },
    /// A load of the startup has ended.
    Loaded {
        load: Id<Load>,
        results: Vec<LoadResult>,
    },
    /// Accept nobody any more.
    StopListening,
    /// No process is left: the host may end.
    Stopped,
}

/// The host.
pub(crate) struct Host {
    now: Now,
    settings: Settings,
    environment: Box<dyn Environment>,
    clients: Arena<Client>,
    pools: Arena<Pool>,
    pool_names: HashMap<String, Id<Pool>>,
    entries: Arena<Entry>,
    sets: Arena<Set>,
    workers: Arena<Worker>,
    calls: Arena<Call>,
    loads: Arena<Load>,
    compiles: Arena<Compile>,
    compiled: HashMap<Digest, Weak<Compiled>>,
    log: Log,
    timers: Timers,
    phase: Phase,
    /// Running numbers: of calls, of dispatches, of loads.
    call_numbers: u64,
    uses: u64,
    load_numbers: u64,
    dirty: Vec<Peer>,
    effects: Vec<Effect>,
    /// Peers to be given up once the event at hand is dealt with.
    overfull: Vec<Peer>,
}

impl Host {
    pub(crate) fn new(settings: Settings, environment: Box<dyn Environment>) -> Host {
        let log = Log::new(settings.bounds.log_entries, settings.bounds.log_bytes);
        Host {
            now: Now::default(),
            settings,
            environment,
            clients: Arena::default(),
            pools: Arena::default(),
            pool_names: HashMap::new(),
            entries: Arena::default(),
            sets: Arena::default(),
            workers: Arena::default(),
            calls: Arena::default(),
            loads: Arena::default(),
            compiles: Arena::default(),
            compiled: HashMap::new(),
            log,
            timers: Timers::default(),
            phase: Phase::Serving,
            call_numbers: 0,
            uses: 0,
            load_numbers: 0,
            dirty: Vec::new(),
            effects: Vec::new(),
            overfull: Vec::new(),
        }
    }

    /// Takes in one event.
    pub(crate) fn handle(&mut self, now: Now, event: Event) {
        self.now = now;
        match event {
            Event::FromClient(client, message) => self.client_said(client, message),
            Event::BadClient(client, error) => self.refuse(client, &error.to_string()),
            Event::ClientGone(client) => self.client_gone(client),
            Event::FromProcess(Process::Worker(id), message) => self.worker_said(id, message),
            Event::FromProcess(Process::Compiler(id), message) => self.compiler_said(id, message),
            Event::BadProcess(process, error) => self.process_broke(process, &error.into()),
            Event::Hangup(process) => self.process_hung_up(process),
            Event::Spawned(process, pid) => self.process_spawned(process, pid),
            Event::SpawnFailed(process, why) => self.process_failed(process, &why),
            Event::Exited(process, death) => self.process_exited(process, death),
            Event::Printed(process, line) => self.process_printed(process, &line),
            Event::Prepared(compile, result) => self.prepared(compile, result),
            Event::Sealed(compile, result) => self.sealed(compile, result),
            Event::Stop(stop) => self.stop(stop),
            Event::Tick => self.tick(),
        }
        self.settle();
    }

    /// When [`Event::Tick`] is next due.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.timers.next()
    }

    /// What there is to do, in order.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// A peer that has something to be written.
    pub(crate) fn next_dirty(&mut self) -> Option<Peer> {
        let peer = self.dirty.pop()?;
        if let Some(link) = self.link(peer) {
            link.is_dirty = false;
        }
        Some(peer)
    }

    /// Moves what is to be written to `peer` next into `buffer`; false where there is nothing.
    pub(crate) fn fill(&mut self, peer: Peer, buffer: &mut Vec<u8>) -> bool {
        let low = self.settings.bounds.outbox_low;
        let Some(link) = self.link(peer) else {
            return false;
        };
        let filled = link.outbox.fill(buffer);
        if let Peer::Worker(id) = peer
            && link.outbox.len() <= low
        {
            self.worker_has_room(id);
        }
        filled
    }

    /// Whether more may be read from `peer`: a client that does not read is not listened to.
    pub(crate) fn may_read(&self, peer: Peer) -> bool {
        match peer {
            Peer::Client(id) => self
                .clients
                .get(id)
                .is_none_or(|client| client.link.outbox.len() < self.settings.bounds.outbox_low),
            Peer::Worker(_) | Peer::Compiler(_) => true,
        }
    }

    /// The message of a frame; parsing is the same for all peers of a kind.
    pub(crate) fn understand(peer: Peer, frame: Frame) -> Result<Message, ProtocolError> {
        let link = match peer {
            Peer::Client(_) => proc_host_wire::Link::ClientToHost,
            Peer::Worker(_) | Peer::Compiler(_) => proc_host_wire::Link::WorkerToHost,
        };
        Message::from_frame(link, frame)
    }

    fn link(&mut self, peer: Peer) -> Option<&mut Link> {
        match peer {
            Peer::Client(id) => self.clients.get_mut(id).map(|client| &mut client.link),
            Peer::Worker(id) => self.workers.get_mut(id).map(|worker| &mut worker.link),
            Peer::Compiler(id) => self.compiles.get_mut(id).map(|compile| &mut compile.link),
        }
    }

    /// Queues a message. False where it is over a limit of the wire, and then nothing is queued.
    fn tell(&mut self, peer: Peer, message: Message) -> bool {
        let high = self.settings.bounds.outbox_high;
        let Some(link) = self.link(peer) else {
            return true;
        };
        let pushed = link.outbox.push(message).is_ok();
        let waiting = link.outbox.len();
        if link.touch() {
            self.dirty.push(peer);
        }
        if waiting > self.settings.bounds.outbox_low
            && let Peer::Worker(id) = peer
            && let Some(worker) = self.workers.get_mut(id)
        {
            worker.was_full = true;
        }
        if waiting > high {
            self.overfull.push(peer);
        }
        pushed
    }

    fn tell_client(&mut self, client: Id<Client>, message: Message) -> bool {
        self.tell(Peer::Client(client), message)
    }

    fn tell_worker(&mut self, worker: Id<Worker>, message: Message) -> bool {
        self.tell(Peer::Worker(worker), message)
    }

    /// What an event leaves to be done once no table is being changed.
    fn settle(&mut self) {
        while let Some(peer) = self.overfull.pop() {
            match peer {
                Peer::Client(id) => self.refuse(id, "too much waits to be read"),
                Peer::Worker(id) => self.unresponsive(id, "it does not read what it is sent"),
                Peer::Compiler(_) => {}
            }
        }
        self.finish_stopping();
        let alive = self.calls.len() + self.workers.len() + self.clients.len() + self.sets.len();
        if self.timers.is_swollen(alive) {
            let mut timers = std::mem::take(&mut self.timers);
            timers.sweep(|at, alarm| self.is_current(at, alarm));
            self.timers = timers;
        }
    }

    fn tick(&mut self) {
        while let Some((at, alarm)) = self.timers.pop(self.now.time) {
            if !self.is_current(at, alarm) {
                continue;
            }
            match alarm {
                Alarm::Call(id) => self.call_due(id),
                Alarm::Client(id) => self.refuse(id, "no hello came"),
                Alarm::Worker(id) => self.worker_due(id),
                Alarm::Set(id) => self.restart_due(id),
                Alarm::Compile(id) => self.compile_due(id),
                Alarm::Stop => self.stop_due(),
            }
        }
    }

    fn is_current(&self, at: Time, alarm: Alarm) -> bool {
        let timer = match alarm {
            Alarm::Call(id) => self.calls.get(id).and_then(|call| call.timer),
            Alarm::Client(id) => self.clients.get(id).and_then(|client| client.timer),
            Alarm::Worker(id) => self.workers.get(id).and_then(|worker| worker.timer),
            Alarm::Set(id) => self.sets.get(id).and_then(|set| set.timer),
            Alarm::Compile(id) => self.compiles.get(id).and_then(|compile| compile.timer),
            Alarm::Stop => self.phase.timer(),
        };
        timer == Some(at)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("clients", &self.clients.len())
            .field("workers", &self.workers.len())
            .field("calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}
