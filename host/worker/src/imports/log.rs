//! `proc:host/log`: entries with a level.

use proc_host_wire::log::Level as WireLevel;
use wasmtime::component::{ComponentType, Lift, LinkerInstance};
use wasmtime::{Result, StoreContextMut};

use crate::stdio::Entry;
use crate::store::{Data, running};

#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "guests construct them")]
enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

pub(super) fn add(linker: &mut LinkerInstance<'_, Data>) -> Result<()> {
    linker.func_wrap(
        "log",
        |mut store: StoreContextMut<'_, Data>, (level, message): (Level, String)| {
            let call = running(&mut store);
            let module = &store.data().module;
            let entry = Entry {
                link: &module.link,
                module: module.index,
                level: match level {
                    Level::Trace => WireLevel::Trace,
                    Level::Debug => WireLevel::Debug,
                    Level::Info => WireLevel::Info,
                    Level::Warn => WireLevel::Warn,
                    Level::Error => WireLevel::Error,
                },
                limit: module.limits.log_bytes,
            };
            match call {
                Some(call) => call.with_log(|log| entry.send(call.id, log, message.into_bytes())),
                None => entry.send(0, &mut module.stray_log(), message.into_bytes()),
            }
            Ok(())
        },
    )
}
