//! Write proc-host modules in Rust.
