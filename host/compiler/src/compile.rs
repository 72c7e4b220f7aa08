//! From component bytes to an artifact.

use proc_host_wire::interface::{Grant, Interface};
use thiserror::Error;
use wasmtime::component::Component;
use wasmtime::{Engine, Precompiled};

/// Why a component cannot become an artifact. The text is for whoever brought the component.
#[derive(Debug, Error)]
pub(crate) enum CompileError {
    #[error(
        "a core module, not a component: build it for wasm32-wasip2, or wrap it as a component"
    )]
    CoreModule,
    #[error("a precompiled artifact, not a component: bring the .wasm it was made from")]
    Precompiled,
    #[error("not a valid component: {0}")]
    Invalid(String),
    #[error("imports {names}, which this host does not offer")]
    UnknownImports { names: String },
    #[error("has no functions to call")]
    Empty,
    #[error("the artifact could not be made: {0}")]
    Engine(String),
}

/// Compiles `bytes`; returns the artifact and what is callable in it.
pub(crate) fn compile(engine: &Engine, bytes: &[u8]) -> Result<(Vec<u8>, Interface), CompileError> {
    match Engine::detect_precompiled(bytes) {
        Some(Precompiled::Component | Precompiled::Module) => {
            return Err(CompileError::Precompiled);
        }
        None if bytes.starts_with(b"\x7fELF") => return Err(CompileError::Precompiled),
        None => {}
    }
    if bytes.starts_with(b"\0asm\x01\0\0\0") {
        return Err(CompileError::CoreModule);
    }
    let component = Component::from_binary(engine, bytes)
        .map_err(|error| CompileError::Invalid(one_line(&error)))?;
    let interface = proc_host_engine::describe(engine, &component);
    let unknown: Vec<_> = interface
        .imports
        .iter()
        .filter(|import| import.grant == Grant::Unknown)
        .map(|import| format!("`{}`", import.name))
        .collect();
    if !unknown.is_empty() {
        return Err(CompileError::UnknownImports {
            names: unknown.join(", "),
        });
    }
    if interface.functions.is_empty() {
        return Err(CompileError::Empty);
    }
    let artifact = component
        .serialize()
        .map_err(|error| CompileError::Engine(one_line(&error)))?;
    Ok((artifact, interface))
}

/// The whole chain of causes on one line.
fn one_line(error: &wasmtime::Error) -> String {
    format!("{error:#}")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
