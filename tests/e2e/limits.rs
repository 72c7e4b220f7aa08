//! Much at once, too much, and too long: what is bounded stays bounded, and what is promised fits.

mod memory;

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use futures_util::{StreamExt as _, TryStreamExt as _};
use proc_host_client::{
    Bytes, CallError, DeniedReason, Failure, Host, Instances, Level, ModuleLimits, ModuleOptions,
    Outcome, Pool, StartOptions, Value,
};
use proc_host_tests::processes::resident;
use proc_host_tests::wait::{block_on, soon, until};
use proc_host_tests::{binary, guest};

/// What a machine with other things to do may add to a time.
const NOISE: u32 = 3;

async fn own(slots: u32, modules: &[&str]) -> (Host, Pool) {
    let options = StartOptions::new().binary(binary()).pool("Workers", slots);
    let options = modules
        .iter()
        .fold(options, |options, name| options.module(guest(name)));
    let host = Host::start(options).await.unwrap();
    let pool = host.pool("Workers");
    (host, pool)
}

/// A module with limits of its own.
async fn load(pool: &Pool, name: &str, limits: ModuleLimits) {
    let options = ModuleOptions {
        instances: None,
        limits: Some(limits),
    };
    let component = std::fs::read(guest(name)).unwrap();
    let modules = vec![(name.to_owned(), component.into(), options)];
    pool.load(modules).await.unwrap();
}

#[test]
fn five_hundred_calls_sleep_at_once() {
    block_on(async {
        let (_host, pool) = own(1, &["sleepers"]).await;
        pool.call::<u64>("sleepers.sleep", (0,)).await.unwrap();
        let began = Instant::now();
        let sleeps = (0..500).map(|_| pool.call::<u64>("sleepers.sleep", (100,)).into_future());
        let mut order = try_join_all(sleeps).await.unwrap();
        let took = began.elapsed();
        order.sort_unstable();
        assert_eq!(order, (2..=501).collect::<Vec<_>>());
        let most: u32 = pool.call("sleepers.most-asleep", ()).await.unwrap();
        assert_eq!(most, 500);
        assert!(took >= Duration::from_millis(100));
        assert!(
            took < NOISE * Duration::from_millis(500),
            "it took {took:?}"
        );
    });
}

#[test]
fn ten_thousand_calls_in_a_row_are_answered_right() {
    block_on(async {
        let (host, pool) = own(2, &["math", "ticker"]).await;
        let calls = (0..10_000i64).map(|n| {
            let pool = &pool;
            async move {
                let sum = pool.call::<i64>("math.add", (n, n * n)).await;
                assert_eq!(sum.unwrap(), n + n * n);
            }
        });
        soon(join_all(calls)).await;
        let workers = host.ps().await.unwrap().remove(0).workers;
        assert_eq!(
            workers.iter().map(|worker| worker.done).sum::<u64>(),
            10_000
        );
        assert!(workers.iter().all(|worker| worker.in_flight == 0));
        // Those that take no time pass those that do.
        let slow = pool
            .call::<String>("ticker.slow", (1000,))
            .worker(0)
            .into_future();
        let quick = async {
            for n in 0..100 {
                assert_eq!(
                    pool.call::<i64>("math.add", (n, 1))
                        .worker(0)
                        .await
                        .unwrap(),
                    n + 1
                );
            }
        };
        tokio::select! {
            biased;
            slow = slow => panic!("{slow:?} was first"),
            () = quick => {}
        }
    });
}

#[test]
fn more_calls_than_may_wait_are_denied() {
    block_on(async {
        let (host, pool) = own(1, &["sleepers", "math"]).await;
        let calls: Vec<_> = (0..12_000)
            .map(|_| {
                pool.call::<u64>("sleepers.sleep", (3_600_000,))
                    .start(false)
                    .unwrap()
            })
            .collect();
        let mut denied = 0;
        let full = |ended: &Outcome| match ended {
            Outcome::Denied(denied) => denied.reason == DeniedReason::QueueFull,
            _ => false,
        };
        // A thousand run, ten thousand wait.
        for mut call in calls.into_iter().skip(11_000) {
            let Some(proc_host_client::Event::Ended(ended)) = soon(call.event()).await else {
                panic!("it did not end");
            };
            assert!(full(&ended.outcome), "{ended:?}");
            denied += 1;
        }
        assert_eq!(denied, 1000);
        until("the others are gone", async || {
            let pools = host.ps().await.unwrap();
            pools[0].queued == 0 && pools[0].workers[0].in_flight == 0
        })
        .await;
        assert_eq!(pool.call::<i64>("math.add", (1, 2)).await.unwrap(), 3);
    });
}

#[test]
fn sixteen_mebibytes_there_and_back() {
    block_on(async {
        let (_host, pool) = own(1, &["echo", "math"]).await;
        let bytes = Bytes(
            (0..16u32 << 20)
                .map(|n| (n % 251).to_le_bytes()[0])
                .collect(),
        );
        for target in ["echo.bytes", "echo.bytes-async"] {
            let back: Bytes = pool.call(target, (&bytes,)).await.unwrap();
            // Not by `assert_eq`, which would print them.
            assert!(back == bytes, "{target}");
        }
        let length: u32 = pool.call("echo.sink", (&bytes,)).await.unwrap();
        assert_eq!(length, 16 << 20);
        let source: Bytes = pool.call("echo.source", (16u32 << 20,)).await.unwrap();
        assert_eq!(source.0.len(), 16 << 20);
        assert!(
            source
                .0
                .iter()
                .zip(0u32..)
                .all(|(byte, n)| *byte == n.to_le_bytes()[0])
        );
        assert_eq!(pool.call::<i64>("math.add", (1, 2)).await.unwrap(), 3);
    });
}

#[test]
fn large_values_do_not_block_small_ones() {
    block_on(async {
        let (_host, pool) = own(2, &["echo", "math"]).await;
        let bytes = Bytes(vec![7; 16 << 20]);
        let large = (0..4).map(|_| pool.call::<Bytes>("echo.bytes", (&bytes,)).into_future());
        let large = async {
            assert!(
                try_join_all(large)
                    .await
                    .unwrap()
                    .iter()
                    .all(|b| *b == bytes)
            )
        };
        let small = async {
            for n in 0..200 {
                assert_eq!(pool.call::<i64>("math.add", (n, 1)).await.unwrap(), n + 1);
            }
        };
        tokio::join!(large, small);
    });
}

/// How a call is refused for the size of what it names.
#[track_caller]
fn too_large(error: &CallError) {
    let text = error.to_string();
    assert!(text.len() < 1000, "{} bytes of message", text.len());
    let words = ["large", "67108864", "64 MiB", "limit"];
    assert!(words.iter().any(|words| text.contains(words)), "{text}");
}

#[test]
fn more_than_sixty_four_mebibytes_are_refused() {
    block_on(async {
        let (host, pool) = own(1, &["math"]).await;
        let limits = || ModuleLimits {
            memory: 512 << 20,
            ..ModuleLimits::default()
        };
        load(&pool, "echo", limits()).await;
        load(&pool, "faults", limits()).await;
        let bytes = Bytes(vec![0; (64 << 20) + 1]);
        let error = pool.call::<u32>("echo.sink", (&bytes,)).await.unwrap_err();
        assert!(matches!(error.failure(), Failure::Arguments(_)), "{error}");
        too_large(&error);
        let error = pool
            .call::<Bytes>("echo.source", ((64u32 << 20) + 1,))
            .await
            .unwrap_err();
        assert!(error.trap().is_some(), "{error}");
        too_large(&error);
        let error = pool
            .call::<String>("faults.long-text", (65u32 << 20,))
            .await
            .unwrap_err();
        too_large(&error);
        let error = pool.load_bytes("large", bytes.0).await.unwrap_err();
        assert!(error.to_string().len() < 1000, "{error}");
        // Just under it all is well, and nobody was hurt.
        let bytes = Bytes(vec![1; (64 << 20) - 16]);
        assert_eq!(
            pool.call::<u32>("echo.sink", (&bytes,)).await.unwrap(),
            (64 << 20) - 16
        );
        assert_eq!(pool.call::<i64>("math.add", (1, 2)).await.unwrap(), 3);
        assert_eq!(host.ps().await.unwrap()[0].workers[0].generation, 1);
    });
}

#[test]
fn deep_and_long_values_are_refused() {
    block_on(async {
        let (_host, pool) = own(1, &["types", "faults", "echo"]).await;
        let deep = (0..100).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        let error = pool
            .call::<Value>("types.echo-matrix", (deep,))
            .await
            .unwrap_err();
        assert!(error.to_string().len() < 1000, "{error}");
        assert!(
            matches!(error.failure(), Failure::Arguments(_)) || error.denied().is_some(),
            "{error}"
        );
        // So many members that the guest's memory does not hold them.
        let long = vec![""; 12 << 20];
        let error = pool.call::<Value>("echo.texts", (long,)).await.unwrap_err();
        assert!(error.to_string().len() < 1000, "{error}");
        let members = 3_000_000u32;
        let list: Vec<Option<u32>> = pool.call("faults.long-list", (members,)).await.unwrap();
        assert!(
            list.iter()
                .zip(0..members)
                .all(|(member, n)| *member == Some(n))
        );
        assert_eq!(list.len(), members as usize);
        assert_eq!(
            pool.call::<String>("faults.ping", ()).await.unwrap(),
            "pong"
        );
    });
}

#[test]
fn a_spinning_guest_is_stopped_beside_others_that_answer() {
    block_on(async {
        let (_host, pool) = own(2, &["faults", "math"]).await;
        for target in ["faults.spin", "faults.spin-async"] {
            let limit = Duration::from_millis(500);
            let began = Instant::now();
            let spin = pool
                .call::<()>(target, ())
                .worker(0)
                .timeout(limit)
                .into_future();
            let canaries = async {
                let mut worst = Duration::ZERO;
                let mut count = 0;
                while began.elapsed() < limit {
                    let asked = Instant::now();
                    let pong = pool.call::<String>("faults.ping", ()).worker(1).await;
                    assert_eq!(pong.unwrap(), "pong");
                    assert_eq!(
                        pool.call::<i64>("math.add", (1, 2))
                            .worker(0)
                            .await
                            .unwrap(),
                        3
                    );
                    worst = worst.max(asked.elapsed());
                    count += 1;
                }
                (worst, count)
            };
            let ended = async { (spin.await, began.elapsed()) };
            let ((ended, took), (worst, count)) = tokio::join!(ended, canaries);
            let error = ended.unwrap_err();
            let late = matches!(
                error.outcome(),
                Some(Outcome::TimedOut { dispatched: true })
            );
            assert!(late, "{error}");
            let grace = Duration::from_millis(50);
            assert!(
                took >= limit && took < limit + 5 * NOISE * grace,
                "it took {took:?}"
            );
            assert!(count >= 10, "{count} canaries in {limit:?}");
            assert!(worst < limit / 2, "a canary took {worst:?}");
            let pong: String = pool.call("faults.ping", ()).worker(0).await.unwrap();
            assert_eq!(pong, "pong");
        }
    });
}

#[test]
fn two_thousand_generators_run_at_once() {
    block_on(async {
        let (host, pool) = own(2, &["sleepers"]).await;
        let all = (0..2000).map(|_| async {
            let mut beats = pool.stream::<u64>("sleepers.beats", (500,));
            assert_eq!(beats.next().await.unwrap().unwrap(), 0);
            beats
        });
        let mut all = soon(join_all(all)).await;
        let pools = host.ps().await.unwrap();
        assert_eq!(pools[0].queued, 0);
        assert_eq!(
            pools[0]
                .workers
                .iter()
                .map(|worker| worker.in_flight)
                .sum::<u64>(),
            2000
        );
        for beat in 1..3 {
            let next = all.iter_mut().map(|beats| beats.next());
            for item in soon(join_all(next)).await {
                assert_eq!(item.unwrap().unwrap(), beat);
            }
        }
        drop(all);
        until("nothing is in flight", async || {
            host.ps().await.unwrap()[0]
                .workers
                .iter()
                .all(|worker| worker.in_flight == 0)
        })
        .await;
        for worker in 0..2 {
            until("nobody sleeps", async || {
                let asleep = pool.call::<u32>("sleepers.asleep", ()).worker(worker);
                asleep.await.unwrap() == 0
            })
            .await;
        }
    });
}

#[test]
fn a_flood_of_logs_is_bounded_and_counted() {
    block_on(async {
        let (host, pool) = own(1, &["printer", "math"]).await;
        pool.call::<()>("printer.flood", (10, 10)).await.unwrap();
        let worker = host.ps().await.unwrap()[0].workers[0].pid;
        let before = (resident(host.pid()), resident(worker));
        for target in ["printer.flood", "printer.log-flood"] {
            let mut following = host.logs(true).await.unwrap();
            // 200 MB, of which a call may say 1 MiB.
            let flood = pool.call::<()>(target, (200_000, 1000)).into_future();
            let beside = async {
                for n in 0..50 {
                    assert_eq!(pool.call::<i64>("math.add", (n, 1)).await.unwrap(), n + 1);
                }
            };
            let (ended, ()) = tokio::join!(flood, beside);
            ended.unwrap();
            pool.call::<()>("printer.line", ("the end",)).await.unwrap();
            let (mut lines, mut dropped) = (0, 0);
            loop {
                let entry = soon(following.next()).await.unwrap().unwrap();
                if entry.text == "the end" {
                    break;
                }
                if entry.text.starts_with("xxx") && entry.text.len() == 1000 {
                    lines += 1;
                }
                if let Some(count) = entry.text.strip_suffix(" entries dropped") {
                    assert_eq!(entry.level, Level::Warn);
                    assert_eq!(entry.module.as_deref(), Some("printer"));
                    dropped += count.parse::<u32>().unwrap();
                }
            }
            assert_eq!(following.dropped(), 0);
            assert_eq!(lines + dropped, 200_000, "{target}: {lines} lines");
            assert!((900..=1100).contains(&lines), "{target}: {lines} lines");
        }
        let kept: Vec<_> = host.logs(false).await.unwrap().try_collect().await.unwrap();
        assert!(kept.len() <= 10_000);
        assert!(kept.iter().map(|entry| entry.text.len()).sum::<usize>() <= 4 << 20);
        let after = (resident(host.pid()), resident(worker));
        assert!(
            after.0 < before.0 + (24 << 20),
            "the host grew: {before:?} {after:?}"
        );
        assert!(
            after.1 < before.1 + (24 << 20),
            "the worker grew: {before:?} {after:?}"
        );
    });
}

#[test]
fn one_long_line_is_cut() {
    block_on(async {
        let (host, pool) = own(1, &["printer"]).await;
        pool.call::<()>("printer.long-line", (10 << 20,))
            .await
            .unwrap();
        pool.call::<()>("printer.line", ("the end",)).await.unwrap();
        let kept: Vec<_> = host.logs(false).await.unwrap().try_collect().await.unwrap();
        assert_eq!(kept.last().unwrap().text, "the end");
        assert!(kept.iter().all(|entry| entry.text.len() <= 16 << 10));
    });
}

#[test]
fn calls_that_sleep_on_after_their_deadline_take_no_instance_with_them() {
    block_on(async {
        let (_host, pool) = own(1, &[]).await;
        let options = ModuleOptions {
            instances: Some(Instances::PerCall),
            limits: None,
        };
        let component = std::fs::read(guest("faults")).unwrap();
        let modules = vec![("faults".to_owned(), component.into(), options)];
        pool.load(modules).await.unwrap();
        // More than a worker has room for, were each to keep its own.
        for _ in 0..3 {
            let calls = (0..150).map(|_| async {
                let call = pool.call::<()>("faults.sleep-forever", ());
                call.timeout(Duration::from_millis(50))
                    .outcome()
                    .await
                    .unwrap()
                    .outcome
            });
            for outcome in soon(join_all(calls)).await {
                assert!(
                    matches!(outcome, Outcome::TimedOut { dispatched: true }),
                    "{outcome:?}"
                );
            }
        }
        let answer: String = soon(pool.call("faults.ping", ()).into_future())
            .await
            .unwrap();
        assert_eq!(answer, "pong");
    });
}
