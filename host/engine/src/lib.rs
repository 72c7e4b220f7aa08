//! The one engine configuration, and what is callable in a component.
//!
//! Owns: which wasm features are on, how code is metered, how instances are pooled, and the order
//! of a component's functions. The compiler and the worker both build on this, so that an artifact
//! made by one is accepted by the other and a function's index means the same to both. May not
//! know: modules, calls, sockets.

mod config;
mod describe;
mod exports;
mod grants;

pub use config::{INSTANCES, TICK, compiler, worker};
pub use describe::describe;
pub use exports::{Export, exports};
pub use grants::grant;
