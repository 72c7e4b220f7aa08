//! Filling places of a set whose worker died or did not start.

use std::time::Duration;

use proc_host_wire::DeniedReason;
use proc_host_wire::log::Level;

use super::Host;
use super::arena::Id;
use super::pool::Entry;
use super::set::Set;
use super::time::Alarm;
use super::worker::Worker;

impl Host {
    /// A worker could not be started, or died before it was ready.
    pub(super) fn start_failed(&mut self, id: Id<Worker>, module: Option<u32>, why: String) {
        let Some(worker) = self.workers.get(id) else {
            return;
        };
        let (set, slot) = (worker.set, worker.at.slot);
        let name = module
            .and_then(|module| worker.hosted.get(module as usize))
            .map(|hosted| hosted.module.name.clone());
        self.bury(id);
        match self.sets.get(set).map(|set| set.load) {
            None => {}
            Some(Some(load)) => {
                self.retire(set);
                self.not_brought_up(load, set, name.as_deref(), &why);
            }
            Some(None) => {
                let why = match name {
                    Some(name) => format!("{name}: {why}"),
                    None => why,
                };
                let pool = self.sets.get(set).map(|set| set.pool);
                if let Some(pool) = pool {
                    self.note_pool(pool, Level::Error, format!("worker {slot}: {why}"));
                }
                self.replace(set, slot, id, Duration::ZERO, Some(why));
            }
        }
    }

    /// A place has lost its worker `gone`: fills it again, at once or after a while.
    pub(super) fn replace(
        &mut self,
        set_id: Id<Set>,
        slot: u32,
        gone: Id<Worker>,
        lived: Duration,
        trouble: Option<String>,
    ) {
        let random = self.environment.random();
        let Some(set) = self.sets.get_mut(set_id) else {
            return;
        };
        let (pool, load) = (set.pool, set.load);
        let Some(seat) = set.seats.get_mut(slot as usize) else {
            return;
        };
        if seat.worker != Some(gone) {
            return;
        }
        seat.worker = None;
        if let Some(load) = load {
            // One of several died while the others were still starting.
            self.retire(set_id);
            self.not_brought_up(
                load,
                set_id,
                None,
                "a worker died while others were starting",
            );
            return;
        }
        if !self.phase.is_serving() {
            return;
        }
        if trouble.is_some() {
            seat.failures += 1;
            seat.trouble = trouble;
        }
        let wait = seat.budget.spend(self.now.time, lived, random);
        if wait.is_zero() {
            self.seat(set_id, slot);
            return;
        }
        seat.restart = Some(self.now.time + wait);
        self.arm_set(set_id);
        let text = format!("worker {slot} dies too often: the next start is in {wait:.1?}");
        self.note_pool(pool, Level::Warn, text);
        self.deny_unavailable(set_id);
    }

    /// Calls that wait for a set that cannot be started have waited in vain.
    fn deny_unavailable(&mut self, set: Id<Set>) {
        let entries: Vec<Id<Entry>> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.set == set)
            .map(|(id, _)| id)
            .collect();
        for entry in entries {
            let Some(why) = self.unavailable(entry) else {
                return;
            };
            let waiting = self.entries.get(entry).map(|entry| entry.waiting.ids());
            for call in waiting.unwrap_or_default() {
                self.deny_queued(call, DeniedReason::Unavailable, &why);
            }
        }
    }

    fn arm_set(&mut self, id: Id<Set>) {
        let Some(set) = self.sets.get_mut(id) else {
            return;
        };
        set.timer = set.seats.iter().filter_map(|seat| seat.restart).min();
        if let Some(due) = set.timer {
            self.timers.push(due, Alarm::Set(id));
        }
    }

    /// Starts what has waited long enough to be started again.
    pub(super) fn restart_due(&mut self, id: Id<Set>) {
        let now = self.now.time;
        let Some(set) = self.sets.get_mut(id) else {
            return;
        };
        set.timer = None;
        let due: Vec<u32> = (0..)
            .zip(&set.seats)
            .filter(|(_, seat)| seat.restart.is_some_and(|restart| restart <= now))
            .map(|(slot, _)| slot)
            .collect();
        for slot in due {
            self.seat(id, slot);
        }
        self.arm_set(id);
    }
}
