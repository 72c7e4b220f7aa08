//! The proc-host host process: pools, supervision, routing.
