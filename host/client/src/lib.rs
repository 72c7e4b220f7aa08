//! Rust client of proc-host.
