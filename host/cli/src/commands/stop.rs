//! `stop`: the end of a running host.

use clap::Args;
use serde_json::json;

use crate::connect::Which;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output;

/// Stop a running host, once the calls that run have ended.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// Without waiting for calls that run
    #[arg(long)]
    now: bool,
    /// Print which host is stopping as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    which: Which,
}

impl Stop {
    pub(crate) async fn execute(self) -> Outcome {
        let host = self.which.connect().await?;
        if self.now {
            host.stop_now().await?
        } else {
            host.stop().await?
        }
        let socket = host.socket().display();
        if self.json {
            output::json(&json!({ "stopping": socket.to_string(), "pid": host.pid() }))?;
        } else {
            output::line(&format!(
                "stopping the host on {socket} (process {})",
                host.pid()
            ))?;
        }
        Ok(Exit::Success)
    }
}
