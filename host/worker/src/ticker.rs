//! The thread that raises the engine's epoch, so that running guests yield.
//!
//! Owns: when it ticks. It rests while the worker does, so that an idle worker costs nothing: the
//! runtime says when its one thread goes to sleep ([`rest`]) and when it wakes ([`work`]).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::Engine;

/// Ticks without work after which it rests; fewer would wake it for every call of a slow run.
const PATIENCE: u32 = 20;

/// Whether the worker's thread is awake. It counts as awake until the runtime first says otherwise.
static AWAKE: AtomicBool = AtomicBool::new(true);
/// Whether the ticker rests.
static RESTING: AtomicBool = AtomicBool::new(false);
static TICKER: OnceLock<Thread> = OnceLock::new();

/// The worker's thread has nothing to do.
pub(crate) fn rest() {
    AWAKE.store(false, Ordering::SeqCst);
}

/// The worker's thread has something to do.
pub(crate) fn work() {
    AWAKE.store(true, Ordering::SeqCst);
    if RESTING.load(Ordering::SeqCst)
        && let Some(ticker) = TICKER.get()
    {
        ticker.unpark();
    }
}

/// Starts ticking, for as long as the process lives. Returns when the thread runs: what a thread
/// does to come up, the lock forbids.
pub(crate) fn start(engine: &Engine, every: Duration) -> std::io::Result<()> {
    let engine = engine.weak();
    let (up, is_up) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("ticker".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            let _ = TICKER.set(std::thread::current());
            let _ = up.send(());
            let mut idle = 0;
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                idle = if AWAKE.load(Ordering::SeqCst) {
                    0
                } else {
                    idle + 1
                };
                if idle < PATIENCE {
                    std::thread::sleep(every);
                    continue;
                }
                RESTING.store(true, Ordering::SeqCst);
                // Whoever has woken before it could see this rest is seen here.
                while !AWAKE.load(Ordering::SeqCst) {
                    std::thread::park();
                }
                RESTING.store(false, Ordering::SeqCst);
            }
        })?;
    is_up.recv().map_err(std::io::Error::other)
}
