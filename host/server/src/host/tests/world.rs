//! Honest clients, and workers honest or not, one step at a time; what they hear is checked.

use std::collections::HashMap;
use std::time::Duration;

use proc_host_wire::message::{Answer, Call, Deadline};
use proc_host_wire::{Attachment, AttachmentKind, Message, Outcome, Trap, Value};

use super::rig::{Rig, call, component, module, reported, returned, value};
use crate::Stop;
use crate::host::stream::Side;
use crate::host::*;

#[derive(Clone, Debug)]
pub(super) enum Step {
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
pub(super) enum Act {
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
    rig: Rig,
    seats: Vec<Seat>,
    /// Worker streams that are open, with what may be sent, by host call.
    open: HashMap<u64, u32>,
    reported: HashMap<u64, bool>,
}

impl World {
    /// Two workers, three clients.
    pub(super) fn new() -> World {
        let mut rig = Rig::new(2, &["a", "b"]);
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

    /// A worker does what it may do with a call that it has.
    fn act(&mut self, worker: Id<Worker>, call: u64, act: Act) {
        let is_reported = self.reported.contains_key(&call);
        let is_open = self.open.contains_key(&call);
        let record = self.rig.host.calls.get(Id::from_raw(call)).unwrap();
        let window = record.window.items;
        let has_argument = record.streams.any_open(Side::Client);
        let trap = Trap {
            reason: "t".to_owned(),
            own: true,
            backtrace: Vec::new(),
        };
        let report = |world: &mut World, outcome| {
            world.reported.insert(call, true);
            world.rig.worker_says(worker, reported(call, outcome));
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
                self.rig.worker_says(
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
                self.rig.worker_says(
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
                    self.rig.worker_says(
                        worker,
                        Message::End {
                            call,
                            stream: 1,
                            failure: None,
                        },
                    );
                }
                self.rig.worker_says(worker, Message::Ended { call });
            }
            Act::Ask => {
                let callback = u32::try_from(self.rig.now.time.0 & 0xffff_ffff).unwrap();
                let record = self.rig.host.calls.get(Id::from_raw(call)).unwrap();
                if record.asked.is_empty() {
                    let payload = "?".into();
                    let ask = Message::Callback {
                        call,
                        callback,
                        origin: None,
                        payload,
                    };
                    self.rig.worker_says(worker, ask);
                }
            }
            Act::Credit if has_argument => {
                let credit = Message::Credit {
                    call,
                    stream: 2,
                    items: 2,
                    bytes: 1000,
                };
                self.rig.worker_says(worker, credit);
            }
            Act::Close if has_argument => {
                self.rig
                    .worker_says(worker, Message::Close { call, stream: 2 });
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
        self.rig.worker_says(worker, message);
    }
}

fn with(kind: AttachmentKind, id: u64) -> Value {
    Value {
        body: Default::default(),
        attachments: vec![Attachment { kind, id }],
    }
}
