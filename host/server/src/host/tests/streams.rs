//! Streams in both directions.

use std::time::Duration;

use proc_host_wire::message::{Call, Deadline};
use proc_host_wire::outcome::OutcomeCode;
use proc_host_wire::{Attachment, AttachmentKind, Message, Outcome, Value};

use super::rig::{Rig, call, reported, value};
use crate::host::*;

fn stream(id: u64) -> Value {
    let attachments = vec![Attachment {
        kind: AttachmentKind::Stream,
        id,
    }];
    Value {
        body: Default::default(),
        attachments,
    }
}

fn items(call: u64, stream: u32, count: u32) -> Message {
    Message::Items {
        call,
        stream,
        count,
        items: value("items"),
    }
}

/// A call of client id 1 that has returned stream 1.
fn generator(deadline: Deadline) -> (Rig, Id<Client>, Id<Worker>, u64) {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    rig.client_says(
        client,
        Message::Call(Call {
            deadline,
            ..call(1, "m.f")
        }),
    );
    let id = rig.dispatch(worker).call;
    rig.worker_says(worker, reported(id, Outcome::Returned(stream(1))));
    assert!(matches!(rig.outcome(client), (1, Outcome::Returned(_))));
    (rig, client, worker, id)
}

#[test]
fn items_credit_and_end() {
    let (mut rig, client, worker, id) = generator(Deadline::Default);
    rig.worker_says(worker, items(id, 1, 4));
    assert_eq!(rig.heard(client), [items(1, 1, 4)]);
    let credit = |call| Message::Credit {
        call,
        stream: 1,
        items: 2,
        bytes: 10,
    };
    rig.client_says(client, credit(1));
    assert_eq!(rig.told(worker), [credit(id)]);
    rig.advance(Duration::from_secs(3600));
    rig.worker_says(worker, items(id, 1, 2));
    rig.worker_says(
        worker,
        Message::End {
            call: id,
            stream: 1,
            failure: None,
        },
    );
    rig.worker_says(worker, Message::Ended { call: id });
    assert_eq!(
        rig.heard(client),
        [
            items(1, 1, 2),
            Message::End {
                call: 1,
                stream: 1,
                failure: None
            }
        ]
    );
    rig.assert_clean();
}

#[test]
fn more_than_was_granted_is_a_breach() {
    let (mut rig, client, worker, id) = generator(Deadline::Default);
    rig.worker_says(worker, items(id, 1, 5));
    assert_eq!(rig.killed, [worker]);
    let heard = rig.heard(client);
    let [
        Message::End {
            call: 1,
            stream: 1,
            failure: Some(failure),
        },
    ] = &heard[..]
    else {
        panic!("{heard:?}")
    };
    assert_eq!(failure.code, OutcomeCode::Faulted);
    rig.assert_clean();
}

#[test]
fn a_reader_that_goes_ends_the_call() {
    let (mut rig, client, worker, id) = generator(Deadline::Default);
    rig.client_says(client, Message::Close { call: 1, stream: 1 });
    assert_eq!(
        rig.told(worker),
        [Message::Close {
            call: id,
            stream: 1
        }]
    );
    rig.worker_says(worker, items(id, 1, 4));
    assert!(rig.heard(client).is_empty(), "they were under way");
    rig.call(client, 1, "m.f");
    assert_eq!(rig.told(worker).len(), 1, "the client's id is free");
    rig.worker_says(worker, Message::Ended { call: id });
    assert_eq!(rig.host.calls.len(), 1);
    assert!(rig.killed.is_empty());
}

#[test]
fn an_explicit_deadline_covers_the_stream() {
    let (mut rig, client, worker, id) = generator(Deadline::Micros(1_000_000));
    rig.advance(Duration::from_millis(1050));
    let heard = rig.heard(client);
    let [
        Message::End {
            call: 1,
            stream: 1,
            failure: Some(failure),
        },
    ] = &heard[..]
    else {
        panic!("{heard:?}")
    };
    assert_eq!(failure.code, OutcomeCode::TimedOut);
    assert_eq!(rig.told(worker), [Message::Cancel { call: id }]);
    rig.worker_says(
        worker,
        Message::End {
            call: id,
            stream: 1,
            failure: None,
        },
    );
    rig.worker_says(worker, Message::Ended { call: id });
    assert!(rig.heard(client).is_empty());
    rig.assert_clean();
}

#[test]
fn a_cancel_ends_the_stream_once() {
    let (mut rig, client, worker, id) = generator(Deadline::Default);
    rig.client_says(client, Message::Cancel { call: 1 });
    rig.client_says(client, Message::Cancel { call: 1 });
    let heard = rig.heard(client);
    assert!(
        matches!(
            heard[..],
            [Message::End {
                failure: Some(_),
                ..
            }]
        ),
        "{heard:?}"
    );
    rig.worker_says(worker, Message::Ended { call: id });
    rig.assert_clean();
}

#[test]
fn items_may_overtake_their_outcome() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    rig.call(client, 1, "m.f");
    let id = rig.dispatch(worker).call;
    rig.worker_says(worker, items(id, 1, 1));
    rig.worker_says(worker, reported(id, Outcome::Returned(stream(1))));
    rig.worker_says(
        worker,
        Message::End {
            call: id,
            stream: 1,
            failure: None,
        },
    );
    rig.worker_says(worker, Message::Ended { call: id });
    assert_eq!(rig.heard(client).len(), 3);
    rig.assert_clean();
}

#[test]
fn arguments_flow_when_granted_and_end_with_the_call() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    let feeding = Message::Call(Call {
        arguments: stream(2),
        ..call(1, "m.f")
    });
    rig.client_says(client, feeding.clone());
    let id = rig.dispatch(worker).call;
    let credit = |call| Message::Credit {
        call,
        stream: 2,
        items: 3,
        bytes: 100,
    };
    rig.worker_says(worker, credit(id));
    assert_eq!(rig.heard(client), [credit(1)]);
    rig.client_says(client, items(1, 2, 3));
    assert_eq!(rig.told(worker), [items(id, 2, 3)]);
    // The guest returns without having read to the end: the stream lives until it drops it.
    rig.worker_says(worker, reported(id, Outcome::Returned(value("r"))));
    rig.worker_says(worker, Message::Ended { call: id });
    let heard = rig.heard(client);
    assert!(matches!(
        heard[..],
        [Message::Outcome(_), Message::Close { call: 1, stream: 2 }]
    ));
    rig.assert_clean();
    rig.client_says(client, items(1, 2, 3));
    assert!(!rig.farewells.contains_key(&client), "they were under way");
    rig.client_says(client, feeding);
    rig.client_says(client, items(1, 2, 1));
    assert!(rig.farewells.contains_key(&client), "nothing was granted");
}

#[test]
fn an_argument_that_ends_while_the_call_waits() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    rig.event(Event::Hangup(Process::Worker(worker)));
    rig.client_says(
        client,
        Message::Call(Call {
            arguments: stream(2),
            ..call(1, "m.f")
        }),
    );
    rig.client_says(
        client,
        Message::End {
            call: 1,
            stream: 2,
            failure: None,
        },
    );
    rig.event(Event::Exited(Process::Worker(worker), Death::Exit(0)));
    let next = rig.workers[1];
    let told = rig.told(next);
    let [
        Message::Dispatch(_),
        Message::End {
            stream: 2,
            failure: None,
            ..
        },
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
}
