//! Whoever owns a process dies: so does the process.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitCode, Stdio};

use proc_host_jail::{Launcher, Layers, Role};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::Case;
use crate::host::{Host, await_readable};

pub(crate) const CASES: &[Case] = &[
    ("killing_the_host_kills_all", killing_the_host_kills_all),
    (
        "killing_the_launcher_kills_all",
        killing_the_launcher_kills_all,
    ),
    (
        "dropping_the_launcher_kills_all",
        dropping_the_launcher_kills_all,
    ),
];

/// A host in a process of its own: starts one worker, says the pids, and waits.
#[expect(clippy::print_stdout, reason = "the test reads it")]
pub(crate) fn owner() -> ExitCode {
    let host = Host::new(Launcher::start().expect("the launcher starts"));
    let mut running = host.spawn(Role::Worker, Layers::NONE, "wait");
    let mut said = [0; 7];
    running.socket.read_exact(&mut said).expect("said");
    println!("{} {}", host.launcher.pid(), running.pid);
    loop {
        std::thread::park();
    }
}

fn killing_the_host_kills_all(_: &Host) {
    let mut owner = Command::new("/proc/self/exe")
        .arg("owner")
        .stdout(Stdio::piped())
        .spawn()
        .expect("an owner");
    let mut line = String::new();
    BufReader::new(owner.stdout.take().expect("its output"))
        .read_line(&mut line)
        .expect("pids");
    let pidfds: Vec<_> = line
        .split_whitespace()
        .map(|pid| Pid::from_raw(pid.parse().expect("a pid")).expect("a pid"))
        .map(|pid| pidfd_open(pid, PidfdFlags::empty()).expect("it lives"))
        .collect();
    assert_eq!(pidfds.len(), 2);
    owner.kill().expect("killed");
    owner.wait().expect("reaped");
    for pidfd in &pidfds {
        await_readable(pidfd);
    }
}

fn killing_the_launcher_kills_all(_: &Host) {
    let host = Host::new(Launcher::start().expect("a second launcher"));
    let running = host.spawn(Role::Worker, Layers::NONE, "wait");
    let launcher = i32::try_from(host.launcher.pid())
        .ok()
        .and_then(Pid::from_raw);
    kill_process(launcher.expect("a pid"), Signal::KILL).expect("killed");
    await_readable(&running.pidfd);
    await_readable(&host.launcher);
    let error = host.launcher.try_recv().expect_err("gone");
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    assert_eq!(
        host.launcher.kill(running.id).expect_err("gone").kind(),
        std::io::ErrorKind::BrokenPipe
    );
}

fn dropping_the_launcher_kills_all(_: &Host) {
    let host = Host::new(Launcher::start().expect("a second launcher"));
    let running = host.spawn(Role::Worker, Layers::NONE, "wait");
    drop(host);
    // Not awaited: all is over when the drop is.
    let mut fds = [rustix::event::PollFd::new(
        &running.pidfd,
        rustix::event::PollFlags::IN,
    )];
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    assert_eq!(rustix::event::poll(&mut fds, Some(&now)), Ok(1));
}
