//! Calls: placement, queues, deadlines, cancels, deaths.

use std::time::Duration;

use proc_host_wire::message::{Call, Deadline};
use proc_host_wire::start::{Instances, ModuleLimits};
use proc_host_wire::{DeniedReason, FaultCause, Message, Outcome};

use super::rig::{Rig, call, module, returned};
use crate::host::{Death, Event, NewModule, Process};

fn denied(outcome: Outcome) -> (DeniedReason, String) {
    match outcome {
        Outcome::Denied(denied) => (denied.reason, denied.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_goes_through_and_leaves_nothing() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    rig.call(client, 5, "m.g");
    let dispatch = rig.dispatch(worker);
    assert_eq!((dispatch.module, dispatch.function), (0, 1));
    assert_eq!(dispatch.deadline, Some(30_000_000));
    assert_eq!(dispatch.arguments.body, "arguments");
    rig.end(worker, dispatch.call, returned("r"));
    assert_eq!(rig.outcome(client), (5, returned("r")));
    rig.assert_clean();
    rig.call(client, 5, "m.f");
    assert_eq!(rig.dispatch(worker).function, 0, "the id is free again");
}

#[test]
fn load_spreads_and_idle_stays_warm() {
    let mut rig = Rig::new(3, &["m"]);
    let client = rig.client();
    for id in 1..=3 {
        rig.call(client, id, "m.f");
    }
    let busy: Vec<u64> = rig
        .workers
        .clone()
        .into_iter()
        .map(|w| rig.dispatch(w).call)
        .collect();
    for (worker, call) in rig.workers.clone().into_iter().zip(busy) {
        rig.end(worker, call, returned(""));
    }
    rig.heard(client);
    rig.call(client, 9, "m.f");
    let last = rig
        .workers
        .clone()
        .into_iter()
        .filter(|w| !rig.told(*w).is_empty())
        .count();
    assert_eq!(last, 1);
    let workers = rig.workers.clone();
    let warm = workers
        .iter()
        .find(|w| !rig.host.workers.get(**w).unwrap().calls.is_empty());
    let warm = *warm.unwrap();
    let call = rig.host.workers.get(warm).unwrap().calls[0].raw();
    rig.end(warm, call, returned(""));
    rig.call(client, 10, "m.f");
    assert!(!rig.told(warm).is_empty(), "the one used last");
}

#[test]
fn a_slot_is_kept_and_one_that_is_not_there_denied() {
    let mut rig = Rig::new(3, &["m"]);
    let client = rig.client();
    for id in 1..=2 {
        rig.client_says(
            client,
            Message::Call(Call {
                slot: Some(2),
                ..call(id, "m.f")
            }),
        );
    }
    assert_eq!(rig.told(rig.workers[2]).len(), 2);
    rig.client_says(
        client,
        Message::Call(Call {
            slot: Some(7),
            ..call(3, "m.f")
        }),
    );
    let (reason, why) = denied(rig.outcome(client).1);
    assert_eq!(reason, DeniedReason::UnknownWorker);
    assert!(why.contains("0 to 2"), "{why}");
    let exact = |generation| Call {
        slot: Some(1),
        generation,
        ..call(4, "m.f")
    };
    rig.client_says(client, Message::Call(exact(Some(2))));
    assert_eq!(denied(rig.outcome(client).1).0, DeniedReason::UnknownWorker);
    rig.client_says(client, Message::Call(exact(Some(1))));
    assert_eq!(rig.told(rig.workers[1]).len(), 1);
}

#[test]
fn above_the_limit_calls_wait_and_clients_take_turns() {
    let mut rig = Rig::bare();
    let pool = rig
        .host
        .create_pool("P", 1, Default::default(), None)
        .unwrap();
    let exclusive = NewModule {
        instances: Some(Instances::Exclusive),
        limits: Some(ModuleLimits {
            exclusive: 1,
            ..ModuleLimits::default()
        }),
        ..module("m")
    };
    rig.load(pool, vec![exclusive]);
    let (one, two, worker) = (rig.client(), rig.client(), rig.workers[0]);
    for id in 1..=3 {
        rig.call(one, id, "m.f");
    }
    rig.call(two, 1, "m.f");
    let mut order = Vec::new();
    for _ in 0..4 {
        let dispatch = rig.dispatch(worker);
        rig.end(worker, dispatch.call, returned(""));
        order.push((rig.heard(one).len(), rig.heard(two).len()));
    }
    assert_eq!(order, [(1, 0), (1, 0), (0, 1), (1, 0)]);
    rig.assert_clean();
}

#[test]
fn the_queue_is_bounded() {
    let mut rig = Rig::new(1, &["m"]);
    rig.host.settings.bounds.queue = 2;
    let client = rig.client();
    for id in 1..=1003 {
        rig.call(client, id, "m.f");
    }
    let (id, outcome) = rig.outcome(client);
    assert_eq!((id, denied(outcome).0), (1003, DeniedReason::QueueFull));
}

#[test]
fn a_deadline_in_the_queue_and_one_on_a_worker() {
    let mut rig = Rig::new(1, &["m"]);
    rig.host.settings.bounds.queue = 10;
    let (client, worker) = (rig.client(), rig.workers[0]);
    let limited = |id| Call {
        deadline: Deadline::Micros(1_000_000),
        ..call(id, "m.f")
    };
    for id in 1..=1000 {
        rig.client_says(
            client,
            Message::Call(Call {
                deadline: Deadline::Never,
                ..call(id, "m.f")
            }),
        );
    }
    rig.client_says(client, Message::Call(limited(1001)));
    rig.advance(Duration::from_millis(999));
    assert!(rig.heard(client).is_empty());
    rig.advance(Duration::from_millis(1));
    assert_eq!(
        rig.outcome(client),
        (1001, Outcome::TimedOut { dispatched: false })
    );
    rig.told(worker);
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    rig.client_says(client, Message::Call(limited(1)));
    let dispatch = rig.dispatch(worker);
    rig.advance(Duration::from_millis(1049));
    assert!(rig.heard(client).is_empty(), "the worker has its grace");
    rig.advance(Duration::from_millis(1));
    assert_eq!(
        rig.outcome(client),
        (1, Outcome::TimedOut { dispatched: true })
    );
    assert!(matches!(rig.told(worker)[..], [Message::Cancel { .. }]));
    // A late answer is neither passed on nor held against the worker.
    rig.end(worker, dispatch.call, returned("late"));
    assert!(rig.heard(client).is_empty() && rig.killed.is_empty());
    rig.assert_clean();
}

#[test]
fn a_worker_that_does_not_let_go_is_killed_and_replaced() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    rig.call(client, 1, "m.f");
    rig.call(client, 2, "m.f");
    rig.client_says(client, Message::Cancel { call: 1 });
    assert_eq!(
        rig.outcome(client),
        (1, Outcome::Cancelled { dispatched: true })
    );
    rig.advance(Duration::from_secs(2));
    assert_eq!(rig.killed, [worker]);
    let (id, outcome) = rig.outcome(client);
    let Outcome::Faulted(fault) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((id, fault.cause), (2, FaultCause::Unresponsive));
    rig.assert_clean();
    assert_eq!(rig.workers.len(), 2);
    rig.call(client, 3, "m.f");
    assert_eq!(rig.dispatch(rig.workers[1]).function, 0);
}

#[test]
fn a_worker_that_gives_no_sign_of_life_is_killed() {
    let mut rig = Rig::bare();
    rig.host.settings.bounds.heartbeat = Duration::from_secs(5);
    let pool = rig
        .host
        .create_pool("P", 1, Default::default(), None)
        .unwrap();
    rig.load(pool, vec![module("m")]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    rig.advance(Duration::from_secs(100));
    assert!(rig.told(worker).is_empty(), "an idle one is left in peace");
    let endless = Call {
        deadline: Deadline::Never,
        ..call(1, "m.f")
    };
    rig.client_says(client, Message::Call(endless));
    rig.advance(Duration::from_secs(12));
    let told = rig.told(worker);
    let [Message::Dispatch(_), Message::Ping { nonce }] = told[..] else {
        panic!("{told:?}")
    };
    rig.worker_says(worker, Message::Pong { nonce });
    rig.advance(Duration::from_secs(17));
    assert!(rig.killed.is_empty());
    rig.advance(Duration::from_secs(5));
    assert_eq!(rig.killed, [worker]);
    let (_, outcome) = rig.outcome(client);
    assert!(matches!(outcome, Outcome::Faulted(f) if f.cause == FaultCause::Unresponsive));
}

#[test]
fn cancels_of_what_waits_and_of_what_is_over() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    rig.client_says(client, Message::Cancel { call: 77 });
    for id in 1..=1001 {
        rig.call(client, id, "m.f");
    }
    rig.client_says(client, Message::Cancel { call: 1001 });
    assert_eq!(
        rig.outcome(client),
        (1001, Outcome::Cancelled { dispatched: false })
    );
    let first = rig.host.workers.get(worker).unwrap().calls[0].raw();
    rig.end(worker, first, returned(""));
    rig.heard(client);
    rig.client_says(client, Message::Cancel { call: 1 });
    assert!(rig.heard(client).is_empty());
}

#[test]
fn a_death_ends_the_calls_after_its_last_words() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    for id in 1..=2 {
        rig.call(client, id, "m.f");
    }
    let calls = rig.host.workers.get(worker).unwrap().calls.clone();
    rig.event(Event::Exited(Process::Worker(worker), Death::Signal(11)));
    assert!(rig.heard(client).is_empty());
    rig.end(worker, calls[0].raw(), returned("in time"));
    assert_eq!(rig.outcome(client), (1, returned("in time")));
    rig.event(Event::Hangup(Process::Worker(worker)));
    let (id, outcome) = rig.outcome(client);
    let Outcome::Faulted(fault) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((id, fault.cause), (2, FaultCause::Signal(11)));
    assert!(
        fault
            .message
            .contains("worker 0 of pool P (generation 1, pid 100)")
    );
    rig.assert_clean();
}

#[test]
fn a_hangup_without_a_death_is_waited_out() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    rig.call(client, 1, "m.f");
    rig.event(Event::Hangup(Process::Worker(worker)));
    rig.call(client, 2, "m.f");
    assert!(
        rig.heard(client).is_empty(),
        "the second waits for the next worker"
    );
    rig.advance(Duration::from_millis(500));
    let (id, outcome) = rig.outcome(client);
    let Outcome::Faulted(fault) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((id, fault.cause), (1, FaultCause::Lost));
    assert_eq!(rig.killed, [worker]);
    let second = rig.workers[1];
    let dispatch = rig.dispatch(second);
    rig.end(second, dispatch.call, returned("2"));
    assert_eq!(rig.outcome(client), (2, returned("2")));
    rig.assert_clean();
}

#[test]
fn hello_is_waited_for_a_while() {
    let mut rig = Rig::new(1, &["m"]);
    let slow = rig.host.connect(rig.now);
    let quick = rig.client();
    rig.advance(Duration::from_secs(5));
    assert!(matches!(&rig.farewells[&slow][..], [Message::Refused(why)] if why.contains("hello")));
    assert!(!rig.farewells.contains_key(&quick));
}

#[test]
fn a_client_that_goes_takes_its_calls_along() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    for id in 1..=1001 {
        rig.call(client, id, "m.f");
    }
    let calls = rig.host.workers.get(worker).unwrap().calls.clone();
    rig.told(worker);
    rig.event(Event::ClientGone(client));
    let cancels = rig.told(worker);
    assert_eq!(cancels.len(), 1000);
    for call in calls {
        rig.end(worker, call.raw(), Outcome::Cancelled { dispatched: true });
    }
    rig.assert_clean();
}
