//! The real clocks, and what else the host asks of the world.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::host::{Environment, Now, Time};

/// Both clocks.
#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock {
            began: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> Now {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            time: Time::default() + self.began.elapsed(),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// When `time` will be; a moment late rather than early.
    pub(super) fn instant(&self, time: Time) -> Instant {
        let since = Duration::from_micros(time.0.saturating_add(1));
        // Beyond what the clock can say, once a day will do.
        self.began
            .checked_add(since)
            .unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400))
    }
}

/// The operating system.
#[derive(Debug)]
pub(super) struct System;

impl Environment for System {
    fn random(&mut self) -> u64 {
        let mut bytes = [0; 8];
        // It serves to spread restarts: without randomness they are not spread.
        let _ = crate::listener::random(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn resident(&mut self, pid: u32) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        let pages: u64 = statm
            .split(' ')
            .nth(1)
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        pages * rustix::param::page_size() as u64
    }
}
