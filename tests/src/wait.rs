//! Waiting for what is asynchronous, with an end to it.

use std::time::{Duration, Instant};

use crate::processes::PATIENCE;

/// Runs `test` to its end on a runtime of its own.
#[track_caller]
pub fn block_on<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let whole = runtime.block_on(async { tokio::time::timeout(4 * PATIENCE, test).await });
    whole.unwrap_or_else(|_| panic!("the test goes on and on"))
}

/// Awaits what must come soon.
#[track_caller]
pub fn soon<F: IntoFuture>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        let come = tokio::time::timeout(PATIENCE, future).await;
        come.unwrap_or_else(|_| panic!("what is awaited at {caller} never came"))
    }
}

/// Asks again and again until the answer is yes.
#[track_caller]
pub fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + PATIENCE;
        while !holds().await {
            assert!(Instant::now() < end, "at {caller}, this never came: {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
