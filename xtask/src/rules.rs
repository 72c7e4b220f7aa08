//! Which crate may depend on which. The walls inside of the repository.

use crate::run::{Outcome, output};

/// A crate, and what must never be among all it depends on.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "proc-host-wire",
        &[
            "tokio",
            "wasmtime",
            "proc-host-server",
            "proc-host-worker",
            "proc-host-client",
        ],
    ),
    (
        "proc-host-server",
        &[
            "wasmtime",
            "wasmparser",
            "proc-host-worker",
            "proc-host-engine",
            "proc-host-client",
        ],
    ),
    (
        "proc-host-jail",
        &["tokio", "wasmtime", "proc-host-wire", "proc-host-server"],
    ),
    (
        "proc-host-worker",
        &["proc-host-server", "proc-host-client", "proc-host-compiler"],
    ),
    (
        "proc-host-client",
        &[
            "wasmtime",
            "proc-host-server",
            "proc-host-worker",
            "proc-host-jail",
        ],
    ),
    ("proc-guest", &["proc-host-wire", "wasmtime", "tokio"]),
];

/// Fails where a crate's tree holds what it may not know.
pub(crate) fn check() -> Outcome {
    for (package, forbidden) in FORBIDDEN {
        let tree = output(
            "cargo",
            &[
                "tree",
                "--package",
                package,
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--format",
                "{p}",
            ],
        )?;
        let found: Vec<_> = tree
            .lines()
            .filter_map(|line| line.split(' ').next())
            .filter(|name| forbidden.contains(name))
            .collect();
        if !found.is_empty() {
            return Err(format!("{package} must not depend on {}", found.join(", ")));
        }
    }
    println!("dependency rules hold");
    Ok(())
}
