//! Honest clients, and workers honest or not, one step at a time; what they hear is checked.

use std::collections::HashMap;
use std::time::Duration;

use proc_host_wire::message::{Answer, Call, Deadline};
use proc_host_wire::start::{Instances, ModuleLimits};
use proc_host_wire::{Attachment, AttachmentKind, Message, Value};

use super::random::Step;
use super::rig::{Rig, call, component, module, value};
use crate::Stop;
use crate::host::*;

/// A client and what it may expect.
#[derive(Default)]
struct Seat {
    id: Option<Id<Client>>,
    /// Calls made, with the outcomes heard of each.
    calls: HashMap<u64, u32>,
    last: u64,
    handles: Vec<u64>,
    questions: Vec<(u64, u32)>,
    /// Credit of argument stream 2, by call.
    credit: HashMap<u64, u32>,
    fed: HashMap<u64, bool>,
    /// Streams that were announced and have not ended.
    streams: HashMap<(u64, u32), bool>,
}

pub(super) struct World {
    pub(super) rig: Rig,
    seats: Vec<Seat>,
    /// Worker streams that are open, with what may be sent, by host call.
    pub(super) open: HashMap<u64, u32>,
    pub(super) reported: HashMap<u64, bool>,
}

impl World {
    /// Two workers, three clients.
    pub(super) fn new() -> World {
        let mut rig = Rig::bare();
        let pool = rig
            .host
            .create_pool("P", 2, Default::default(), None)
            .unwrap();
        rig.load(pool, vec![module("a"), exclusive("b")]);
        let mut seats: Vec<Seat> = (0..4).map(|_| Seat::default()).collect();
        for seat in &mut seats[..3] {
            seat.id = Some(rig.client());
        }
        World {
            rig,
            seats,
            open: HashMap::new(),
            reported: HashMap::new(),
        }
    }

    /// Whatever was cancelled or overdue ends by its own clocks, the rest by the end of the host.
    pub(super) fn finish(mut self) {
        self.rig.advance(Duration::from_secs(120));
        self.listen();
        self.rig.event(Event::Stop(Stop::Now));
        for seat in &mut self.seats {
            let Some(id) = seat.id else { continue };
            for message in self.rig.farewells.remove(&id).unwrap() {
                if let Message::Outcome(ended) = message {
                    *seat.calls.get_mut(&ended.call).unwrap() += 1;
                }
            }
            for (call, outcomes) in &seat.calls {
                assert_eq!(*outcomes, 1, "outcomes of call {call}");
            }
        }
        assert!(self.rig.is_stopped);
        self.rig.assert_clean();
        assert!(self.rig.host.workers.is_empty() && self.rig.host.clients.is_empty());
    }

    pub(super) fn listen(&mut self) {
        self.rig.assert_busy();
        for at in 0..self.seats.len() {
            let Some(id) = self.seats[at].id else {
                continue;
            };
            let gone = self.rig.farewells.remove(&id);
            let messages = match gone {
                Some(messages) => {
                    self.take(at, messages);
                    self.seats[at] = Seat::default();
                    continue;
                }
                None => self.rig.heard(id),
            };
            self.take(at, messages);
        }
    }

    fn take(&mut self, at: usize, messages: Vec<Message>) {
        let seat = &mut self.seats[at];
        for message in messages {
            match message {
                Message::Outcome(ended) => {
                    let outcomes = seat
                        .calls
                        .get_mut(&ended.call)
                        .expect("a call that was made");
                    *outcomes += 1;
                    assert_eq!(*outcomes, 1, "one outcome of call {}", ended.call);
                    for attachment in &ended.outcome.value.attachments {
                        match attachment.kind {
                            AttachmentKind::Resource => seat.handles.push(attachment.id),
                            _ => {
                                let stream = u32::try_from(attachment.id).unwrap();
                                seat.streams.entry((ended.call, stream)).or_insert(true);
                            }
                        }
                    }
                }
                Message::Items { call, stream, .. } => {
                    // Items that were under way when the reader closed are not passed on.
                    assert_ne!(
                        seat.streams.get(&(call, stream)),
                        Some(&false),
                        "items after the end"
                    );
                }
                Message::End { call, stream, .. } => {
                    // It may overtake the outcome that announces its stream.
                    let is_early = seat.calls.get(&call) == Some(&0);
                    let was = seat.streams.insert((call, stream), false);
                    let is_known = was == Some(true) || (was.is_none() && is_early);
                    assert!(is_known, "one end of stream {stream} of call {call}");
                }
                Message::Credit { call, items, .. } => {
                    *seat.credit.entry(call).or_default() += items
                }
                Message::Callback { call, callback, .. } => seat.questions.push((call, callback)),
                Message::Close { call, .. } => {
                    seat.fed.insert(call, false);
                }
                Message::Refused(why) => panic!("an honest client is refused: {why}"),
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) fn worker(&self, at: usize) -> Option<Id<Worker>> {
        let ids = self.rig.host.workers.ids();
        (!ids.is_empty()).then(|| ids[at % ids.len()])
    }

    fn running(&mut self, worker: usize, call: usize) -> Option<(Id<Worker>, u64)> {
        let worker = self.worker(worker)?;
        let calls = &self.rig.host.workers.get(worker)?.calls;
        (!calls.is_empty()).then(|| (worker, calls[call % calls.len()].raw()))
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Connect => {
                if let Some(at) = self.seats.iter().position(|seat| seat.id.is_none()) {
                    self.seats[at].id = Some(self.rig.client());
                }
            }
            Step::Leave(at) => {
                if let Some(id) = self.seats[at].id {
                    self.rig.event(Event::ClientGone(id));
                    self.rig.farewells.remove(&id);
                    self.seats[at] = Seat::default();
                }
            }
            Step::Call {
                client,
                slot,
                deadline,
                listens,
                stream,
            } => {
                let seat = &mut self.seats[client];
                let Some(client) = seat.id else { return };
                seat.last += 1;
                let id = seat.last;
                seat.calls.insert(id, 0);
                let mut new = Call {
                    slot,
                    listens,
                    ..call(id, if id.is_multiple_of(2) { "a.f" } else { "b.g" })
                };
                new.deadline = match deadline {
                    0 => Deadline::Never,
                    1 | 2 => Deadline::Default,
                    micros => Deadline::Micros(micros * 100_000),
                };
                if stream {
                    new.arguments = with(AttachmentKind::Stream, 2);
                    seat.fed.insert(id, true);
                }
                self.rig.client_says(client, Message::Call(new));
            }
            Step::CallWithHandle { client } => {
                let seat = &mut self.seats[client];
                let (Some(client), Some(handle)) = (seat.id, seat.handles.last()) else {
                    return;
                };
                seat.last += 1;
                seat.calls.insert(seat.last, 0);
                let arguments = with(AttachmentKind::Resource, *handle);
                let new = Call {
                    arguments,
                    ..call(seat.last, "a.f")
                };
                self.rig.client_says(client, Message::Call(new));
            }
            Step::Cancel { client, call } => {
                self.say(client, call, |call| Message::Cancel { call })
            }
            Step::Credit { client, call } => self.say(client, call, |call| Message::Credit {
                call,
                stream: 1,
                items: 3,
                bytes: 50,
            }),
            Step::Close { client, call } => {
                let seat = &mut self.seats[client];
                let id = seat.last.saturating_sub(call) + 1;
                if seat.streams.get(&(id, 1)) == Some(&true) {
                    seat.streams.insert((id, 1), false);
                    self.say(client, call, |call| Message::Close { call, stream: 1 });
                }
            }
            Step::Feed { client, call, end } => self.feed(client, call, end),
            Step::Answer { client } => {
                let seat = &mut self.seats[client];
                let (Some(client), Some((call, callback))) = (seat.id, seat.questions.pop()) else {
                    return;
                };
                let answer = Answer::Value("yes".into());
                self.rig.client_says(
                    client,
                    Message::Answer {
                        call,
                        callback,
                        answer,
                    },
                );
            }
            Step::Release { client } => {
                let seat = &mut self.seats[client];
                if let (Some(client), Some(handle)) = (seat.id, seat.handles.pop()) {
                    self.rig.client_says(client, Message::Release { handle });
                }
            }
            Step::Worker { worker, call, act } => {
                if let Some((worker, call)) = self.running(worker, call) {
                    self.act(worker, call, act);
                }
            }
            Step::Die {
                worker,
                hangs_up_first,
            } => {
                let Some(worker) = self.worker(worker) else {
                    return;
                };
                let process = Process::Worker(worker);
                let (hangup, exited) = (
                    Event::Hangup(process),
                    Event::Exited(process, Death::Signal(9)),
                );
                let events = if hangs_up_first {
                    [hangup, exited]
                } else {
                    [exited, hangup]
                };
                for event in events {
                    self.rig.event(event);
                }
            }
            Step::Advance(millis) => self.rig.advance(Duration::from_millis(millis)),
            Step::Reload(version) => {
                let pool = self.rig.pool();
                let newer = component(&format!("b{version}"));
                self.rig.load(
                    pool,
                    vec![NewModule {
                        component: newer,
                        ..exclusive("b")
                    }],
                );
            }
            Step::Unload => {
                let pool = self.rig.pool();
                let _ = self.rig.host.unload(pool, "b");
                self.rig.work();
            }
            Step::Evil { worker, call, what } => self.evil(worker, call, what),
        }
    }

    fn say(&mut self, client: usize, back: u64, message: impl Fn(u64) -> Message) {
        let seat = &self.seats[client];
        let id = seat.last.saturating_sub(back) + 1;
        if let Some(client) = seat.id {
            self.rig.client_says(client, message(id));
        }
    }

    fn feed(&mut self, client: usize, back: u64, end: bool) {
        let seat = &mut self.seats[client];
        let call = seat.last.saturating_sub(back) + 1;
        let Some(client) = seat.id.filter(|_| seat.fed.get(&call) == Some(&true)) else {
            return;
        };
        let credit = seat.credit.entry(call).or_default();
        let message = if end {
            seat.fed.insert(call, false);
            Message::End {
                call,
                stream: 2,
                failure: None,
            }
        } else if *credit > 0 {
            *credit -= 1;
            Message::Items {
                call,
                stream: 2,
                count: 1,
                items: value(""),
            }
        } else {
            return;
        };
        self.rig.client_says(client, message);
    }
}

/// A module of which each worker runs two calls at once.
fn exclusive(name: &str) -> NewModule {
    NewModule {
        instances: Some(Instances::Exclusive),
        limits: Some(ModuleLimits {
            exclusive: 2,
            ..ModuleLimits::default()
        }),
        ..module(name)
    }
}

pub(super) fn with(kind: AttachmentKind, id: u64) -> Value {
    Value {
        body: Default::default(),
        attachments: vec![Attachment { kind, id }],
    }
}
