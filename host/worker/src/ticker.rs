//! The thread that raises the engine's epoch, so that running guests yield.

use std::time::Duration;

use wasmtime::Engine;

/// Starts ticking, for as long as the process lives. Before the lock: no thread can start after it.
pub(crate) fn start(engine: &Engine, every: Duration) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("ticker".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(every);
            }
        })?;
    Ok(())
}
