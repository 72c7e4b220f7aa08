//! What guests may import: the interfaces of `wit/host.wit`, and WASI with nothing in it.

mod callback;
mod context;
mod log;
mod time;

use wasmtime::component::Linker;
use wasmtime::{Engine, Result};

use crate::store::Data;

/// A linker with everything a guest may import.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Data>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    callback::add(&mut linker.instance("proc:host/callback@0.1.0")?)?;
    context::add(&mut linker.instance("proc:host/context@0.1.0")?)?;
    log::add(&mut linker.instance("proc:host/log@0.1.0")?)?;
    time::add(&mut linker.instance("proc:host/time@0.1.0")?)?;
    Ok(linker)
}
