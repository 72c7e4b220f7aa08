//! Calls of one module that wait for a worker: pure policy.
//!
//! A lane for each demand (any worker, this slot, this very worker), in which clients take turns. A
//! call that ends while it waits stays as a dead id until it is come upon or swept out.

use std::collections::VecDeque;

use super::arena::Id;
use super::call::Call;
use super::client::Client;
use super::worker::Worker;

/// Where a call may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Any,
    Slot(u32),
    Worker(Id<Worker>),
}

impl Want {
    /// Whether `worker`, in `slot`, will do.
    pub(crate) fn admits(self, worker: Id<Worker>, slot: u32) -> bool {
        match self {
            Want::Any => true,
            Want::Slot(wanted) => wanted == slot,
            Want::Worker(wanted) => wanted == worker,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    lanes: Vec<Lane>,
    /// Waiting calls, and all ids in the lanes.
    alive: usize,
    held: usize,
    arrivals: u64,
}

#[derive(Debug)]
struct Lane {
    want: Want,
    turns: VecDeque<Turn>,
}

#[derive(Debug)]
struct Turn {
    client: Id<Client>,
    /// Each with the number of its arrival; never empty.
    calls: VecDeque<(u64, Id<Call>)>,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.alive == 0
    }

    /// Whether anything waits with this very demand.
    pub(crate) fn has(&self, want: Want) -> bool {
        self.alive > 0 && self.lanes.iter().any(|lane| lane.want == want)
    }

    pub(crate) fn push(&mut self, want: Want, client: Id<Client>, call: Id<Call>) {
        self.alive += 1;
        self.held += 1;
        self.arrivals += 1;
        let entry = (self.arrivals, call);
        let lane = match self.lanes.iter().position(|lane| lane.want == want) {
            Some(at) => &mut self.lanes[at],
            None => {
                self.lanes.push(Lane {
                    want,
                    turns: VecDeque::new(),
                });
                let last = self.lanes.len() - 1;
                &mut self.lanes[last]
            }
        };
        match lane.turns.iter_mut().find(|turn| turn.client == client) {
            Some(turn) => turn.calls.push_back(entry),
            None => lane.turns.push_back(Turn {
                client,
                calls: VecDeque::from([entry]),
            }),
        }
    }

    /// The next call that `admits` a worker with room: of the lanes that do, the one whose next call
    /// came first. The caller has it from now on.
    pub(crate) fn pop(
        &mut self,
        admits: impl Fn(Want) -> bool,
        is_alive: impl Fn(Id<Call>) -> bool,
    ) -> Option<Id<Call>> {
        loop {
            let first = |lane: &Lane| lane.turns.front()?.calls.front().map(|call| call.0);
            let (at, _) = self
                .lanes
                .iter()
                .enumerate()
                .filter(|(_, lane)| admits(lane.want))
                .min_by_key(|(_, lane)| first(lane))?;
            let call = self.take(at)?;
            if is_alive(call) {
                self.alive -= 1;
                return Some(call);
            }
        }
    }

    /// A waiting call has ended without being popped.
    pub(crate) fn forget(&mut self, is_alive: impl Fn(Id<Call>) -> bool) {
        self.alive -= 1;
        if self.held <= 2 * self.alive + 64 {
            return;
        }
        for lane in &mut self.lanes {
            for turn in &mut lane.turns {
                turn.calls.retain(|call| is_alive(call.1));
            }
            lane.turns.retain(|turn| !turn.calls.is_empty());
        }
        self.lanes.retain(|lane| !lane.turns.is_empty());
        self.held = self.alive;
    }

    /// Every id, in no order; some may be dead.
    pub(crate) fn ids(&self) -> Vec<Id<Call>> {
        let turns = self.lanes.iter().flat_map(|lane| &lane.turns);
        turns
            .flat_map(|turn| turn.calls.iter().map(|call| call.1))
            .collect()
    }

    fn take(&mut self, at: usize) -> Option<Id<Call>> {
        let lane = &mut self.lanes[at];
        let mut turn = lane.turns.pop_front()?;
        let call = turn.calls.pop_front();
        if !turn.calls.is_empty() {
            lane.turns.push_back(turn);
        }
        if lane.turns.is_empty() {
            self.lanes.swap_remove(at);
        }
        self.held -= 1;
        call.map(|call| call.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id<T>(n: u64) -> Id<T> {
        Id::from_raw(1 << 32 | n)
    }

    #[test]
    fn clients_take_turns_and_a_demand_is_kept() {
        let mut queue = Queue::default();
        for call in 0..3 {
            queue.push(Want::Any, id(1), id(call));
        }
        queue.push(Want::Any, id(2), id(10));
        queue.push(Want::Slot(1), id(3), id(20));
        let pop = |queue: &mut Queue, slot| {
            queue
                .pop(|want| want.admits(id(7), slot), |_| true)
                .map(Id::index)
        };
        assert_eq!(pop(&mut queue, 0), Some(0));
        assert_eq!(pop(&mut queue, 0), Some(10));
        assert_eq!(
            pop(&mut queue, 1),
            Some(1),
            "it came before the one for slot 1"
        );
        assert_eq!(pop(&mut queue, 1), Some(2));
        assert_eq!(pop(&mut queue, 0), None);
        assert!(queue.has(Want::Slot(1)) && !queue.has(Want::Any));
        assert_eq!(pop(&mut queue, 1), Some(20));
        assert!(queue.is_empty() && queue.lanes.is_empty());
    }

    #[test]
    fn dead_ids_are_passed_over_and_do_not_pile_up() {
        let mut queue = Queue::default();
        for call in 0..1000 {
            queue.push(Want::Any, id(1), id(call));
            if call > 0 {
                queue.forget(|id| id.index() == 0 || id.index() as u64 > call);
            }
        }
        assert!(queue.held < 100);
        assert_eq!(queue.pop(|_| true, |id| id.index() == 0), Some(id(0)));
        assert!(queue.is_empty());
        assert_eq!(queue.pop(|_| true, |_| false), None);
        assert_eq!(queue.held, 0);
    }
}
