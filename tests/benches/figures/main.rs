//! What a call costs, beside its floor: as many processes that pass on as many bytes and do nothing
//! else. Both are measured in one run, so the ratio says more than either figure.
//!
//! `cargo xtask bench` builds the host in release and runs this.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench for a terminal"
)]

mod floor;

use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use futures_util::{TryStreamExt as _, future};
use proc_host_client::{Bytes, Host, Pool, PoolOptions, StartOptions};
use proc_host_tests::guest;

use self::floor::Floor;

/// Calls measured one after another, and calls measured with [`WINDOW`] in flight.
const TRIPS: usize = 20_000;
const CALLS: usize = 200_000;
const WINDOW: usize = 256;
const ITEMS: u32 = 1_000_000;
const SLEEPERS: usize = 500;

fn main() {
    if floor::play_a_part() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let binary = std::env::var_os("PROC_HOST_BIN").map_or_else(released, Into::into);
        let host = Host::start(StartOptions::new().binary(binary))
            .await
            .unwrap();
        let pool = host
            .create_pool(PoolOptions::new("Workers", 1))
            .await
            .unwrap();
        for module in ["math", "ticker", "echo"] {
            pool.load_file(guest(module)).await.unwrap();
        }
        println!(
            "{:<34} {:>14} {:>14} {:>8}",
            "", "proc-host", "floor", "ratio"
        );
        // A first round warms both up; the second counts.
        for counts in [false, true] {
            measure(&pool, counts).await;
        }
    });
}

async fn measure(pool: &Pool, counts: bool) {
    let line = |name: &str, figure: String, floor: String, ratio: f64| {
        if counts {
            println!("{name:<34} {figure:>14} {floor:>14} {ratio:>8.2}");
        }
    };
    let ours = round_trip(pool).await;
    let theirs = Floor::start().round_trip(TRIPS);
    line(
        "round trip of add, p50",
        micros(ours),
        micros(theirs),
        ratio(ours, theirs),
    );

    let ours = CALLS as f64 / pipelined(pool).await.as_secs_f64();
    let theirs = CALLS as f64 / Floor::start().pipelined(CALLS, WINDOW).as_secs_f64();
    line(
        "calls/s at window 256",
        rate(ours),
        rate(theirs),
        theirs / ours,
    );

    let ours = f64::from(ITEMS) / items(pool).await.as_secs_f64();
    let theirs = f64::from(ITEMS) / Floor::items(ITEMS as usize).as_secs_f64();
    line("stream items/s", rate(ours), rate(theirs), theirs / ours);

    let ours = sleepers(pool).await;
    let theirs = Duration::from_millis(100);
    line(
        "500 sleepers of 100 ms",
        millis(ours),
        millis(theirs),
        ratio(ours, theirs),
    );

    for megabytes in [1, 16] {
        let ours = bytes(pool, megabytes << 20).await;
        let theirs = Floor::start().echo(megabytes << 20);
        let name = format!("{megabytes} MiB there and back, p50");
        line(&name, millis(ours), millis(theirs), ratio(ours, theirs));
    }
}

async fn round_trip(pool: &Pool) -> Duration {
    let mut taken = Vec::with_capacity(TRIPS);
    for _ in 0..TRIPS {
        let start = Instant::now();
        let sum: i64 = pool.call("math.add", (40, 2)).await.unwrap();
        taken.push(start.elapsed());
        assert_eq!(sum, 42);
    }
    floor::median(taken)
}

async fn pipelined(pool: &Pool) -> Duration {
    let start = Instant::now();
    let mut flying = FuturesUnordered::new();
    let mut begun = 0;
    let mut ended = 0;
    while ended < CALLS {
        while begun < CALLS && flying.len() < WINDOW {
            let call = pool.call::<i64>("math.add", (begun as i64, 1i64));
            flying.push(async move { (begun, call.await) });
            begun += 1;
        }
        let (number, sum) = flying.next().await.unwrap();
        assert_eq!(sum.unwrap(), number as i64 + 1);
        ended += 1;
    }
    start.elapsed()
}

async fn items(pool: &Pool) -> Duration {
    let start = Instant::now();
    let mut items = std::pin::pin!(pool.stream::<u32>("ticker.count", (ITEMS,)));
    let mut next = 0;
    while let Some(item) = items.try_next().await.unwrap() {
        assert_eq!(item, next);
        next += 1;
    }
    assert_eq!(next, ITEMS);
    start.elapsed()
}

async fn sleepers(pool: &Pool) -> Duration {
    let start = Instant::now();
    let calls =
        (0..SLEEPERS).map(|_| async { pool.call::<String>("ticker.slow", (100,)).await.unwrap() });
    assert_eq!(future::join_all(calls).await.len(), SLEEPERS);
    start.elapsed()
}

async fn bytes(pool: &Pool, size: usize) -> Duration {
    let body = vec![7; size];
    let mut taken = Vec::new();
    for _ in 0..15 {
        let start = Instant::now();
        let back: Bytes = pool
            .call("echo.bytes", (Bytes::from(body.clone()),))
            .await
            .unwrap();
        taken.push(start.elapsed());
        assert_eq!(back.0.len(), size);
    }
    floor::median(taken)
}

/// The released binary of this checkout.
fn released() -> std::path::PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(3).unwrap().join("release/proc-host")
}

fn ratio(ours: Duration, floor: Duration) -> f64 {
    ours.as_secs_f64() / floor.as_secs_f64()
}

fn micros(time: Duration) -> String {
    format!("{:.1} us", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn rate(rate: f64) -> String {
    format!("{:.0}", rate)
}
