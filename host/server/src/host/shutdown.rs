//! How the host ends.
//!
//! ```text
//! Serving ──stop──> Draining ──every call ended──> Leaving ──no process left──> Stopped
//!                      │ grace over, or a second stop          ▲
//!                      └───────────> Killing ──────────────────┘
//! ```

use std::time::Duration;

use proc_host_wire::log::Level;

use super::link::Process;
use super::time::{Alarm, Time};
use super::{Effect, Host};
use crate::Stop;

/// How long killed processes may take to be reaped.
const REAP: Duration = Duration::from_secs(5);

/// Where the host is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    /// New calls are denied, those there are end; until then.
    Draining(Time),
    /// Workers are told to go; until then.
    Leaving(Time),
    /// Every process is killed; what is not reaped by then is left to the launcher.
    Killing(Time),
    Stopped,
}

impl Phase {
    pub(crate) fn is_serving(self) -> bool {
        self == Phase::Serving
    }

    pub(super) fn timer(self) -> Option<Time> {
        match self {
            Phase::Draining(due) | Phase::Leaving(due) | Phase::Killing(due) => Some(due),
            Phase::Serving | Phase::Stopped => None,
        }
    }
}

impl Host {
    /// Stops: the first time as told, the second time at once.
    pub(super) fn stop(&mut self, how: Stop) {
        match (self.phase, how) {
            (Phase::Killing(_) | Phase::Stopped, _) => {}
            (Phase::Serving, Stop::Drain) => self.begin_stopping(),
            (Phase::Serving, Stop::Now) => {
                self.begin_stopping();
                self.kill_everything();
            }
            (Phase::Draining(_) | Phase::Leaving(_), _) => self.kill_everything(),
        }
    }

    fn begin_stopping(&mut self) {
        let due = self.now.time + self.settings.bounds.stop;
        self.phase = Phase::Draining(due);
        self.timers.push(due, Alarm::Stop);
        self.emit(Effect::StopListening);
        self.note(Level::Info, "stopping".to_owned());
        self.abandon_loads();
        self.abandon_compiles();
    }

    fn kill_everything(&mut self) {
        self.end_all_calls();
        let due = self.now.time + REAP;
        self.phase = Phase::Killing(due);
        self.timers.push(due, Alarm::Stop);
        for id in self.workers.ids() {
            if self.workers.get(id).is_some_and(|worker| !worker.is_dead()) {
                let calls = self
                    .workers
                    .get_mut(id)
                    .map(|w| std::mem::take(&mut w.calls));
                for call in calls.unwrap_or_default() {
                    self.forget_call(call);
                }
                self.bury(id);
            }
        }
        for id in self.compiles.ids() {
            self.emit(Effect::Kill(Process::Compiler(id)));
        }
    }

    /// Goes as far towards the end as there is nothing to wait for.
    pub(super) fn finish_stopping(&mut self) {
        if let Phase::Draining(due) = self.phase
            && self.calls.is_empty()
        {
            self.phase = Phase::Leaving(due);
            for id in self.workers.ids() {
                self.drain(id);
                self.cut(id);
            }
        }
        if matches!(self.phase, Phase::Leaving(_) | Phase::Killing(_))
            && self.workers.is_empty()
            && !self.is_compiling()
        {
            self.finish();
        }
    }

    /// A limit on the way to the end has passed.
    pub(super) fn stop_due(&mut self) {
        match self.phase {
            Phase::Draining(_) | Phase::Leaving(_) => self.kill_everything(),
            Phase::Killing(_) => self.finish(),
            Phase::Serving | Phase::Stopped => {}
        }
    }

    fn finish(&mut self) {
        self.phase = Phase::Stopped;
        self.close_clients();
        self.emit(Effect::Stopped);
    }
}
