//! `load`: components into a running host.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use proc_host_client::{Instances, ModuleOptions, RequestError, module_name};
use serde_json::json;

use crate::connect::Which;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output;

/// Load components into a pool of a running host, replacing those of the same name.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The pool
    #[arg(value_name = "POOL")]
    pool: String,
    /// The components; each is called by the name of its file
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// How calls share instances [default: as the pool says]
    #[arg(long, value_name = "MODE", value_enum)]
    instances: Option<Mode>,
    /// Print what was loaded as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    which: Which,
}

/// How calls of a module share instances.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// One long-lived instance in each worker
    Shared,
    /// A few instances, one call in each at a time
    Exclusive,
    /// A fresh instance for each call
    PerCall,
}

impl Load {
    pub(crate) async fn execute(self) -> Outcome {
        let instances = self.instances.map(|mode| match mode {
            Mode::Shared => Instances::Shared,
            Mode::Exclusive => Instances::Exclusive,
            Mode::PerCall => Instances::PerCall,
        });
        let mut modules = Vec::new();
        for path in self.files {
            let name = module_name(&path)?;
            let component =
                std::fs::read(&path).map_err(|source| RequestError::File { path, source })?;
            let options = ModuleOptions {
                instances,
                ..ModuleOptions::default()
            };
            modules.push((name, component.into(), options));
        }
        let names: Vec<String> = modules.iter().map(|(name, ..)| name.clone()).collect();
        let host = self.which.connect().await?;
        host.pool(&self.pool).load(modules).await?;
        if self.json {
            output::json(&json!({ "pool": self.pool, "loaded": names }))?;
        } else {
            output::line(&format!("loaded {} into {}", names.join(", "), self.pool))?;
        }
        Ok(Exit::Success)
    }
}
