//! How a worker that nobody points to any more comes to its end, and what is due when for any worker.

use proc_host_wire::{Message, Outcome};

use super::Host;
use super::arena::Id;
use super::call::Call;
use super::time::Alarm;
use super::worker::{State, Worker};

impl Host {
    /// No module points to it any more.
    pub(super) fn drain(&mut self, id: Id<Worker>) {
        let due = self.now.time + self.settings.bounds.drain;
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        match worker.state {
            State::Starting => self.bury(id),
            State::Ready => {
                worker.state = State::Draining;
                if !worker.end.has_begun() {
                    worker.timer = Some(due);
                    self.timers.push(due, Alarm::Worker(id));
                }
                self.leave_if_idle(id);
            }
            State::Draining | State::Leaving | State::Dead => {}
        }
    }

    /// Sends a draining worker away once nothing keeps it.
    pub(super) fn leave_if_idle(&mut self, id: Id<Worker>) {
        let due = self.now.time + self.settings.bounds.let_go;
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        let is_idle = worker.calls.is_empty() && (worker.handles == 0 || worker.is_cut);
        if worker.state != State::Draining || !is_idle || worker.end.has_begun() {
            return;
        }
        worker.state = State::Leaving;
        worker.timer = Some(due);
        self.timers.push(due, Alarm::Worker(id));
        self.tell_worker(id, Message::Drain);
        self.deny_bound(id);
    }

    /// Its handles are honoured no more; what has no end of its own ends.
    pub(super) fn cut(&mut self, id: Id<Worker>) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        worker.is_cut = true;
        worker.timer = None;
        for call in worker.calls.clone() {
            let endless = |call: &Call| call.timer.is_none();
            if self.calls.get(call).is_some_and(endless) {
                self.give_up(call, |dispatched| Outcome::Cancelled { dispatched });
            }
        }
        self.leave_if_idle(id);
    }

    pub(super) fn worker_due(&mut self, id: Id<Worker>) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        worker.timer = None;
        if worker.end.has_begun() {
            self.worker_ended_life(id);
            return;
        }
        match worker.state {
            State::Starting => {
                let seconds = self.settings.bounds.start.as_secs();
                self.start_failed(
                    id,
                    None,
                    format!("the worker was not ready after {seconds} s"),
                );
            }
            State::Draining => self.cut(id),
            State::Leaving => self.bury(id),
            State::Ready => self.beat(id),
            State::Dead => {}
        }
    }

    /// Asks a worker that has calls whether it is alive, and kills it where it has not said so.
    fn beat(&mut self, id: Id<Worker>) {
        let (now, every) = (self.now.time, self.settings.bounds.heartbeat);
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        let is_silent = worker
            .pinged
            .is_some_and(|pinged| now - pinged >= 3 * every);
        if is_silent {
            let seconds = (3 * every).as_secs();
            self.unresponsive(id, &format!("it gave no sign of life for {seconds} s"));
            return;
        }
        worker.timer = Some(now + every);
        if !worker.calls.is_empty() && worker.pinged.is_none() {
            worker.pinged = Some(now);
            self.tell_worker(id, Message::Ping { nonce: now.0 });
        }
        self.timers.push(now + every, Alarm::Worker(id));
    }
}
