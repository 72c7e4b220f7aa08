//! `exec`: one call with no running host.

use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::StreamExt as _;
use proc_host_client::{Host, StartOptions, module_name};

use crate::commands::logs;
use crate::failure::{Failed, Outcome};
use crate::invoke::{self, invoke};
use crate::output;

/// Call a function of a component, without a running host.
///
/// A host is started for this one call, with the walls it always has. What the guest prints goes to
/// standard error.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  proc-host exec math.wasm 'add(40, 2)'")]
pub(crate) struct Exec {
    /// The component
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The function, without the module's name, and its arguments
    #[arg(value_name = "FUNCTION")]
    function: Option<String>,
    #[command(flatten)]
    options: invoke::Options,
}

const POOL: &str = "exec";

impl Exec {
    pub(crate) fn as_json(&self) -> bool {
        self.options.as_json()
    }

    pub(crate) async fn execute(mut self) -> Outcome {
        let (file, function) = self.positionals()?;
        let request = self.options.request(&function)?;
        let host = start_host(|options| options.pool(POOL, 1).module(&file)).await?;
        let target = format!("{}.{}", module_name(&file)?, request.target());
        let result = invoke(&host.pool(POOL), &target, &request, &self.options).await;
        print_logs(&host).await?;
        result
    }

    fn positionals(&mut self) -> Result<(PathBuf, String), Failed> {
        let function = match self.function.take() {
            Some(function) => Some(function),
            None => invoke::taken_positional(&mut self.options),
        };
        match (self.file.take(), function) {
            (Some(file), Some(function)) => Ok((file, function)),
            _ => Err(
                Failed::usage("the component and the function to call are missing")
                    .hint("proc-host exec math.wasm 'add(40, 2)'"),
            ),
        }
    }
}

/// A host of our own, from this very binary.
pub(crate) async fn start_host(
    with: impl FnOnce(StartOptions) -> StartOptions,
) -> Result<Host, Failed> {
    let binary = std::env::current_exe().unwrap_or_else(|_| Path::new("proc-host").to_owned());
    Ok(Host::start(with(StartOptions::new().binary(binary))).await?)
}

/// What the guest has printed and logged.
async fn print_logs(host: &Host) -> Result<(), Failed> {
    let mut entries = host.logs(false).await?;
    while let Some(entry) = entries.next().await {
        let entry = entry?;
        if entry.module.is_some() {
            output::note(&logs::plain(&entry));
        }
    }
    Ok(())
}
