//! From a waiting call to a worker that has room for it.

use std::sync::Arc;

use proc_host_wire::message::Dispatch;
use proc_host_wire::{DeniedReason, Message, Outcome};

use super::Host;
use super::arena::Id;
use super::call::{Call, Place, Run};
use super::module::Module;
use super::names::find_function;
use super::placement::{Candidate, choose};
use super::pool::Entry;
use super::queue::Want;
use super::worker::Worker;

impl Host {
    /// A worker with room for a call of `module`, and the module's index there. None while others
    /// wait for the same: a newcomer does not pass them.
    pub(super) fn room(
        &self,
        entry: Id<Entry>,
        module: &Arc<Module>,
        want: Want,
    ) -> Option<(Id<Worker>, usize)> {
        let record = self.entries.get(entry)?;
        if record.waiting.has(want) || (want != Want::Any && record.waiting.has(Want::Any)) {
            return None;
        }
        let low = self.settings.bounds.outbox_low;
        let room = |id: Id<Worker>| {
            let worker = self.workers.get(id)?;
            let may = if want == Want::Worker(id) {
                worker.is_alive()
            } else {
                worker.is_ready()
            };
            if !may || worker.link.outbox.len() > low {
                return None;
            }
            Some((worker, worker.room(module)?))
        };
        if let Want::Worker(id) = want {
            return room(id).map(|(_, index)| (id, index));
        }
        let seats = &self.sets.get(record.set)?.seats;
        let seats = match want {
            Want::Slot(slot) => seats.get(slot as usize..slot as usize + 1)?,
            Want::Any | Want::Worker(_) => seats.as_slice(),
        };
        choose(seats.iter().filter_map(|seat| {
            let id = seat.worker?;
            let (worker, index) = room(id)?;
            Some(Candidate {
                worker: (id, index),
                in_flight: worker.calls.len(),
                last_used: worker.last_used,
            })
        }))
    }

    /// Hands a call that waits to a worker that has room.
    pub(super) fn start(&mut self, id: Id<Call>, worker_id: Id<Worker>, module: usize) {
        let (Some(call), Some(worker)) = (self.calls.get_mut(id), self.workers.get_mut(worker_id))
        else {
            return;
        };
        let run = Run {
            worker: worker_id,
            at: worker.at,
            index: worker.calls.len(),
            module,
            is_answered: false,
            is_over: false,
            is_reported: false,
            is_cancelled: false,
        };
        let Place::Queued(arguments) = std::mem::replace(&mut call.place, Place::Running(run))
        else {
            return;
        };
        self.uses += 1;
        worker.last_used = self.uses;
        worker.calls.push(id);
        worker.hosted[module].running += 1;
        let left = call.deadline.map(|deadline| deadline - self.now.time);
        let dispatch = Dispatch {
            call: id.raw(),
            number: call.number,
            module: u32::try_from(module).unwrap_or(u32::MAX),
            function: call.function,
            deadline: left.map(|left| u64::try_from(left.as_micros()).unwrap_or(u64::MAX)),
            listens: call.listens
                || self
                    .pools
                    .get(call.pool)
                    .is_some_and(|p| p.handler.is_some()),
            window: call.window,
            arguments,
        };
        let early_ends = std::mem::take(&mut call.early_ends);
        let due = call
            .deadline
            .map(|deadline| deadline + self.settings.bounds.grace);
        self.tell_worker(worker_id, Message::Dispatch(dispatch));
        for (stream, failure) in early_ends {
            self.tell_worker(
                worker_id,
                Message::End {
                    call: id.raw(),
                    stream,
                    failure,
                },
            );
        }
        self.arm_call(id, due);
    }

    /// A worker has room: gives it what waits for one of its modules.
    pub(super) fn pump(&mut self, worker_id: Id<Worker>, index: usize) {
        while let Some(call) = self.next_for(worker_id, index) {
            let Some(record) = self.calls.get_mut(call) else {
                continue;
            };
            let Some(hosted) = self
                .workers
                .get(worker_id)
                .and_then(|w| w.hosted.get(index))
            else {
                return;
            };
            let size = match &record.place {
                Place::Queued(arguments) => arguments.body.len(),
                Place::Running(_) => 0,
            };
            if let Some(pool) = self.pools.get_mut(record.pool) {
                pool.queued = pool.queued.saturating_sub(1);
                pool.queued_bytes = pool.queued_bytes.saturating_sub(size);
            }
            if !Arc::ptr_eq(&record.module, &hosted.module) {
                // A newer version came while it waited.
                let interface = &hosted.module.compiled.interface;
                match find_function(interface, &hosted.module.name, &record.path) {
                    Ok(function) => {
                        record.module = hosted.module.clone();
                        record.function = function;
                    }
                    Err(denied) => {
                        self.answer(call, Outcome::Denied(denied).into());
                        self.forget_call(call);
                        continue;
                    }
                }
            }
            self.start(call, worker_id, index);
        }
    }

    /// Takes the next call for a module of a worker out of the queue, where there is room.
    fn next_for(&mut self, worker_id: Id<Worker>, index: usize) -> Option<Id<Call>> {
        let worker = self.workers.get(worker_id)?;
        let hosted = worker.hosted.get(index)?;
        let entry = self.entries.get_mut(hosted.entry?)?;
        if entry.waiting.is_empty()
            || !worker.is_alive()
            || worker.link.outbox.len() > self.settings.bounds.outbox_low
            || hosted.running >= hosted.module.concurrency()
        {
            return None;
        }
        let serves = worker.is_ready() && Arc::ptr_eq(&entry.module, &hosted.module);
        let slot = worker.at.slot;
        let calls = &self.calls;
        entry.waiting.pop(
            |want| match want {
                Want::Worker(_) => want.admits(worker_id, slot),
                Want::Any | Want::Slot(_) => serves && want.admits(worker_id, slot),
            },
            |id| {
                calls
                    .get(id)
                    .is_some_and(|call| matches!(call.place, Place::Queued(_)))
            },
        )
    }

    pub(super) fn pump_all(&mut self, worker: Id<Worker>) {
        let modules = self
            .workers
            .get(worker)
            .map_or(0, |worker| worker.hosted.len());
        for index in 0..modules {
            self.pump(worker, index);
        }
    }

    /// A worker that was full has read enough.
    pub(super) fn worker_has_room(&mut self, id: Id<Worker>) {
        if let Some(worker) = self.workers.get_mut(id)
            && std::mem::take(&mut worker.was_full)
        {
            self.pump_all(id);
        }
    }

    /// Why no worker serves this entry, nor will soon.
    pub(super) fn unavailable(&self, entry: Id<Entry>) -> Option<String> {
        let entry = self.entries.get(entry)?;
        let set = self.sets.get(entry.set)?;
        let is_lost = |seat: &super::set::Seat| seat.is_lost();
        if !set.seats.iter().all(is_lost) {
            return None;
        }
        let why = set
            .seats
            .iter()
            .find_map(|seat| seat.trouble.as_deref())
            .unwrap_or_default();
        Some(format!(
            "no worker for module {} can be started: {why}",
            entry.module.name
        ))
    }

    /// Answers a call that waits with a denial, and forgets it.
    pub(super) fn deny_queued(&mut self, id: Id<Call>, reason: DeniedReason, message: &str) {
        if self
            .calls
            .get(id)
            .is_some_and(|call| matches!(call.place, Place::Queued(_)))
        {
            let denied = proc_host_wire::Denied::new(reason, message);
            self.leave_queue(id);
            self.answer(id, Outcome::Denied(denied).into());
            self.forget_call(id);
        }
    }

    /// Takes a call out of the counts of those that wait.
    pub(super) fn leave_queue(&mut self, id: Id<Call>) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let Place::Queued(arguments) = &mut call.place else {
            return;
        };
        let size = std::mem::take(&mut arguments.body).len();
        if let Some(pool) = self.pools.get_mut(call.pool) {
            pool.queued = pool.queued.saturating_sub(1);
            pool.queued_bytes = pool.queued_bytes.saturating_sub(size);
        }
        let (entry, calls) = (call.entry, &self.calls);
        if let Some(entry) = self.entries.get_mut(entry) {
            entry
                .waiting
                .forget(|other| other != id && calls.contains(other));
        }
    }
}
