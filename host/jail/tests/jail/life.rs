//! Birth and end of processes: what they start with, what is told of their end, what is left.

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use proc_host_jail::{Event, Layers, Role, Step};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};

use crate::Case;
use crate::host::{Host, await_readable};

pub(crate) const CASES: &[Case] = &[
    (
        "starts_with_its_descriptors_alone",
        starts_with_its_descriptors_alone,
    ),
    ("takes_only_what_it_was_given", takes_only_what_it_was_given),
    ("starts_in_bare_surroundings", starts_in_bare_surroundings),
    ("has_a_user_of_its_own", has_a_user_of_its_own),
    ("tells_how_it_ended", tells_how_it_ended),
    ("kill_ends_the_namespace", kill_ends_the_namespace),
    ("standard_output_ends_with_it", standard_output_ends_with_it),
    ("failed_spawns_say_where", failed_spawns_say_where),
    ("cycles_leave_nothing", cycles_leave_nothing),
];

fn starts_with_its_descriptors_alone(host: &Host) {
    let (mut request, mut socket, _stdio) = host.request(Role::Worker, Layers::NONE);
    let file = memfd_create("text", MemfdFlags::CLOEXEC).expect("a memory file");
    rustix::io::pwrite(&file, b"fourth", 0).expect("written");
    request.fds.push(file);
    for _ in request.fds.len()..proc_host_jail::MAX_FDS {
        request
            .fds
            .push(memfd_create("more", MemfdFlags::CLOEXEC).expect("a memory file"));
    }
    for scenario in ["fourth", "descriptors"] {
        host.launcher.spawn(&request).expect("asked for");
        let Event::Spawned { .. } = host.event() else {
            panic!("not spawned")
        };
        writeln!(socket, "{scenario}").expect("told");
        let Event::Exited { status, .. } = host.event() else {
            panic!("not ended")
        };
        assert!(status.success(), "{status}");
    }
    drop(request);
    let mut said = String::new();
    socket.read_to_string(&mut said).expect("said");
    let numbers: Vec<i32> = (0..67).collect();
    assert_eq!(said, format!("fourth{numbers:?} /dev/null true true"));
}

fn takes_only_what_it_was_given(host: &Host) {
    assert_eq!(
        host.ask(Role::Worker, Layers::NONE, "opened here"),
        "4 true"
    );
}

fn starts_in_bare_surroundings(host: &Host) {
    let said = host.ask(Role::Compile, Layers::NONE, "surroundings");
    assert_eq!(
        said,
        "[\"proc-host\", \"compile\", \"7f:0\"] [(\"RUST_BACKTRACE\", \"0\")] true 2 \
         [Some(0), Some(256), Some(0)] proc-host"
    );
}

fn has_a_user_of_its_own(host: &Host) {
    let user = |pid: i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .expect("a user");
        let users: Vec<u32> = line
            .split_whitespace()
            .map(|n| n.parse().expect("a user"))
            .collect();
        assert!(users.windows(2).all(|pair| pair[0] == pair[1]), "{users:?}");
        users[0]
    };
    let one = host.spawn(Role::Worker, Layers::NONE, "wait");
    let two = host.spawn(Role::Worker, Layers::NONE, "wait");
    let own = rustix::process::geteuid().as_raw();
    if own == 0 {
        assert_ne!(user(one.pid), user(two.pid));
        assert!(user(one.pid) >= 0x7000_0000);
    } else {
        assert_eq!((user(one.pid), user(two.pid)), (own, own));
    }
    for running in [one, two] {
        host.launcher.kill(running.id).expect("asked for");
        assert_eq!(signal(host.end(running).0), Some(Signal::KILL));
    }
}

fn signal(status: std::process::ExitStatus) -> Option<Signal> {
    use std::os::unix::process::ExitStatusExt;
    Signal::from_named_raw(status.signal()?)
}

fn tells_how_it_ended(host: &Host) {
    for code in [0, 7, 255] {
        let running = host.spawn(Role::Worker, Layers::NONE, &format!("exit {code}"));
        assert_eq!(host.end(running).0.code(), Some(code));
    }
    for (scenario, expected) in [("abort", Signal::ABORT), ("open /", Signal::SYS)] {
        let running = host.spawn(Role::Worker, Layers::NONE, scenario);
        let (status, said) = host.end(running);
        assert_eq!(
            (signal(status), said.as_str()),
            (Some(expected), ""),
            "{scenario}"
        );
    }
    // The process alone is killed, from outside, and by its own pidfd.
    let running = host.spawn(Role::Worker, Layers::NONE, "wait");
    pidfd_send_signal(&running.pidfd, Signal::KILL).expect("killed");
    assert_eq!(signal(host.end(running).0), Some(Signal::KILL));
    // Its init is killed.
    let running = host.spawn(Role::Worker, Layers::NONE, "wait");
    let init = parent(running.pid);
    rustix::process::kill_process(init, Signal::KILL).expect("killed");
    assert_eq!(signal(host.end(running).0), Some(Signal::KILL));
}

fn parent(pid: i32) -> rustix::process::Pid {
    let parent = field(pid, "PPid:").expect("a parent");
    rustix::process::Pid::from_raw(parent).expect("a parent outside")
}

fn field(pid: i32, name: &str) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))?
        .trim()
        .parse()
        .ok()
}

fn kill_ends_the_namespace(host: &Host) {
    let mut running = host.spawn(Role::Worker, Layers::NONE, "wait");
    let mut said = [0; 7];
    running.socket.read_exact(&mut said).expect("said");
    host.launcher.kill(running.id).expect("asked for");
    assert_eq!(signal(host.end(running).0), Some(Signal::KILL));
    // Without a namespace, the death of init is still that of the process.
    let running = host.spawn(Role::Worker, Layers::ALL, "wait");
    host.launcher.kill(running.id).expect("asked for");
    assert_eq!(signal(host.end(running).0), Some(Signal::KILL));
    // What is not there cannot be killed, and does no harm.
    host.launcher.kill(u64::MAX).expect("asked for");
    // The end of the process is the end of what it left behind: its socket closes.
    assert_eq!(host.ask(Role::Worker, Layers::NONE, "orphan"), "forked");
}

fn standard_output_ends_with_it(host: &Host) {
    let running = host.spawn(Role::Worker, Layers::NONE, "stdout to the log");
    let stdio = rustix::io::dup(&running.stdio).expect("a copy");
    assert_eq!(host.end(running).1, "ok");
    let mut log = String::new();
    fs::File::from(stdio)
        .read_to_string(&mut log)
        .expect("the log ends");
    assert_eq!(log, "to the log");
    let running = host.spawn(Role::Worker, Layers::NONE, "panic");
    let stdio = rustix::io::dup(&running.stdio).expect("a copy");
    assert!(!host.end(running).0.success());
    fs::File::from(stdio)
        .read_to_string(&mut log)
        .expect("the log ends");
    assert!(log.contains("on purpose"), "{log}");
}

fn failed_spawns_say_where(host: &Host) {
    let running = host.spawn(Role::Worker, Layers::NONE, "wait");
    let (mut request, ..) = host.request(Role::Worker, Layers::NONE);
    request.id = running.id;
    host.launcher.spawn(&request).expect("asked for");
    let event = host.event();
    assert!(
        matches!(
            event,
            Event::SpawnFailed {
                step: Step::Id,
                errno: Errno::EXIST,
                ..
            }
        ),
        "{event:?}"
    );
    host.launcher.kill(running.id).expect("asked for");
    host.end(running);
    if rustix::process::geteuid().is_root() {
        return;
    }
    let (request, ..) = host.request(Role::Worker, Layers::USERNS);
    host.launcher.spawn(&request).expect("asked for");
    let event = host.event();
    assert!(
        matches!(
            event,
            Event::SpawnFailed {
                step: Step::PidNamespace,
                errno: Errno::PERM,
                ..
            }
        ),
        "{event:?}"
    );
}

fn cycles_leave_nothing(host: &Host) {
    let launcher = i32::try_from(host.launcher.pid()).expect("a pid");
    let count = || {
        let ours = fs::read_dir("/proc/self/fd").expect("descriptors").count();
        let theirs = fs::read_dir(format!("/proc/{launcher}/fd"))
            .expect("descriptors")
            .count();
        (ours, theirs, children(launcher))
    };
    // The launcher has opened all it keeps once it has served a request.
    host.ask(Role::Worker, Layers::NONE, "layers");
    let before = count();
    assert_eq!(before.2, Vec::<i32>::new());
    let mut times = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        let mut running = host.spawn(Role::Worker, Layers::NONE, "layers");
        let mut first = [0];
        running.socket.read_exact(&mut first).expect("locked");
        times.push(start.elapsed());
        assert!(host.end(running).0.success());
    }
    // Many at once, too.
    let many: Vec<_> = (0..20)
        .map(|_| host.spawn(Role::Worker, Layers::NONE, "wait"))
        .collect();
    for running in &many {
        host.launcher.kill(running.id).expect("asked for");
    }
    for _ in &many {
        let Event::Exited { .. } = host.event() else {
            panic!("not an end")
        };
    }
    for running in &many {
        await_readable(&running.pidfd);
    }
    drop(many);
    assert_eq!(count(), before);
    times.sort_unstable();
    let [p50, p95]: [Duration; 2] = [times[50], times[95]];
    tell(p50, p95);
}

#[expect(clippy::print_stdout, reason = "a figure for whoever reads the log")]
fn tell(p50: Duration, p95: Duration) {
    println!("     spawn to locked: p50 {p50:?}, p95 {p95:?}");
}

/// Zombies included.
fn children(of: i32) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("processes");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| field(*pid, "PPid:") == Some(of))
        .collect()
}
