//! `unload`: a module out of a running host.

use clap::Args;
use serde_json::json;

use crate::connect::Which;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output;

/// Take a module out of a pool; calls that run there end there.
#[derive(Debug, Args)]
pub(crate) struct Unload {
    /// The pool
    #[arg(value_name = "POOL")]
    pool: String,
    /// The module
    #[arg(value_name = "MODULE")]
    module: String,
    /// Print what was unloaded as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    which: Which,
}

impl Unload {
    pub(crate) async fn execute(self) -> Outcome {
        let host = self.which.connect().await?;
        host.pool(&self.pool).unload(&self.module).await?;
        if self.json {
            output::json(&json!({ "pool": self.pool, "unloaded": self.module }))?;
        } else {
            output::line(&format!("unloaded {} from {}", self.module, self.pool))?;
        }
        Ok(Exit::Success)
    }
}
