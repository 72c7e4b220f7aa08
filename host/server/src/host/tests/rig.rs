//! A host with nothing real around it. Compilers do their work by themselves; workers get ready by
//! themselves unless told not to, and otherwise say what the test says.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proc_host_jail::Layers;
use proc_host_wire::interface::{Function, Interface};
use proc_host_wire::message::{Call, Deadline, Dispatch, Ended, Window};
use proc_host_wire::{Inbox, Link, Message, Outcome, Value};

use crate::host::*;
use crate::options::{Bounds, ModuleDefaults};

pub(super) struct Rig {
    pub(super) host: Host,
    pub(super) now: Now,
    inboxes: HashMap<Peer, Inbox>,
    /// Workers in the order of their start.
    pub(super) workers: Vec<Id<Worker>>,
    /// Workers that were to be killed.
    pub(super) killed: Vec<Id<Worker>>,
    /// What clients that were closed heard last.
    pub(super) farewells: HashMap<Id<Client>, Vec<Message>>,
    pub(super) loaded: Vec<Vec<LoadResult>>,
    pub(super) stays_unready: bool,
    pub(super) is_stopped: bool,
}

struct Seeded(u64);

impl Environment for Seeded {
    fn random(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        self.0 >> 16
    }

    fn resident(&mut self, pid: u32) -> u64 {
        u64::from(pid) << 10
    }
}

pub(super) const TOKEN: [u8; 32] = [5; 32];

/// A component that passes for one; different text makes a different one.
pub(super) fn component(text: &str) -> Bytes {
    Bytes::from([b"\0asm\x0d\0\x01\0", text.as_bytes()].concat())
}

pub(super) fn module(name: &str) -> NewModule {
    NewModule {
        name: name.to_owned(),
        component: component(name),
        instances: None,
        limits: None,
        deadline: None,
    }
}

fn file() -> Arc<OwnedFd> {
    Arc::new(std::fs::File::open("/dev/null").unwrap().into())
}

fn interface() -> Interface {
    let function = |name: &str| Function {
        interface: None,
        name: name.to_owned(),
        is_async: false,
        params: Vec::new(),
        result: None,
        unsupported: None,
    };
    Interface {
        functions: vec![function("f"), function("g")],
        ..Interface::default()
    }
}

impl Rig {
    /// Without pools.
    pub(super) fn bare() -> Rig {
        let settings = Settings {
            bounds: Bounds {
                heartbeat: Duration::from_secs(1_000_000),
                ..Bounds::default()
            },
            token: TOKEN,
            skip_layers: Layers::NONE,
            pid: 1,
        };
        Rig {
            host: Host::new(settings, Box::new(Seeded(1))),
            now: Now {
                time: Time(1_000_000),
                wall_ms: 1,
            },
            inboxes: HashMap::new(),
            workers: Vec::new(),
            killed: Vec::new(),
            farewells: HashMap::new(),
            loaded: Vec::new(),
            stays_unready: false,
            is_stopped: false,
        }
    }

    /// With a pool `P` of so many slots and these modules.
    pub(super) fn new(slots: u32, modules: &[&str]) -> Rig {
        let mut rig = Rig::bare();
        let defaults = ModuleDefaults::default();
        let pool = rig.host.create_pool("P", slots, defaults, None).unwrap();
        rig.load(pool, modules.iter().map(|name| module(name)).collect());
        rig
    }

    pub(super) fn pool(&self) -> Id<Pool> {
        self.host.pool_names["P"]
    }

    pub(super) fn load(&mut self, pool: Id<Pool>, modules: Vec<NewModule>) {
        self.host.load(pool, modules, None);
        self.work();
    }

    pub(super) fn event(&mut self, event: Event) {
        self.host.handle(self.now, event);
        self.work();
    }

    /// Carries out effects until there are none.
    pub(super) fn work(&mut self) {
        loop {
            let effects = self.host.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.carry_out(effect);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let now = self.now;
        let mut say = |event| self.host.handle(now, event);
        match effect {
            Effect::Prepare { compile, component } => {
                let digest = *blake3::hash(&component).as_bytes();
                say(Event::Prepared(compile, Ok((digest, file()))));
            }
            Effect::SpawnCompiler { compile, .. } => {
                let process = Process::Compiler(compile);
                let interface = interface().encode();
                say(Event::Spawned(process, 7));
                say(Event::FromProcess(
                    process,
                    Message::Compiled {
                        artifact_len: 3,
                        interface,
                    },
                ));
                say(Event::Hangup(process));
                say(Event::Exited(process, Death::Exit(0)));
            }
            Effect::Seal { compile, length: 3 } => say(Event::Sealed(compile, Ok(file()))),
            Effect::Seal { .. } => panic!("a length nobody said"),
            Effect::SpawnWorker { worker, .. } => {
                self.workers.push(worker);
                let process = Process::Worker(worker);
                say(Event::Spawned(process, 100));
                if !self.stays_unready {
                    self.ready(worker);
                }
            }
            Effect::Kill(Process::Worker(worker)) => {
                self.killed.push(worker);
                say(Event::Exited(Process::Worker(worker), Death::Signal(9)));
                say(Event::Hangup(Process::Worker(worker)));
            }
            Effect::Kill(Process::Compiler(_)) | Effect::Forget(_) | Effect::StopListening => {}
            Effect::CloseClient { client, mut outbox } => {
                let mut bytes = Vec::new();
                while outbox.fill(&mut bytes) {}
                let inbox = self.inboxes.entry(Peer::Client(client)).or_default();
                inbox.feed(&bytes);
                let messages = drain(inbox, Link::HostToClient);
                self.farewells.insert(client, messages);
            }
            Effect::Loaded { results, .. } => self.loaded.push(results),
            Effect::Stopped => self.is_stopped = true,
        }
    }

    pub(super) fn ready(&mut self, worker: Id<Worker>) {
        self.worker_says(
            worker,
            Message::Ready {
                layers: Layers::ALL.bits(),
            },
        );
    }

    pub(super) fn worker_says(&mut self, worker: Id<Worker>, message: Message) {
        self.event(Event::FromProcess(Process::Worker(worker), message));
    }

    pub(super) fn client_says(&mut self, client: Id<Client>, message: Message) {
        self.event(Event::FromClient(client, message));
    }

    /// Dies as processes do: the socket closes, then it is reaped.
    pub(super) fn die(&mut self, worker: Id<Worker>, death: Death) {
        self.event(Event::Hangup(Process::Worker(worker)));
        self.event(Event::Exited(Process::Worker(worker), death));
    }

    pub(super) fn advance(&mut self, duration: Duration) {
        let end = self.now.time + duration;
        while let Some(due) = self.host.next_due().filter(|due| *due <= end) {
            self.now.time = due.max(self.now.time);
            self.event(Event::Tick);
        }
        self.now.time = end;
        self.event(Event::Tick);
    }

    /// A client that has said hello.
    pub(super) fn client(&mut self) -> Id<Client> {
        let client = self.host.connect(self.now);
        let hello = Message::Hello {
            major: 1,
            features: 0,
            token: TOKEN,
            name: String::new(),
        };
        self.client_says(client, hello);
        assert!(matches!(
            self.heard(client).as_slice(),
            [Message::Welcome { .. }]
        ));
        client
    }

    /// What a client has been sent since it was last asked.
    pub(super) fn heard(&mut self, client: Id<Client>) -> Vec<Message> {
        self.sent(Peer::Client(client), Link::HostToClient)
    }

    /// What a worker has been sent, but for its start.
    pub(super) fn told(&mut self, worker: Id<Worker>) -> Vec<Message> {
        let mut messages = self.sent(Peer::Worker(worker), Link::HostToWorker);
        messages.retain(|message| !matches!(message, Message::Start(_)));
        messages
    }

    fn sent(&mut self, peer: Peer, link: Link) -> Vec<Message> {
        let mut bytes = Vec::new();
        while self.host.fill(peer, &mut bytes) {}
        let inbox = self.inboxes.entry(peer).or_default();
        inbox.feed(&bytes);
        drain(inbox, link)
    }

    pub(super) fn call(&mut self, client: Id<Client>, id: u64, target: &str) {
        self.client_says(client, Message::Call(call(id, target)));
    }

    /// The one dispatch a worker has been sent.
    pub(super) fn dispatch(&mut self, worker: Id<Worker>) -> Dispatch {
        match self.told(worker).as_slice() {
            [Message::Dispatch(dispatch)] => dispatch.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The one outcome a client has been sent.
    pub(super) fn outcome(&mut self, client: Id<Client>) -> (u64, Outcome) {
        match self.heard(client).as_slice() {
            [Message::Outcome(ended)] => (ended.call, ended.outcome.clone().open().unwrap()),
            other => panic!("{other:?}"),
        }
    }

    /// The worker's outcome, and that it has let go.
    pub(super) fn end(&mut self, worker: Id<Worker>, call: u64, outcome: Outcome) {
        self.worker_says(worker, reported(call, outcome));
        self.worker_says(worker, Message::Ended { call });
    }

    /// No call waits while a worker that would do has room.
    pub(super) fn assert_busy(&self) {
        for (_, call) in self
            .host
            .calls
            .iter()
            .filter(|(_, call)| call.run().is_none())
        {
            let entry = self.host.entries.get(call.entry).unwrap();
            let seats = &self.host.sets.get(entry.set).unwrap().seats;
            for id in seats.iter().filter_map(|seat| seat.worker) {
                let worker = self.host.workers.get(id).unwrap();
                let would_do = worker.is_ready() && call.want.admits(id, worker.at.slot);
                assert!(
                    !would_do || worker.room(&entry.module).is_none(),
                    "a call waits in vain"
                );
            }
        }
    }

    /// Nothing is left of any call.
    pub(super) fn assert_clean(&self) {
        assert_eq!(self.host.calls.len(), 0, "calls");
        for (_, client) in self.host.clients.iter() {
            assert!(client.calls.is_empty() && client.questions.is_empty());
        }
        for (_, worker) in self.host.workers.iter() {
            assert!(worker.calls.is_empty());
            assert!(worker.is_dead() || worker.hosted.iter().all(|hosted| hosted.running == 0));
        }
        for (_, pool) in self.host.pools.iter() {
            assert_eq!((pool.queued, pool.queued_bytes), (0, 0), "queue");
        }
        for (_, entry) in self.host.entries.iter() {
            assert!(entry.waiting.is_empty());
        }
    }
}

fn drain(inbox: &mut Inbox, link: Link) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(frame) = inbox.next_frame().unwrap() {
        messages.push(Message::from_frame(link, frame).unwrap());
    }
    messages
}

pub(super) fn value(text: &'static str) -> Value {
    Value {
        body: Bytes::from_static(text.as_bytes()),
        attachments: Vec::new(),
    }
}

pub(super) fn returned(text: &'static str) -> Outcome {
    Outcome::Returned(value(text))
}

pub(super) fn reported(call: u64, outcome: Outcome) -> Message {
    Message::Outcome(Ended {
        call,
        worker: None,
        attempts: 1,
        outcome: outcome.into(),
    })
}

pub(super) fn call(id: u64, target: &str) -> Call {
    Call {
        call: id,
        pool: "P".to_owned(),
        target: target.to_owned(),
        slot: None,
        generation: None,
        deadline: Deadline::Default,
        listens: false,
        window: Window {
            items: 4,
            bytes: 100,
        },
        arguments: value("arguments"),
    }
}
