//! The subcommands, and how the program ends.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    call, completions, config, exec, inspect, load, logs, new, ps, run, stop, unload,
};
use crate::exit::{self, Exit};
use crate::failure::{Failed, Outcome};
use crate::output;

/// A pool of processes for code you do not trust.
///
/// A host keeps pools of workers: jailed processes that run WebAssembly components. Any component's
/// functions can be called, from here or from a program.
#[derive(Debug, Parser)]
#[command(
    name = "proc-host",
    version,
    max_term_width = 100,
    after_help = exit::HELP,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Call(call::Call),
    Exec(exec::Exec),
    Logs(logs::Logs),
    Load(load::Load),
    Unload(unload::Unload),
    Ps(ps::Ps),
    Inspect(inspect::Inspect),
    Stop(stop::Stop),
    Config(config::Config),
    New(new::New),
    Completions(completions::Completions),
}

impl Command {
    /// Errors are to be printed as JSON.
    fn as_json(&self) -> bool {
        match self {
            Command::Call(call) => call.as_json(),
            Command::Exec(exec) => exec.as_json(),
            Command::Logs(logs) => logs.json,
            Command::Ps(ps) => ps.json,
            Command::Inspect(inspect) => inspect.json,
            Command::Load(load) => load.json,
            Command::Unload(unload) => unload.json,
            Command::Stop(stop) => stop.json,
            Command::Config(config) => config.as_json(),
            Command::Run(_) | Command::New(_) | Command::Completions(_) => false,
        }
    }

    fn execute(self) -> Outcome {
        match self {
            // A host has its own event loop, and starts its launcher before there is any thread.
            Command::Run(run) => run.execute(),
            Command::Config(config) => config.execute(),
            Command::New(new) => new.execute(),
            Command::Completions(completions) => completions.execute(),
            Command::Call(call) => wait(call.execute()),
            Command::Exec(exec) => wait(exec.execute()),
            Command::Logs(logs) => wait(logs.execute()),
            Command::Load(load) => wait(load.execute()),
            Command::Unload(unload) => wait(unload.execute()),
            Command::Ps(ps) => wait(ps.execute()),
            Command::Inspect(inspect) => wait(inspect.execute()),
            Command::Stop(stop) => wait(stop.execute()),
        }
    }
}

fn wait(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => Err(Failed::general(&error)),
    }
}

/// The whole program, where it is not a process of a host.
pub(crate) fn run() -> ExitCode {
    let command = Cli::parse().command;
    let as_json = command.as_json();
    match command.execute() {
        Ok(exit) => exit.into(),
        Err(failed) => {
            output::failed(&failed, as_json);
            failed.exit.into()
        }
    }
}

/// What is left of a command once its output has nobody to read it.
impl From<output::ReaderGone> for Failed {
    fn from(_: output::ReaderGone) -> Failed {
        Failed::new(Exit::General, "standard output is closed")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
