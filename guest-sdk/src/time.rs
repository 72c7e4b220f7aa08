//! Waiting, without a WASI clock.

use std::time::Duration;

use crate::host;

/// Waits at least `duration`; other calls of this instance go on.
pub async fn sleep(duration: Duration) {
    host::sleep(duration).await;
}
