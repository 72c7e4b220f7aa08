//! Time as the state machine is told it, and what is due when.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::ops::{Add, Sub};
use std::time::Duration;

use super::arena::Id;
use super::call::Call;
use super::client::Client;
use super::compile::Compile;
use super::set::Set;
use super::worker::Worker;

/// Microseconds since the host began, on a clock that only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) u64);

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time(
            self.0
                .saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub for Time {
    type Output = Duration;

    /// Zero where `earlier` is later.
    fn sub(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    /// For everything that is waited for.
    pub(crate) time: Time,
    /// Milliseconds since the Unix epoch, for the log alone.
    pub(crate) wall_ms: u64,
}

/// Whom to look at when a time has come. Each keeps the time itself: an alarm that does not match it
/// is out of date and nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    Call(Id<Call>),
    Client(Id<Client>),
    Worker(Id<Worker>),
    Set(Id<Set>),
    Compile(Id<Compile>),
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    at: Time,
    alarm: Alarm,
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> Ordering {
        self.at.cmp(&other.at)
    }
}

/// What is due when. Alarms are not taken back; [`Timers::sweep`] drops those out of date.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Due>>,
}

impl Timers {
    pub(crate) fn push(&mut self, at: Time, alarm: Alarm) {
        self.heap.push(Reverse(Due { at, alarm }));
    }

    /// The earliest, where its time has come.
    pub(crate) fn pop(&mut self, now: Time) -> Option<(Time, Alarm)> {
        let Reverse(due) = *self.heap.peek()?;
        if due.at > now {
            return None;
        }
        self.heap.pop();
        Some((due.at, due.alarm))
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(due)| due.at)
    }

    /// Whether there are so many alarms that most of them must be out of date.
    pub(crate) fn is_swollen(&self, alive: usize) -> bool {
        self.heap.len() > 1024 && self.heap.len() > 3 * alive
    }

    pub(crate) fn sweep(&mut self, is_current: impl Fn(Time, Alarm) -> bool) {
        self.heap
            .retain(|Reverse(due)| is_current(due.at, due.alarm));
    }
}
