//! Conversations about streams among the arguments, with a host of the test's own making.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod fake;

use ciborium::Value as Cbor;
use fake::{cbor, connected, end, tag};
use futures_util::{StreamExt as _, stream};
use proc_host_client::StreamArg;
use proc_host_wire::cbor::TAG_STREAM;
use proc_host_wire::{Attachment, AttachmentKind, Message};

#[tokio::test]
async fn an_argument_stream_keeps_to_its_credit() {
    let (pool, mut host) = connected().await;
    let numbers = StreamArg::new(stream::iter(0..10_u32));
    let sum = pool.call::<u32>("m.sum", ("title", numbers));
    let (sum, ()) = tokio::join!(async { sum.await.unwrap() }, async {
        let call = host.call().await;
        let value = Cbor::Array(vec!["title".into(), tag(TAG_STREAM, 0)]);
        assert_eq!(call.arguments.body, cbor(value));
        let attachment = Attachment {
            kind: AttachmentKind::Stream,
            id: 2,
        };
        assert_eq!(call.arguments.attachments, [attachment]);
        let (id, mut got) = (call.call, 0);
        let credit = |items| Message::Credit {
            call: id,
            stream: 2,
            items,
            bytes: 100,
        };
        for (granted, expected) in [(3, 3), (4, 4), (100, 3)] {
            host.send(credit(granted)).await;
            let Some(Message::Items {
                stream: 2,
                count,
                items,
                ..
            }) = host.next().await
            else {
                panic!("no items")
            };
            assert_eq!((count, items.body.len()), (expected, expected as usize));
            got += count;
        }
        assert_eq!(host.next().await, Some(end(id, 2)));
        host.returns(id, got).await;
    });
    assert_eq!(sum, 10);
}

#[tokio::test]
async fn a_closed_argument_stream_is_dropped() {
    struct Told(Option<tokio::sync::oneshot::Sender<()>>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }
    let (pool, mut host) = connected().await;
    let (sender, dropped) = tokio::sync::oneshot::channel();
    let told = Told(Some(sender));
    let endless = StreamArg::new(stream::repeat(1_u8).map(move |item| {
        let _ = &told;
        item
    }));
    tokio::join!(
        async { pool.call::<()>("m.first", (endless,)).await.unwrap() },
        async {
            let call = host.call().await.call;
            host.send(Message::Credit {
                call,
                stream: 2,
                items: 1,
                bytes: 10,
            })
            .await;
            assert!(matches!(
                host.next().await,
                Some(Message::Items { count: 1, .. })
            ));
            host.send(Message::Close { call, stream: 2 }).await;
            host.returns(call, ()).await;
        }
    );
    dropped.await.unwrap();
}
