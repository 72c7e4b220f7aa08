//! The manifest's fields, and how they become plain options.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proc_host_wire::start::{Instances, ModuleLimits};
use serde::Deserialize;
use toml::Spanned;

use super::modules::modules_at;
use super::units::{Patience, Size, Span};
use super::{Config, ConfigError};
use crate::options::{ModuleConfig, ModuleDefaults, PoolConfig};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    socket: Option<PathBuf>,
    grace: Option<Span>,
    #[serde(default)]
    pool: Vec<Pool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pool {
    name: Spanned<String>,
    slots: Option<Spanned<u32>>,
    #[serde(default)]
    modules: Vec<Spanned<PathBuf>>,
    instances: Option<Instances>,
    deadline: Option<Patience>,
    limits: Option<Limits>,
    #[serde(default)]
    module: Vec<Module>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Module {
    name: Option<Spanned<String>>,
    file: Spanned<PathBuf>,
    instances: Option<Instances>,
    deadline: Option<Patience>,
    limits: Option<Limits>,
}

/// As [`ModuleLimits`], each of them left out where the level above decides.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Limits {
    memory: Option<Size>,
    table: Option<u32>,
    max_uses: Option<u32>,
    exclusive: Option<u32>,
    concurrency: Option<u32>,
    log_bytes: Option<Size>,
}

impl Limits {
    fn over(&self, base: &ModuleLimits) -> ModuleLimits {
        ModuleLimits {
            memory: self.memory.map_or(base.memory, |size| size.0),
            table: self.table.unwrap_or(base.table),
            max_uses: self.max_uses.unwrap_or(base.max_uses),
            exclusive: self.exclusive.unwrap_or(base.exclusive),
            concurrency: self.concurrency.unwrap_or(base.concurrency),
            log_bytes: self.log_bytes.map_or(base.log_bytes, |size| size.0),
        }
    }
}

impl File {
    pub(super) fn resolve(
        self,
        directory: &Path,
        wrong: impl Fn(Range<usize>, String) -> ConfigError,
    ) -> Result<Config, ConfigError> {
        let mut names = HashSet::new();
        let mut pools = Vec::new();
        for pool in self.pool {
            if pool.name.get_ref().is_empty() {
                return Err(wrong(pool.name.span(), "a pool needs a name".to_owned()));
            }
            if !names.insert(pool.name.get_ref().clone()) {
                let why = format!("there is already a pool named {}", pool.name.get_ref());
                return Err(wrong(pool.name.span(), why));
            }
            pools.push(pool.resolve(directory, &wrong)?);
        }
        let socket = self.socket.map(|path| directory.join(path));
        Ok(Config {
            socket,
            grace: self.grace.map(|span| span.0),
            pools,
        })
    }
}

impl Pool {
    fn resolve(
        self,
        directory: &Path,
        wrong: &impl Fn(Range<usize>, String) -> ConfigError,
    ) -> Result<PoolConfig, ConfigError> {
        let slots = match self.slots {
            None => cores(),
            Some(slots) if (1..=MAX_SLOTS).contains(slots.get_ref()) => slots.into_inner(),
            Some(slots) => {
                return Err(wrong(
                    slots.span(),
                    format!("a pool has 1 to {MAX_SLOTS} slots"),
                ));
            }
        };
        let base = ModuleDefaults::default();
        let defaults = ModuleDefaults {
            instances: self.instances.unwrap_or(base.instances),
            limits: self.limits.unwrap_or_default().over(&base.limits),
            deadline: self.deadline.map_or(base.deadline, |patience| patience.0),
        };
        let mut modules: Vec<ModuleConfig> = Vec::new();
        for path in self.modules {
            let found = modules_at(&directory.join(path.get_ref()))
                .map_err(|error| wrong(path.span(), error.to_string()))?;
            modules.extend(found);
        }
        for module in self.module {
            let span = match &module.name {
                Some(name) => name.span(),
                None => module.file.span(),
            };
            let module = module.resolve(directory, &defaults);
            // A table about a file that a path above brought in already says more about it.
            modules.retain(|other| other.file != module.file);
            if module.name.is_empty() {
                return Err(wrong(span, "a module needs a name".to_owned()));
            }
            modules.push(module);
        }
        let mut names = HashSet::new();
        if let Some(twice) = modules
            .iter()
            .find(|module| !names.insert(module.name.as_str()))
        {
            let why = format!("two modules of this pool are named {}", twice.name);
            return Err(wrong(self.name.span(), why));
        }
        Ok(PoolConfig {
            name: self.name.into_inner(),
            slots,
            modules,
            defaults,
        })
    }
}

impl Module {
    fn resolve(self, directory: &Path, pool: &ModuleDefaults) -> ModuleConfig {
        let mut module = ModuleConfig::new(directory.join(self.file.into_inner()));
        if let Some(name) = self.name {
            module.name = name.into_inner();
        }
        module.instances = self.instances;
        module.limits = self.limits.map(|limits| limits.over(&pool.limits));
        module.deadline = self.deadline.map(|patience| patience.0);
        module
    }
}

/// Slots of one pool.
pub(crate) const MAX_SLOTS: u32 = 1024;

fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(MAX_SLOTS).min(MAX_SLOTS)
}
