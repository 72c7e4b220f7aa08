//! Modules: a compiled component, and how a pool runs it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proc_host_wire::interface::{Grant, Interface};
use proc_host_wire::start::{Instances, ModuleLimits};

use super::compile::Digest;

/// A component, compiled. Shared by all modules made from the same bytes.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) digest: Digest,
    pub(crate) interface: Interface,
    /// A sealed memory file.
    pub(crate) artifact: Arc<OwnedFd>,
    pub(crate) length: u64,
}

impl Compiled {
    /// Why it cannot be loaded, though it compiles.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let unknown: Vec<&str> = self
            .interface
            .imports
            .iter()
            .filter(|import| import.grant == Grant::Unknown)
            .map(|import| import.name.as_str())
            .collect();
        if unknown.is_empty() {
            return None;
        }
        Some(format!(
            "it imports what this host does not have: {}",
            unknown.join(", ")
        ))
    }

    /// The digest as people read it.
    pub(crate) fn hex(&self) -> String {
        self.digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// A version of a module in a pool; never changed.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) instances: Instances,
    pub(crate) limits: ModuleLimits,
    /// For calls that do not say.
    pub(crate) deadline: Option<Duration>,
}

/// Instances for single calls that a worker may have at once.
const PER_CALL: u32 = 256;

impl Module {
    /// Calls of this module that one worker may have at once.
    pub(crate) fn concurrency(&self) -> usize {
        let most = match self.instances {
            Instances::Shared => self.limits.concurrency,
            Instances::Exclusive => self.limits.exclusive.min(self.limits.concurrency),
            Instances::PerCall => self.limits.concurrency.min(PER_CALL),
        };
        most.max(1) as usize
    }
}

/// A module to be loaded.
#[derive(Clone, Debug)]
pub(crate) struct NewModule {
    pub(crate) name: String,
    pub(crate) component: Bytes,
    pub(crate) instances: Option<Instances>,
    pub(crate) limits: Option<ModuleLimits>,
    pub(crate) deadline: Option<Option<Duration>>,
}
