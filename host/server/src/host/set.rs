//! Worker sets: one worker in each slot, with the same modules.
//!
//! Owns the one act behind load, replacement and reload: start workers, swap them in, drain what
//! they replace. A set is brought up by a load; once all its workers are ready, its modules' names
//! point to it. From then on each place in it is filled again when its worker dies. A set that no
//! name points to is retired: its workers drain.

use std::collections::HashMap;
use std::sync::Arc;

use proc_host_wire::Message;
use proc_host_wire::log::Level;
use proc_host_wire::message::WorkerRef;
use proc_host_wire::start::{ModuleStart, Start, WorkerStart};

use super::arena::Id;
use super::budget::Budget;
use super::link::Link;
use super::load::Load;
use super::module::Module;
use super::pool::{Entry, Pool};
use super::process::End;
use super::time::{Alarm, Time};
use super::worker::{Hosted, State, Worker};
use super::{Effect, Host};

#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) pool: Id<Pool>,
    pub(crate) modules: Vec<Arc<Module>>,
    /// By slot.
    pub(crate) seats: Vec<Seat>,
    /// The load that brings it up, until it serves.
    pub(crate) load: Option<Id<Load>>,
    pub(crate) timer: Option<Time>,
}

/// A place for one worker.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    pub(crate) worker: Option<Id<Worker>>,
    pub(super) budget: Budget,
    /// When the next one is started.
    pub(super) restart: Option<Time>,
    /// Starts that failed since one succeeded.
    pub(super) failures: u32,
    /// Why the last of them did.
    pub(crate) trouble: Option<String>,
}

/// Failed starts after which calls are no longer asked to wait.
const PATIENCE: u32 = 3;

impl Seat {
    /// It has no worker and is not about to have one that works.
    pub(crate) fn is_lost(&self) -> bool {
        self.failures >= PATIENCE
    }
}

impl Host {
    /// Starts a set: a worker with these modules in each slot.
    pub(super) fn bring_up(
        &mut self,
        pool: Id<Pool>,
        modules: Vec<Arc<Module>>,
        load: Id<Load>,
    ) -> Id<Set> {
        let slots = self.pools.get(pool).map_or(0, |pool| pool.slots.len());
        let seats = (0..slots).map(|_| Seat::default()).collect();
        let set = self.sets.insert(Set {
            pool,
            modules,
            seats,
            load: Some(load),
            timer: None,
        });
        for slot in 0..slots {
            self.seat(set, u32::try_from(slot).unwrap_or(u32::MAX));
        }
        set
    }

    /// Starts a worker for one place of a set.
    pub(super) fn seat(&mut self, set_id: Id<Set>, slot: u32) {
        let Some(set) = self.sets.get(set_id) else {
            return;
        };
        let is_new = set.load.is_some();
        let entry = |module: &Arc<Module>| {
            let id = *self.pools.get(set.pool)?.modules.get(&module.name)?;
            let entry = self.entries.get(id)?;
            (entry.set == set_id && Arc::ptr_eq(&entry.module, module)).then_some(id)
        };
        // What has been replaced since is not started again.
        let hosted: Vec<Hosted> = set
            .modules
            .iter()
            .map(|module| Hosted {
                module: module.clone(),
                entry: entry(module),
                running: 0,
            })
            .filter(|hosted| is_new || hosted.entry.is_some())
            .collect();
        let pool_id = set.pool;
        let Some(pool) = self.pools.get_mut(pool_id) else {
            return;
        };
        let Some(row) = pool.slots.get_mut(slot as usize) else {
            return;
        };
        row.generation += 1;
        let at = WorkerRef {
            slot,
            generation: row.generation,
        };
        let start = WorkerStart {
            pool: pool.name.clone(),
            slot,
            generation: at.generation,
            modules: (0..)
                .zip(&hosted)
                .map(|(index, hosted)| start_of(index, &hosted.module))
                .collect(),
        };
        let artifacts = hosted
            .iter()
            .map(|h| h.module.compiled.artifact.clone())
            .collect();
        let due = self.now.time + self.settings.bounds.start;
        let worker = self.workers.insert(Worker {
            link: Link::default(),
            pool: pool_id,
            set: set_id,
            at,
            hosted,
            state: State::Starting,
            pid: None,
            calls: Vec::new(),
            handles: 0,
            lent: HashMap::new(),
            is_cut: false,
            done: 0,
            last_used: 0,
            began: self.now.time,
            pinged: None,
            was_full: false,
            end: End::default(),
            timer: Some(due),
        });
        row.workers.push(worker);
        if let Some(seat) = self
            .sets
            .get_mut(set_id)
            .and_then(|s| s.seats.get_mut(slot as usize))
        {
            (seat.worker, seat.restart) = (Some(worker), None);
        }
        self.timers.push(due, Alarm::Worker(worker));
        self.emit(Effect::SpawnWorker { worker, artifacts });
        self.tell_worker(worker, Message::Start(Start::Worker(start)));
    }

    /// The worker of a place is ready.
    pub(super) fn seated(&mut self, set_id: Id<Set>, slot: u32) {
        let Some(set) = self.sets.get_mut(set_id) else {
            return;
        };
        if let Some(seat) = set.seats.get_mut(slot as usize) {
            (seat.failures, seat.trouble) = (0, None);
        }
        let (pool, load) = (set.pool, set.load);
        let Some(load) = load else {
            self.note_pool(pool, Level::Info, format!("worker {slot} serves again"));
            return;
        };
        let workers = &self.workers;
        let is_ready = |seat: &Seat| {
            seat.worker
                .and_then(|id| workers.get(id))
                .is_some_and(Worker::is_ready)
        };
        if set.seats.iter().all(is_ready) {
            set.load = None;
            self.swap_in(set_id, load);
        }
    }

    /// Points the names of a set's modules to it.
    fn swap_in(&mut self, set_id: Id<Set>, load: Id<Load>) {
        let Some(set) = self.sets.get(set_id) else {
            return;
        };
        let number = self.loads.get(load).map_or(0, |load| load.number);
        let (pool_id, modules) = (set.pool, set.modules.clone());
        let Some(pool) = self.pools.get_mut(pool_id) else {
            return;
        };
        pool.targets.clear();
        let mut replaced = Vec::new();
        for module in &modules {
            let known = pool.modules.get(&module.name).copied();
            match known.and_then(|id| self.entries.get_mut(id)) {
                // A later load was quicker.
                Some(entry) if entry.load > number => {}
                Some(entry) => {
                    replaced.push(std::mem::replace(&mut entry.set, set_id));
                    (entry.module, entry.load) = (module.clone(), number);
                }
                None => {
                    let entry = self.entries.insert(Entry {
                        module: module.clone(),
                        set: set_id,
                        waiting: Default::default(),
                        load: number,
                    });
                    pool.modules.insert(module.name.clone(), entry);
                }
            }
        }
        let names = &self
            .pools
            .get(pool_id)
            .map(|pool| pool.modules.clone())
            .unwrap_or_default();
        let seats = self.sets.get(set_id).map_or(&[][..], |set| &set.seats);
        let workers: Vec<Id<Worker>> = seats.iter().filter_map(|seat| seat.worker).collect();
        for id in &workers {
            let Some(worker) = self.workers.get_mut(*id) else {
                continue;
            };
            for hosted in &mut worker.hosted {
                hosted.entry = names.get(&hosted.module.name).copied().filter(|id| {
                    self.entries
                        .get(*id)
                        .is_some_and(|entry| entry.set == set_id)
                });
            }
        }
        for id in workers {
            self.pump_all(id);
        }
        replaced.push(set_id);
        for set in replaced {
            self.retire_unused(set);
        }
        self.brought_up(load, set_id);
    }

    /// Drains the workers of a set that no name points to.
    pub(super) fn retire_unused(&mut self, id: Id<Set>) {
        if self.entries.iter().any(|(_, entry)| entry.set == id) {
            return;
        }
        if self.sets.get(id).is_some_and(|set| set.load.is_none()) {
            self.retire(id);
        }
    }

    /// Drains the workers of a set, and forgets it.
    pub(super) fn retire(&mut self, id: Id<Set>) {
        let Some(set) = self.sets.remove(id) else {
            return;
        };
        for worker in set.seats.iter().filter_map(|seat| seat.worker) {
            self.drain(worker);
        }
    }
}

fn start_of(index: u32, module: &Module) -> ModuleStart {
    ModuleStart {
        name: module.name.clone(),
        artifact: index,
        artifact_len: module.compiled.length,
        instances: module.instances,
        limits: module.limits.clone(),
    }
}
