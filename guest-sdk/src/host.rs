//! The imports of a guest, as the host provides them: the only file that names the bindings.
//!
//! [`crate::test`] offers the same functions natively.

use std::time::Duration;

use crate::{callback, context, log};

/// What `wit-bindgen` makes of `wit/host.wit`.
#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    clippy::cast_possible_truncation,
    reason = "generated code"
)]
mod bindings {
    wit_bindgen::generate!({ world: "proc:host/imports", path: "wit" });
}

use bindings::proc::host as imports;

pub(crate) fn ask(payload: &[u8]) -> Result<Vec<u8>, callback::Error> {
    imports::callback::ask(payload).map_err(error)
}

pub(crate) async fn ask_async(payload: Vec<u8>) -> Result<Vec<u8>, callback::Error> {
    imports::callback::ask_async(payload).await.map_err(error)
}

fn error(error: imports::callback::Error) -> callback::Error {
    match error {
        imports::callback::Error::Unheard => callback::Error::Unheard,
        imports::callback::Error::Failed(message) => callback::Error::Failed(message),
        imports::callback::Error::Gone => callback::Error::Gone,
        imports::callback::Error::Malformed(why) => callback::Error::Malformed(why),
    }
}

pub(crate) fn log(level: log::Level, message: &str) {
    let level = match level {
        log::Level::Trace => imports::log::Level::Trace,
        log::Level::Debug => imports::log::Level::Debug,
        log::Level::Info => imports::log::Level::Info,
        log::Level::Warn => imports::log::Level::Warn,
        log::Level::Error => imports::log::Level::Error,
    };
    imports::log::log(level, message);
}

pub(crate) fn current() -> context::Call {
    let info = imports::context::current();
    context::Call {
        pool: info.pool,
        module: info.module,
        worker: info.worker,
        generation: info.generation,
        call: info.call,
    }
}

pub(crate) async fn sleep(duration: Duration) {
    // 584 years are as good as any longer wait.
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    imports::time::sleep(nanoseconds).await;
}
