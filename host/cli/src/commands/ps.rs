//! `ps`: what a host runs.

use clap::Args;
use proc_host_client::{PoolInfo, WorkerInfo, WorkerState};
use serde_json::{Value, json};

use crate::connect::Which;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output;
use crate::time::size;

/// List pools and their workers.
#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    which: Which,
}

const HEAD: &[&str] = &[
    "POOL",
    "WORKER",
    "GENERATION",
    "PID",
    "STATE",
    "RUNNING",
    "DONE",
    "MEMORY",
    "MODULES",
];

impl Ps {
    pub(crate) async fn execute(self) -> Outcome {
        let pools = self.which.connect().await?.ps().await?;
        if self.json {
            output::json(&pools.iter().map(pool_json).collect())?;
            return Ok(Exit::Success);
        }
        let rows: Vec<Vec<String>> = pools
            .iter()
            .flat_map(|pool| pool.workers.iter().map(|worker| row(pool, worker)))
            .collect();
        output::table(HEAD, &rows)?;
        for pool in &pools {
            if pool.queued > 0 {
                output::line(&format!(
                    "{}: {} calls wait for a worker",
                    pool.name, pool.queued
                ))?;
            }
            if pool.workers.is_empty() {
                output::line(&format!("{}: {} slots, no worker", pool.name, pool.slots))?;
            }
        }
        Ok(Exit::Success)
    }
}

fn row(pool: &PoolInfo, worker: &WorkerInfo) -> Vec<String> {
    let modules = match worker.modules.is_empty() {
        true => "-".to_owned(),
        false => worker.modules.join(","),
    };
    vec![
        pool.name.clone(),
        worker.slot.to_string(),
        worker.generation.to_string(),
        worker.pid.to_string(),
        state(worker.state).to_owned(),
        worker.in_flight.to_string(),
        worker.done.to_string(),
        size(worker.memory),
        modules,
    ]
}

fn pool_json(pool: &PoolInfo) -> Value {
    let workers: Vec<Value> = pool
        .workers
        .iter()
        .map(|worker| {
            json!({
                "worker": worker.slot,
                "generation": worker.generation,
                "pid": worker.pid,
                "state": state(worker.state),
                "modules": worker.modules,
                "running": worker.in_flight,
                "done": worker.done,
                "memory": worker.memory,
            })
        })
        .collect();
    json!({
        "name": pool.name,
        "slots": pool.slots,
        "modules": pool.modules,
        "queued": pool.queued,
        "workers": workers,
    })
}

fn state(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Starting => "starting",
        WorkerState::Ready => "ready",
        WorkerState::Draining => "draining",
    }
}
