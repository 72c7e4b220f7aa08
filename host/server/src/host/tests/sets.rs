//! Loading, replacing, reloading, stopping.

use std::time::Duration;

use proc_host_wire::control::{Reply, Request, WorkerState};
use proc_host_wire::start::Start;
use proc_host_wire::{DeniedReason, Link, Message, Outcome};

use super::rig::{Rig, component, module, returned};
use crate::Stop;
use crate::host::*;

fn ask(rig: &mut Rig, client: Id<Client>, request: Request) -> Result<Reply, String> {
    rig.client_says(
        client,
        Message::Request {
            id: 1,
            request,
            payload: Default::default(),
        },
    );
    match rig.heard(client).pop() {
        Some(Message::Response { id: 1, reply }) => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn modules_given_together_share_a_worker_and_later_ones_have_their_own() {
    let mut rig = Rig::new(2, &["a", "b"]);
    assert_eq!(rig.workers.len(), 2);
    let pool = rig.pool();
    rig.load(pool, vec![module("c")]);
    assert_eq!(rig.workers.len(), 4);
    let client = rig.client();
    let Ok(Reply::Pools(pools)) = ask(&mut rig, client, Request::Ps) else {
        panic!()
    };
    let seen: Vec<_> = pools[0]
        .workers
        .iter()
        .map(|w| (w.slot, w.generation, w.modules.join(","), w.memory))
        .collect();
    let row = |slot, generation, modules: &str| (slot, generation, modules.to_owned(), 100 << 10);
    assert_eq!(
        seen,
        [
            row(0, 1, "a,b"),
            row(0, 2, "c"),
            row(1, 1, "a,b"),
            row(1, 2, "c")
        ]
    );
}

#[test]
fn a_reload_swaps_when_all_are_ready_and_drains_what_is_unused() {
    let mut rig = Rig::new(1, &["a", "b"]);
    let (client, old) = (rig.client(), rig.workers[0]);
    rig.call(client, 1, "a.f");
    let running = rig.dispatch(old).call;
    let pool = rig.pool();
    rig.stays_unready = true;
    rig.load(
        pool,
        vec![NewModule {
            component: component("a2"),
            ..module("a")
        }],
    );
    rig.call(client, 2, "a.f");
    assert_eq!(
        rig.told(old).len(),
        1,
        "the old one serves until the new one is ready"
    );
    let new = rig.workers[1];
    rig.ready(new);
    rig.call(client, 3, "a.f");
    assert_eq!((rig.told(old).len(), rig.told(new).len()), (0, 1));
    rig.call(client, 4, "b.f");
    assert_eq!(rig.told(old).len(), 1, "the other module is undisturbed");
    rig.stays_unready = false;
    rig.load(
        pool,
        vec![NewModule {
            component: component("b2"),
            ..module("b")
        }],
    );
    assert!(rig.told(old).is_empty(), "it drains, and has calls");
    rig.end(old, running, returned(""));
    let calls = rig.host.workers.get(old).unwrap().calls.clone();
    for call in calls {
        rig.end(old, call.raw(), returned(""));
    }
    assert_eq!(rig.told(old), [Message::Drain]);
    rig.die(old, Death::Exit(0));
    assert!(!rig.host.workers.contains(old));
    assert_eq!((rig.workers.len(), rig.host.sets.len()), (3, 2));
}

#[test]
fn a_bad_module_of_several_is_left_out() {
    let mut rig = Rig::bare();
    let pool = rig
        .host
        .create_pool("P", 2, Default::default(), None)
        .unwrap();
    rig.stays_unready = true;
    let text = NewModule {
        component: "text".into(),
        ..module("text")
    };
    rig.load(pool, vec![module("a"), text, module("b"), module("a")]);
    assert_eq!(rig.workers.len(), 2);
    let failed = Message::Failed {
        module: Some(1),
        message: "no".to_owned(),
    };
    rig.worker_says(rig.workers[1], failed);
    assert_eq!(rig.workers.len(), 4, "once more, without it");
    assert_eq!(rig.killed.len(), 2);
    for worker in rig.workers.clone().split_off(2) {
        rig.ready(worker);
    }
    let results = rig.loaded.pop().unwrap();
    let whys: Vec<_> = results
        .iter()
        .map(|(name, r)| (name.as_str(), r.is_ok()))
        .collect();
    assert_eq!(
        whys,
        [("a", true), ("text", false), ("b", false), ("a", false)]
    );
    assert_eq!(results[2].1, Err("no".to_owned()));
}

#[test]
fn a_slot_has_so_many_workers_and_no_more() {
    let mut rig = Rig::new(1, &["m0"]);
    let pool = rig.pool();
    for n in 1..=16 {
        rig.load(pool, vec![module(&format!("m{n}"))]);
    }
    let results = rig.loaded.pop().unwrap();
    assert!(results[0].1.as_ref().unwrap_err().contains("16 workers"));
    assert_eq!(rig.workers.len(), 16);
}

#[test]
fn the_same_component_is_compiled_once() {
    let mut rig = Rig::new(1, &["m"]);
    let pool = rig.pool();
    rig.load(
        pool,
        vec![NewModule {
            component: component("m"),
            ..module("twin")
        }],
    );
    assert_eq!(rig.host.compiled.len(), 1);
}

#[test]
fn deaths_are_replaced_at_once_then_slower_and_slower() {
    let mut rig = Rig::new(1, &["m"]);
    let client = rig.client();
    for n in 0..3 {
        rig.die(rig.workers[n], Death::Signal(9));
    }
    assert_eq!(rig.workers.len(), 4);
    rig.die(rig.workers[3], Death::Signal(9));
    assert_eq!(rig.workers.len(), 4);
    rig.call(client, 1, "m.f");
    assert!(rig.heard(client).is_empty(), "it waits");
    rig.advance(Duration::from_millis(130));
    assert_eq!(rig.workers.len(), 5);
    assert_eq!(rig.told(rig.workers[4]).len(), 1);
}

#[test]
fn calls_are_denied_where_no_worker_can_be_started() {
    let mut rig = Rig::new(1, &["m"]);
    let client = rig.client();
    rig.stays_unready = true;
    rig.die(rig.workers[0], Death::Signal(9));
    rig.call(client, 1, "m.f");
    for n in 1..4 {
        rig.advance(Duration::from_secs(1));
        let failed = Message::Failed {
            module: Some(0),
            message: "no memory".to_owned(),
        };
        rig.worker_says(rig.workers[n], failed);
    }
    let unavailable = |outcome: Outcome| match outcome {
        Outcome::Denied(denied) => {
            assert_eq!(denied.reason, DeniedReason::Unavailable);
            assert!(
                denied.message.contains("m: no memory"),
                "{}",
                denied.message
            );
        }
        other => panic!("{other:?}"),
    };
    unavailable(rig.outcome(client).1);
    rig.call(client, 2, "m.f");
    unavailable(rig.outcome(client).1);
    rig.stays_unready = false;
    rig.advance(Duration::from_secs(60));
    rig.call(client, 3, "m.f");
    assert!(rig.heard(client).is_empty());
    rig.advance(Duration::from_secs(1));
}

#[test]
fn a_worker_that_is_not_ready_in_time_or_lacks_walls_does_not_count() {
    let mut rig = Rig::bare();
    let pool = rig
        .host
        .create_pool("P", 1, Default::default(), None)
        .unwrap();
    rig.stays_unready = true;
    rig.load(pool, vec![module("m")]);
    rig.advance(Duration::from_secs(10));
    assert!(
        rig.loaded.pop().unwrap()[0]
            .1
            .as_ref()
            .unwrap_err()
            .contains("not ready after 10 s")
    );
    rig.load(pool, vec![module("m")]);
    let worker = rig.workers[1];
    let layers = proc_host_jail::Layers::ALL
        .without(proc_host_jail::Layers::SECCOMP)
        .bits();
    rig.worker_says(worker, Message::Ready { layers });
    assert!(
        rig.loaded.pop().unwrap()[0]
            .1
            .as_ref()
            .unwrap_err()
            .contains("seccomp")
    );
}

#[test]
fn an_unloaded_module_is_gone_and_the_start_lists_what_is_left() {
    let mut rig = Rig::new(1, &["a", "b"]);
    let client = rig.client();
    let unload = |module: &str| Request::Unload {
        pool: "P".into(),
        module: module.into(),
    };
    assert_eq!(ask(&mut rig, client, unload("a")), Ok(Reply::Done));
    assert!(ask(&mut rig, client, unload("a")).is_err());
    rig.call(client, 1, "a.f");
    assert!(
        matches!(rig.outcome(client).1, Outcome::Denied(d) if d.reason == DeniedReason::UnknownModule)
    );
    rig.die(rig.workers[0], Death::Exit(1));
    let mut bytes = Vec::new();
    let next = rig.workers[1];
    while rig.host.fill(Peer::Worker(next), &mut bytes) {}
    let mut inbox = proc_host_wire::Inbox::default();
    inbox.feed(&bytes);
    let frame = inbox.next_frame().unwrap().unwrap();
    let start = Message::from_frame(Link::HostToWorker, frame).unwrap();
    let Message::Start(Start::Worker(start)) = start else {
        panic!("{start:?}")
    };
    let names: Vec<&str> = start
        .modules
        .iter()
        .map(|module| module.name.as_str())
        .collect();
    assert_eq!((names, start.generation), (vec!["b"], 2));
    assert_eq!(ask(&mut rig, client, unload("b")), Ok(Reply::Done));
    assert_eq!(rig.told(next), [Message::Drain]);
    let Ok(Reply::Pools(pools)) = ask(&mut rig, client, Request::Ps) else {
        panic!()
    };
    assert_eq!(pools[0].workers[0].state, WorkerState::Draining);
}

#[test]
fn stopping_waits_for_calls_then_for_processes() {
    let mut rig = Rig::new(2, &["m"]);
    let client = rig.client();
    rig.call(client, 1, "m.f");
    let worker = rig.workers[0];
    let id = rig.dispatch(worker).call;
    rig.event(Event::Stop(Stop::Drain));
    rig.call(client, 2, "m.f");
    assert!(
        matches!(rig.outcome(client).1, Outcome::Denied(d) if d.reason == DeniedReason::Stopping)
    );
    rig.end(worker, id, returned(""));
    assert_eq!(rig.outcome(client), (1, returned("")));
    for worker in rig.workers.clone() {
        assert_eq!(rig.told(worker), [Message::Drain]);
        assert!(!rig.is_stopped);
        rig.die(worker, Death::Exit(0));
    }
    assert!(rig.is_stopped && rig.farewells.contains_key(&client));
}

#[test]
fn stopping_ends_at_its_limit_or_when_told_again() {
    for again in [false, true] {
        let mut rig = Rig::new(1, &["m"]);
        let client = rig.client();
        rig.call(client, 1, "m.f");
        rig.event(Event::Stop(Stop::Drain));
        assert!(!rig.is_stopped);
        if again {
            rig.event(Event::Stop(Stop::Drain));
        } else {
            rig.advance(Duration::from_secs(10));
        }
        assert!(rig.is_stopped);
        let last = &rig.farewells[&client];
        assert!(
            matches!(&last[..], [Message::Outcome(ended)] if ended.call == 1),
            "{last:?}"
        );
    }
}
