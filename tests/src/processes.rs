//! Looking at processes from outside, and ending them.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// How long anything may take that is not a measure of time itself.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A process that is watched: its number is not mistaken for another's that comes later.
#[derive(Debug)]
pub struct Watched {
    /// Its number.
    pub pid: u32,
    fd: OwnedFd,
}

impl Watched {
    /// A process that runs now.
    #[track_caller]
    pub fn new(pid: u32) -> Watched {
        let fd = pidfd_open(number(pid), PidfdFlags::empty()).unwrap();
        Watched { pid, fd }
    }

    /// Whether it has ended within `limit`.
    pub fn ends_within(&self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).unwrap();
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        poll(&mut fds, Some(&limit)).unwrap() == 1
    }

    /// Waits for its end.
    #[track_caller]
    pub fn assert_ends(&self) {
        let name = status(self.pid, "Name").unwrap_or_default();
        assert!(
            self.ends_within(PATIENCE),
            "process {} ({name}) goes on",
            self.pid
        );
    }
}

/// Kills a process outright.
#[track_caller]
pub fn kill(pid: u32) {
    kill_process(number(pid), Signal::KILL).unwrap();
}

#[track_caller]
fn number(pid: u32) -> Pid {
    Pid::from_raw(pid.try_into().unwrap()).unwrap()
}

/// The processes that `pid` has started and that have not been reaped.
pub fn children(pid: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(
            text.split_whitespace()
                .map(|pid| pid.parse::<u32>().unwrap()),
        );
    }
    children
}

/// All that `pid` has started, and what these have started.
pub fn descendants(pid: u32) -> Vec<u32> {
    let mut found = children(pid);
    let mut at = 0;
    while at < found.len() {
        found.extend(children(found[at]));
        at += 1;
    }
    found
}

/// A line of a process's status.
pub fn status(pid: u32, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// The resident bytes of a process.
#[track_caller]
pub fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}

/// How long a process has run, in hundredths of a second.
#[track_caller]
pub fn processor_time(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name, which may hold anything, the twelfth and thirteenth are user's and system's.
    let (_, fields) = text.rsplit_once(')').unwrap();
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
    ticks * 100 / rustix::param::clock_ticks_per_second()
}

/// What a process's descriptors are, sorted.
#[track_caller]
pub fn descriptors(pid: u32) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    // One that is closed while they are listed is not one of them.
    let mut found: Vec<PathBuf> = folder
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .collect();
    found.sort();
    found
}

/// Asks again and again until the answer is yes.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "this never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
