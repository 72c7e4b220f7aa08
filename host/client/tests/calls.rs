//! Conversations about calls, with a host of the test's own making.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod fake;

use std::time::Duration;

use fake::{Peer, WORKER, cbor, connected, ended, listen, plain};
use futures_util::future::join_all;
use proc_host_client::{
    Bytes, ConnectError, Denied, DeniedReason, Failure, Host, Outcome, RequestError, Trap,
    TrapFrame,
};
use proc_host_wire::message::Deadline;
use proc_host_wire::outcome::Outcome as Sent;
use proc_host_wire::{Attachment, AttachmentKind, Message};

#[tokio::test]
async fn a_call_goes_out_and_its_value_comes_back() {
    let (pool, mut host) = connected().await;
    let call = pool
        .call::<i64>("math.add", (40, 2))
        .timeout(Duration::from_secs(5))
        .worker(1);
    let (sum, ()) = tokio::join!(async { call.await.unwrap() }, async {
        let call = host.call().await;
        assert_eq!(
            (call.pool.as_str(), call.target.as_str()),
            ("Workers", "math.add")
        );
        assert_eq!(call.arguments.body, cbor((40, 2)));
        assert_eq!(call.deadline, Deadline::Micros(5_000_000));
        assert_eq!((call.slot, call.listens), (Some(1), false));
        host.returns(call.call, 42).await;
    });
    assert_eq!(sum, 42);
}

#[tokio::test]
async fn many_calls_at_once_are_told_apart() {
    let (pool, mut host) = connected().await;
    let calls = (0..500_u32).map(|n| IntoFuture::into_future(pool.call::<u32>("m.echo", (n,))));
    let (values, ()) = tokio::join!(join_all(calls), async {
        let mut calls = Vec::new();
        for _ in 0..500 {
            calls.push(host.call().await);
        }
        calls.reverse();
        let answers = calls.into_iter().map(|call| {
            let argument = call.arguments.body.slice(1..);
            let value = proc_host_wire::Value {
                body: argument,
                attachments: Vec::new(),
            };
            ended(call.call, Sent::Returned(value))
        });
        host.send_all(answers).await;
    });
    let values: Vec<u32> = values.into_iter().map(Result::unwrap).collect();
    assert_eq!(values, (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_long_argument_and_a_long_value_cross_whole() {
    let (pool, mut host) = connected().await;
    let long = Bytes(vec![3; 5 << 20]);
    let (value, ()) = tokio::join!(
        async { pool.call::<Bytes>("m.echo", (&long,)).await.unwrap() },
        async {
            let call = host.call().await;
            host.send(ended(call.call, Sent::Returned(plain(&long))))
                .await;
        }
    );
    assert_eq!(value, long);
}

#[tokio::test]
async fn an_error_says_what_where_and_why() {
    let (pool, mut host) = connected().await;
    let trap = Trap {
        reason: "integer divide by zero".to_owned(),
        own: true,
        backtrace: vec![TrapFrame {
            function: "math::div".to_owned(),
            module: None,
            offset: Some(0x1f),
        }],
    };
    let ends = [
        Sent::Raised(plain("division by zero")),
        Sent::Trapped(trap),
        Sent::Denied(Denied::new(
            DeniedReason::UnknownFunction,
            "no function `math.div`",
        )),
        Sent::Cancelled { dispatched: true },
        Sent::TimedOut { dispatched: false },
        Sent::Returned(plain("text")),
    ];
    let mut errors = Vec::new();
    for end in ends {
        let (result, ()) = tokio::join!(
            async { pool.call::<i32>("math.div", (1, 0)).await },
            async {
                let call = host.call().await;
                host.end(call.call, end).await;
            }
        );
        errors.push(result.unwrap_err());
    }
    assert_eq!(errors[0].raised::<String>().unwrap(), "division by zero");
    assert_eq!(errors[1].trap().unwrap().backtrace.len(), 1);
    assert_eq!(
        errors[2].denied().unwrap().reason,
        DeniedReason::UnknownFunction
    );
    assert_eq!(errors[0].worker(), Some(WORKER));
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let place = "math.div in pool Workers, worker 1 (generation 3)";
    assert_eq!(texts[0], format!("{place} raised \"division by zero\""));
    assert_eq!(
        texts[1],
        format!("{place} trapped: integer divide by zero\n    0: math::div @ 0x1f")
    );
    assert_eq!(
        texts[2],
        format!("{place} was denied: no function `math.div`")
    );
    assert_eq!(
        texts[3],
        format!("{place} was cancelled after it had been handed to a worker")
    );
    assert_eq!(
        texts[4],
        format!("{place} timed out before it reached a worker")
    );
    assert!(
        matches!(errors[5].failure(), Failure::Result(_)),
        "{}",
        texts[5]
    );
}

#[tokio::test]
async fn arguments_that_cannot_be_sent_are_not() {
    let (pool, _host) = connected().await;
    let error = pool.call::<()>("m.f", 7).await.unwrap_err();
    assert!(matches!(error.failure(), Failure::Arguments(_)), "{error}");
    let long = Bytes(vec![0; 65 << 20]);
    let error = pool.call::<()>("m.f", (long,)).await.unwrap_err();
    assert!(error.to_string().contains("exceeds the limit"), "{error}");
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_and_what_it_still_returns_let_go() {
    let (pool, mut host) = connected().await;
    let call = IntoFuture::into_future(pool.call::<()>("m.slow", ()));
    let (_, id) = tokio::join!(
        tokio::time::timeout(Duration::from_millis(20), call),
        async {
            let call = host.call().await;
            assert_eq!(host.next().await, Some(Message::Cancel { call: call.call }));
            call.call
        }
    );
    let body = cbor(1);
    let attachments = vec![
        Attachment {
            kind: AttachmentKind::Resource,
            id: 9,
        },
        Attachment {
            kind: AttachmentKind::Stream,
            id: 1,
        },
    ];
    host.end(
        id,
        Sent::Returned(proc_host_wire::Value { body, attachments }),
    )
    .await;
    assert_eq!(host.next().await, Some(Message::Release { handle: 9 }));
    assert_eq!(
        host.next().await,
        Some(Message::Close {
            call: id,
            stream: 1
        })
    );
}

#[tokio::test]
async fn a_lost_connection_leaves_sent_calls_unknown_and_refuses_others() {
    let (pool, mut host) = connected().await;
    let (result, ()) = tokio::join!(async { pool.call::<()>("m.f", ()).await }, async {
        host.call().await;
        drop(host);
    });
    let error = result.unwrap_err();
    assert!(
        matches!(error.outcome(), Some(Outcome::Unknown(_))),
        "{error}"
    );
    let error = pool.call::<()>("m.f", ()).await.unwrap_err();
    assert!(matches!(error.failure(), Failure::NotSent(_)), "{error}");
    assert!(matches!(pool.host().ps().await, Err(RequestError::Lost(_))));
}

#[tokio::test]
async fn the_last_user_closes_the_connection_behind_what_was_sent() {
    let (pool, mut host) = connected().await;
    drop(IntoFuture::into_future(pool.call::<()>("m.f", ())));
    drop(pool);
    assert_eq!(host.next().await, None);
}

#[tokio::test]
async fn a_refusal_and_a_missing_host_are_told() {
    let (listener, folder) = listen();
    let path = folder.path().join("host.sock");
    let (host, ()) = tokio::join!(Host::connect(&path), async {
        let mut peer = Peer::new(listener.accept().await.unwrap().0);
        assert!(matches!(peer.next().await, Some(Message::Hello { .. })));
        peer.send(Message::Refused("wrong token".to_owned())).await;
    });
    assert!(matches!(host, Err(ConnectError::Refused(why)) if why == "wrong token"));
    drop((listener, folder));
    assert!(matches!(
        Host::connect(path).await,
        Err(ConnectError::NoHost { .. })
    ));
}

#[tokio::test]
async fn nonsense_from_the_host_ends_the_connection() {
    let (pool, mut host) = connected().await;
    let (result, ()) = tokio::join!(async { pool.call::<()>("m.f", ()).await }, async {
        let call = host.call().await;
        host.returns(call.call + 1, 1).await;
        assert_eq!(host.next().await, None);
    });
    let error = result.unwrap_err().to_string();
    assert!(
        error.contains("broke the protocol: call 2 is not open"),
        "{error}"
    );
}
