//! `config`: the manifest, looked at without running it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proc_host_server::Config as Manifest;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::{Failed, Outcome};
use crate::output;

/// Look at a configuration file.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check a configuration file and the modules that it names
    Check {
        /// The file
        #[arg(value_name = "FILE", default_value = "proc-host.toml")]
        file: PathBuf,
        /// Print what it holds as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Config {
    pub(crate) fn as_json(&self) -> bool {
        let Action::Check { json, .. } = self.action;
        json
    }

    pub(crate) fn execute(self) -> Outcome {
        let Action::Check { file, json } = self.action;
        let manifest =
            Manifest::load(&file).map_err(|error| Failed::new(Exit::General, error.to_string()))?;
        let wrong: Vec<String> = manifest.check().iter().map(ToString::to_string).collect();
        if !wrong.is_empty() {
            return Err(Failed::new(Exit::General, wrong.join("\n")));
        }
        if json {
            let pools: Vec<_> = manifest
                .pools
                .iter()
                .map(|pool| {
                    let modules: Vec<&str> = pool
                        .modules
                        .iter()
                        .map(|module| module.name.as_str())
                        .collect();
                    json!({ "name": pool.name, "slots": pool.slots, "modules": modules })
                })
                .collect();
            output::json(&json!({ "file": file, "pools": pools }))?;
        } else {
            let modules: usize = manifest.pools.iter().map(|pool| pool.modules.len()).sum();
            let pools = manifest.pools.len();
            let text = format!(
                "{}: in order (pools: {pools}, modules: {modules})",
                file.display()
            );
            output::line(&text)?;
        }
        Ok(Exit::Success)
    }
}
