//! Pools: their slots, and which module each name stands for now.

use std::collections::HashMap;
use std::sync::Arc;

use super::arena::Id;
use super::client::Client;
use super::module::Module;
use super::queue::Queue;
use super::set::Set;
use super::worker::Worker;
use super::{Effect, Host};
use crate::config::MAX_SLOTS;
use crate::options::ModuleDefaults;

#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) slots: Vec<Slot>,
    /// Modules by name.
    pub(crate) modules: HashMap<String, Id<Entry>>,
    pub(crate) defaults: ModuleDefaults,
    /// Who answers callbacks that nobody else does.
    pub(crate) handler: Option<Id<Client>>,
    /// Calls waiting, and the bytes of their arguments.
    pub(crate) queued: usize,
    pub(crate) queued_bytes: usize,
    /// References resolved since the modules last changed.
    pub(crate) targets: HashMap<String, Target>,
}

/// A row of workers.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// The generation last started, from 1.
    pub(crate) generation: u64,
    /// Every worker of this slot that is not reaped.
    pub(crate) workers: Vec<Id<Worker>>,
}

/// What a name stands for.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) module: Arc<Module>,
    /// The workers that serve it.
    pub(crate) set: Id<Set>,
    /// Calls that wait for one.
    pub(crate) waiting: Queue,
    /// Number of the load that brought it: an earlier one that ends later does not undo it.
    pub(crate) load: u64,
}

/// A function a reference names.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) entry: Id<Entry>,
    pub(crate) module: Arc<Module>,
    pub(crate) function: u32,
    /// Where the function's path begins in the reference.
    pub(crate) path_at: usize,
}

/// Bytes of a pool's or module's name.
const MAX_NAME: usize = 256;

/// Whether `name` may name a pool or a module.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("a {what} needs a name"));
    }
    if name.len() > MAX_NAME {
        return Err(format!("a {what}'s name has at most {MAX_NAME} bytes"));
    }
    if name.chars().any(|c| c.is_control()) {
        return Err(format!(
            "a {what}'s name cannot hold control characters: {name:?}"
        ));
    }
    Ok(())
}

impl Host {
    /// Makes a pool, empty at first.
    pub(crate) fn create_pool(
        &mut self,
        name: &str,
        slots: u32,
        defaults: ModuleDefaults,
        handler: Option<Id<Client>>,
    ) -> Result<Id<Pool>, String> {
        check_name("pool", name)?;
        if self.pool_names.contains_key(name) {
            return Err(format!("there is already a pool named {name}"));
        }
        if !(1..=MAX_SLOTS).contains(&slots) {
            return Err(format!("a pool has 1 to {MAX_SLOTS} slots, not {slots}"));
        }
        if !self.phase.is_serving() {
            return Err("the host is stopping".to_owned());
        }
        let pool = self.pools.insert(Pool {
            name: name.to_owned(),
            slots: (0..slots).map(|_| Slot::default()).collect(),
            modules: HashMap::new(),
            defaults,
            handler,
            queued: 0,
            queued_bytes: 0,
            targets: HashMap::new(),
        });
        self.pool_names.insert(name.to_owned(), pool);
        Ok(pool)
    }

    /// Takes a module out of a pool: from here on no new call reaches it.
    pub(crate) fn unload(&mut self, pool: Id<Pool>, module: &str) -> Result<(), String> {
        let Some(record) = self.pools.get_mut(pool) else {
            return Err("the pool has gone".to_owned());
        };
        let Some(entry) = record.modules.remove(module) else {
            return Err(self.no_module(pool, module).message);
        };
        record.targets.clear();
        if let Some(removed) = self.entries.get(entry) {
            let set = removed.set;
            let calls = removed.waiting.ids();
            for call in calls {
                self.deny_queued(
                    call,
                    proc_host_wire::DeniedReason::UnknownModule,
                    &format!("module {module} was unloaded"),
                );
            }
            self.entries.remove(entry);
            self.retire_unused(set);
        }
        self.note_pool(
            pool,
            proc_host_wire::log::Level::Info,
            format!("unloaded {module}"),
        );
        Ok(())
    }

    /// Tells whoever started the host.
    pub(crate) fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}
