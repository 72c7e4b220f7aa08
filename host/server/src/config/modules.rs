//! Which module files a path stands for, and what the first bytes of a file tell.

use std::path::{Path, PathBuf};

use super::ConfigError;
use crate::options::ModuleConfig;

/// The modules of a path: the file itself, which is then required, or what ends in `.wasm` in a
/// directory, each of which may be left out where it does not load.
pub fn modules_at(path: &Path) -> Result<Vec<ModuleConfig>, ConfigError> {
    let wrong = |why: String| ConfigError::Modules {
        path: path.to_owned(),
        why,
    };
    let metadata = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    if !metadata.is_dir() {
        return Ok(vec![ModuleConfig::new(path)]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| wrong(error.to_string()))?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    files.retain(|file| file.extension().is_some_and(|end| end == "wasm"));
    files.sort();
    if files.is_empty() {
        return Err(wrong(
            "no modules: nothing in this directory ends in .wasm".to_owned(),
        ));
    }
    let optional = |file| ModuleConfig {
        required: false,
        ..ModuleConfig::new(file)
    };
    Ok(files.into_iter().map(optional).collect())
}

/// Whether bytes can be a component, by their first eight; if not, what they are instead.
pub fn inspect_component(bytes: &[u8]) -> Result<(), &'static str> {
    match bytes {
        [] => Err("not a component: the file is empty"),
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', _, _, 0, 0, ..] => Err(
            "not a component: it is a core module (build it for wasm32-wasip2, or wrap it with \
             wasm-tools component new)",
        ),
        [b'\0', b'a', b's', b'm', ..] if bytes.len() < 8 => {
            Err("not a component: the file ends inside the header")
        }
        [0x7f, b'E', b'L', b'F', ..] => Err(
            "not a component: it is an ELF file, such as a precompiled .cwasm; those are refused, \
             give the .wasm it was made from",
        ),
        _ => Err("not a component: it does not begin as WebAssembly does"),
    }
}
