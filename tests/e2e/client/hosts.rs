//! Hosts of a program's own, their pools and modules.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use futures_util::StreamExt as _;
use proc_host_client::{
    DeniedReason, Host, Instances, ModuleOptions, PoolOptions, StartOptions, WorkerState,
};
use proc_host_tests::processes::{self, Watched, descendants};
use proc_host_tests::wait::{block_on, until};
use proc_host_tests::{binary, guest, run};

use super::own;

async fn empty() -> (Host, proc_host_client::Pool) {
    let host = Host::start(StartOptions::new().binary(binary()))
        .await
        .unwrap();
    let pool = host
        .create_pool(PoolOptions::new("Workers", 2))
        .await
        .unwrap();
    (host, pool)
}

#[test]
fn modules_come_from_files_and_from_bytes() {
    block_on(async {
        let (host, pool) = empty().await;
        let error = pool.call::<i64>("math.add", (1, 2)).await.unwrap_err();
        assert_eq!(error.denied().unwrap().reason, DeniedReason::UnknownModule);
        pool.load_file(guest("math")).await.unwrap();
        assert_eq!(pool.call::<i64>("math.add", (1, 2)).await.unwrap(), 3);
        let bytes = std::fs::read(guest("math")).unwrap();
        pool.load_bytes("sums", bytes.clone()).await.unwrap();
        assert_eq!(pool.call::<i64>("sums.add", (3, 4)).await.unwrap(), 7);
        let pools = host.ps().await.unwrap();
        assert_eq!(pools[0].modules, ["math", "sums"]);
        // Each has state of its own, and what comes later does not disturb what is there.
        assert_eq!(
            pool.call::<u64>("math.next-id", ())
                .worker(0)
                .await
                .unwrap(),
            1
        );
        assert_eq!(
            pool.call::<u64>("sums.next-id", ())
                .worker(0)
                .await
                .unwrap(),
            1
        );
        pool.load_file(guest("faults")).await.unwrap();
        assert_eq!(
            pool.call::<u64>("math.next-id", ())
                .worker(0)
                .await
                .unwrap(),
            2
        );
        pool.unload("sums").await.unwrap();
        let error = pool.call::<i64>("sums.add", (1, 2)).await.unwrap_err();
        assert_eq!(error.denied().unwrap().reason, DeniedReason::UnknownModule);
        assert_eq!(
            pool.call::<u64>("math.next-id", ())
                .worker(0)
                .await
                .unwrap(),
            3
        );
        let error = pool.unload("sums").await.unwrap_err();
        assert!(error.to_string().contains("sums"), "{error}");
        assert_eq!(host.ps().await.unwrap()[0].modules, ["faults", "math"]);
        // Loaded again, it begins anew.
        pool.load_bytes("math", bytes).await.unwrap();
        assert_eq!(
            pool.call::<u64>("math.next-id", ())
                .worker(0)
                .await
                .unwrap(),
            1
        );
    });
}

#[test]
fn what_does_not_load_leaves_the_rest_as_it_was() {
    block_on(async {
        let (host, pool) = empty().await;
        pool.load_file(guest("math")).await.unwrap();
        assert_eq!(
            pool.call::<u64>("math.next-id", ())
                .worker(0)
                .await
                .unwrap(),
            1
        );
        let error = pool
            .load_bytes("math", &b"\0asm\x0d\0\x01\0junk"[..])
            .await
            .unwrap_err();
        assert!(error.to_string().contains("math"), "{error}");
        let error = pool.load_bytes("empty", Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains("empty"), "{error}");
        let error = pool.load_file("/nonexistent/gone.wasm").await.unwrap_err();
        assert!(
            error.to_string().contains("/nonexistent/gone.wasm"),
            "{error}"
        );
        let error = host
            .pool("Nobody")
            .load_file(guest("math"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("Nobody"), "{error}");
        let twice = host
            .create_pool(PoolOptions::new("Workers", 1))
            .await
            .unwrap_err();
        assert!(twice.to_string().contains("Workers"), "{twice}");
        assert_eq!(
            pool.call::<u64>("math.next-id", ())
                .worker(0)
                .await
                .unwrap(),
            2
        );
        assert_eq!(host.ps().await.unwrap()[0].modules, ["math"]);
    });
}

#[test]
fn a_call_that_runs_ends_where_it_began() {
    block_on(async {
        let (host, pool) = empty().await;
        pool.load_file(guest("sleepers")).await.unwrap();
        let mut beats = pool.stream::<u64>("sleepers.beats", (1,)).no_deadline();
        assert_eq!(beats.next().await.unwrap().unwrap(), 0);
        pool.load_file(guest("sleepers")).await.unwrap();
        for beat in 1..50 {
            assert_eq!(beats.next().await.unwrap().unwrap(), beat);
        }
        pool.unload("sleepers").await.unwrap();
        for beat in 50..100 {
            assert_eq!(beats.next().await.unwrap().unwrap(), beat);
        }
        let workers = host.ps().await.unwrap().remove(0).workers;
        let states: Vec<WorkerState> = workers.iter().map(|worker| worker.state).collect();
        assert_eq!(states, [WorkerState::Draining]);
        drop(beats);
        until("no worker is left", async || {
            host.ps().await.unwrap()[0].workers.is_empty()
        })
        .await;
    });
}

#[test]
fn modules_given_together_share_a_worker_and_have_their_own_ways() {
    block_on(async {
        let (host, pool) = empty().await;
        let module = |name: &str, options| {
            (
                name.to_owned(),
                std::fs::read(guest(name)).unwrap().into(),
                options,
            )
        };
        let fresh = ModuleOptions {
            instances: Some(Instances::PerCall),
            limits: None,
        };
        let modules = vec![
            module("math", fresh),
            module("faults", ModuleOptions::default()),
        ];
        pool.load(modules).await.unwrap();
        let workers = host.ps().await.unwrap().remove(0).workers;
        assert_eq!(workers.len(), 2);
        assert!(
            workers
                .iter()
                .all(|worker| worker.modules == ["math", "faults"]),
            "{workers:?}"
        );
        for _ in 0..3 {
            assert_eq!(
                pool.call::<u64>("math.next-id", ())
                    .worker(0)
                    .await
                    .unwrap(),
                1
            );
        }
        for n in 1..4 {
            assert_eq!(
                pool.call::<u32>("faults.calls", ())
                    .worker(0)
                    .await
                    .unwrap(),
                n
            );
        }
        let info = pool.inspect("math").await.unwrap();
        assert_eq!(
            (info.name.as_str(), info.instances),
            ("math", Instances::PerCall)
        );
        let names: Vec<_> = info
            .interface
            .functions
            .iter()
            .map(|f| f.name.as_str())
            .collect();
        assert!(names.contains(&"next-id"), "{names:?}");
        let examined = host
            .examine("any", std::fs::read(guest("faults")).unwrap())
            .await
            .unwrap();
        assert_eq!(examined.name, "any");
        let error = host.examine("any", &b"nothing"[..]).await.unwrap_err();
        assert!(error.to_string().contains("not a component"), "{error}");
    });
}

#[test]
fn ps_shows_what_runs() {
    block_on(async {
        let (host, pool) = own(&["sleepers", "math"]).await;
        for _ in 0..5 {
            pool.call::<i64>("math.add", (1, 2)).await.unwrap();
        }
        let _running = pool
            .call::<u64>("sleepers.sleep", (3_600_000,))
            .start(false)
            .unwrap();
        until("it runs", async || {
            host.ps().await.unwrap()[0].workers[0].in_flight == 1
        })
        .await;
        let pools = host.ps().await.unwrap();
        let [pool] = pools.as_slice() else {
            panic!("{pools:?}");
        };
        assert_eq!(
            (pool.name.as_str(), pool.slots, pool.queued),
            ("Workers", 1, 0)
        );
        assert_eq!(pool.modules, ["math", "sleepers"]);
        let [worker] = pool.workers.as_slice() else {
            panic!("{pool:?}");
        };
        assert_eq!((worker.slot, worker.generation), (0, 1));
        assert_eq!((worker.state, worker.done), (WorkerState::Ready, 5));
        assert_eq!(worker.modules, ["sleepers", "math"]);
        assert!(descendants(host.pid()).contains(&worker.pid));
        assert!(
            worker.memory > 1 << 20 && worker.memory < 1 << 30,
            "{worker:?}"
        );
    });
}

#[test]
fn a_stopped_host_lets_calls_end_and_takes_no_more() {
    block_on(async {
        let (host, pool) = own(&["sleepers"]).await;
        let process = Watched::new(host.pid());
        let running = pool.call::<u64>("sleepers.sleep", (300,)).into_future();
        let stop = async {
            until("it sleeps", async || {
                pool.call::<u32>("sleepers.asleep", ()).await.unwrap() == 1
            })
            .await;
            host.stop().await.unwrap();
        };
        let (ended, ()) = tokio::join!(running, stop);
        assert_eq!(ended.unwrap(), 1);
        assert!(pool.call::<u32>("sleepers.asleep", ()).await.is_err());
        process.assert_ends();
    });
}

/// All the processes of a host, watched.
fn watch(host: u32) -> Vec<Watched> {
    let mut all = descendants(host);
    all.push(host);
    // The launcher, and an init and a worker for each slot.
    assert!(all.len() >= 6, "{all:?}");
    all.into_iter().map(Watched::new).collect()
}

#[test]
fn an_owned_host_ends_with_its_last_copy() {
    block_on(async {
        let (host, pool) = empty().await;
        pool.load_file(guest("math")).await.unwrap();
        let (processes, socket) = (watch(host.pid()), host.socket().to_owned());
        drop(host);
        assert_eq!(pool.call::<i64>("math.add", (1, 2)).await.unwrap(), 3);
        drop(pool);
        processes.iter().for_each(Watched::assert_ends);
        assert!(!socket.parent().unwrap().exists());
    });
}

#[test]
fn an_owned_host_ends_with_its_program() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_program"))
        .arg("own")
        .arg(guest("sleepers"))
        .env("PROC_HOST_BIN", binary())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(program.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let [socket, host, workers @ ..] = words.as_slice() else {
        panic!("it said {line:?}");
    };
    let all = watch(host.parse().unwrap());
    for worker in workers {
        let worker: u32 = worker.parse().unwrap();
        assert!(all.iter().any(|watched| watched.pid == worker), "{line}");
    }
    block_on(async {
        let client = Host::connect(*socket).await.unwrap();
        let pool = client.pool("Workers");
        let call = pool
            .call::<u64>("sleepers.sleep", (3_600_000,))
            .no_deadline();
        let kill = async {
            until("it sleeps", async || {
                client.ps().await.unwrap()[0]
                    .workers
                    .iter()
                    .any(|worker| worker.in_flight == 1)
            })
            .await;
            processes::kill(program.id());
            program.wait().unwrap();
        };
        let (ended, ()) = tokio::join!(call.into_future(), kill);
        assert!(ended.is_err(), "{ended:?}");
    });
    all.iter().for_each(Watched::assert_ends);
    assert!(!std::path::Path::new(socket).parent().unwrap().exists());
}

#[test]
fn the_example_does_what_it_says() {
    let guests = guest("math").parent().unwrap().to_owned();
    let target = guests.ancestors().nth(2).unwrap();
    run(Command::new(env!("CARGO"))
        .args(["build", "--package", "client-example", "--target-dir"])
        .arg(target))
    .ok();
    let output = run(Command::new(target.join("debug/client-example"))
        .arg(&guests)
        .env("PROC_HOST_BIN", binary()))
    .ok();
    for line in [
        "40 + 2 = 42",
        "by name: 3",
        "1048576 bytes came back",
        "100 calls at once: 328350",
        "raised: cannot divide 1 by zero",
        "trapped, with `add` in the backtrace: true",
        "too slow: true",
        "fibonacci: [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]",
        "countdown: 4",
        "sum of a stream: 500500",
        "running sum: [1, 3, 6, 10, 15]",
        "[\"hello Ada, 1 to go\", \"hello Grace, 0 to go\"]",
        "[\"a stranger\"]",
        "counter: 6",
        "the pool's handler has answered 1 callbacks",
        "logged: warn weather: have a look",
    ] {
        let said = output.lines().any(|said| said == line);
        assert!(said, "it did not say {line:?}:\n{output}");
    }
    assert!(output.contains("aborted at 3"), "{output}");
}
