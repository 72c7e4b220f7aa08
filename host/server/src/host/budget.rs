//! How soon a worker that died is replaced: pure policy.
//!
//! The first deaths within a window are replaced at once; then the wait doubles with each, until a
//! worker has lived for as long as the window.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Time;

/// Deaths replaced at once within [`WINDOW`].
const FREE: usize = 3;
const WINDOW: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// The deaths in one place of a slot.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    recent: VecDeque<Time>,
    /// Deaths since it last had to wait, without a long life among them.
    streak: u32,
}

impl Budget {
    /// Another has died, after living for so long. How long to wait before the next start, spread by
    /// up to a quarter with `random`, so that many do not start together.
    pub(crate) fn spend(&mut self, now: Time, lived: Duration, random: u64) -> Duration {
        if lived >= WINDOW {
            self.recent.clear();
            self.streak = 0;
        }
        self.recent.push_back(now);
        while self
            .recent
            .front()
            .is_some_and(|&death| now - death > WINDOW)
        {
            self.recent.pop_front();
        }
        if self.streak == 0 && self.recent.len() <= FREE {
            return Duration::ZERO;
        }
        let wait = (SHORTEST * 2u32.saturating_pow(self.streak.min(16))).min(LONGEST);
        self.streak = self.streak.saturating_add(1);
        wait + wait / 4 * u32::try_from(random % 256).unwrap_or(0) / 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Time {
        Time::default() + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn three_deaths_are_free_then_the_wait_doubles_to_its_end() {
        let mut budget = Budget::default();
        let mut waits = Vec::new();
        for n in 0..14 {
            waits.push(
                budget
                    .spend(at(f64::from(n)), Duration::ZERO, 0)
                    .as_millis(),
            );
        }
        assert_eq!(waits[..6], [0, 0, 0, 100, 200, 400]);
        assert_eq!(waits[12..], [30_000, 30_000]);
    }

    #[test]
    fn a_long_life_forgives_and_rare_deaths_never_wait() {
        let mut budget = Budget::default();
        for n in 0..8 {
            budget.spend(at(f64::from(n)), Duration::ZERO, 0);
        }
        assert!(budget.spend(at(8.0), Duration::ZERO, 0) > Duration::ZERO);
        assert_eq!(budget.spend(at(30.0), WINDOW, 0), Duration::ZERO);
        let mut budget = Budget::default();
        for n in 0..8 {
            let lived = Duration::from_secs(5);
            assert_eq!(
                budget.spend(at(5.0 * f64::from(n)), lived, 0),
                Duration::ZERO
            );
        }
    }

    #[test]
    fn the_spread_is_at_most_a_quarter() {
        let mut budget = Budget {
            streak: 9,
            ..Budget::default()
        };
        let wait = budget.spend(at(0.0), Duration::ZERO, u64::MAX);
        assert!(wait > LONGEST && wait < LONGEST * 5 / 4);
    }
}
