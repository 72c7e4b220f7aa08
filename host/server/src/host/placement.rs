//! Which worker gets a call: pure policy.

use std::cmp::Reverse;

/// A worker that could take it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<T> {
    pub(crate) worker: T,
    /// Calls it has.
    pub(crate) in_flight: usize,
    /// When it was last given one, as a running number.
    pub(crate) last_used: u64,
}

/// The least loaded. Among equals the one used last: its processor is awake and its caches warm,
/// where waking an idle one costs more than many calls do.
pub(crate) fn choose<T>(candidates: impl Iterator<Item = Candidate<T>>) -> Option<T> {
    candidates
        .min_by_key(|candidate| (candidate.in_flight, Reverse(candidate.last_used)))
        .map(|candidate| candidate.worker)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(table: &[(usize, u64)]) -> Option<usize> {
        choose(
            table
                .iter()
                .enumerate()
                .map(|(worker, &(in_flight, last_used))| Candidate {
                    worker,
                    in_flight,
                    last_used,
                }),
        )
    }

    #[test]
    fn idle_prefers_the_warm_one_and_load_spreads() {
        assert_eq!(of(&[(0, 1), (0, 7), (0, 3)]), Some(1));
        assert_eq!(of(&[(1, 9), (0, 7), (0, 8)]), Some(2));
        assert_eq!(of(&[(3, 9), (2, 1), (4, 8)]), Some(1));
        assert_eq!(of(&[]), None);
    }
}
