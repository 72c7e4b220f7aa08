//! What nobody reads is not made: the memory of all three processes stays as it was.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use proc_host_client::{Host, Pool};
use proc_host_tests::guest;
use proc_host_tests::processes::resident;
use proc_host_tests::wait::block_on;
use serde::Deserialize;

/// What a process may grow by.
const GROWTH: u64 = 8 << 20;

/// A program that uses the host, in a process of its own.
struct Program {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Program {
    fn start(role: &str, host: &proc_host_tests::Host) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_program"))
            .arg(role)
            .arg(host.socket())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Program {
            child,
            orders,
            answers,
        }
    }

    /// Gives it an order; its answer.
    fn order(&mut self, number: u64) -> u64 {
        writeln!(self.orders, "{number}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("it said {answer:?}"))
    }

    fn end(mut self) {
        drop(self.orders);
        assert!(self.child.wait().unwrap().success());
    }
}

/// The memory of client, host and worker.
struct Memory([(&'static str, u32, u64); 3]);

impl Memory {
    fn now(client: u32, host: u32, worker: u32) -> Memory {
        let all = [("client", client), ("host", host), ("worker", worker)];
        Memory(all.map(|(name, pid)| (name, pid, resident(pid))))
    }

    #[track_caller]
    fn assert_kept(&self) {
        for (name, pid, before) in self.0 {
            let after = resident(pid);
            assert!(
                after < before + GROWTH,
                "the {name} grew from {before} to {after} bytes"
            );
        }
    }
}

fn serve(module: &str) -> proc_host_tests::Host {
    let path = guest(module).display().to_string();
    proc_host_tests::Host::start(&["--pool", "Workers=1", &path])
}

/// Asks until the answer stays the same.
async fn settled(mut ask: impl AsyncFnMut() -> u64) -> u64 {
    let (mut last, mut same) = (ask().await, 0);
    while same < 200 {
        let now = ask().await;
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

async fn produced(pool: &Pool) -> u64 {
    #[derive(Deserialize)]
    struct Counts {
        produced: u64,
    }
    pool.call::<Counts>("generators.counts", ())
        .await
        .unwrap()
        .produced
}

#[test]
fn items_that_nobody_reads_are_not_made() {
    block_on(async {
        let host = serve("generators");
        let client = Host::connect(host.socket()).await.unwrap();
        let pool = client.pool("Workers");
        let worker = client.ps().await.unwrap()[0].workers[0].pid;
        let mut reader = Program::start("read", &host);
        assert_eq!(reader.order(0), 0);
        assert_eq!(produced(&pool).await, 0);
        let before = Memory::now(reader.child.id(), host.pid(), worker);
        assert_eq!(reader.order(10), 10);
        let ahead = settled(async || produced(&pool).await).await;
        before.assert_kept();
        assert!(
            ahead < 200_000,
            "{ahead} items were made for a reader of 10"
        );
        // It goes on as it is read, and stalls again.
        assert_eq!(reader.order(500_000), 500_010);
        let further = settled(async || produced(&pool).await).await;
        before.assert_kept();
        assert!(
            further > 500_000 && further < 700_000,
            "{further} items for a reader of 500,010"
        );
        reader.end();
        drop((pool, client));
        host.stop();
    });
}

#[test]
fn arguments_that_nobody_reads_are_not_asked_for() {
    block_on(async {
        let host = serve("faults");
        let client = Host::connect(host.socket()).await.unwrap();
        let pool = client.pool("Workers");
        pool.call::<String>("faults.ping", ()).await.unwrap();
        let worker = client.ps().await.unwrap()[0].workers[0].pid;
        let mut feeder = Program::start("feed", &host);
        feeder.order(0);
        let before = Memory::now(feeder.child.id(), host.pid(), worker);
        let taken = settled(async || {
            pool.call::<String>("faults.ping", ()).await.unwrap();
            feeder.order(0)
        })
        .await;
        before.assert_kept();
        assert!(taken > 0 && taken < 100_000, "{taken} items were taken");
        feeder.end();
        drop((pool, client));
        host.stop();
    });
}
