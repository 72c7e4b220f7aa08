//! What the host tells a process it has started.
//!
//! The host writes these to processes of its own build, before any guest code runs there.

use serde::{Deserialize, Serialize};

/// The first frame to a worker or compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Load these modules, lock, serve.
    Worker(WorkerStart),
    /// Compile the component in inherited descriptor `input` into descriptor `output`.
    Compiler(CompilerStart),
}

/// What a worker is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStart {
    /// The pool's name.
    pub pool: String,
    /// The slot in the pool, from 0.
    pub slot: u32,
    /// The generation in the slot, from 1.
    pub generation: u64,
    /// Modules; a dispatch names one by its index.
    pub modules: Vec<ModuleStart>,
}

/// A module of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleStart {
    /// The module's name.
    pub name: String,
    /// The inherited descriptor of its artifact, counted from the first one after the socket.
    pub artifact: u32,
    /// Bytes of the artifact.
    pub artifact_len: u64,
    /// How its calls share instances.
    pub instances: Instances,
    /// Bounds of each instance.
    pub limits: ModuleLimits,
}

/// How calls of a module share instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instances {
    /// One long-lived instance in each worker: its state persists, async calls interleave.
    #[default]
    Shared,
    /// A few instances, one call in each at a time.
    Exclusive,
    /// A fresh instance for each call.
    PerCall,
}

/// Bounds of a module's instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModuleLimits {
    /// Bytes of linear memory of one instance.
    pub memory: u64,
    /// Elements of one table.
    pub table: u32,
    /// Calls in one exclusive instance before it is replaced.
    pub max_uses: u32,
    /// Exclusive instances in each worker; calls of the module in flight in each worker at the most
    /// where it has that mode.
    pub exclusive: u32,
    /// Calls of the module in flight in each worker at the most.
    pub concurrency: u32,
    /// Log bytes of one call before further lines are dropped and counted.
    pub log_bytes: u64,
}

impl Default for ModuleLimits {
    fn default() -> ModuleLimits {
        ModuleLimits {
            memory: 64 << 20,
            table: 10_000,
            max_uses: 1_000,
            exclusive: 4,
            concurrency: 1_000,
            log_bytes: 1 << 20,
        }
    }
}

/// What a compiler is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompilerStart {
    /// The inherited descriptor of the component.
    pub input: u32,
    /// Bytes of the component.
    pub input_len: u64,
    /// The inherited descriptor of an empty memory file for the artifact.
    pub output: u32,
}
