//! The one engine configuration, and its fingerprint.
//!
//! Owns: which wasm features are on, how code is metered, how instances are pooled. The compiler
//! and the worker both build their engine here, so that an artifact made by one is accepted by the
//! other. May not know: modules, calls, sockets.
