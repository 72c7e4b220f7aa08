//! Resources that clients hold.

use std::time::Duration;

use proc_host_wire::message::Call;
use proc_host_wire::{Attachment, AttachmentKind, DeniedReason, Message, Outcome, Value};

use super::rig::{Rig, call, returned};
use crate::host::*;

fn resource(id: u64) -> Value {
    let attachments = vec![Attachment {
        kind: AttachmentKind::Resource,
        id,
    }];
    Value {
        body: Default::default(),
        attachments,
    }
}

/// A handle that `client` got from a call on slot `slot`.
fn obtain(rig: &mut Rig, client: Id<Client>, slot: u32, theirs: u64) -> u64 {
    rig.client_says(
        client,
        Message::Call(Call {
            slot: Some(slot),
            ..call(900, "m.f")
        }),
    );
    let worker = rig.workers[slot as usize];
    let dispatch = rig.dispatch(worker);
    rig.end(worker, dispatch.call, Outcome::Returned(resource(theirs)));
    match rig.outcome(client) {
        (900, Outcome::Returned(value)) => value.attachments[0].id,
        other => panic!("{other:?}"),
    }
}

fn with(id: u64, handle: u64) -> Message {
    Message::Call(Call {
        arguments: resource(handle),
        ..call(id, "m.f")
    })
}

#[test]
fn a_handle_leads_back_to_its_worker_until_it_is_released() {
    let mut rig = Rig::new(2, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[1]);
    let handle = obtain(&mut rig, client, 1, 42);
    rig.client_says(client, with(1, handle));
    let dispatch = rig.dispatch(worker);
    assert_eq!(dispatch.arguments, resource(42));
    rig.end(worker, dispatch.call, returned(""));
    rig.heard(client);
    rig.client_says(client, Message::Release { handle });
    assert_eq!(rig.told(worker), [Message::Release { handle: 42 }]);
    rig.client_says(client, with(2, handle));
    let (_, outcome) = rig.outcome(client);
    assert!(matches!(outcome, Outcome::Denied(d) if d.reason == DeniedReason::UnknownHandle));
    rig.client_says(client, Message::Release { handle });
    assert!(rig.farewells.contains_key(&client), "released twice");
}

#[test]
fn a_release_does_not_pass_a_call_that_uses_the_handle() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, worker) = (rig.client(), rig.workers[0]);
    let handle = obtain(&mut rig, client, 0, 42);
    rig.client_says(client, with(1, handle));
    rig.client_says(client, Message::Release { handle });
    let dispatch = rig.dispatch(worker);
    rig.end(worker, dispatch.call, returned(""));
    assert_eq!(rig.told(worker), [Message::Release { handle: 42 }]);
    assert_eq!(rig.host.workers.get(worker).unwrap().handles, 0);
}

#[test]
fn handles_of_others_and_of_two_workers_are_denied() {
    let mut rig = Rig::new(2, &["m"]);
    let (one, two) = (rig.client(), rig.client());
    let (a, b) = (obtain(&mut rig, one, 0, 1), obtain(&mut rig, one, 1, 1));
    rig.client_says(two, with(1, a));
    let unknown = |outcome: Outcome| match outcome {
        Outcome::Denied(denied) => {
            assert_eq!(denied.reason, DeniedReason::UnknownHandle);
            denied.message
        }
        other => panic!("{other:?}"),
    };
    assert!(unknown(rig.outcome(two).1).contains("not held"));
    let attachments = [a, b]
        .map(|id| Attachment {
            kind: AttachmentKind::Resource,
            id,
        })
        .to_vec();
    let arguments = Value {
        body: Default::default(),
        attachments,
    };
    rig.client_says(
        one,
        Message::Call(Call {
            arguments,
            ..call(1, "m.f")
        }),
    );
    assert!(unknown(rig.outcome(one).1).contains("another worker"));
    rig.client_says(
        one,
        Message::Call(Call {
            slot: Some(0),
            arguments: resource(b),
            ..call(1, "m.f")
        }),
    );
    assert!(unknown(rig.outcome(one).1).contains("does not serve"));
    rig.die(rig.workers[0], Death::Exit(1));
    rig.client_says(one, with(2, a));
    assert!(unknown(rig.outcome(one).1).contains("died"));
    rig.client_says(one, Message::Release { handle: a });
    assert!(!rig.farewells.contains_key(&one));
    rig.assert_clean();
}

#[test]
fn a_client_that_goes_releases_what_it_holds() {
    let mut rig = Rig::new(1, &["m"]);
    let client = rig.client();
    obtain(&mut rig, client, 0, 7);
    rig.event(Event::ClientGone(client));
    assert_eq!(rig.told(rig.workers[0]), [Message::Release { handle: 7 }]);
    assert_eq!(rig.host.workers.get(rig.workers[0]).unwrap().handles, 0);
}

#[test]
fn too_many_handles_end_the_call_and_not_the_client() {
    let mut rig = Rig::new(1, &["m"]);
    rig.host.settings.bounds.handles = 1;
    let (client, worker) = (rig.client(), rig.workers[0]);
    obtain(&mut rig, client, 0, 1);
    rig.call(client, 1, "m.f");
    let dispatch = rig.dispatch(worker);
    rig.end(worker, dispatch.call, Outcome::Returned(resource(2)));
    assert!(matches!(rig.outcome(client), (1, Outcome::Trapped(_))));
    assert!(rig.told(worker).contains(&Message::Release { handle: 2 }));
    rig.assert_clean();
}

#[test]
fn a_handle_keeps_a_replaced_worker_until_it_has_drained_long_enough() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, old) = (rig.client(), rig.workers[0]);
    let handle = obtain(&mut rig, client, 0, 3);
    let pool = rig.pool();
    let newer = NewModule {
        component: super::rig::component("m2"),
        ..super::rig::module("m")
    };
    rig.load(pool, vec![newer]);
    assert!(rig.told(old).is_empty());
    rig.client_says(client, with(1, handle));
    let dispatch = rig.dispatch(old);
    rig.end(old, dispatch.call, returned("old"));
    assert_eq!(rig.outcome(client), (1, returned("old")));
    rig.call(client, 2, "m.f");
    let new = rig.workers[1];
    let dispatch = rig.dispatch(new);
    rig.end(new, dispatch.call, returned("new"));
    rig.advance(Duration::from_secs(60));
    assert_eq!(rig.told(old), [Message::Drain]);
    rig.heard(client);
    rig.client_says(client, with(3, handle));
    let (_, outcome) = rig.outcome(client);
    assert!(matches!(outcome, Outcome::Denied(d) if d.reason == DeniedReason::UnknownHandle));
    rig.die(old, Death::Exit(0));
    assert!(!rig.host.workers.contains(old));
    assert_eq!(rig.workers.len(), 2, "it is not replaced");
}
