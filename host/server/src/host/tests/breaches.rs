//! What peers may not say, and what becomes of those who do.

use proc_host_wire::message::Answer;
use proc_host_wire::{FaultCause, Message, Outcome};

use super::rig::{Rig, call, reported, returned};

#[test]
fn what_a_worker_may_not_say() {
    let fault = || {
        Outcome::Faulted(proc_host_wire::Fault {
            cause: FaultCause::Lost,
            message: String::new(),
        })
    };
    type Say = fn(u64) -> Vec<Message>;
    let cases: [(&str, Say); 7] = [
        ("another's call", |call| {
            vec![reported(call + 1, returned(""))]
        }),
        ("two outcomes", |call| {
            vec![reported(call, returned("")), reported(call, returned(""))]
        }),
        ("an end without an outcome", |call| {
            vec![Message::Ended { call }]
        }),
        ("a second ready", |_| vec![Message::Ready { layers: 0 }]),
        ("a compiled", |_| {
            vec![Message::Compiled {
                artifact_len: 1,
                interface: Default::default(),
            }]
        }),
        ("an end of nothing", |call| {
            vec![Message::End {
                call: call + 1,
                stream: 1,
                failure: None,
            }]
        }),
        ("a broken trap", |call| {
            let trap = proc_host_wire::Trap {
                reason: String::new(),
                own: true,
                backtrace: vec![],
            };
            let Message::Outcome(mut ended) = reported(call, Outcome::Trapped(trap)) else {
                unreachable!()
            };
            ended.outcome.value.body = (&b"\xff"[..]).into();
            vec![Message::Outcome(ended)]
        }),
    ];
    let check = |name: &str, messages: &dyn Fn(u64) -> Vec<Message>| {
        let mut rig = Rig::new(1, &["m"]);
        let (client, worker) = (rig.client(), rig.workers[0]);
        rig.call(client, 1, "m.f");
        let dispatch = rig.dispatch(worker);
        for message in messages(dispatch.call) {
            rig.worker_says(worker, message);
        }
        assert_eq!(rig.killed, [worker], "{name}");
        let outcomes = rig.heard(client);
        assert_eq!(outcomes.len(), 1, "{name}: {outcomes:?}");
        rig.assert_clean();
    };
    for (name, messages) in cases {
        check(name, &messages);
    }
    check("a fault of its own", &|call| vec![reported(call, fault())]);
}

#[test]
fn what_a_client_may_not_say() {
    let mut rig = Rig::new(1, &["m"]);
    for bad in [
        Message::Call(call(0, "m.f")),
        Message::Hello {
            major: 1,
            features: 0,
            token: super::rig::TOKEN,
            name: String::new(),
        },
        Message::Release { handle: 3 },
        Message::Answer {
            call: 0,
            callback: 1,
            answer: Answer::Gone,
        },
    ] {
        let client = rig.client();
        rig.client_says(client, bad);
        assert!(matches!(rig.farewells[&client][..], [Message::Refused(_)]));
        // What comes behind it is not looked at.
        rig.call(client, 1, "m.f");
    }
    rig.assert_clean();
}
