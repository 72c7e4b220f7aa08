//! Conversations about callbacks, with a host of the test's own making.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod fake;

use fake::{WORKER, cbor, connected};
use proc_host_client::{PoolOptions, Value};
use proc_host_wire::Message;
use proc_host_wire::control::{Reply, Request};
use proc_host_wire::message::{Answer, Origin};

#[tokio::test]
async fn callbacks_are_answered_while_the_call_runs() {
    let (pool, mut host) = connected().await;
    let seen = std::cell::Cell::new(0);
    let call = pool.call::<String>("m.ask", ());
    let answered = call.try_on_callback(async |asked: u32| {
        seen.set(seen.get() + 1);
        tokio::task::yield_now().await;
        if asked == 3 {
            Err("no three")
        } else {
            Ok(asked * 10)
        }
    });
    let ask = |call, callback, payload| Message::Callback {
        call,
        callback,
        origin: None,
        payload,
    };
    let (value, id) = tokio::join!(answered, async {
        let call = host.call().await;
        assert!(call.listens);
        let id = call.call;
        host.send_all([
            ask(id, 1, cbor(1)),
            ask(id, 2, cbor(3)),
            ask(id, 3, cbor("text")),
        ])
        .await;
        let mut answers = Vec::new();
        for _ in 0..3 {
            let Some(Message::Answer {
                call,
                callback,
                answer,
            }) = host.next().await
            else {
                panic!("no answer")
            };
            assert_eq!(call, id);
            answers.push((callback, answer));
        }
        answers.sort_by_key(|(callback, _)| *callback);
        assert_eq!(answers[0].1, Answer::Value(cbor(10)));
        assert_eq!(answers[1].1, Answer::Failed("no three".to_owned()));
        assert!(matches!(answers[2].1, Answer::Failed(_)));
        host.returns(id, "done").await;
        id
    });
    assert_eq!((value.unwrap().as_str(), seen.get()), ("done", 2));
    // The caller listens no more.
    host.send(ask(id, 4, cbor(1))).await;
    let answer = Answer::Gone;
    assert_eq!(
        host.next().await,
        Some(Message::Answer {
            call: id,
            callback: 4,
            answer
        })
    );
}

#[tokio::test]
async fn a_pool_answers_callbacks_that_have_no_caller() {
    let (pool, mut host) = connected().await;
    let options = PoolOptions::new("Other", 2).on_callback(async |question| {
        let worker = question.origin().unwrap().worker.slot;
        let asked: Value = question.payload().unwrap();
        question.answer(&(worker, asked));
    });
    let (made, ()) = tokio::join!(pool.host().create_pool(options), async {
        let Some(Message::Request {
            id,
            request: Request::CreatePool(spec),
            ..
        }) = host.next().await
        else {
            panic!("no request")
        };
        assert!(spec.callbacks && spec.slots == 2);
        host.send(Message::Response {
            id,
            reply: Ok(Reply::Done),
        })
        .await;
    });
    assert_eq!(made.unwrap().name(), "Other");
    let ask = |pool: &str| Message::Callback {
        call: 0,
        callback: 5,
        origin: Some(Origin {
            pool: pool.to_owned(),
            module: "m".to_owned(),
            worker: WORKER,
            host_call: 77,
        }),
        payload: cbor("hello"),
    };
    host.send(ask("Other")).await;
    let answer = Answer::Value(cbor((1, "hello")));
    assert_eq!(
        host.next().await,
        Some(Message::Answer {
            call: 0,
            callback: 5,
            answer
        })
    );
    host.send(ask("Workers")).await;
    let answer = Answer::Unheard;
    assert_eq!(
        host.next().await,
        Some(Message::Answer {
            call: 0,
            callback: 5,
            answer
        })
    );
}

#[tokio::test]
async fn calls_can_be_made_from_other_tasks() {
    let (pool, mut host) = connected().await;
    let offset = std::sync::Arc::new(5);
    let call = tokio::spawn(async move {
        let call = pool.call::<u32>("m.f", ());
        call.on_callback(async |asked: u32| asked + *offset).await
    });
    let call_id = host.call().await.call;
    let ask = Message::Callback {
        call: call_id,
        callback: 1,
        origin: None,
        payload: cbor(1),
    };
    host.send(ask).await;
    let answer = Answer::Value(cbor(6));
    assert_eq!(
        host.next().await,
        Some(Message::Answer {
            call: call_id,
            callback: 1,
            answer
        })
    );
    host.returns(call_id, 9).await;
    assert_eq!(call.await.unwrap().unwrap(), 9);
}
