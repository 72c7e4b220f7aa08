//! From the engine's errors to what a caller is told.

use proc_host_wire::{Trap, TrapFrame};
use wasmtime::WasmBacktrace;
use wasmtime_wasi::I32Exit;

/// Frames of a backtrace that are told.
const MAX_FRAMES: usize = 64;

/// Describes why a guest stopped.
pub(crate) fn describe(error: &wasmtime::Error) -> Trap {
    let reason = if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
        trap.to_string()
    } else if let Some(exit) = error.downcast_ref::<I32Exit>() {
        format!("the guest exited with status {}", exit.0)
    } else {
        // The backtrace is a layer of context; what lies below it is the cause.
        error.root_cause().to_string()
    };
    let reason = reason.trim_start_matches("wasm trap: ").to_owned();
    let backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .map(|backtrace| {
            backtrace
                .frames()
                .iter()
                .take(MAX_FRAMES)
                .map(frame)
                .collect()
        })
        .unwrap_or_default();
    Trap {
        reason,
        own: true,
        backtrace,
    }
}

fn frame(frame: &wasmtime::FrameInfo) -> TrapFrame {
    let function = frame
        .symbols()
        .first()
        .and_then(|symbol| symbol.name())
        .or_else(|| frame.func_name())
        .map_or_else(|| format!("function {}", frame.func_index()), str::to_owned);
    TrapFrame {
        function: demangle(&function),
        module: frame.module().name().map(str::to_owned),
        offset: frame.module_offset().map(|offset| offset as u64),
    }
}

/// Rust names without their hash, exports without the prefix some toolchains give them; others as
/// they are.
fn demangle(name: &str) -> String {
    let name = name.strip_prefix("cm32p2||").unwrap_or(name);
    format!("{:#}", rustc_demangle::demangle(name))
}
