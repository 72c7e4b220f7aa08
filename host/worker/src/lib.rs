//! The proc-host worker process: engine, instances, calls.

pub mod convert;
