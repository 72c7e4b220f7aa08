//! Plain and async calls: values, arguments, outcomes, deadlines.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use proc_host_client::{Arguments, Bytes, DeniedReason, Event, Failure, Outcome, Pool, Value};
use proc_host_tests::processes::processor_time;
use proc_host_tests::wait::{block_on, until};
use serde::{Deserialize, Serialize};

use super::{outcome, own, own_with};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Shape {
    Empty,
    Circle(f64),
    Polygon(Vec<Point>),
    Labelled((String, Point)),
}

#[test]
fn values_are_rust_types() {
    block_on(async {
        let (_host, pool) = own(&["math", "types", "faults"]).await;
        assert_eq!(pool.call::<i64>("math.add", (40, 2)).await.unwrap(), 42);
        let mean: Option<f64> = pool.call("math.mean", ([1.0, 2.0, 6.0],)).await.unwrap();
        assert_eq!(mean, Some(3.0));
        let none: Option<u64> = pool.call("math.factorial", (21,)).await.unwrap();
        assert_eq!(none, None);
        for shape in [
            Shape::Empty,
            Shape::Circle(0.1),
            Shape::Polygon(vec![Point { x: 1.0, y: -2.5 }, Point { x: 0.0, y: 1e300 }]),
            Shape::Labelled(("ö🦀".to_owned(), Point { x: 0.0, y: 0.0 })),
        ] {
            let back: Shape = pool.call("types.echo-variant", (&shape,)).await.unwrap();
            assert_eq!(back, shape);
        }
        let text: String = pool.call("faults.ping", ()).await.unwrap();
        assert_eq!(text, "pong");
        pool.call::<()>("types.nothing", ()).await.unwrap();
    });
}

#[test]
fn values_need_no_type() {
    block_on(async {
        let (_host, pool) = own(&["math", "types"]).await;
        let sum: Value = pool.call("math.add", (40, 2)).await.unwrap();
        assert_eq!(sum, Value::from(42));
        let point = Value::Map(vec![
            ("x".into(), 1.5.into()),
            ("y".into(), Value::from(-1.0)),
        ]);
        let back: Value = pool
            .call("types.echo-record", Value::Array(vec![point.clone()]))
            .await
            .unwrap();
        assert_eq!(back, point);
    });
}

#[test]
fn arguments_go_by_name_in_any_order() {
    #[derive(Serialize)]
    struct Divide {
        b: f64,
        a: f64,
    }
    block_on(async {
        let (_host, pool) = own(&["math"]).await;
        let named = Divide { b: 4.0, a: 1.0 };
        assert_eq!(pool.call::<f64>("math.divide", named).await.unwrap(), 0.25);
        let map: BTreeMap<&str, i64> = [("b", 2), ("a", 40)].into();
        assert_eq!(pool.call::<i64>("math.add", &map).await.unwrap(), 42);
        let wrong: BTreeMap<&str, i64> = [("b", 2), ("c", 40)].into();
        let error = pool.call::<i64>("math.add", &wrong).await.unwrap_err();
        let denied = error.denied().unwrap();
        assert_eq!(denied.reason, DeniedReason::BadArguments);
        assert!(denied.message.contains('c'), "{error}");
        let signature = "add: func(a: s64, b: s64) -> s64";
        assert!(denied.message.contains(signature), "{error}");
    });
}

#[test]
fn bytes_are_bytes() {
    block_on(async {
        let (_host, pool) = own(&["types"]).await;
        let bytes = Bytes((0..=255).cycle().take(100_000).collect());
        let back: Bytes = pool.call("types.echo-bytes", (&bytes,)).await.unwrap();
        assert_eq!(back, bytes);
        let error = pool
            .call::<Bytes>("types.echo-bytes", ("text",))
            .await
            .unwrap_err();
        assert_eq!(error.denied().unwrap().reason, DeniedReason::BadArguments);
        let error = pool
            .call::<Bytes>("types.echo-bytes", (vec![1, 2, 3],))
            .await
            .unwrap_err();
        assert_eq!(error.denied().unwrap().reason, DeniedReason::BadArguments);
    });
}

#[test]
fn what_a_function_raises_is_a_value() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Error {
        Empty,
        NotANumber,
    }
    block_on(async {
        let (_host, pool) = own(&["math", "types"]).await;
        let error = pool
            .call::<f64>("math.divide", (1.0, 0.0))
            .await
            .unwrap_err();
        let text = error.raised::<String>().unwrap();
        assert_eq!(text, "cannot divide 1 by zero");
        assert!(error.to_string().contains(&text), "{error}");
        let error = pool
            .call::<Value>("math.extent", (Vec::<f64>::new(),))
            .await
            .unwrap_err();
        assert_eq!(error.raised::<Error>(), Some(Error::Empty));
        let error = pool
            .call::<Value>("math.extent", ([f64::NAN],))
            .await
            .unwrap_err();
        assert_eq!(error.raised::<Error>(), Some(Error::NotANumber));
        let error = pool.call::<()>("types.refuse", ()).await.unwrap_err();
        assert!(matches!(outcome(&error), Outcome::Raised(_)), "{error}");
    });
}

#[test]
fn an_outcome_is_data() {
    block_on(async {
        let (_host, pool) = own_with(2, &["math"]).await;
        let ended = pool
            .call::<i64>("math.add", (1, 2))
            .worker(1)
            .outcome()
            .await
            .unwrap();
        let worker = ended.worker.unwrap();
        assert_eq!((worker.slot, worker.generation, ended.attempts), (1, 1, 1));
        let Outcome::Returned(value) = ended.outcome else {
            panic!("{:?}", ended.outcome);
        };
        assert_eq!(value.body(), [3]);
        assert_eq!(value.decode::<u8>().unwrap(), 3);
        let pinned = pool.call::<i64>("math.add", (1, 2)).worker(1).generation(2);
        let ended = pinned.outcome().await.unwrap();
        let Outcome::Denied(denied) = ended.outcome else {
            panic!("{:?}", ended.outcome);
        };
        assert_eq!(denied.reason, DeniedReason::UnknownWorker);
        assert_eq!(ended.worker, None);
    });
}

#[test]
fn calls_that_cannot_be_are_denied_and_say_why() {
    block_on(async {
        let (host, pool) = own(&["math", "types"]).await;
        for (target, reason, words) in [
            ("maths.add", DeniedReason::UnknownModule, "math"),
            ("math.plus", DeniedReason::UnknownFunction, "add"),
            ("math", DeniedReason::UnknownFunction, "math.function"),
        ] {
            let error = pool.call::<i64>(target, (1, 2)).await.unwrap_err();
            let denied = error.denied().unwrap();
            assert_eq!(denied.reason, reason, "{error}");
            assert!(denied.message.contains(words), "{error}");
            assert_eq!((error.target(), error.pool()), (target, "Workers"));
        }
        let error = host
            .pool("Workes")
            .call::<i64>("math.add", (1, 2))
            .await
            .unwrap_err();
        assert_eq!(error.denied().unwrap().reason, DeniedReason::UnknownPool);
        assert!(error.to_string().contains("Workers"), "{error}");
        let error = pool
            .call::<i64>("math.add", (1, 2))
            .worker(7)
            .await
            .unwrap_err();
        assert_eq!(error.denied().unwrap().reason, DeniedReason::UnknownWorker);
        for arguments in [
            Arguments::new(&(1,)),
            Arguments::new(&(1, 2, 3)),
            Arguments::new(&(1, "2")),
        ] {
            let call = pool.call_encoded::<i64>("math.add", arguments);
            let error = call.await.unwrap_err();
            assert_eq!(error.denied().unwrap().reason, DeniedReason::BadArguments);
            assert!(error.to_string().contains("a: s64, b: s64"), "{error}");
        }
        // Nothing of all that has hurt anybody.
        assert_eq!(pool.call::<i64>("math.next-id", ()).await.unwrap(), 1);
    });
}

#[test]
fn a_call_that_is_not_one_is_not_sent() {
    block_on(async {
        let (_host, pool) = own(&["math"]).await;
        let error = pool.call::<i64>("math.square", 3.0).await.unwrap_err();
        assert!(
            matches!(error.failure(), Failure::Arguments(_)),
            "{error:?}"
        );
        assert!(error.to_string().contains("was not called"), "{error}");
        let error = pool.call::<String>("math.add", (1, 2)).await.unwrap_err();
        assert!(matches!(error.failure(), Failure::Result(_)), "{error:?}");
        assert!(
            error.to_string().contains("something else than expected"),
            "{error}"
        );
        assert_eq!(error.worker().unwrap().slot, 0);
    });
}

#[test]
fn a_trap_says_where_it_was() {
    block_on(async {
        let (_host, pool) = own_with(2, &["math", "faults"]).await;
        let crash = pool.call::<()>("math.crash", ("on purpose",)).worker(1);
        let error = crash.await.unwrap_err();
        let text = error.to_string();
        for words in [
            "math.crash",
            "pool Workers",
            "worker 1",
            "generation 1",
            "trapped",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let trap = error.trap().unwrap();
        assert!(trap.own);
        let named = |name: &str| {
            let frames = &trap.backtrace;
            frames.iter().any(|frame| frame.function.contains(name))
        };
        assert!(named("crash"), "{text}");
        assert!(
            text.lines().skip(1).any(|line| line.contains("crash")),
            "{text}"
        );
        let error = pool
            .call::<u32>("faults.panic-deep", (3,))
            .await
            .unwrap_err();
        let trap = error.trap().unwrap();
        let depth = trap
            .backtrace
            .iter()
            .filter(|frame| frame.function.contains("descend"));
        assert!(depth.count() >= 3, "{error}");
        // Next to it, and after it, all is well; state began anew.
        assert_eq!(
            pool.call::<i64>("math.add", (1, 2))
                .worker(1)
                .await
                .unwrap(),
            3
        );
        assert_eq!(
            pool.call::<String>("faults.ping", ()).await.unwrap(),
            "pong"
        );
    });
}

#[test]
fn a_deadline_ends_a_call() {
    block_on(async {
        let (_host, pool) = own(&["faults", "math"]).await;
        for target in [
            "faults.sleep-forever",
            "faults.pending-forever",
            "faults.spin-async",
        ] {
            let limit = Duration::from_millis(200);
            let began = Instant::now();
            let error = pool
                .call::<()>(target, ())
                .timeout(limit)
                .await
                .unwrap_err();
            let took = began.elapsed();
            let late = matches!(outcome(&error), Outcome::TimedOut { dispatched: true });
            assert!(late, "{error}");
            assert!(took >= limit && took < 5 * limit, "{target} took {took:?}");
            assert!(error.to_string().contains("timed out"), "{error}");
            assert_eq!(pool.call::<i64>("math.add", (1, 2)).await.unwrap(), 3);
        }
        let text: String = pool.call("faults.ping", ()).await.unwrap();
        assert_eq!(text, "pong");
    });
}

async fn in_flight(pool: &Pool) -> u64 {
    pool.host().ps().await.unwrap()[0].workers[0].in_flight
}

/// Waits until the code of a guest runs and runs.
async fn until_busy(pool: &Pool) {
    let worker = pool.host().ps().await.unwrap()[0].workers[0].pid;
    let before = processor_time(worker);
    until("it spins", async || processor_time(worker) > before + 10).await;
}

#[test]
fn a_dropped_call_is_cancelled() {
    block_on(async {
        let (_host, pool) = own(&["sleepers", "faults"]).await;
        let asleep = async || pool.call::<u32>("sleepers.asleep", ()).await.unwrap();
        let calls = (0..100).map(|_| {
            let call = pool.call::<u64>("sleepers.sleep", (3_600_000,));
            call.no_deadline().into_future()
        });
        {
            let seen = until("all sleep", async || asleep().await == 100);
            tokio::select! {
                ended = join_all(calls) => panic!("{ended:?}"),
                () = seen => {}
            }
        }
        until("nothing is in flight", async || in_flight(&pool).await == 0).await;
        // Code that only waits is left to itself in its instance, but not without bound: with so
        // many left the next call finds a new one.
        assert_eq!(asleep().await, 0);
        // Code that does not wait loses its instance.
        assert_eq!(pool.call::<u32>("faults.calls", ()).await.unwrap(), 1);
        for target in ["faults.spin", "faults.spin-async"] {
            let spinning = pool.call::<()>(target, ()).no_deadline();
            tokio::select! {
                ended = spinning.into_future() => panic!("{ended:?}"),
                () = until_busy(&pool) => {}
            }
            until("nothing is in flight", async || in_flight(&pool).await == 0).await;
            assert_eq!(
                pool.call::<u32>("faults.calls", ()).await.unwrap(),
                1,
                "{target}"
            );
        }
    });
}

#[test]
fn a_cancelled_call_ends_as_cancelled() {
    block_on(async {
        let (_host, pool) = own(&["faults"]).await;
        for target in ["faults.sleep-forever", "faults.spin-async"] {
            let mut running = pool.call::<()>(target, ()).start(false).unwrap();
            until("it runs", async || in_flight(&pool).await == 1).await;
            running.cancel();
            let Some(Event::Ended(ended)) = running.event().await else {
                panic!("it did not end");
            };
            let cancelled = matches!(ended.outcome, Outcome::Cancelled { dispatched: true });
            assert!(cancelled, "{target}: {:?}", ended.outcome);
        }
        assert_eq!(
            pool.call::<String>("faults.ping", ()).await.unwrap(),
            "pong"
        );
    });
}
