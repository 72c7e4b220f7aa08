//! The jail against real processes: this binary is host, launcher, worker and compiler.
//!
//! As root, all is run twice: as root, and as an ordinary user.

#![expect(clippy::print_stdout, reason = "it is its own test harness")]

mod death;
mod host;
mod life;
mod listed;
mod probe;
mod walls;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use host::Host;
use proc_host_jail::{Launcher, launcher_main};

const NOBODY: u32 = 65534;

type Case = (&'static str, fn(&Host));

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    match argument.as_str() {
        "launcher" => launcher_main(),
        "worker" | "compile" => probe::main(&argument),
        "owner" => death::owner(),
        filter => run(filter),
    }
}

fn run(filter: &str) -> ExitCode {
    let launcher = Launcher::start().expect("the launcher starts");
    let host = Host::new(launcher);
    let user = if rustix::process::geteuid().is_root() {
        "root"
    } else {
        "ordinary"
    };
    let filter = filter.strip_prefix("--").map_or(filter, |_| "");
    for (name, case) in [life::CASES, walls::CASES, death::CASES].concat() {
        if name.contains(filter) {
            case(&host);
            println!("test {user}::{name} ... ok");
        }
    }
    drop(host);
    if user == "ordinary" {
        return ExitCode::SUCCESS;
    }
    let mut again = Command::new("/proc/self/exe");
    again.arg(filter).uid(NOBODY).gid(NOBODY);
    // The standard library drops the groups too where root changes the user.
    let status = again.status().expect("it runs again");
    if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
