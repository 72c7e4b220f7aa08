//! Calls and what becomes of them.

use std::time::{Duration, Instant};

use proc_host_server::Stop;
use proc_host_wire::message::Answer;
use proc_host_wire::{DeniedReason, FaultCause, Message, Outcome};

use crate::peer;
use crate::served::Served;

pub(crate) fn a_call_returns() {
    let host = Served::start(2);
    let mut client = host.connect();
    for n in 0..10 {
        assert_eq!(
            client.call("fake.echo", n),
            Outcome::Returned(peer::value(n))
        );
    }
    let big = vec![7; 5 << 20];
    client.send_call(99, "fake.echo", &big, None);
    assert!(matches!(client.outcome(99), Outcome::Returned(value) if value.body == big));
    host.stop(Stop::Drain);
}

pub(crate) fn denials_say_why() {
    let host = Served::start(1);
    let mut client = host.connect();
    for (target, reason, words) in [
        (
            "fake.ecko",
            DeniedReason::UnknownFunction,
            "did you mean echo?",
        ),
        (
            "fqke.echo",
            DeniedReason::UnknownModule,
            "did you mean fake?",
        ),
        (
            "fake.twice",
            DeniedReason::Ambiguous,
            "fake.a.twice, fake.b.twice",
        ),
        ("fake.never", DeniedReason::Unsupported, "for a reason"),
        ("fake", DeniedReason::UnknownFunction, "fake.function"),
    ] {
        match client.call(target, 1) {
            Outcome::Denied(denied) => {
                assert_eq!(denied.reason, reason);
                assert!(denied.message.contains(words), "{}", denied.message);
            }
            other => panic!("{target}: {other:?}"),
        }
    }
    host.stop(Stop::Drain);
}

pub(crate) fn a_dead_worker_is_told_and_replaced() {
    let host = Served::start(1);
    let mut client = host.connect();
    client.send_call(1, "fake.hang", b"x", None);
    client.send_call(2, "fake.abort", b"x", None);
    for call in [1, 2] {
        match client.outcome(call) {
            Outcome::Faulted(fault) => {
                assert_eq!(fault.cause, FaultCause::Signal(6));
                assert!(fault.message.contains("SIGABRT"), "{}", fault.message);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        client.call("fake.echo", 3),
        Outcome::Returned(peer::value(3))
    );
    let ended = client.last_ended();
    assert_eq!(ended.worker.map(|worker| worker.generation), Some(2));
    match client.call("fake.lie", 1) {
        Outcome::Faulted(fault) => assert_eq!(fault.cause, FaultCause::Protocol),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        client.call("fake.echo", 5),
        Outcome::Returned(peer::value(5))
    );
    host.stop(Stop::Drain);
}

pub(crate) fn deadlines_and_cancels_are_answered() {
    let host = Served::start(1);
    let mut client = host.connect();
    let began = Instant::now();
    client.send_call(1, "fake.hang", b"x", Some(Duration::from_millis(100)));
    assert_eq!(client.outcome(1), Outcome::TimedOut { dispatched: true });
    assert!(began.elapsed() < Duration::from_secs(1));
    client.send_call(2, "fake.hang", b"x", None);
    client.send(Message::Cancel { call: 2 });
    assert_eq!(client.outcome(2), Outcome::Cancelled { dispatched: true });
    assert_eq!(
        client.call("fake.echo", 3),
        Outcome::Returned(peer::value(3))
    );
    host.stop(Stop::Drain);
}

pub(crate) fn a_worker_that_does_not_let_go_is_killed() {
    let host = Served::start(1);
    let mut client = host.connect();
    client.send_call(1, "fake.deaf", b"x", Some(Duration::from_millis(1)));
    client.send_call(2, "fake.hang", b"x", None);
    assert_eq!(client.outcome(1), Outcome::TimedOut { dispatched: true });
    match client.outcome(2) {
        Outcome::Faulted(fault) => assert_eq!(fault.cause, FaultCause::Unresponsive),
        other => panic!("{other:?}"),
    }
    host.stop(Stop::Drain);
}

pub(crate) fn streams_and_callbacks_cross() {
    let host = Served::start(1);
    let mut client = host.connect();
    client.send_call(1, "fake.count", b"x", None);
    assert!(matches!(client.outcome(1), Outcome::Returned(value) if value.attachments.len() == 1));
    let mut items = 0;
    loop {
        match client.receive() {
            Message::Items {
                call: 1,
                stream: 1,
                count,
                ..
            } => {
                items += count;
                client.send(Message::Credit {
                    call: 1,
                    stream: 1,
                    items: count,
                    bytes: 100,
                });
            }
            Message::End {
                call: 1,
                stream: 1,
                failure,
            } => {
                assert_eq!(failure, None);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(items, 1000);
    client.send_call(2, "fake.ask", b"what", None);
    match client.receive() {
        Message::Callback {
            call: 2,
            callback,
            origin,
            payload,
        } => {
            assert_eq!(payload, &b"what"[..]);
            assert_eq!(origin.unwrap().module, "fake");
            let answer = Answer::Value((&b"that"[..]).into());
            client.send(Message::Answer {
                call: 2,
                callback,
                answer,
            });
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(client.outcome(2), Outcome::Returned(value) if value.body == b"that"[..]));
    host.stop(Stop::Drain);
}
