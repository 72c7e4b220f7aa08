//! A program that runs code it does not trust: every kind of call, over a host of its own.
//!
//! `client-example FOLDER`, where FOLDER holds `math.wasm`, `ticker.wasm`, `callback.wasm` and
//! `types.wasm`. The host is the `proc-host` beside this program, in `PROC_HOST_BIN` or in `PATH`,
//! and ends with it.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use proc_host_client::{
    Bytes, CallError, Handle, Host, Outcome, Pool, PoolOptions, Question, RemoteStream,
    StartOptions, StreamArg, Value,
};
use serde::{Deserialize, Serialize};

/// The record `point` of `types.wasm`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: f64,
    y: f64,
}

/// What `callback.wasm` asks.
#[derive(Debug, Deserialize)]
struct Asked {
    name: String,
    left: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder: PathBuf = std::env::args_os()
        .nth(1)
        .context("usage: client-example FOLDER")?
        .into();
    let host = Host::start(StartOptions::new()).await?;

    // Callbacks that no caller answers come to the pool's own handler.
    let unheard = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&unheard);
    let options = PoolOptions::new("Workers", 2).on_callback(move |question: Question| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move { question.answer("a stranger") }
    });
    let pool = host.create_pool(options).await?;
    for module in ["math", "ticker", "callback", "types"] {
        pool.load_file(folder.join(module).with_extension("wasm"))
            .await?;
    }

    calls(&pool).await?;
    failures(&pool).await?;
    generators(&pool).await?;
    callbacks(&pool).await?;
    resources(&pool).await?;
    let strangers = unheard.load(Ordering::Relaxed);
    say(&format!(
        "the pool's handler has answered {strangers} callbacks"
    ))?;

    let mut done = 0;
    for worker in host.ps().await?.iter().flat_map(|pool| &pool.workers) {
        done += worker.done;
    }
    say(&format!("the workers have ended {done} calls"))?;
    let mut logs = host.logs(false).await?;
    while let Some(entry) = logs.try_next().await? {
        if entry.module.as_deref() == Some("callback") {
            say(&format!("logged: {} {}", entry.level.as_str(), entry.text))?;
        }
    }
    Ok(())
}

/// Values in and out, typed and untyped, one at a time and many at once.
async fn calls(pool: &Pool) -> anyhow::Result<()> {
    let sum: i64 = pool.call("math.add", (40, 2)).await?;
    say(&format!("40 + 2 = {sum}"))?;

    #[derive(Serialize)]
    struct Add {
        a: i64,
        b: i64,
    }
    let named: i64 = pool.call("math.add", Add { a: 1, b: 2 }).await?;
    say(&format!("by name: {named}"))?;

    let point = Point { x: 1.5, y: -2.0 };
    let echoed: Point = pool.call("types.echo-record", (&point,)).await?;
    anyhow::ensure!(echoed == point);
    let bytes: Bytes = pool
        .call("types.echo-bytes", (Bytes(vec![0; 1 << 20]),))
        .await?;
    say(&format!("{} bytes came back", bytes.0.len()))?;

    let untyped: Value = pool.call("types.echo-record", (&point,)).await?;
    say(&format!("untyped: {untyped:?}"))?;

    let squares = (0..100_u32).map(|n| {
        pool.call::<f64>("math.square", (f64::from(n),))
            .into_future()
    });
    let total: f64 = future::try_join_all(squares).await?.into_iter().sum();
    say(&format!("100 calls at once: {total}"))?;
    Ok(())
}

/// How calls end otherwise.
async fn failures(pool: &Pool) -> anyhow::Result<()> {
    let raised = pool.call::<f64>("math.divide", (1.0, 0.0)).await;
    let error = raised.err().context("division by zero went well")?;
    say(&format!(
        "raised: {}",
        error.raised::<String>().unwrap_or_default()
    ))?;

    let trapped = pool.call::<i64>("math.add", (i64::MAX, 1)).await;
    let error: CallError = trapped.err().context("an overflow went well")?;
    let trap = error.trap().context("no trap")?;
    let named = trap
        .backtrace
        .iter()
        .any(|frame| frame.function.contains("add"));
    say(&format!("trapped, with `add` in the backtrace: {named}"))?;

    let late = pool
        .call::<String>("ticker.slow", (60_000,))
        .timeout(Duration::from_millis(50));
    let ended = late.outcome().await?;
    say(&format!(
        "too slow: {}",
        matches!(ended.outcome, Outcome::TimedOut { .. })
    ))?;

    // Dropping a call cancels it.
    let dropped = pool.call::<String>("ticker.slow", (60_000,)).into_future();
    let _ = tokio::time::timeout(Duration::from_millis(50), dropped).await;

    let denied = pool.call::<i64>("math.add", ("x", 2)).await;
    say(&denied.err().context("a text is no number")?.to_string())?;
    Ok(())
}

/// Streams out, in, and both.
async fn generators(pool: &Pool) -> anyhow::Result<()> {
    let first: Vec<u64> = pool
        .stream::<u64>("ticker.fibonacci", ())
        .take(10)
        .try_collect()
        .await?;
    say(&format!("fibonacci: {first:?}"))?;

    let mut countdown = pool.stream::<u32>("ticker.countdown", (5, Some(3)));
    while let Some(item) = countdown.next().await {
        match item {
            Ok(number) => say(&format!("countdown: {number}"))?,
            Err(error) => say(&format!("countdown: {error}"))?,
        }
    }

    let numbers = StreamArg::new(stream::iter(1..=1_000_u32));
    let sum: u64 = pool.call("ticker.sum", (numbers,)).await?;
    say(&format!("sum of a stream: {sum}"))?;

    let numbers = StreamArg::new(stream::iter(1..=5_u32));
    let sums: RemoteStream<u64> = pool.call("ticker.running-sum", (numbers,)).await?;
    say(&format!(
        "running sum: {:?}",
        sums.try_collect::<Vec<_>>().await?
    ))?;
    Ok(())
}

/// Guests that ask.
async fn callbacks(pool: &Pool) -> anyhow::Result<()> {
    let call = pool.call::<Vec<String>>("callback.greet", (["Ada", "Grace"],));
    let greetings = call
        .on_callback(async |asked: Asked| format!("hello {}, {} to go", asked.name, asked.left))
        .await?;
    say(&format!("{greetings:?}"))?;
    let greetings: Vec<String> = pool.call("callback.greet", (["Alan"],)).await?;
    say(&format!("{greetings:?}"))?;
    pool.call::<()>("callback.chatter", ("weather",)).await?;
    Ok(())
}

/// Things that stay in the worker and are used through a handle.
async fn resources(pool: &Pool) -> anyhow::Result<()> {
    let counter: Handle = pool.call("types.make-counter", (5,)).await?;
    counter.call::<u32>("counter.increment", ()).await?;
    let value: u32 = counter.call("counter.value", ()).await?;
    say(&format!("counter: {value}"))?;
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
