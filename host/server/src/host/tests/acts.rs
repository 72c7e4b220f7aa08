//! What workers do in a random world: by the rules, or against them.

use proc_host_wire::{AttachmentKind, Message, Outcome, Trap};

use super::random::Act;
use super::rig::{reported, returned, value};
use super::world::{World, with};
use crate::host::stream::Side;
use crate::host::{Id, Worker};

impl World {
    /// A worker does what it may do with a call that it has.
    pub(super) fn act(&mut self, worker: Id<Worker>, call: u64, act: Act) {
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

    pub(super) fn evil(&mut self, worker: usize, call: usize, what: u8) {
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
