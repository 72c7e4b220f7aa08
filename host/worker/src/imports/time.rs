//! `proc:host/time`: waiting.

use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::LinkerInstance;

use crate::store::Data;

pub(super) fn add(linker: &mut LinkerInstance<'_, Data>) -> Result<()> {
    linker.func_wrap_concurrent("sleep", |_, (nanoseconds,): (u64,)| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_nanos(nanoseconds)).await;
            Ok(())
        })
    })
}
