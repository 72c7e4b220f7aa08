//! The proc-host worker process: engine, instances, calls.
