//! Guests that ask their callers.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use futures_util::{StreamExt as _, TryStreamExt as _};
use proc_host_client::{Host, Origin, PoolOptions, Question, StartOptions, Value};
use proc_host_tests::wait::{block_on, soon, until};
use proc_host_tests::{binary, guest};
use serde::Deserialize;
use tokio::sync::Barrier;

use super::own;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Failure {
    Unheard,
    Failed(String),
    Gone,
    Malformed(String),
    Unexpected(String),
}

#[derive(Debug, PartialEq, Deserialize)]
struct Whereabouts {
    pool: String,
    module: String,
    worker: u32,
    generation: u64,
    call: u64,
}

#[test]
fn an_async_closure_answers() {
    block_on(async {
        let (_host, pool) = own(&["callback", "asker"]).await;
        #[derive(Deserialize)]
        struct Asked {
            name: String,
            left: usize,
        }
        let left = RefCell::new(Vec::new());
        for target in ["callback.greet", "callback.greet-async"] {
            let greetings: Vec<String> = pool
                .call(target, (["Ada", "Grace"],))
                .on_callback(async |asked: Asked| {
                    left.borrow_mut().push(asked.left);
                    tokio::task::yield_now().await;
                    format!("Hello, {}!", asked.name)
                })
                .await
                .unwrap();
            assert_eq!(greetings, ["Hello, Ada!", "Hello, Grace!"]);
        }
        assert_eq!(left.into_inner(), [1, 0, 1, 0]);
        let next = Cell::new(4);
        let sum: i64 = pool
            .call("callback.collect", ())
            .on_callback(async |_: String| {
                next.set(next.get() - 1);
                (next.get() > 0).then(|| next.get())
            })
            .await
            .unwrap();
        assert_eq!(sum, 6);
        for target in ["asker.many", "asker.many-async"] {
            let sum: i64 = pool
                .call(target, (500,))
                .on_callback(async |n: i64| n * 2)
                .await
                .unwrap();
            assert_eq!(sum, 499 * 500);
        }
        let none: u32 = pool
            .call("asker.none", ())
            .on_callback(async |_: ()| ())
            .await
            .unwrap();
        assert_eq!(none, 0);
    });
}

#[test]
fn callbacks_of_one_call_run_at_once() {
    block_on(async {
        let (_host, pool) = own(&["asker"]).await;
        // None is answered before all have come.
        let all = Barrier::new(100);
        let answers: Vec<i64> = soon(pool.call("asker.parallel", (100,)).on_callback(
            async |n: i64| {
                all.wait().await;
                n * 10
            },
        ))
        .await
        .unwrap();
        assert_eq!(answers, (0..100).map(|n| n * 10).collect::<Vec<_>>());
    });
}

#[test]
fn callbacks_go_to_the_call_that_asks() {
    block_on(async {
        let (_host, pool) = own(&["asker"]).await;
        let all = Barrier::new(20);
        let calls = (0..20).map(|me: i64| {
            let (pool, all) = (&pool, &all);
            async move {
                let call = pool.call::<i64>("asker.many-async", (10,));
                let sum = call
                    .on_callback(async |n: i64| {
                        all.wait().await;
                        me * 100 + n
                    })
                    .await;
                assert_eq!(sum.unwrap(), me * 1000 + 45);
            }
        });
        soon(join_all(calls)).await;
    });
}

#[test]
fn a_handler_may_fail_or_not_understand() {
    block_on(async {
        let (_host, pool) = own(&["asker"]).await;
        let call = pool.call::<String>("asker.one", ("x",));
        let error = call
            .try_on_callback(async |_: String| Err::<(), _>("no manners"))
            .await
            .unwrap_err();
        let failed = Failure::Failed("no manners".to_owned());
        assert_eq!(error.raised::<Failure>(), Some(failed));
        let call = pool.call::<String>("asker.one", ("x",));
        let error = call.on_callback(async |n: u32| n).await.unwrap_err();
        let Some(Failure::Failed(why)) = error.raised::<Failure>() else {
            panic!("{error}");
        };
        assert!(why.contains("unexpected payload"), "{why}");
        let call = pool.call::<String>("asker.one", ("x",));
        let error = call.on_callback(async |_: String| 7).await.unwrap_err();
        assert!(
            matches!(error.raised::<Failure>(), Some(Failure::Unexpected(_))),
            "{error}"
        );
        // Nobody listens.
        for target in ["asker.one", "asker.one-async"] {
            let error = pool.call::<String>(target, ("x",)).await.unwrap_err();
            assert_eq!(error.raised::<Failure>(), Some(Failure::Unheard));
        }
        // The guest sends what is no document.
        let call = pool.call::<Value>("asker.raw", (proc_host_client::Bytes(vec![0xff, 0]),));
        let error = call.on_callback(async |_: Value| ()).await.unwrap_err();
        assert!(
            matches!(error.raised::<Failure>(), Some(Failure::Malformed(_))),
            "{error}"
        );
        let call = pool.call::<String>("asker.one", ("well",));
        assert_eq!(
            call.on_callback(async |text: String| text).await.unwrap(),
            "well"
        );
    });
}

#[test]
fn values_of_every_kind_are_asked_and_answered() {
    block_on(async {
        let (_host, pool) = own(&["asker"]).await;
        let asked = RefCell::new(None);
        pool.call::<String>("asker.record", ())
            .on_callback(async |question: Value| {
                *asked.borrow_mut() = Some(question.clone());
                question
            })
            .await
            .unwrap();
        let Some(Value::Map(fields)) = asked.into_inner() else {
            panic!("no record");
        };
        let photo = Value::Bytes(vec![0, 1, 255]);
        assert!(fields.contains(&("photo".into(), photo)), "{fields:?}");
        assert!(fields.contains(&("age".into(), 36.into())), "{fields:?}");
        let call = pool.call::<u32>("asker.bytes", (5_000_000,));
        let length = call.on_callback(async |bytes: Value| bytes).await.unwrap();
        assert_eq!(length, 5_000_000);
    });
}

#[test]
fn a_generator_asks_while_it_gives() {
    block_on(async {
        let (_host, pool) = own(&["asker"]).await;
        let left = Arc::new(AtomicU32::new(5));
        let items = pool
            .stream::<i64>("asker.items", ())
            .on_callback(move |_: String| {
                let before = left.fetch_sub(1, Ordering::Relaxed);
                async move { (before > 0).then_some(before) }
            });
        assert_eq!(
            soon(items.try_collect::<Vec<_>>()).await.unwrap(),
            [5, 4, 3, 2, 1]
        );
        let mut items = pool.stream::<i64>("asker.items", ());
        let error = soon(items.next()).await.unwrap().unwrap_err();
        assert!(
            error.raised::<String>().unwrap().contains("nobody listens"),
            "{error}"
        );
    });
}

#[test]
fn a_trap_after_an_answer_is_the_end_of_the_call() {
    block_on(async {
        let (_host, pool) = own(&["asker"]).await;
        let call = pool.call::<()>("asker.then-trap", ("x",));
        let error = call
            .on_callback(async |_: String| "fine")
            .await
            .unwrap_err();
        assert!(error.trap().is_some(), "{error}");
        assert_eq!(pool.call::<u32>("asker.none", ()).await.unwrap(), 0);
    });
}

type Heard = Arc<Mutex<Vec<(Origin, String)>>>;

/// A pool whose handler answers with its own name, and what it was asked.
async fn heard(host: &Host, name: &'static str, slots: u32) -> (proc_host_client::Pool, Heard) {
    let heard = Heard::default();
    let hearing = Arc::clone(&heard);
    let options = PoolOptions::new(name, slots).on_callback(move |question: Question| {
        let origin = question.origin().unwrap().clone();
        let text = question.payload::<String>().unwrap();
        hearing.lock().unwrap().push((origin, text));
        async move {
            tokio::task::yield_now().await;
            question.answer(name);
        }
    });
    let pool = host.create_pool(options).await.unwrap();
    pool.load_file(guest("asker")).await.unwrap();
    (pool, heard)
}

#[test]
fn each_pool_has_a_handler_of_its_own() {
    block_on(async {
        let host = Host::start(StartOptions::new().binary(binary()))
            .await
            .unwrap();
        let (left, heard_left) = heard(&host, "Left", 2).await;
        let (right, heard_right) = heard(&host, "Right", 1).await;
        let answer: String = left.call("asker.one", ("a",)).worker(1).await.unwrap();
        assert_eq!(answer, "Left");
        let answer: String = right.call("asker.one-async", ("b",)).await.unwrap();
        assert_eq!(answer, "Right");
        // A caller that listens is asked itself.
        let call = left.call::<String>("asker.one", ("c",));
        let answer = call
            .on_callback(async |text: String| format!("me: {text}"))
            .await;
        assert_eq!(answer.unwrap(), "me: c");
        let whereabouts: Whereabouts = left.call("asker.whereabouts", ()).worker(1).await.unwrap();
        assert_eq!(
            (whereabouts.pool.as_str(), whereabouts.module.as_str()),
            ("Left", "asker")
        );
        assert_eq!((whereabouts.worker, whereabouts.generation), (1, 1));
        let heard = heard_left.lock().unwrap();
        let [(origin, text)] = heard.as_slice() else {
            panic!("{heard:?}");
        };
        assert_eq!(
            (origin.pool.as_str(), origin.module.as_str()),
            ("Left", "asker")
        );
        assert_eq!((origin.worker.slot, origin.worker.generation), (1, 1));
        assert_eq!(text, "a");
        assert!(origin.host_call > 0 && origin.host_call < whereabouts.call);
        let heard = heard_right.lock().unwrap();
        assert_eq!(
            (heard[0].0.pool.as_str(), heard[0].1.as_str()),
            ("Right", "b")
        );
        assert_eq!(heard.len(), 1);
    });
}

#[test]
fn a_handler_hears_calls_of_other_clients() {
    block_on(async {
        let host = Host::start(StartOptions::new().binary(binary()))
            .await
            .unwrap();
        let (_pool, heard) = heard(&host, "Left", 1).await;
        let other = Host::connect(host.socket()).await.unwrap();
        let pool = other.pool("Left");
        // One that has no ears, and one that has and goes before it is asked.
        let answer: String = pool.call("asker.one", ("from another",)).await.unwrap();
        assert_eq!(answer, "Left");
        assert_eq!(heard.lock().unwrap()[0].1, "from another");
        let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
        let call = pool.call::<String>("asker.one-async", ("never answered",));
        let answering = call.on_callback(async |text: String| {
            asked.send(text).unwrap();
            std::future::pending::<String>().await
        });
        tokio::select! {
            ended = answering => panic!("{ended:?}"),
            text = was_asked.recv() => assert_eq!(text.unwrap(), "never answered"),
        }
        until("nothing is in flight", async || {
            host.ps().await.unwrap()[0].workers[0].in_flight == 0
        })
        .await;
        assert_eq!(heard.lock().unwrap().len(), 1);
    });
}
