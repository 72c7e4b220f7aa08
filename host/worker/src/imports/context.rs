//! `proc:host/context`: what the running call may know of itself.

use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower};
use wasmtime::{Result, StoreContextMut};

use crate::store::{Data, running};

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
struct CallInfo {
    pool: String,
    module: String,
    worker: u32,
    generation: u64,
    call: u64,
}

pub(super) fn add(linker: &mut LinkerInstance<'_, Data>) -> Result<()> {
    linker.func_wrap("current", |mut store: StoreContextMut<'_, Data>, (): ()| {
        let call = running(&mut store).map_or(0, |call| call.number);
        let module = &store.data().module;
        let info = CallInfo {
            pool: module.place.pool.clone(),
            module: module.name.clone(),
            worker: module.place.slot,
            generation: module.place.generation,
            call,
        };
        Ok((info,))
    })
}
