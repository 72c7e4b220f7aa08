//! What a developer of this repository types: `cargo xtask demo`, `cargo xtask test` and their
//! parts. Needs Rust and git, nothing else.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for a terminal"
)]

mod demo;
mod guests;
mod rules;
mod run;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <task>

  demo     build everything, start a host, make calls of every kind, stop it
  test     build everything, run every test
  guests   build the guests of examples/ and tests/guests/ (adds the wasm target when missing)
  bench    measure round trips, throughput and streams beside their floor
  rules    check which crate may depend on which
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let result = match task.as_str() {
        "demo" => demo::run(),
        "test" => test(&rest),
        "guests" => guests::build(),
        "bench" => bench(&rest),
        "rules" => rules::check(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask {task}: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Everything from a fresh clone to all tests passed.
///
/// The guests' side is built apart from the host's: what it needs of shared dependencies would have
/// the engine compiled a second time.
fn test(filter: &[String]) -> run::Outcome {
    rules::check()?;
    guests::build()?;
    let guests = guests::side()?;
    let host = guests
        .iter()
        .fold(vec!["--workspace"], |mut arguments, name| {
            arguments.extend(["--exclude", name]);
            arguments
        });
    run::cargo(&[&["build", "--all-targets"], &host[..]].concat())?;
    let filter: Vec<&str> = filter.iter().map(String::as_str).collect();
    run::cargo(&[&["test"], &host[..], &filter[..]].concat())?;
    let guests = guests.iter().fold(Vec::new(), |mut arguments, name| {
        arguments.extend(["--package", name]);
        arguments
    });
    run::cargo(&[&["test"], &guests[..], &filter[..]].concat())
}

fn bench(filter: &[String]) -> run::Outcome {
    guests::build()?;
    run::cargo(&["build", "--release", "--package", "proc-host"])?;
    let mut arguments = vec![
        "bench",
        "--package",
        "proc-host-tests",
        "--bench",
        "figures",
        "--",
    ];
    arguments.extend(filter.iter().map(String::as_str));
    run::cargo(&arguments)
}
