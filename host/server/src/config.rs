//! The manifest, `proc-host.toml`.
//!
//! Owns: its schema, what is wrong with a file and where, and which files a path stands for.
//! Unknown fields are refused. Flags go over it: that is the caller's act, on the plain types of
//! [`crate::options`]. May not know: sockets, processes.
//!
//! ```toml
//! socket = "/run/user/1000/proc-host/proc-host.sock"
//! grace = "10s"
//!
//! [[pool]]
//! name = "Workers"
//! slots = 3
//! modules = ["mods", "other/math.wasm"]
//! instances = "shared"
//! deadline = "30s"
//! limits = { memory = "64MiB" }
//!
//! [[pool.module]]
//! name = "parse"
//! file = "mods/parse.wasm"
//! instances = "per-call"
//! deadline = "never"
//! ```

mod modules;
mod schema;
pub(crate) use self::schema::MAX_SLOTS;
mod units;

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

pub use self::modules::{inspect_component, modules_at};

use crate::options::{ModuleConfig, PoolConfig};

/// A manifest, read and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Where to listen.
    pub socket: Option<PathBuf>,
    /// How long a stopping host waits for calls.
    pub grace: Option<Duration>,
    /// The pools.
    pub pools: Vec<PoolConfig>,
}

/// What is wrong with a manifest or a module path.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("failed to read {}: {why}", .file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// A place in a manifest that is wrong.
    #[error("{}:{line}:{column}: {why}", .file.display())]
    At {
        /// The manifest.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        why: String,
    },
    /// A module path that leads to no component.
    #[error("{}: {why}", .path.display())]
    Modules {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Config {
    /// Reads and checks a manifest. Paths in it count from its own directory.
    pub fn load(file: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError::Read {
            file: file.to_owned(),
            why: error.to_string(),
        })?;
        Config::parse(&text, file)
    }

    /// As [`Config::load`], of text already read from `file`.
    pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
        let at = |span: Option<std::ops::Range<usize>>, why: String| {
            let (line, column) = position(text, span.map_or(0, |span| span.start));
            ConfigError::At {
                file: file.to_owned(),
                line,
                column,
                why,
            }
        };
        let schema: schema::File = toml::from_str(text)
            .map_err(|error| at(error.span(), error.message().replace('\n', ", ")))?;
        let directory = file.parent().unwrap_or_else(|| Path::new(""));
        schema.resolve(directory, |span, why| at(Some(span), why))
    }

    /// Reads the head of every module file: problems that are certain without compiling anything.
    pub fn check(&self) -> Vec<ConfigError> {
        let modules = self.pools.iter().flat_map(|pool| &pool.modules);
        modules
            .filter_map(|module| check_module(module).err())
            .collect()
    }
}

fn check_module(module: &ModuleConfig) -> Result<(), ConfigError> {
    use std::io::Read as _;
    let wrong = |why| ConfigError::Modules {
        path: module.file.clone(),
        why,
    };
    let mut head = Vec::new();
    std::fs::File::open(&module.file)
        .and_then(|file| file.take(8).read_to_end(&mut head))
        .map_err(|error| wrong(error.to_string()))?;
    inspect_component(&head).map_err(|why| wrong(why.to_owned()))
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests;
