//! Conversations about streams and handles, with a host of the test's own making.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod fake;

use fake::{cbor, connected, end, ended, items, plain, tag};
use futures_util::{StreamExt as _, TryStreamExt as _};
use proc_host_client::{Bytes, Handle, RemoteStream};
use proc_host_wire::cbor::{TAG_FUTURE, TAG_RESOURCE, TAG_STREAM};
use proc_host_wire::control::{FunctionInfo, Reply, Request};
use proc_host_wire::interface::{Function, Interface, Type};
use proc_host_wire::outcome::{Outcome as Sent, Value};
use proc_host_wire::{Attachment, AttachmentKind, Message, Trap};
use serde::Deserialize;

use ciborium::Value as Cbor;

fn attached(value: &Cbor, attachments: &[(AttachmentKind, u64)]) -> Sent {
    let attachments = attachments
        .iter()
        .map(|(kind, id)| Attachment {
            kind: *kind,
            id: *id,
        })
        .collect();
    Sent::Returned(Value {
        body: cbor(value),
        attachments,
    })
}

fn stream_of(call: u64) -> Message {
    ended(
        call,
        attached(&tag(TAG_STREAM, 0), &[(AttachmentKind::Stream, 1)]),
    )
}

#[tokio::test]
async fn items_come_in_order_and_credit_goes_back() {
    let (pool, mut host) = connected().await;
    let counted = pool
        .stream::<u32>("ticker.count", (100_000,))
        .try_collect::<Vec<_>>();
    let (items, ()) = tokio::join!(counted, async {
        let call = host.call().await;
        let mut credit = call.window.items;
        let mut next = 0..100_000_u32;
        host.send(stream_of(call.call)).await;
        loop {
            let batch: Vec<u32> = next.by_ref().take(500.min(credit as usize)).collect();
            credit -= u32::try_from(batch.len()).unwrap();
            if !batch.is_empty() {
                host.send(items(call.call, 1, &batch)).await;
            }
            if next.is_empty() {
                break host.send(end(call.call, 1)).await;
            }
            if credit == 0 {
                let Some(Message::Credit {
                    stream: 1, items, ..
                }) = host.next().await
                else {
                    panic!("no credit")
                };
                credit += items;
            }
        }
    });
    assert_eq!(items.unwrap(), (0..100_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn more_items_than_granted_break_the_protocol() {
    let (pool, mut host) = connected().await;
    let mut ticks = pool.stream::<u32>("ticker.count", ());
    let (first, ()) = tokio::join!(ticks.next(), async {
        let call = host.call().await;
        let flood = vec![0_u8; call.window.items as usize + 1];
        host.send_all([stream_of(call.call), items(call.call, 1, &flood)])
            .await;
        assert_eq!(host.next().await, None);
    });
    assert!(
        first
            .unwrap()
            .unwrap_err()
            .to_string()
            .contains("exceeds its credit")
    );
}

#[tokio::test]
async fn a_dropped_reader_closes_the_stream() {
    let (pool, mut host) = connected().await;
    let mut ticks = pool.stream::<u32>("ticker.count", ());
    let (first, id) = tokio::join!(ticks.next(), async {
        let call = host.call().await;
        host.send_all([stream_of(call.call), items(call.call, 1, &[8, 9])])
            .await;
        call.call
    });
    assert_eq!(first.unwrap().unwrap(), 8);
    drop(ticks);
    assert_eq!(
        host.next().await,
        Some(Message::Close {
            call: id,
            stream: 1
        })
    );
    // What was under way is ignored, and the connection lives.
    host.send_all([items(id, 1, &[10]), end(id, 1)]).await;
    let (value, ()) = tokio::join!(async { pool.call::<u8>("m.f", ()).await.unwrap() }, async {
        let call = host.call().await;
        host.returns(call.call, 5).await;
    });
    assert_eq!(value, 5);
}

#[tokio::test]
async fn a_stream_that_fails_ends_with_its_reason() {
    let (pool, mut host) = connected().await;
    let trap = Trap {
        reason: "unreachable".to_owned(),
        own: true,
        backtrace: Vec::new(),
    };
    let ticks = pool.stream::<u32>("ticker.count", ()).collect::<Vec<_>>();
    let (ticks, ()) = tokio::join!(ticks, async {
        let id = host.call().await.call;
        let failure = Some(Sent::Trapped(trap).into());
        host.send_all([
            stream_of(id),
            items(id, 1, &[1]),
            Message::End {
                call: id,
                stream: 1,
                failure,
            },
        ])
        .await;
    });
    assert_eq!(ticks.len(), 2);
    assert_eq!(*ticks[0].as_ref().unwrap(), 1);
    assert_eq!(
        ticks[1].as_ref().unwrap_err().trap().unwrap().reason,
        "unreachable"
    );
}

#[tokio::test]
async fn a_generator_that_can_fail_raises_at_its_end() {
    let (pool, mut host) = connected().await;
    for verdict in [
        Cbor::Map(vec![("err".into(), "full".into())]),
        Cbor::Map(vec![("ok".into(), Cbor::Null)]),
    ] {
        let lines = pool.stream::<String>("log.lines", ()).collect::<Vec<_>>();
        let (lines, ()) = tokio::join!(lines, async {
            let id = host.call().await.call;
            let value = Cbor::Array(vec![tag(TAG_STREAM, 0), tag(TAG_FUTURE, 1)]);
            let kinds = [(AttachmentKind::Stream, 1), (AttachmentKind::Future, 3)];
            host.send_all([
                ended(id, attached(&value, &kinds)),
                items(id, 1, &["a"]),
                end(id, 1),
                items(id, 3, &[&verdict]),
                end(id, 3),
            ])
            .await;
        });
        assert_eq!(lines[0].as_ref().unwrap(), "a");
        match lines.get(1) {
            Some(last) => {
                assert_eq!(
                    last.as_ref().unwrap_err().raised::<String>().unwrap(),
                    "full"
                );
            }
            None => assert!(verdict.as_map().unwrap()[0].0 == "ok".into()),
        }
    }
}

#[tokio::test]
async fn a_resource_with_next_is_a_generator() {
    let (pool, mut host) = connected().await;
    let lines = pool
        .stream::<u32>("old.numbers", ())
        .try_collect::<Vec<_>>();
    let (lines, ()) = tokio::join!(lines, async {
        let id = host.call().await.call;
        let handle = attached(&tag(TAG_RESOURCE, 0), &[(AttachmentKind::Resource, 6)]);
        host.end(id, handle).await;
        let Some(Message::Request {
            id,
            request: Request::Describe { target, .. },
            ..
        }) = host.next().await
        else {
            panic!("no question")
        };
        assert_eq!(target, "old.numbers");
        let function = |name: &str, params: &[(&str, u32)], result| Function {
            interface: None,
            name: name.to_owned(),
            is_async: false,
            params: params
                .iter()
                .map(|(name, id)| ((*name).to_owned(), *id))
                .collect(),
            result: Some(result),
            unsupported: None,
        };
        let interface = Interface {
            types: vec![
                Type::Own("walk".to_owned()),
                Type::Borrow("walk".to_owned()),
                Type::U32,
                Type::Option(2),
            ],
            functions: vec![
                function("numbers", &[], 0),
                function("[method]walk.next", &[("self", 1)], 3),
            ],
            imports: Vec::new(),
        };
        let found = FunctionInfo {
            module: "old".to_owned(),
            function: 0,
            interface,
        };
        host.send(Message::Response {
            id,
            reply: Ok(Reply::Function(found)),
        })
        .await;
        for item in [Some(4), Some(5), None] {
            let call = host.call().await;
            assert_eq!(call.target, "old.walk.next");
            assert_eq!(call.arguments.attachments[0].id, 6);
            assert_eq!(
                call.arguments.body,
                cbor(Cbor::Array(vec![tag(TAG_RESOURCE, 0)]))
            );
            host.send(ended(call.call, Sent::Returned(plain(item))))
                .await;
        }
        assert_eq!(host.next().await, Some(Message::Release { handle: 6 }));
    });
    assert_eq!(lines.unwrap(), [4, 5]);
}

#[tokio::test]
async fn streams_and_handles_stand_anywhere_in_a_value() {
    #[derive(Deserialize)]
    struct Table {
        name: String,
        rows: RemoteStream<Bytes>,
        cursor: Handle,
    }
    let (pool, mut host) = connected().await;
    let (table, id) = tokio::join!(
        async { pool.call::<Table>("db.scan", ()).await.unwrap() },
        async {
            let id = host.call().await.call;
            let value = Cbor::Map(vec![
                ("name".into(), "t".into()),
                ("rows".into(), tag(TAG_STREAM, 1)),
                ("cursor".into(), tag(TAG_RESOURCE, 0)),
            ]);
            let kinds = [(AttachmentKind::Resource, 4), (AttachmentKind::Stream, 1)];
            host.end(id, attached(&value, &kinds)).await;
            let rows = [Cbor::Bytes(vec![1, 2]), Cbor::Bytes(vec![3])];
            host.send_all([items(id, 1, &rows), end(id, 1)]).await;
            id
        }
    );
    assert_eq!(table.name, "t");
    let rows: Vec<Bytes> = table.rows.try_collect().await.unwrap();
    assert_eq!(rows, [Bytes(vec![1, 2]), Bytes(vec![3])]);
    let moved = table.cursor.call::<()>("cursor.seek", (5,));
    drop(table.cursor);
    tokio::join!(async { moved.await.unwrap() }, async {
        let call = host.call().await;
        assert!(call.call > id);
        assert_eq!(call.target, "db.cursor.seek");
        host.returns(call.call, ()).await;
        assert_eq!(host.next().await, Some(Message::Release { handle: 4 }));
    });
}

#[tokio::test]
async fn items_that_name_things_bring_them() {
    let (pool, mut host) = connected().await;
    let handles = pool
        .stream::<Option<Handle>>("m.handles", ())
        .try_collect::<Vec<_>>();
    let (handles, ()) = tokio::join!(handles, async {
        let id = host.call().await.call;
        let documents = [tag(TAG_RESOURCE, 0), Cbor::Null, tag(TAG_RESOURCE, 1)];
        let Message::Items {
            call,
            stream,
            count,
            items,
        } = items(id, 1, &documents)
        else {
            unreachable!()
        };
        let handle = |id| Attachment {
            kind: AttachmentKind::Resource,
            id,
        };
        let items = Value {
            attachments: vec![handle(2), handle(4)],
            ..items
        };
        let items = Message::Items {
            call,
            stream,
            count,
            items,
        };
        host.send_all([stream_of(id), items, end(id, 1)]).await;
    });
    let ids: Vec<_> = handles
        .unwrap()
        .iter()
        .map(|h| h.as_ref().map(Handle::id))
        .collect();
    assert_eq!(ids, [Some(2), None, Some(4)]);
}
