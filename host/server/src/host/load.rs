//! Loads: modules given together, from their bytes to the moment they serve.
//!
//! ```text
//! compile each ──> bring up a set of those that compile ──> swap it in ──> answer
//!                      ▲         │ a module does not load
//!                      └─────────┘ without it
//! ```
//!
//! A bad module of several is left out and named; the others load.

use std::collections::HashSet;
use std::sync::Arc;

use proc_host_wire::control::Reply;
use proc_host_wire::log::Level;

use super::arena::Id;
use super::client::Client;
use super::compile::Waiter;
use super::module::{Compiled, Module, NewModule};
use super::pool::{Pool, check_name};
use super::set::Set;
use super::{Effect, Host};
use crate::config::inspect_component;

/// Modules that share one worker at the most: a process is given so many descriptors.
const TOGETHER: usize = proc_host_jail::MAX_FDS - 4;

#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) pool: Id<Pool>,
    /// Loads count up: of two that bring the same module, the later one counts.
    pub(crate) number: u64,
    asker: Option<(Id<Client>, u64)>,
    items: Vec<Item>,
    set: Option<Id<Set>>,
}

#[derive(Debug)]
struct Item {
    name: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Being compiled, to be loaded like this.
    Compiling(NewModule),
    Compiled(Arc<Module>),
    Loaded,
    Failed(String),
}

/// How a module of a load fared.
pub(crate) type LoadResult = (String, Result<(), String>);

impl Host {
    /// Begins to load modules; the answer goes to `asker`, or comes as [`Effect::Loaded`].
    pub(crate) fn load(
        &mut self,
        pool: Id<Pool>,
        modules: Vec<NewModule>,
        asker: Option<(Id<Client>, u64)>,
    ) -> Id<Load> {
        self.load_numbers += 1;
        let mut names = HashSet::new();
        let mut sources = Vec::new();
        let items = (0..)
            .zip(modules)
            .map(|(index, mut module)| {
                let name = module.name.clone();
                let bad = check_name("module", &name)
                    .and_then(|()| inspect_component(&module.component).map_err(str::to_owned));
                let state = match bad {
                    Err(why) => State::Failed(why),
                    Ok(()) if !names.insert(name.clone()) => {
                        State::Failed("another module of the same load has this name".to_owned())
                    }
                    Ok(()) => {
                        sources.push((index, std::mem::take(&mut module.component)));
                        State::Compiling(module)
                    }
                };
                Item { name, state }
            })
            .collect();
        let load = Load {
            pool,
            number: self.load_numbers,
            asker,
            items,
            set: None,
        };
        let load = self.loads.insert(load);
        for (index, component) in sources {
            self.compile(component, Waiter::Load(load, index));
        }
        self.advance(load);
        load
    }

    /// A module of a load is compiled, or is not to be.
    pub(super) fn item_compiled(
        &mut self,
        load_id: Id<Load>,
        index: usize,
        result: Result<Arc<Compiled>, String>,
    ) {
        let Some(load) = self.loads.get_mut(load_id) else {
            return;
        };
        let Some(defaults) = self.pools.get(load.pool).map(|pool| &pool.defaults) else {
            return;
        };
        let Some(item) = load.items.get_mut(index) else {
            return;
        };
        let result = result.and_then(|compiled| match compiled.obstacle() {
            Some(why) => Err(why),
            None => Ok(compiled),
        });
        if let State::Compiling(new) = &mut item.state {
            item.state = match result {
                Err(why) => State::Failed(why),
                Ok(compiled) => State::Compiled(Arc::new(Module {
                    name: item.name.clone(),
                    compiled,
                    instances: new.instances.unwrap_or(defaults.instances),
                    limits: new.limits.take().unwrap_or_else(|| defaults.limits.clone()),
                    deadline: new.deadline.unwrap_or(defaults.deadline),
                })),
            };
        }
        self.advance(load_id);
    }

    /// Does what comes next: nothing while something compiles or starts.
    fn advance(&mut self, id: Id<Load>) {
        let Some(load) = self.loads.get(id) else {
            return;
        };
        if load.set.is_some()
            || load
                .items
                .iter()
                .any(|item| matches!(item.state, State::Compiling(_)))
        {
            return;
        }
        let modules: Vec<Arc<Module>> = load
            .items
            .iter()
            .filter_map(|item| match &item.state {
                State::Compiled(module) => Some(module.clone()),
                _ => None,
            })
            .take(TOGETHER)
            .collect();
        if modules.is_empty() {
            self.finish_load(id);
            return;
        }
        let pool = load.pool;
        let most = self.settings.bounds.slot_workers;
        let is_full = self
            .pools
            .get(pool)
            .is_some_and(|pool| pool.slots.iter().any(|slot| slot.workers.len() >= most));
        if is_full {
            let why = format!("a slot has {most} workers already, which is as many as it may");
            self.fail_items(id, &modules, &why);
            self.advance(id);
            return;
        }
        let set = self.bring_up(pool, modules, id);
        if let Some(load) = self.loads.get_mut(id) {
            load.set = Some(set);
        }
    }

    /// The set of a load serves.
    pub(super) fn brought_up(&mut self, id: Id<Load>, set: Id<Set>) {
        let modules = self
            .sets
            .get(set)
            .map(|set| set.modules.clone())
            .unwrap_or_default();
        let Some(load) = self.loads.get_mut(id) else {
            return;
        };
        load.set = None;
        let pool = load.pool;
        for item in &mut load.items {
            let is_in = |module: &Arc<Module>| modules.iter().any(|m| Arc::ptr_eq(m, module));
            if matches!(&item.state, State::Compiled(module) if is_in(module) || modules.is_empty())
            {
                item.state = State::Loaded;
            }
        }
        for module in &modules {
            for function in &module.compiled.interface.functions {
                if let Some(why) = &function.unsupported {
                    let (name, function) = (&module.name, function.qualified());
                    let text = format!("{name}.{function} cannot be called: {why}");
                    self.note_pool(pool, Level::Warn, text);
                }
            }
        }
        self.advance(id);
    }

    /// The set of a load did not start: for the fault of one module, or of none.
    pub(super) fn not_brought_up(
        &mut self,
        id: Id<Load>,
        set: Id<Set>,
        module: Option<&str>,
        why: &str,
    ) {
        let Some(load) = self.loads.get_mut(id) else {
            return;
        };
        if load.set != Some(set) {
            return;
        }
        load.set = None;
        for item in &mut load.items {
            let is_meant = module.is_none_or(|module| module == item.name);
            if is_meant && matches!(item.state, State::Compiled(_)) {
                item.state = State::Failed(why.to_owned());
            }
        }
        self.advance(id);
    }

    fn fail_items(&mut self, id: Id<Load>, modules: &[Arc<Module>], why: &str) {
        let Some(load) = self.loads.get_mut(id) else {
            return;
        };
        for item in &mut load.items {
            let is_in = |module: &Arc<Module>| modules.iter().any(|m| Arc::ptr_eq(m, module));
            if matches!(&item.state, State::Compiled(module) if is_in(module)) {
                item.state = State::Failed(why.to_owned());
            }
        }
    }

    fn finish_load(&mut self, id: Id<Load>) {
        let Some(load) = self.loads.remove(id) else {
            return;
        };
        let (pool, asker) = (load.pool, load.asker);
        let results: Vec<LoadResult> = load
            .items
            .into_iter()
            .map(|item| match item.state {
                State::Failed(why) => (item.name, Err(why)),
                _ => (item.name, Ok(())),
            })
            .collect();
        let mut failures = Vec::new();
        for (name, result) in &results {
            match result {
                Ok(()) => self.note_pool(pool, Level::Info, format!("loaded {name}")),
                Err(why) => {
                    failures.push(format!("{name}: {why}"));
                    self.note_pool(pool, Level::Error, format!("{name} does not load: {why}"));
                }
            }
        }
        match asker {
            None => self.emit(Effect::Loaded { load: id, results }),
            Some((client, request)) => {
                let reply = if failures.is_empty() {
                    Ok(Reply::Done)
                } else {
                    Err(failures.join("\n"))
                };
                self.respond(client, request, reply);
            }
        }
    }

    /// Ends every load: the host is stopping.
    pub(super) fn abandon_loads(&mut self) {
        for id in self.loads.ids() {
            let Some(load) = self.loads.get_mut(id) else {
                continue;
            };
            for item in &mut load.items {
                if !matches!(item.state, State::Loaded | State::Failed(_)) {
                    item.state = State::Failed("the host is stopping".to_owned());
                }
            }
            if let Some(set) = load.set.take() {
                self.retire(set);
            }
            self.finish_load(id);
        }
    }
}
