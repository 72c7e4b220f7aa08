//! Questions of guests.

use proc_host_wire::message::{Answer, Call};
use proc_host_wire::{Message, Outcome};

use super::rig::{Rig, call};
use crate::host::Event;

#[test]
fn callbacks_go_to_the_caller_then_the_handler_then_nobody() {
    let mut rig = Rig::new(1, &["m"]);
    let (client, handler, worker) = (rig.client(), rig.client(), rig.workers[0]);
    let listens = Message::Call(Call {
        listens: true,
        ..call(1, "m.f")
    });
    rig.client_says(client, listens);
    let call = rig.dispatch(worker).call;
    let ask = |callback| Message::Callback {
        call,
        callback,
        origin: None,
        payload: "?".into(),
    };
    rig.worker_says(worker, ask(8));
    rig.worker_says(worker, ask(9));
    let heard = rig.heard(client);
    let [
        Message::Callback {
            call: 1,
            callback: a,
            ..
        },
        Message::Callback { callback: b, .. },
    ] = heard[..]
    else {
        panic!("{heard:?}")
    };
    let answer = |callback, call| Message::Answer {
        call,
        callback,
        answer: Answer::Failed("no".into()),
    };
    rig.client_says(client, answer(b, 1));
    assert!(matches!(
        rig.told(worker)[..],
        [Message::Answer { callback: 9, .. }]
    ));
    rig.client_says(client, answer(b, 1));
    assert!(rig.told(worker).is_empty(), "a second answer is late");
    let _ = a;
    let pool = rig.pool();
    rig.host.pools.get_mut(pool).unwrap().handler = Some(handler);
    rig.event(Event::ClientGone(client));
    let told = rig.told(worker);
    assert!(told.iter().any(|m| matches!(
        m,
        Message::Answer {
            callback: 8,
            answer: Answer::Gone,
            ..
        }
    )));
    rig.worker_says(worker, ask(10));
    let heard = rig.heard(handler);
    let [
        Message::Callback {
            call: 0,
            callback,
            origin: Some(origin),
            ..
        },
    ] = &heard[..]
    else {
        panic!("{heard:?}")
    };
    assert_eq!((origin.pool.as_str(), origin.module.as_str()), ("P", "m"));
    rig.client_says(handler, answer(*callback, 0));
    assert!(matches!(
        rig.told(worker)[..],
        [Message::Answer { callback: 10, .. }]
    ));
    rig.event(Event::ClientGone(handler));
    rig.worker_says(worker, ask(11));
    assert!(matches!(
        rig.told(worker)[..],
        [Message::Answer {
            answer: Answer::Gone,
            ..
        }]
    ));
    rig.worker_says(worker, ask(11));
    rig.end(worker, call, Outcome::Cancelled { dispatched: true });
    rig.assert_clean();
}
