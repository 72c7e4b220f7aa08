//! The compiler process: one component in, an artifact and its interface out, then it ends.
//!
//! Owns: running Cranelift over hostile input, locked in. It holds three descriptors: its socket,
//! the component (a sealed memory file) and the artifact (an empty one). May not know: modules,
//! pools, keys, other components.

mod compile;
mod process;

pub use process::main;
