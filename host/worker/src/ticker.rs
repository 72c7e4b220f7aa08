//! The thread that raises the engine's epoch, so that running guests yield.

use std::time::Duration;

use wasmtime::Engine;

/// Starts ticking, for as long as the process lives. Returns when the thread runs: what a thread
/// does to come up, the lock forbids.
pub(crate) fn start(engine: &Engine, every: Duration) -> std::io::Result<()> {
    let engine = engine.weak();
    let (up, is_up) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("ticker".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            let _ = up.send(());
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(every);
            }
        })?;
    is_up.recv().map_err(std::io::Error::other)
}
