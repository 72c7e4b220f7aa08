//! `proc-host`: the command line, and the entry of every process of a host.
//!
//! Owns: which process this is. The three that a host starts are told by their first argument, and
//! go their own way before anything else happens here: no thread, no parser, no allocation to
//! speak of. May not know: what any of them does.

mod answer;
mod args;
mod commands;
mod connect;
mod exit;
mod failure;
mod invoke;
mod output;
mod present;
mod time;

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args_os()
        .nth(1)
        .as_deref()
        .and_then(|role| role.to_str())
    {
        Some("launcher") => proc_host_jail::launcher_main(),
        Some("worker") => proc_host_worker::main(),
        Some("compile") => proc_host_compiler::main(),
        _ => args::run(),
    }
}
