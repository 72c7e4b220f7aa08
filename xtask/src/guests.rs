//! Building the guests, and the target they need.

use std::path::PathBuf;

use crate::run::{self, Outcome, output};

/// The target whose linker makes components.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Builds every guest of `examples/` and `tests/guests/`.
pub(crate) fn build() -> Outcome {
    add_target()?;
    let names = names()?;
    let mut arguments = vec!["build", "--target", TARGET, "--profile", "guest"];
    for name in &names {
        arguments.extend(["--package", name]);
    }
    run::cargo(&arguments)
}

/// Every package of the guests' side: the guests and the SDK.
pub(crate) fn side() -> Result<Vec<String>, String> {
    let mut names = names()?;
    names.extend(["proc-guest".to_owned(), "proc-guest-macros".to_owned()]);
    Ok(names)
}

/// Where the built guests are.
pub(crate) fn folder() -> PathBuf {
    run::target().join(TARGET).join("guest")
}

/// The packages that are guests: those in the two folders that build a `cdylib`.
fn names() -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for folder in ["examples", "tests/guests"] {
        let entries = std::fs::read_dir(run::root().join(folder))
            .map_err(|error| format!("cannot list {folder}: {error}"))?;
        for entry in entries.flatten() {
            let Ok(manifest) = std::fs::read_to_string(entry.path().join("Cargo.toml")) else {
                continue;
            };
            let name = manifest
                .lines()
                .find_map(|line| line.strip_prefix("name = \""))
                .and_then(|rest| rest.strip_suffix('"'));
            if let (Some(name), true) = (name, manifest.contains("cdylib")) {
                names.push(name.to_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Adds the wasm target where it is missing; says what to do where that cannot be done.
fn add_target() -> Outcome {
    let libraries = output("rustc", &["--print", "target-libdir", "--target", TARGET])?;
    if PathBuf::from(libraries.trim()).is_dir() {
        return Ok(());
    }
    println!("adding the Rust target {TARGET}");
    output("rustup", &["target", "add", TARGET]).map(drop).map_err(|why| {
        format!(
            "the Rust target {TARGET} is not installed, and rustup could not add it ({why}). With \
             rustup: `rustup target add {TARGET}`. Without: install your distribution's package of \
             the Rust standard library for {TARGET}."
        )
    })
}
