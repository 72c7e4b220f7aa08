//! A module as a worker holds it: loaded, linked, its functions planned, no instance yet.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proc_host_engine::Export;
use proc_host_wire::start::{Instances, ModuleLimits, ModuleStart};
use thiserror::Error;
use wasmtime::Engine;
use wasmtime::component::{ComponentExportIndex, InstancePre, Linker};

use crate::artifact;
use crate::call::LogBudget;
use crate::convert::Signature;
use crate::link::Link;
use crate::store::Data;

/// A loaded module.
pub(crate) struct Module {
    /// Its index in the worker's start.
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) instances: Instances,
    pub(crate) limits: ModuleLimits,
    pub(crate) functions: Vec<Function>,
    pub(crate) pre: InstancePre<Data>,
    pub(crate) place: Arc<Place>,
    pub(crate) link: Arc<Link>,
    callbacks: AtomicU32,
    stray: Mutex<LogBudget>,
}

/// Where this worker is.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) pool: String,
    pub(crate) slot: u32,
    pub(crate) generation: u64,
}

/// A function of a module.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) index: ComponentExportIndex,
    /// The plan of its values, or why there is none.
    pub(crate) signature: Result<Arc<Signature>, String>,
    /// Its WIT signature, for errors.
    pub(crate) text: String,
}

/// Why a module could not be loaded.
#[derive(Debug, Error)]
pub(crate) enum LoadError {
    #[error("failed to read its artifact: {0}")]
    Artifact(#[source] std::io::Error),
    #[error("its artifact does not fit this engine: {0:#}")]
    Engine(#[source] wasmtime::Error),
    #[error("its imports cannot be linked: {0:#}")]
    Link(#[source] wasmtime::Error),
}

impl Module {
    /// Loads a module from its artifact. Nothing of it runs.
    pub(crate) fn load(
        engine: &Engine,
        linker: &Linker<Data>,
        (index, start): (u32, &ModuleStart),
        artifact: OwnedFd,
        place: &Arc<Place>,
        link: &Arc<Link>,
    ) -> Result<Module, LoadError> {
        let component = artifact::load(engine, artifact, start.artifact_len)?;
        // Left to the first instance it would open a memory file, which the lock forbids.
        component
            .initialize_copy_on_write_image()
            .map_err(LoadError::Engine)?;
        let interface = proc_host_engine::describe(engine, &component);
        let texts = interface
            .functions
            .iter()
            .map(|function| interface.signature(function));
        let functions = proc_host_engine::exports(engine, &component)
            .into_iter()
            .zip(texts)
            .map(|(export, text)| Function {
                signature: plan(&export),
                index: export.index,
                text: text.to_string(),
            })
            .collect();
        let pre = linker
            .instantiate_pre(&component)
            .map_err(LoadError::Link)?;
        Ok(Module {
            index,
            name: start.name.clone(),
            instances: start.instances,
            limits: start.limits.clone(),
            functions,
            pre,
            place: place.clone(),
            link: link.clone(),
            callbacks: AtomicU32::new(1),
            stray: Mutex::default(),
        })
    }

    /// A number for a callback, unique in this worker while it is open: the module takes the upper
    /// bits.
    pub(crate) fn next_callback(&self) -> u32 {
        let low = self.callbacks.fetch_add(1, Ordering::Relaxed) & 0x00ff_ffff;
        self.index << 24 | low
    }

    /// The log budget of what runs outside of any call.
    pub(crate) fn stray_log(&self) -> MutexGuard<'_, LogBudget> {
        self.stray.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn plan(export: &Export) -> Result<Arc<Signature>, String> {
    let params: Vec<_> = export.ty.params().collect();
    Signature::new(params.into_iter(), export.ty.results().next())
        .map(Arc::new)
        .map_err(|error| error.to_string())
}
