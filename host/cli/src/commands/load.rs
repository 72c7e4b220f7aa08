//! `load`: components into a running host.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use proc_host_client::{Instances, ModuleOptions, RequestError, module_name};
use serde_json::json;

use crate::connect::Which;
use crate::exit::Exit;
use crate::failure::{Failed, Outcome};
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
        for path in &self.files {
            let name = module_name(path)?;
            let component = std::fs::read(path).map_err(|source| RequestError::File {
                path: path.clone(),
                source,
            })?;
            let options = ModuleOptions {
                instances,
                ..ModuleOptions::default()
            };
            modules.push((name, component.into(), options));
        }
        let names: Vec<String> = modules.iter().map(|(name, ..)| name.clone()).collect();
        let host = self.which.connect().await?;
        let loaded = host.pool(&self.pool).load(modules).await;
        loaded.map_err(|error| with_files(error, &names, &self.files))?;
        if self.json {
            output::json(&json!({ "pool": self.pool, "loaded": names }))?;
        } else {
            output::line(&format!("loaded {} into {}", names.join(", "), self.pool))?;
        }
        Ok(Exit::Success)
    }
}

/// What went wrong, by the files that the user knows the modules by.
fn with_files(error: RequestError, names: &[String], files: &[PathBuf]) -> Failed {
    let file = |name: &str| {
        let at = names.iter().position(|known| known == name)?;
        Some(files[at].display().to_string())
    };
    match error {
        RequestError::Refused(why) => {
            let lines = why.lines().map(|line| match line.split_once(": ") {
                Some((name, why)) => format!("{}: {why}", file(name).as_deref().unwrap_or(name)),
                None => line.to_owned(),
            });
            Failed::new(Exit::General, lines.collect::<Vec<_>>().join("\n"))
        }
        RequestError::TooLarge(why) => {
            let files: Vec<String> = names.iter().filter_map(|name| file(name)).collect();
            Failed::new(Exit::General, format!("{}: {why}", files.join(", ")))
        }
        error => error.into(),
    }
}
