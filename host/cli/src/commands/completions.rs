//! `completions`: for the user's shell.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::args::Cli;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output;

/// Print a completion script for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn execute(self) -> Outcome {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "proc-host", &mut script);
        output::line(String::from_utf8_lossy(&script).trim_end())?;
        Ok(Exit::Success)
    }
}
