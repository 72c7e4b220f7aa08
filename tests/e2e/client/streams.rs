//! Generators and streams, in both directions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proc_host_client::{
    Bytes, CallError, DeniedReason, FutureArg, Items, Outcome, Pool, RemoteFuture, RemoteStream,
    StreamArg, Value,
};
use proc_host_tests::wait::{block_on, soon, until};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{outcome, own};

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Counts {
    produced: u64,
    started: u64,
    dropped: u64,
}

/// All the items of a generator that does not fail.
async fn all<T: DeserializeOwned>(items: Items<T>) -> Vec<T> {
    soon(items.try_collect()).await.unwrap()
}

async fn counts(pool: &Pool) -> Counts {
    pool.call("generators.counts", ()).await.unwrap()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    name: String,
    x: f64,
    y: f64,
    tags: Vec<String>,
    height: Option<u32>,
}

fn place(index: u32) -> Place {
    Place {
        name: format!("place {index}"),
        x: f64::from(index),
        y: -f64::from(index),
        tags: vec!["tag".to_owned(); (index % 3) as usize],
        height: index.is_multiple_of(2).then_some(index),
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Thing {
    Nothing,
    Number(u32),
    Named(String),
    At(Place),
    Pair((u32, String)),
}

#[derive(Debug, PartialEq, Deserialize)]
struct Wide {
    first: Place,
    second: Place,
    third: Place,
    number: u64,
}

#[test]
fn items_of_every_type_come_in_order() {
    block_on(async {
        let (_host, pool) = own(&["generators", "ticker"]).await;
        const N: u32 = 1000;
        let range = all::<u32>(pool.stream("generators.range", (N,))).await;
        assert_eq!(range, (0..N).collect::<Vec<_>>());
        let none = all::<u32>(pool.stream("generators.empty", ())).await;
        assert!(none.is_empty());
        // Bytes come in chunks.
        let octets = all::<Bytes>(pool.stream("generators.octets", (N,))).await;
        let octets: Vec<u8> = octets.into_iter().flat_map(|chunk| chunk.0).collect();
        assert_eq!(
            octets,
            (0..N).map(|n| n.to_le_bytes()[0]).collect::<Vec<_>>()
        );
        let flips = all::<bool>(pool.stream("generators.flips", (3,))).await;
        assert_eq!(flips, [true, false, true]);
        let texts = all::<String>(pool.stream("generators.texts", (N,))).await;
        assert!(
            texts
                .iter()
                .zip(0..N)
                .all(|(text, n)| *text == format!("item {n}"))
        );
        let places = all::<Place>(pool.stream("generators.places", (N,))).await;
        assert_eq!(places, (0..N).map(place).collect::<Vec<_>>());
        let things = all::<Thing>(pool.stream("generators.things", (5,))).await;
        assert_eq!(
            things,
            [
                Thing::Nothing,
                Thing::Number(1),
                Thing::Named("thing 2".to_owned()),
                Thing::At(place(3)),
                Thing::Pair((4, "pair 4".to_owned())),
            ]
        );
        let wide = all::<Wide>(pool.stream("generators.wide", (300,))).await;
        for (wide, n) in wide.iter().zip(0..300) {
            let Wide {
                first,
                second,
                third,
                number,
            } = wide;
            assert_eq!(
                (first, second, third),
                (&place(n), &place(n + 1), &place(n + 2))
            );
            assert_eq!(*number, u64::from(n));
        }
        assert_eq!(wide.len(), 300);
        let chunks = all::<Bytes>(pool.stream("generators.chunks", (20, 100_000))).await;
        assert!(
            chunks
                .iter()
                .zip(0..20)
                .all(|(chunk, n)| chunk.0 == vec![n; 100_000])
        );
        assert_eq!(chunks.len(), 20);
        let words = all::<Value>(pool.stream("ticker.words", ("to be",))).await;
        assert_eq!(words.len(), 2);
    });
}

#[test]
fn a_generator_that_fails_gives_a_prefix_and_one_error() {
    block_on(async {
        let (_host, pool) = own(&["generators"]).await;
        let all = all::<u32>(pool.stream("generators.fails", (5, None::<u32>))).await;
        assert_eq!(all, [0, 1, 2, 3, 4]);
        let mut items = pool.stream::<u32>("generators.fails", (5, 3));
        for n in 0..3 {
            assert_eq!(items.next().await.unwrap().unwrap(), n);
        }
        let error = items.next().await.unwrap().unwrap_err();
        assert_eq!(error.raised::<String>().unwrap(), "no item 3");
        assert!(items.next().await.is_none());
        let mut items = pool.stream::<Value>("generators.fails-with", ());
        assert!(items.next().await.unwrap().is_ok());
        let error = items.next().await.unwrap().unwrap_err();
        let thing = error.raised::<Thing>().unwrap();
        assert_eq!(thing, Thing::Pair((7, "seven".to_owned())));
        let mut items = pool.stream::<u32>("generators.traps", (100,));
        for n in 0..100 {
            assert_eq!(items.next().await.unwrap().unwrap(), n);
        }
        let error = items.next().await.unwrap().unwrap_err();
        assert!(error.trap().is_some(), "{error}");
        assert!(items.next().await.is_none());
    });
}

#[test]
fn a_resource_with_next_is_a_generator() {
    block_on(async {
        let (_host, pool) = own(&["cursor"]).await;
        let numbers = all::<u32>(pool.stream("cursor.count", (4,))).await;
        assert_eq!(numbers, [0, 1, 2, 3]);
        let words = all::<String>(pool.stream("cursor.split", ("a b c",))).await;
        assert_eq!(words, ["a", "b", "c"]);
        let mut items = pool.stream::<u32>("cursor.break-at", (2,));
        assert_eq!(items.next().await.unwrap().unwrap(), 0);
        assert_eq!(items.next().await.unwrap().unwrap(), 1);
        let error = items.next().await.unwrap().unwrap_err();
        assert_eq!(error.raised::<String>().unwrap(), "broke at 2");
        drop(items);
        let error = pool
            .stream::<u32>("cursor.roll", ())
            .next()
            .await
            .unwrap()
            .unwrap_err();
        assert!(error.to_string().contains("next"), "{error}");
        let error = pool
            .stream::<u32>("cursor.alive", ())
            .next()
            .await
            .unwrap()
            .unwrap_err();
        assert!(error.to_string().contains("stream"), "{error}");
        let mut items = pool.stream::<u32>("cursor.count", (1000,));
        assert_eq!(items.next().await.unwrap().unwrap(), 0);
        drop(items);
        until("all resources are dropped", async || {
            pool.call::<u32>("cursor.alive", ()).await.unwrap() == 0
        })
        .await;
    });
}

#[test]
fn a_dropped_stream_ends_its_producer() {
    block_on(async {
        let (_host, pool) = own(&["generators", "sleepers"]).await;
        let mut items = pool.stream::<u32>("generators.endless", ());
        for n in 0..50_000 {
            assert_eq!(items.next().await.unwrap().unwrap(), n);
        }
        assert_eq!(counts(&pool).await.dropped, 0);
        drop(items);
        until("the producer is dropped", async || {
            counts(&pool).await.dropped == 1
        })
        .await;
        // Where it waits for something else, too.
        let mut beats = pool.stream::<u64>("sleepers.beats", (1,));
        assert_eq!(beats.next().await.unwrap().unwrap(), 0);
        drop(beats);
        until("nobody sleeps", async || {
            pool.call::<u32>("sleepers.asleep", ()).await.unwrap() == 0
        })
        .await;
    });
}

#[test]
fn a_generator_that_nobody_reads_does_not_begin() {
    block_on(async {
        let (_host, pool) = own(&["generators"]).await;
        drop(pool.stream::<u32>("generators.endless", ()));
        assert_eq!(counts(&pool).await.started, 0);
    });
}

#[test]
fn a_deadline_ends_a_generator() {
    block_on(async {
        let (_host, pool) = own(&["sleepers", "faults"]).await;
        let limit = Duration::from_millis(300);
        let began = Instant::now();
        let beats = pool.stream::<u64>("sleepers.beats", (1,)).timeout(limit);
        let beats: Vec<Result<u64, CallError>> = soon(beats.collect()).await;
        assert!(began.elapsed() >= limit && began.elapsed() < 5 * limit);
        let (last, prefix) = beats.split_last().unwrap();
        let prefix: Vec<u64> = prefix.iter().map(|beat| *beat.as_ref().unwrap()).collect();
        assert_eq!(prefix, (0..prefix.len() as u64).collect::<Vec<_>>());
        assert!(!prefix.is_empty());
        let error = last.as_ref().unwrap_err();
        assert!(
            matches!(outcome(error), Outcome::TimedOut { .. }),
            "{error}"
        );
        until("nobody sleeps", async || {
            pool.call::<u32>("sleepers.asleep", ()).await.unwrap() == 0
        })
        .await;
        let silent = pool.stream::<u32>("faults.silent", ()).timeout(limit);
        let ended: Vec<Result<u32, CallError>> = soon(silent.collect()).await;
        let [Err(error)] = ended.as_slice() else {
            panic!("{ended:?}");
        };
        assert!(
            matches!(outcome(error), Outcome::TimedOut { .. }),
            "{error}"
        );
    });
}

#[test]
fn streams_are_arguments() {
    block_on(async {
        let (_host, pool) = own(&["generators", "ticker", "types"]).await;
        let sum: u64 = pool
            .call("ticker.sum", (StreamArg::new(stream::iter([1, 2, 39])),))
            .await
            .unwrap();
        assert_eq!(sum, 42);
        let many = StreamArg::new(stream::iter(0u32..200_000));
        let total: (u64, u64) = pool.call("generators.total", (many,)).await.unwrap();
        assert_eq!(total, (200_000, (0..200_000).sum()));
        let none = StreamArg::new(stream::empty::<u32>());
        let total: (u64, u64) = pool.call("generators.total", (none,)).await.unwrap();
        assert_eq!(total, (0, 0));
        let places = StreamArg::new(stream::iter((0..3).map(place)));
        let names: Vec<String> = pool.call("generators.names", (places,)).await.unwrap();
        assert_eq!(names, ["place 0", "place 1", "place 2"]);
        let left = StreamArg::new(stream::iter([1, 2, 3]));
        let right = StreamArg::new(stream::iter(["a", "b"]));
        let zipped = all::<(u32, String)>(pool.stream("generators.zipped", (left, right))).await;
        assert_eq!(zipped, [(1, "a".to_owned()), (2, "b".to_owned())]);
        let named: std::collections::BTreeMap<&str, StreamArg> =
            [("numbers", StreamArg::new(stream::iter([20, 22])))].into();
        let sums = all::<u64>(pool.stream("ticker.running-sum", named)).await;
        assert_eq!(sums, [20, 42]);
        let bytes = StreamArg::new(stream::iter([
            Bytes(vec![1, 2]),
            Bytes(vec![]),
            Bytes(vec![100; 300_000]),
        ]));
        let doubled: RemoteStream<Bytes> = pool.call("types.double", (bytes,)).await.unwrap();
        let doubled: Vec<Bytes> = doubled.try_collect().await.unwrap();
        let doubled: Vec<u8> = doubled.into_iter().flat_map(|bytes| bytes.0).collect();
        assert_eq!(doubled[..2], [2, 4]);
        assert_eq!(doubled[2..], vec![200; 300_000]);
    });
}

#[test]
fn streams_go_both_ways_in_step() {
    block_on(async {
        let (_host, pool) = own(&["generators"]).await;
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<u32>();
        let numbers = StreamArg::new(stream::poll_fn(move |cx| receiver.poll_recv(cx)));
        let mut doubled = pool.stream::<u64>("generators.doubled", (numbers,));
        for n in 0..100 {
            sender.send(n).unwrap();
            assert_eq!(
                soon(doubled.next()).await.unwrap().unwrap(),
                u64::from(n) * 2
            );
        }
        drop(sender);
        assert!(soon(doubled.next()).await.is_none());
    });
}

/// Notices when it is dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_argument_is_dropped_once_the_guest_has_enough() {
    block_on(async {
        let (_host, pool) = own(&["generators", "faults"]).await;
        let dropped = Arc::new(AtomicBool::new(false));
        let taken = Arc::new(AtomicU64::new(0));
        let (flag, counting) = (Flag(Arc::clone(&dropped)), Arc::clone(&taken));
        let endless = stream::iter(0u32..).map(move |n| {
            let _ = &flag;
            counting.fetch_add(1, Ordering::Relaxed);
            format!("{n}")
        });
        let first: Vec<String> = pool
            .call("generators.first", (StreamArg::new(endless), 3))
            .await
            .unwrap();
        assert_eq!(first, ["0", "1", "2"]);
        until("the stream is dropped", async || {
            dropped.load(Ordering::Relaxed)
        })
        .await;
        assert!(taken.load(Ordering::Relaxed) < 100_000);
        let endless = StreamArg::new(stream::iter(0u32..));
        let error = pool
            .call::<u32>("faults.trap-reading", (endless,))
            .await
            .unwrap_err();
        assert!(error.trap().is_some(), "{error}");
    });
}

#[test]
fn an_argument_can_be_sent_once() {
    block_on(async {
        let (_host, pool) = own(&["ticker"]).await;
        let numbers = StreamArg::new(stream::iter([1, 2]));
        assert_eq!(
            pool.call::<u64>("ticker.sum", (&numbers,)).await.unwrap(),
            3
        );
        let error = pool
            .call::<u64>("ticker.sum", (&numbers,))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("only once"), "{error}");
    });
}

#[test]
fn an_item_of_the_wrong_type_ends_its_call_alone() {
    block_on(async {
        let (_host, pool) = own(&["generators"]).await;
        let mut beside = pool.stream::<u32>("generators.endless", ());
        assert_eq!(beside.next().await.unwrap().unwrap(), 0);
        let wrong = StreamArg::new(stream::iter([Value::from(1), Value::from("two")]));
        let ended = soon(pool.call::<(u64, u64)>("generators.total", (wrong,))).await;
        assert!(ended.is_err(), "{ended:?}");
        // Nor does a guest take for complete what its caller could not send.
        let unsendable = StreamArg::new(stream::iter([1, u128::MAX]));
        let error = soon(pool.call::<(u64, u64)>("generators.total", (unsendable,))).await;
        let error = error.unwrap_err();
        assert_eq!(error.denied().unwrap().reason, DeniedReason::BadArguments);
        assert!(error.to_string().contains("cannot be sent"), "{error}");
        for n in 1..100_000 {
            assert_eq!(beside.next().await.unwrap().unwrap(), n);
        }
    });
}

#[test]
fn futures_go_both_ways() {
    block_on(async {
        let (_host, pool) = own(&["types"]).await;
        let later: RemoteFuture<String> = pool.call("types.later", ("soon",)).await.unwrap();
        assert_eq!(soon(later).await.unwrap().as_deref(), Some("soon"));
        let given = FutureArg::new(async { "given" });
        let resolved: String = pool.call("types.resolve", (given,)).await.unwrap();
        assert_eq!(resolved, "given");
    });
}

#[test]
fn generators_run_side_by_side() {
    block_on(async {
        let (_host, pool) = own(&["generators"]).await;
        let all = (0..50u32).map(|n| {
            let pool = pool.clone();
            async move {
                let items = pool.stream::<u32>("generators.slow", (20, 1 + n % 3));
                items.try_collect::<Vec<u32>>().await.unwrap()
            }
        });
        for items in futures_util::future::join_all(all).await {
            assert_eq!(items, (0..20).collect::<Vec<_>>());
        }
        until("all are dropped", async || {
            counts(&pool).await.dropped == 50
        })
        .await;
        assert_eq!(counts(&pool).await.produced, 1000);
    });
}
