//! `logs`: what guests print and log.

use clap::Args;
use futures_util::StreamExt as _;
use proc_host_client::LogEntry;
use serde_json::{Value, json};

use crate::connect::Which;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output;
use crate::time::timestamp;

/// Print what guests print and log.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Go on with what comes, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    which: Which,
}

impl Logs {
    pub(crate) async fn execute(self) -> Outcome {
        let host = self.which.connect().await?;
        let mut entries = host.logs(self.follow).await?;
        let mut reader_gone = std::pin::pin!(output::reader_gone());
        let mut dropped = 0;
        loop {
            let entry = tokio::select! {
                entry = entries.next() => entry,
                () = &mut reader_gone => return Ok(Exit::Success),
            };
            let Some(entry) = entry else {
                return Ok(Exit::Success);
            };
            let entry = entry?;
            let text = if self.json {
                to_json(&entry).to_string()
            } else {
                text(&entry)
            };
            if output::line(&text).is_err() {
                return Ok(Exit::Success);
            }
            let now = entries.dropped();
            if now > dropped {
                output::warn(&format!(
                    "{} entries came too fast and are lost",
                    now - dropped
                ));
                dropped = now;
            }
        }
    }
}

/// Where an entry comes from, and its line.
pub(crate) fn plain(entry: &LogEntry) -> String {
    format!("{}{}", source(entry), output::tame(&entry.text))
}

fn text(entry: &LogEntry) -> String {
    let head = format!("{} {:<6} ", timestamp(entry.time_ms), entry.level.as_str());
    format!("{}{}", output::dim(&head), plain(entry))
}

/// `Workers/1 math.add #12: `, as far as it is known.
fn source(entry: &LogEntry) -> String {
    let mut text = entry.pool.clone().unwrap_or_else(|| "host".to_owned());
    if let Some(worker) = entry.worker {
        text.push_str(&format!("/{worker}"));
    }
    if let Some(module) = &entry.module {
        text.push_str(&format!(" {module}"));
    }
    if let Some(function) = &entry.function {
        text.push_str(&format!(".{function}"));
    }
    if let Some(call) = entry.call {
        text.push_str(&format!(" #{call}"));
    }
    text + ": "
}

fn to_json(entry: &LogEntry) -> Value {
    json!({
        "time": timestamp(entry.time_ms),
        "level": entry.level.as_str(),
        "pool": entry.pool,
        "worker": entry.worker,
        "module": entry.module,
        "function": entry.function,
        "call": entry.call,
        "text": entry.text,
    })
}
