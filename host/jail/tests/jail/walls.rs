//! Each layer, proved by trying what it forbids, alone wherever another would forbid it first.

use std::os::unix::process::ExitStatusExt;

use proc_host_jail::{Layers, Role};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::Case;
use crate::host::Host;
use crate::listed::listed;

pub(crate) const CASES: &[Case] = &[
    ("all_layers_hold", all_layers_hold),
    (
        "skipped_layers_are_not_claimed",
        skipped_layers_are_not_claimed,
    ),
    (
        "threads_are_refused_at_the_door",
        threads_are_refused_at_the_door,
    ),
    ("forbidden_calls_kill", forbidden_calls_kill),
    ("every_call_not_listed_kills", every_call_not_listed_kills),
    ("refused_calls_tell_an_error", refused_calls_tell_an_error),
    (
        "without_seccomp_the_rest_holds",
        without_seccomp_the_rest_holds,
    ),
    ("compiler_has_what_it_needs", compiler_has_what_it_needs),
    ("compiler_limits_hold", compiler_limits_hold),
];

fn all_layers_hold(host: &Host) {
    for role in [Role::Worker, Role::Compile] {
        assert_eq!(
            host.ask(role, Layers::NONE, "layers"),
            Layers::ALL.to_string()
        );
    }
}

fn skipped_layers_are_not_claimed(host: &Host) {
    for name in Layers::ALL.names() {
        let layer = Layers::from_name(name).expect("a layer");
        // Arming the death signal costs nothing and is always done.
        let always = layer == Layers::PDEATHSIG;
        let root = rustix::process::geteuid().is_root();
        if always || (layer == Layers::USERNS && !root) {
            continue;
        }
        let mut expected = Layers::ALL.without(layer);
        if layer == Layers::MOUNTNS {
            expected = expected.without(Layers::ROOT);
        }
        if layer == Layers::NO_NEW_PRIVS {
            // Others bring it about.
            expected = Layers::ALL;
        }
        assert_eq!(
            host.ask(Role::Worker, layer, "layers"),
            expected.to_string(),
            "less {name}"
        );
    }
    let none = host.ask(Role::Worker, Layers::ALL, "layers");
    assert_eq!(none, "pdeathsig");
}

fn threads_are_refused_at_the_door(host: &Host) {
    let said = host.ask(Role::Worker, Layers::NONE, "enter with threads");
    assert_eq!(said, "enter the jail with more than one thread");
}

fn forbidden_calls_kill(host: &Host) {
    for scenario in [
        "open /etc/passwd",
        "socket",
        "fork",
        "map 7",
        "map 4",
        "protect 5",
        "kill 1",
        "kill 2",
        "tgkill 1",
        "mount",
        "setuid 0",
        "thread open /etc/passwd",
        "thread socket",
        "thread protect 4",
        "thread-start",
        "uid",
    ] {
        kills(host, Role::Worker, scenario);
    }
    for scenario in [
        "socket",
        "fork",
        "map 7",
        "protect 5",
        "kill 1",
        "thread socket",
        "setuid 0",
    ] {
        kills(host, Role::Compile, scenario);
    }
}

fn kills(host: &Host, role: Role, scenario: &str) {
    let running = host.spawn(role, Layers::NONE, scenario);
    let (status, said) = host.end(running);
    assert_eq!(
        (status.signal(), said.as_str()),
        (Some(libc::SIGSYS), ""),
        "{role:?} {scenario}"
    );
}

fn every_call_not_listed_kills(host: &Host) {
    let listed = listed();
    // Up to beyond the newest call of any kernel, and the first of the other x86 numbering.
    let beyond = [511, 512, 547, 1000, 0x4000_0000, 0x4000_0001, -1];
    // With all arguments zero, `tgkill` and `fcntl` break their rules too.
    for number in (0..480)
        .chain(beyond)
        .filter(|number| !listed.contains(number))
    {
        kills(host, Role::Worker, &format!("syscall {number}"));
    }
}

fn refused_calls_tell_an_error(host: &Host) {
    for (role, scenario, expected) in [
        (Role::Worker, "clone3", "ENOSYS"),
        (Role::Worker, "process_madvise", "EPERM"),
        (Role::Worker, "thread clone3", "ENOSYS"),
        (Role::Compile, "clone3", "ENOSYS"),
        (Role::Compile, "open /etc/passwd", "EACCES"),
        (Role::Worker, "map 3", "ok"),
        (Role::Worker, "protect 1", "ok"),
    ] {
        assert_eq!(
            host.ask(role, Layers::NONE, scenario),
            expected,
            "{role:?} {scenario}"
        );
    }
}

fn without_seccomp_the_rest_holds(host: &Host) {
    let ask =
        |skip: Layers, scenario: &str| host.ask(Role::Worker, Layers::SECCOMP.with(skip), scenario);
    let own = rustix::process::getpid();
    // The root is empty, and Landlock lets not even that be read.
    assert_eq!(ask(Layers::LANDLOCK, "open /etc/passwd"), "ENOENT");
    assert_eq!(ask(Layers::LANDLOCK, "open /proc/self/status"), "ENOENT");
    assert_eq!(ask(Layers::LANDLOCK, "open /"), "ok");
    assert_eq!(ask(Layers::NONE, "open /"), "EACCES");
    assert_eq!(ask(Layers::ROOT, "open /etc/passwd"), "EACCES");
    // No network: not even loopback is up; Landlock forbids connecting besides.
    assert_eq!(ask(Layers::LANDLOCK, "connect"), "ENETUNREACH");
    assert_eq!(ask(Layers::NONE, "connect"), "EACCES");
    // No other process has a number, and init is out of reach of its signals.
    assert_eq!(
        ask(Layers::NONE, &format!("probe {}", own.as_raw_nonzero())),
        "ESRCH"
    );
    assert_eq!(ask(Layers::NONE, "probe 1"), "EPERM");
    assert_eq!(
        ask(Layers::LANDLOCK, "kill 1"),
        "ok",
        "which init does not hear"
    );
    // Inner root without any right of root.
    assert_eq!(ask(Layers::NONE, "uid"), "0");
    assert_eq!(ask(Layers::NONE, "sethostname name"), "EPERM");
    assert_eq!(ask(Layers::LANDLOCK, "mount"), "EPERM");
    assert_eq!(
        ask(Layers::NONE, "setuid 1"),
        "EINVAL",
        "no other user exists"
    );
    // Neither processes nor executable memory.
    assert_eq!(ask(Layers::NONE, "fork"), "EAGAIN");
    assert_eq!(ask(Layers::NONE, "map 7"), "EACCES");
    assert_eq!(ask(Layers::NONE, "protect 5"), "EACCES");
}

fn compiler_has_what_it_needs(host: &Host) {
    assert_eq!(
        host.ask(Role::Compile, Layers::NONE, "thread-start"),
        "ok true"
    );
    assert_eq!(
        host.ask(Role::Compile, Layers::NONE, "allocate 1000000"),
        "ok"
    );
}

fn compiler_limits_hold(host: &Host) {
    assert_eq!(
        host.ask(Role::Compile, Layers::NONE, "allocate 100000000"),
        "refused"
    );
    let running = host.spawn(Role::Compile, Layers::NONE, "spin");
    assert_eq!(host.end(running).0.signal(), Some(libc::SIGXCPU));
    for (bytes, expected) in [(4096, None), (4097, Some("short"))] {
        let (mut request, socket, _stdio) = host.request(Role::Compile, Layers::NONE);
        let output = memfd_create("output", MemfdFlags::CLOEXEC).expect("a memory file");
        let ours = rustix::io::dup(&output).expect("a copy");
        request.fds.push(output);
        host.launcher.spawn(&request).expect("asked for");
        drop(host.event());
        std::io::Write::write_all(&mut &socket, format!("output {bytes}\n").as_bytes())
            .expect("told");
        drop(host.event());
        // A write that crosses the limit stops there; the next would be the last.
        let size = rustix::fs::fstat(&ours).expect("a size").st_size;
        assert_eq!(size, 4096, "{bytes} {expected:?}");
    }
}
