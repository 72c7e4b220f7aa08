//! A program that uses a host, for tests that measure or kill such a program. It takes orders, one
//! number on each line of standard input, and answers each with a line.
//!
//! - `own FILE`: starts a host of its own with two workers and the module in FILE; says which
//!   processes they are.
//! - `read SOCKET`: opens an endless generator; reads as many items as it is told, and says which
//!   one was the last.
//! - `feed SOCKET`: passes an endless stream to a guest that never reads it; says how many items
//!   have been taken from the stream.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and reads what is printed"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, stream};
use proc_host_client::{Host, PoolOptions, StartOptions, StreamArg};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, role, place] = arguments.as_slice() else {
        panic!("usage: program ROLE PLACE");
    };
    let orders = BufReader::new(tokio::io::stdin()).lines();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match role.as_str() {
            "own" => own(place, orders).await,
            "read" => read(place, orders).await,
            "feed" => feed(place, orders).await,
            _ => panic!("no role is called {role}"),
        }
    });
    // Standard input may be read by a thread that never ends.
    runtime.shutdown_background();
}

type Orders = Lines<BufReader<Stdin>>;

async fn order(orders: &mut Orders) -> Option<u64> {
    let line = orders.next_line().await.unwrap()?;
    Some(line.parse().unwrap())
}

async fn own(file: &str, mut orders: Orders) {
    let host = Host::start(StartOptions::new()).await.unwrap();
    let pool = host
        .create_pool(PoolOptions::new("Workers", 2))
        .await
        .unwrap();
    pool.load_file(file).await.unwrap();
    let workers = host.ps().await.unwrap().remove(0).workers;
    let pids: Vec<String> = workers
        .iter()
        .map(|worker| worker.pid.to_string())
        .collect();
    println!(
        "{} {} {}",
        host.socket().display(),
        host.pid(),
        pids.join(" ")
    );
    while order(&mut orders).await.is_some() {}
}

async fn read(socket: &str, mut orders: Orders) {
    let pool = Host::connect(socket).await.unwrap().pool("Workers");
    let mut items = pool.stream::<u32>("generators.endless", ()).no_deadline();
    let mut expected = 0;
    while let Some(count) = order(&mut orders).await {
        for _ in 0..count {
            assert_eq!(items.next().await.unwrap().unwrap(), expected);
            expected += 1;
        }
        println!("{expected}");
    }
}

async fn feed(socket: &str, mut orders: Orders) {
    let pool = Host::connect(socket).await.unwrap().pool("Workers");
    let taken = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&taken);
    let items = stream::iter(0u32..).inspect(move |_| {
        counting.fetch_add(1, Ordering::Relaxed);
    });
    let call = pool
        .call::<u64>("faults.ignore", (StreamArg::new(items), u32::MAX))
        .no_deadline();
    let answer = async {
        while order(&mut orders).await.is_some() {
            println!("{}", taken.load(Ordering::Relaxed));
        }
    };
    tokio::select! {
        ended = call => panic!("the call ended: {ended:?}"),
        () = answer => {}
    }
}
