//! Any order of events: each accepted call has one outcome, each stream one end, nothing is left.

use std::collections::HashMap;
use std::time::Duration;

use proc_host_wire::message::{Answer, Call, Deadline};
use proc_host_wire::{Attachment, AttachmentKind, Message, Outcome, Trap, Value};
use proptest::prelude::*;

use super::rig::{Rig, call, component, module, reported, returned, value};
use crate::Stop;
use crate::host::*;

#[derive(Clone, Debug)]
enum Step {
    Connect,
    Leave(usize),
    Call {
        client: usize,
        slot: Option<u32>,
        deadline: u64,
        listens: bool,
        stream: bool,
    },
    CallWithHandle {
        client: usize,
    },
    Cancel {
        client: usize,
        call: u64,
    },
    Credit {
        client: usize,
        call: u64,
    },
    Close {
        client: usize,
        call: u64,
    },
    Feed {
        client: usize,
        call: u64,
        end: bool,
    },
    Answer {
        client: usize,
    },
    Release {
        client: usize,
    },
    Worker {
        worker: usize,
        call: usize,
        act: Act,
    },
    Die {
        worker: usize,
        hangs_up_first: bool,
    },
    Advance(u64),
    Reload(u8),
    Unload,
    /// A worker says something that may be against every rule.
    Evil {
        worker: usize,
        call: usize,
        what: u8,
    },
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Return,
    ReturnStream,
    ReturnHandle,
    Raise,
    Trap,
    Items,
    End,
    Ended,
    Ask,
    Credit,
    Close,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Return),
        3 => Just(Act::ReturnStream),
        2 => Just(Act::ReturnHandle),
        1 => Just(Act::Raise),
        1 => Just(Act::Trap),
        3 => Just(Act::Items),
        2 => Just(Act::End),
        8 => Just(Act::Ended),
        2 => Just(Act::Ask),
        1 => Just(Act::Credit),
        1 => Just(Act::Close),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let (client, id) = (0..4usize, 1..6u64);
    prop_oneof![
        2 => Just(Step::Connect),
        1 => client.clone().prop_map(Step::Leave),
        9 => (client.clone(), prop::option::weighted(0.2, 0..3u32), 0..5u64, any::<bool>(), any::<bool>())
            .prop_map(|(client, slot, deadline, listens, stream)| {
                Step::Call { client, slot, deadline, listens, stream }
            }),
        1 => client.clone().prop_map(|client| Step::CallWithHandle { client }),
        1 => (client.clone(), id.clone()).prop_map(|(client, call)| Step::Cancel { client, call }),
        1 => (client.clone(), id.clone()).prop_map(|(client, call)| Step::Credit { client, call }),
        1 => (client.clone(), id.clone()).prop_map(|(client, call)| Step::Close { client, call }),
        2 => (client.clone(), id, any::<bool>())
            .prop_map(|(client, call, end)| Step::Feed { client, call, end }),
        2 => client.clone().prop_map(|client| Step::Answer { client }),
        1 => client.prop_map(|client| Step::Release { client }),
        20 => (0..8usize, 0..8usize, act())
            .prop_map(|(worker, call, act)| Step::Worker { worker, call, act }),
        1 => (0..8usize, any::<bool>())
            .prop_map(|(worker, hangs_up_first)| Step::Die { worker, hangs_up_first }),
        2 => prop_oneof![Just(10u64), Just(600), Just(3_000)].prop_map(Step::Advance),
        1 => (0..3u8).prop_map(Step::Reload),
        1 => Just(Step::Unload),
        1 => (0..8usize, 0..8usize, 0..9u8)
            .prop_map(|(worker, call, what)| Step::Evil { worker, call, what }),
    ]
}

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

struct World {
    rig: Rig,
    seats: Vec<Seat>,
    /// Worker streams that are open, with what may be sent, by host call.
    open: HashMap<u64, u32>,
    reported: HashMap<u64, bool>,
}

impl World {
    fn listen(&mut self) {
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

    fn worker(&self, at: usize) -> Option<Id<Worker>> {
        let ids = self.rig.host.workers.ids();
        (!ids.is_empty()).then(|| ids[at % ids.len()])
    }

    fn running(&mut self, worker: usize, call: usize) -> Option<(Id<Worker>, u64)> {
        let worker = self.worker(worker)?;
        let calls = &self.rig.host.workers.get(worker)?.calls;
        (!calls.is_empty()).then(|| (worker, calls[call % calls.len()].raw()))
    }

    fn step(&mut self, step: Step) {
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
                    ..call(id, ["a.f", "b.g"][id as usize % 2])
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
                self.rig.from_client(client, Message::Call(new));
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
                self.rig.from_client(client, Message::Call(new));
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
                self.rig.from_client(
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
                    self.rig.from_client(client, Message::Release { handle });
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
                        ..module("b")
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
            self.rig.from_client(client, message(id));
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
        self.rig.from_client(client, message);
    }

    /// A worker does what it may do with a call that it has.
    fn act(&mut self, worker: Id<Worker>, call: u64, act: Act) {
        let is_reported = self.reported.contains_key(&call);
        let is_open = self.open.contains_key(&call);
        let record = self.rig.host.calls.get(Id::from_raw(call)).unwrap();
        let window = record.window.items;
        let has_argument = record.streams.any_open(crate::host::stream::Side::Client);
        let trap = Trap {
            reason: "t".to_owned(),
            own: true,
            backtrace: Vec::new(),
        };
        let report = |world: &mut World, outcome| {
            world.reported.insert(call, true);
            world.rig.from_worker(worker, reported(call, outcome));
        };
        match act {
            Act::Return if !is_reported => report(self, returned("r")),
            Act::Raise if !is_reported => report(self, Outcome::Raised(value("e"))),
            Act::Trap if !is_reported => report(self, Outcome::Trapped(trap)),
            Act::ReturnStream if !is_reported => {
                self.open.insert(call, window);
                report(self, Outcome::Returned(with(AttachmentKind::Stream, 1)));
            }
            Act::ReturnHandle if !is_reported => {
                report(self, Outcome::Returned(with(AttachmentKind::Resource, 9)));
            }
            Act::Items if is_open && self.open[&call] > 0 => {
                *self.open.get_mut(&call).unwrap() -= 1;
                let items = value("");
                self.rig.from_worker(
                    worker,
                    Message::Items {
                        call,
                        stream: 1,
                        count: 1,
                        items,
                    },
                );
            }
            Act::End if is_open => {
                self.open.remove(&call);
                self.rig.from_worker(
                    worker,
                    Message::End {
                        call,
                        stream: 1,
                        failure: None,
                    },
                );
            }
            Act::Ended if is_reported => {
                if self.open.remove(&call).is_some() {
                    self.rig.from_worker(
                        worker,
                        Message::End {
                            call,
                            stream: 1,
                            failure: None,
                        },
                    );
                }
                self.rig.from_worker(worker, Message::Ended { call });
            }
            Act::Ask => {
                let callback = self.rig.now.time.0 as u32 ^ self.seats.len() as u32;
                let record = self.rig.host.calls.get(Id::from_raw(call)).unwrap();
                if record.asked.is_empty() {
                    let payload = "?".into();
                    let ask = Message::Callback {
                        call,
                        callback,
                        origin: None,
                        payload,
                    };
                    self.rig.from_worker(worker, ask);
                }
            }
            Act::Credit if has_argument => {
                let credit = Message::Credit {
                    call,
                    stream: 2,
                    items: 2,
                    bytes: 1000,
                };
                self.rig.from_worker(worker, credit);
            }
            Act::Close if has_argument => {
                self.rig
                    .from_worker(worker, Message::Close { call, stream: 2 });
            }
            _ => {}
        }
    }

    fn evil(&mut self, worker: usize, call: usize, what: u8) {
        let Some(worker) = self.worker(worker) else {
            return;
        };
        let calls = self.rig.host.calls.ids();
        let call = calls.get(call).map_or(77, |call| call.raw());
        let message = match what {
            0 => Message::Ended { call },
            1 => reported(call, Outcome::Returned(with(AttachmentKind::Stream, 2))),
            2 => Message::Items {
                call,
                stream: 3,
                count: 9,
                items: value("x"),
            },
            3 => Message::End {
                call,
                stream: 1,
                failure: Some(returned("x").into()),
            },
            4 => Message::Credit {
                call,
                stream: 1,
                items: u32::MAX,
                bytes: u32::MAX,
            },
            5 => Message::Close { call, stream: 7 },
            6 => Message::Ready { layers: 0 },
            7 => Message::Failed {
                module: Some(99),
                message: "x".to_owned(),
            },
            _ => Message::Callback {
                call,
                callback: 1,
                origin: None,
                payload: "x".into(),
            },
        };
        self.rig.from_worker(worker, message);
    }
}

fn with(kind: AttachmentKind, id: u64) -> Value {
    Value {
        body: Default::default(),
        attachments: vec![Attachment { kind, id }],
    }
}

proptest! {
    #[test]
    fn every_call_has_one_outcome(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World {
            rig: Rig::new(2, &["a", "b"]),
            seats: (0..4).map(|_| Seat::default()).collect(),
            open: HashMap::new(),
            reported: HashMap::new(),
        };
        for seat in &mut world.seats[..3] {
            seat.id = Some(world.rig.client());
        }
        for step in steps {
            world.step(step);
            world.listen();
        }
        // Whatever was cancelled or overdue ends by its own clocks, the rest by the end of the host.
        world.rig.advance(Duration::from_secs(120));
        world.listen();
        world.rig.event(Event::Stop(Stop::Now));
        for seat in &mut world.seats {
            let Some(id) = seat.id else { continue };
            let last = world.rig.farewells.remove(&id).unwrap();
            for message in last {
                if let Message::Outcome(ended) = message {
                    *seat.calls.get_mut(&ended.call).unwrap() += 1;
                }
            }
            for (call, outcomes) in &seat.calls {
                prop_assert_eq!(*outcomes, 1, "outcomes of call {}", call);
            }
        }
        prop_assert!(world.rig.is_stopped);
        world.rig.assert_clean();
        prop_assert!(world.rig.host.workers.is_empty() && world.rig.host.clients.is_empty());
    }
}
