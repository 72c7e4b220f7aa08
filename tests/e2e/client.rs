//! The Rust client against a host that it starts itself, and against one that runs.

mod callbacks;
mod calls;
mod connections;
mod handles;
mod hosts;
mod streams;

use proc_host_client::{CallError, Host, Outcome, Pool, StartOptions};
use proc_host_tests::{binary, guest};

/// A host of this program's own, with a pool of one worker and these modules in it.
async fn own(modules: &[&str]) -> (Host, Pool) {
    own_with(1, modules).await
}

async fn own_with(slots: u32, modules: &[&str]) -> (Host, Pool) {
    let options = StartOptions::new().binary(binary()).pool("Workers", slots);
    let options = modules
        .iter()
        .fold(options, |options, name| options.module(guest(name)));
    let host = Host::start(options).await.unwrap();
    let pool = host.pool("Workers");
    (host, pool)
}

/// How a call that failed has ended.
#[track_caller]
fn outcome(error: &CallError) -> &Outcome {
    error.outcome().unwrap_or_else(|| panic!("{error:?}"))
}
