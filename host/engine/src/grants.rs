//! What stands behind each import a component may have.

use proc_host_wire::interface::Grant;

/// Interfaces that work. The worker links exactly these and those of [`EMPTY`].
const GRANTED: &[&str] = &[
    "proc:host/",
    "wasi:io/",
    "wasi:clocks/",
    "wasi:random/",
    "wasi:cli/stdout@",
    "wasi:cli/stderr@",
    "wasi:cli/exit@",
    "wasi:cli/types@",
];

/// Interfaces that link, and in which there is nothing: no file, no socket, no variable.
const EMPTY: &[&str] = &["wasi:cli/", "wasi:filesystem/", "wasi:sockets/"];

/// What the host does with the import of this name.
pub fn grant(import: &str) -> Grant {
    let starts = |names: &[&str]| names.iter().any(|name| import.starts_with(name));
    if starts(GRANTED) {
        Grant::Granted
    } else if starts(EMPTY) {
        Grant::Empty
    } else {
        Grant::Unknown
    }
}
