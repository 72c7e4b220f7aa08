//! Whose user a process runs as: a slot's own where the launcher may choose, else its own.
//!
//! Owns the table of slots and the text of the id maps.

use std::collections::BTreeSet;
use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, getegid, geteuid, getpid};

/// Processes that can live at once.
const SLOTS: u32 = 1 << 13;
/// Users from here on belong to nobody; each launcher takes a block of them by its pid.
const FIRST_USER: u32 = 0x7000_0000;
const BLOCKS: u32 = 1 << 15;

/// The number of a live process; it decides its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(u32);

/// The slots of a launcher.
#[derive(Debug)]
pub(crate) struct Users {
    /// Set where each slot has a user of its own, which takes root.
    base: Option<u32>,
    /// Those that were released, and the first that was never taken.
    free: BTreeSet<Slot>,
    next: u32,
}

impl Users {
    pub(crate) fn new() -> Self {
        let block = getpid().as_raw_nonzero().get().unsigned_abs() % BLOCKS;
        let base = FIRST_USER + block * SLOTS;
        // A root that is itself in a user namespace may know fewer users than there are.
        let unique = geteuid().is_root()
            && ["/proc/self/uid_map", "/proc/self/gid_map"]
                .iter()
                .all(|map| covers(map, base));
        Self {
            base: unique.then_some(base),
            free: BTreeSet::new(),
            next: 0,
        }
    }

    /// Whether each process has a user of its own.
    pub(crate) fn are_unique(&self) -> bool {
        self.base.is_some()
    }

    pub(crate) fn take(&mut self) -> Option<Slot> {
        if let Some(slot) = self.free.pop_first() {
            return Some(slot);
        }
        let slot = Slot(self.next);
        (self.next < SLOTS).then(|| self.next += 1).map(|()| slot)
    }

    pub(crate) fn release(&mut self, slot: Slot) {
        self.free.insert(slot);
    }

    /// Maps inner root to the user of `slot`.
    pub(crate) fn map(&self, pid: Pid, slot: Slot) -> Result<(), Errno> {
        let write = |file: &str, text: &str| {
            fs::write(format!("/proc/{}/{file}", pid.as_raw_nonzero()), text)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        };
        let (uid, gid) = match self.base {
            Some(base) => (base + slot.0, base + slot.0),
            None => {
                // Else a group that takes rights away could be left.
                write("setgroups", "deny")?;
                (geteuid().as_raw(), getegid().as_raw())
            }
        };
        write("uid_map", &format!("0 {uid} 1"))?;
        write("gid_map", &format!("0 {gid} 1"))
    }
}

/// Whether the map in this file knows every user of the block.
fn covers(file: &str, base: u32) -> bool {
    let Ok(map) = fs::read_to_string(file) else {
        return false;
    };
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(inside)), Some(Ok(_)), Some(Ok(count))) => {
                inside <= u64::from(base) && u64::from(base + SLOTS) <= inside + count
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_unique_bounded_and_used_again() {
        let mut users = Users::new();
        let first = users.take().expect("a slot");
        let second = users.take().expect("a slot");
        assert_ne!(first, second);
        users.release(first);
        assert_eq!(users.take(), Some(first));
        for _ in 2..SLOTS {
            users.take().expect("a slot");
        }
        assert_eq!(users.take(), None);
    }
}
