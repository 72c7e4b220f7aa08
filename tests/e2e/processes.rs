//! Processes that die, what they leave behind, and what they may see while they live.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt as _;
use proc_host_client::{
    DeniedReason, FaultCause, Handle, Host, Outcome, Pool, StartOptions, WorkerInfo, WorkerState,
};
use proc_host_tests::processes::{
    Watched, children, descendants, descriptors, eventually, kill, status,
};
use proc_host_tests::wait::{block_on, soon, until};
use proc_host_tests::{binary, guest, run};

/// A host that is started by hand, and not left running.
struct Raw(Child);

impl Raw {
    fn start(socket: &Path, modules: &[&str], temporary: &Path) -> Raw {
        let child = Command::new(binary())
            .args(["run", "--pool", "Workers=3", "--socket"])
            .arg(socket)
            .args(modules.iter().map(|name| guest(name)))
            .env("TMPDIR", temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Raw(child.unwrap())
    }

    /// A connection to it, once it and its workers serve.
    async fn connect(&self, socket: &Path) -> Host {
        until("it serves", async || Host::connect(socket).await.is_ok()).await;
        let host = Host::connect(socket).await.unwrap();
        until("all workers serve", async || {
            let workers = workers(&host).await;
            workers.len() == 3
                && workers
                    .iter()
                    .all(|worker| worker.state == WorkerState::Ready)
        })
        .await;
        assert_eq!(host.pid(), self.0.id());
        host
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn own(slots: u32, modules: &[&str]) -> (Host, Pool) {
    let options = StartOptions::new().binary(binary()).pool("Workers", slots);
    let options = modules
        .iter()
        .fold(options, |options, name| options.module(guest(name)));
    let host = Host::start(options).await.unwrap();
    let pool = host.pool("Workers");
    (host, pool)
}

async fn workers(host: &Host) -> Vec<WorkerInfo> {
    host.ps().await.unwrap().remove(0).workers
}

/// The worker in a slot, once it serves.
async fn worker(host: &Host, slot: u32, generation: u64) -> WorkerInfo {
    let mut found = None;
    until("the worker is replaced", async || {
        found = workers(host).await.into_iter().find(|worker| {
            worker.slot == slot
                && worker.generation == generation
                && worker.state == WorkerState::Ready
        });
        found.is_some()
    })
    .await;
    found.unwrap()
}

#[test]
fn a_worker_that_dies_under_a_call_is_replaced() {
    block_on(async {
        let (host, pool) = own(2, &["sleepers", "types"]).await;
        let victim = worker(&host, 1, 1).await;
        let counter: Handle = pool.call("types.counter", (1,)).worker(1).await.unwrap();
        let here = pool
            .call::<u64>("sleepers.sleep", (3_600_000,))
            .worker(1)
            .no_deadline();
        let there = pool
            .call::<u64>("sleepers.sleep", (500,))
            .worker(0)
            .into_future();
        let kill = async {
            until("both sleep", async || {
                workers(&host)
                    .await
                    .iter()
                    .all(|worker| worker.in_flight == 1)
            })
            .await;
            kill(victim.pid);
        };
        let (here, there, ()) = soon(async { tokio::join!(here.into_future(), there, kill) }).await;
        let error = here.unwrap_err();
        let Some(Outcome::Faulted(fault)) = error.outcome() else {
            panic!("{error}");
        };
        assert_eq!(fault.cause, FaultCause::Signal(9));
        let text = error.to_string();
        for words in [
            "sleepers.sleep",
            "Workers",
            "worker 1",
            "generation 1",
            "9",
            "SIGKILL",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        // Nobody else has noticed.
        assert_eq!(there.unwrap(), 1);
        // The next call works, in the same slot, in a process of the next generation.
        let next = pool
            .call::<u32>("sleepers.asleep", ())
            .worker(1)
            .outcome()
            .await
            .unwrap();
        assert!(
            matches!(next.outcome, Outcome::Returned(_)),
            "{:?}",
            next.outcome
        );
        let at = next.worker.unwrap();
        assert_eq!((at.slot, at.generation), (1, 2));
        let replaced = worker(&host, 1, 2).await;
        assert_ne!(replaced.pid, victim.pid);
        assert_eq!(workers(&host).await.len(), 2);
        // What lived in it is no more.
        let error = counter.call::<u32>("counter.value", ()).await.unwrap_err();
        assert_eq!(
            error.denied().unwrap().reason,
            DeniedReason::UnknownHandle,
            "{error}"
        );
        let pinned = pool
            .call::<u32>("sleepers.asleep", ())
            .worker(1)
            .generation(1);
        let error = pinned.await.unwrap_err();
        assert_eq!(
            error.denied().unwrap().reason,
            DeniedReason::UnknownWorker,
            "{error}"
        );
    });
}

#[test]
fn a_stream_ends_with_its_worker() {
    block_on(async {
        let (host, pool) = own(1, &["generators"]).await;
        let victim = worker(&host, 0, 1).await;
        let mut items = pool.stream::<u32>("generators.endless", ()).no_deadline();
        for n in 0..1000 {
            assert_eq!(items.next().await.unwrap().unwrap(), n);
        }
        kill(victim.pid);
        let mut expected = 1000;
        let error = loop {
            match soon(items.next()).await.unwrap() {
                Ok(item) => assert_eq!(item, expected),
                Err(error) => break error,
            }
            expected += 1;
        };
        let Some(Outcome::Faulted(fault)) = error.outcome() else {
            panic!("{error}");
        };
        assert_eq!(fault.cause, FaultCause::Signal(9));
        assert!(items.next().await.is_none());
        let mut items = pool.stream::<u32>("generators.endless", ());
        assert_eq!(soon(items.next()).await.unwrap().unwrap(), 0);
    });
}

/// Kills the worker of a slot, once it serves, and returns when the host knows.
async fn kill_worker(host: &Host, slot: u32, generation: u64) {
    let victim = worker(host, slot, generation).await;
    let watched = Watched::new(victim.pid);
    kill(victim.pid);
    watched.assert_ends();
    until("the death is known", async || {
        workers(host)
            .await
            .iter()
            .all(|worker| worker.pid != victim.pid)
    })
    .await;
}

#[test]
fn twenty_deaths_in_a_row_leave_the_host_usable() {
    block_on(async {
        let (host, pool) = own(4, &["math"]).await;
        let launcher = children(host.pid());
        for generation in 1..=5 {
            for slot in 0..4 {
                kill_worker(&host, slot, generation).await;
                let sum = pool.call::<i64>("math.add", (i64::from(slot), 1)).await;
                assert_eq!(sum.unwrap(), i64::from(slot) + 1);
            }
        }
        for slot in 0..4 {
            worker(&host, slot, 6).await;
            let sum = pool.call::<i64>("math.add", (1, 2)).worker(slot).await;
            assert_eq!(sum.unwrap(), 3);
        }
        let logs = host.logs(false).await.unwrap();
        let said = logs.filter(|entry| {
            let too_often = entry.as_ref().unwrap().text.contains("dies too often");
            async move { too_often }
        });
        // Three deaths of each slot were free.
        assert_eq!(said.count().await, 4 * 2);
        assert_eq!(children(host.pid()), launcher);
    });
}

#[test]
fn a_slot_that_dies_too_often_waits_and_comes_back() {
    block_on(async {
        let (host, pool) = own(1, &["math"]).await;
        for generation in 1..=7 {
            kill_worker(&host, 0, generation).await;
        }
        // Nobody else is there: a call waits for the next, as long as its deadline lets it.
        let waited = pool
            .call::<i64>("math.add", (1, 2))
            .timeout(Duration::from_millis(1));
        let error = waited.await.unwrap_err();
        let waited = matches!(
            error.outcome(),
            Some(Outcome::TimedOut { dispatched: false })
        );
        assert!(waited, "{error}");
        let ended = soon(pool.call::<i64>("math.add", (1, 2)).outcome())
            .await
            .unwrap();
        assert!(
            matches!(ended.outcome, Outcome::Returned(_)),
            "{:?}",
            ended.outcome
        );
        assert_eq!(ended.worker.unwrap().generation, 8);
    });
}

#[test]
fn a_guest_that_exits_takes_its_instance_and_not_its_worker() {
    block_on(async {
        let (host, pool) = own(1, &["faults"]).await;
        let before = worker(&host, 0, 1).await;
        assert_eq!(pool.call::<u32>("faults.calls", ()).await.unwrap(), 1);
        for code in [0, 3] {
            let error = pool.call::<()>("faults.exit", (code,)).await.unwrap_err();
            assert!(error.trap().is_some(), "{error}");
            assert!(error.to_string().contains("exit"), "{error}");
            assert_eq!(pool.call::<u32>("faults.calls", ()).await.unwrap(), 1);
        }
        for target in ["faults.abort", "faults.unreachable", "faults.wild-read"] {
            let error = pool.call::<()>(target, ()).await.unwrap_err();
            assert!(error.trap().is_some(), "{error}");
        }
        for target in ["faults.overflow-stack", "faults.out-of-bounds"] {
            let error = pool.call::<u64>(target, (7,)).await.unwrap_err();
            assert!(error.trap().is_some(), "{error}");
        }
        let error = pool
            .call::<u64>("faults.overflow-memory-stack", ())
            .await
            .unwrap_err();
        assert!(error.trap().is_some(), "{error}");
        let error = pool
            .call::<u64>("faults.exhaust-memory", (1 << 20,))
            .await
            .unwrap_err();
        assert!(error.trap().is_some(), "{error}");
        let after = worker(&host, 0, 1).await;
        assert_eq!(after.pid, before.pid);
        assert_eq!(
            pool.call::<String>("faults.ping", ()).await.unwrap(),
            "pong"
        );
    });
}

/// What a host holds: descriptors by kind, and processes.
fn holdings(host: u32) -> (Vec<String>, usize) {
    let kinds = descriptors(host).into_iter().map(|path| {
        let text = path.display().to_string();
        // Without the number that tells one socket from another.
        text.split_once(":[")
            .map_or_else(|| text.clone(), |(kind, _)| kind.to_owned())
    });
    let mut kinds: Vec<String> = kinds.collect();
    kinds.sort();
    (kinds, descendants(host).len())
}

#[test]
fn nothing_is_left_of_calls_loads_and_deaths() {
    block_on(async {
        let temporary = tempfile::tempdir().unwrap();
        let socket = temporary.path().join("sockets/host.sock");
        let mut child = Raw::start(&socket, &["math", "generators"], temporary.path());
        let host = child.connect(&socket).await;
        let pool = host.pool("Workers");
        pool.call::<i64>("math.add", (1, 2)).await.unwrap();
        let files = || {
            let all = std::fs::read_dir(temporary.path()).unwrap();
            all.chain(std::fs::read_dir(temporary.path().join("sockets")).unwrap())
                .map(|entry| entry.unwrap().file_name())
                .collect::<Vec<_>>()
        };
        eventually("no process but the workers is left", || {
            // The launcher, and an init and a worker for each slot.
            descendants(host.pid()).len() == 7
        });
        let before = (holdings(host.pid()), files());
        for n in 0..200i64 {
            assert_eq!(pool.call::<i64>("math.add", (n, 1)).await.unwrap(), n + 1);
            if n % 20 == 0 {
                let mut items = pool.stream::<u32>("generators.endless", ());
                assert_eq!(items.next().await.unwrap().unwrap(), 0);
                pool.call::<()>("math.crash", ("on purpose",))
                    .await
                    .unwrap_err();
            }
        }
        for n in 0..20 {
            let name = format!("faults{}", n % 3);
            pool.load_bytes(&name, std::fs::read(guest("faults")).unwrap())
                .await
                .unwrap();
            let target = format!("{name}.ping");
            assert_eq!(pool.call::<String>(&target, ()).await.unwrap(), "pong");
            pool.unload(&name).await.unwrap();
        }
        for (slot, generation) in [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2)] {
            // The loads in between had workers of their own, which count.
            let victim = workers(&host)
                .await
                .into_iter()
                .find(|worker| worker.slot == slot && worker.modules.contains(&"math".to_owned()));
            let victim = victim.unwrap();
            assert!(victim.generation >= generation);
            kill(victim.pid);
            until("it is replaced", async || {
                workers(&host).await.iter().any(|worker| {
                    worker.slot == slot
                        && worker.generation > victim.generation
                        && worker.state == WorkerState::Ready
                })
            })
            .await;
        }
        assert_eq!(pool.call::<i64>("math.add", (1, 2)).await.unwrap(), 3);
        eventually("all is as it was", || {
            (holdings(host.pid()), files()) == before
        });
        drop(pool);
        host.stop().await.unwrap();
        drop(host);
        assert!(child.0.wait().unwrap().success());
        let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn a_host_that_is_killed_takes_everything_with_it() {
    block_on(async {
        let (host, pool) = own(3, &["faults"]).await;
        // One that spins must go as well as those that rest.
        let _spinning = pool
            .call::<()>("faults.spin", ())
            .no_deadline()
            .start(false)
            .unwrap();
        until("it spins", async || {
            workers(&host)
                .await
                .iter()
                .any(|worker| worker.in_flight == 1)
        })
        .await;
        let all: Vec<Watched> = descendants(host.pid())
            .into_iter()
            .map(Watched::new)
            .collect();
        assert_eq!(all.len(), 7);
        kill(host.pid());
        all.iter().for_each(Watched::assert_ends);
    });
}

#[test]
fn a_launcher_that_is_killed_ends_the_host() {
    block_on(async {
        let (host, _pool) = own(2, &["faults"]).await;
        let mut all: Vec<Watched> = descendants(host.pid())
            .into_iter()
            .map(Watched::new)
            .collect();
        all.push(Watched::new(host.pid()));
        let launcher = children(host.pid());
        let [launcher] = launcher.as_slice() else {
            panic!("{launcher:?}");
        };
        kill(*launcher);
        all.iter().for_each(Watched::assert_ends);
    });
}

#[test]
fn a_worker_is_locked_in() {
    block_on(async {
        let (host, pool) = own(2, &["math", "faults"]).await;
        assert_eq!(pool.call::<i64>("math.add", (1, 2)).await.unwrap(), 3);
        let ours = status(std::process::id(), "Uid").unwrap();
        let mut users = Vec::new();
        for worker in workers(&host).await {
            let said = |key: &str| status(worker.pid, key).unwrap();
            assert_eq!(said("NoNewPrivs"), "1");
            assert_eq!(said("Seccomp"), "2");
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                assert_eq!(u64::from_str_radix(&said(set), 16), Ok(0), "{set}");
            }
            // In a pid namespace of its own, below an init.
            let numbers = said("NSpid");
            assert_eq!(numbers.split_whitespace().count(), 2, "{numbers}");
            if rustix::process::geteuid().is_root() {
                assert_ne!(said("Uid"), ours);
                users.push(said("Uid"));
            }
            let proc = Path::new("/proc").join(worker.pid.to_string());
            let root: Vec<_> = std::fs::read_dir(proc.join("root")).unwrap().collect();
            assert!(root.is_empty(), "{root:?}");
            for space in ["user", "mnt", "net", "pid", "ipc", "uts"] {
                let theirs = std::fs::read_link(proc.join("ns").join(space)).unwrap();
                let ours = std::fs::read_link(Path::new("/proc/self/ns").join(space)).unwrap();
                assert_ne!(theirs, ours, "{space}");
            }
            let network = std::fs::read_to_string(proc.join("net/dev")).unwrap();
            assert!(
                network
                    .lines()
                    .skip(2)
                    .all(|line| line.trim().starts_with("lo:"))
            );
            let environment = std::fs::read_to_string(proc.join("environ")).unwrap();
            let mut variables = environment.split_terminator('\0');
            let harmless = variables.all(|variable| variable.starts_with("RUST_BACKTRACE="));
            assert!(harmless, "{environment}");
            for path in descriptors(worker.pid) {
                let text = path.display().to_string();
                let kinds = ["/dev/null", "pipe:", "socket:", "anon_inode:", "/memfd:"];
                assert!(kinds.iter().any(|kind| text.starts_with(kind)), "{text}");
            }
            let pipes = descriptors(worker.pid);
            let pipes = pipes.iter().filter(|path| path.starts_with("pipe:"));
            assert!(pipes.count() <= 2);
        }
        users.dedup();
        assert!(users.is_empty() || users.len() == 2, "{users:?}");
    });
}

#[test]
fn two_hosts_do_not_share_a_socket() {
    let host = proc_host_tests::Host::start(&["--pool", "Workers=1"]);
    let mut second = Command::new(binary());
    let refused = run(second
        .args(["run", "--pool", "Workers=1", "--socket"])
        .arg(host.socket()));
    let why = refused.fails(1);
    assert!(why.contains(host.socket().to_str().unwrap()), "{why}");
    assert!(why.contains("another host"), "{why}");
    // The first has not felt it.
    assert!(host.run(&["ps"]).ok().contains("Workers"));
    host.stop();
}

#[test]
fn the_socket_of_a_dead_host_is_taken_over() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("host.sock");
        let mut first = Raw::start(&socket, &["math"], folder.path());
        drop(first.connect(&socket).await);
        kill(first.0.id());
        first.0.wait().unwrap();
        assert!(socket.exists());
        assert!(Host::connect(&socket).await.is_err());
        let mut second = Raw::start(&socket, &["math"], folder.path());
        let host = second.connect(&socket).await;
        host.stop().await.unwrap();
        drop(host);
        assert!(second.0.wait().unwrap().success());
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn a_client_is_told_at_once_that_its_host_has_died() {
    block_on(async {
        let (host, _pool) = own(1, &[]).await;
        let process = Watched::new(host.pid());
        kill(host.pid());
        assert!(process.ends_within(Duration::from_secs(10)));
        soon(async { while host.ping().await.is_ok() {} }).await;
    });
}
