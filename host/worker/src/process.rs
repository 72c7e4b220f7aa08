//! The process: load, lock, then serve.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use proc_host_jail::{FIRST_FD, Jail, JailError, Layers, Profile, inherited_fd};
use thiserror::Error;
use tokio::net::UnixStream;

use crate::serve::{ServeError, Surroundings, serve};
use crate::ticker;

#[derive(Debug, Error)]
enum WorkerError {
    #[error("failed to enter its jail: {0}")]
    Jail(#[from] JailError),
    #[error("failed to take its socket: {0}")]
    Socket(#[source] io::Error),
    #[error("failed to start its runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// The worker's whole life.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error goes to the host's log.
            let _ = writeln!(io::stderr(), "worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), WorkerError> {
    let jail = Jail::enter()?;
    let socket = inherited_fd(FIRST_FD)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .on_thread_park(ticker::rest)
        .on_thread_unpark(ticker::work)
        .build()
        .map_err(WorkerError::Runtime)?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let socket = adopt(socket).map_err(WorkerError::Socket)?;
        Ok(serve(socket, Process(jail)).await?)
    })
}

fn adopt(socket: OwnedFd) -> io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(socket);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// A process of its own, as the launcher starts it: the socket comes first among its descriptors,
/// the artifacts follow.
#[derive(Debug)]
struct Process(Jail);

impl Surroundings for Process {
    fn artifact(&self, number: u32) -> io::Result<OwnedFd> {
        let number = i32::try_from(number).unwrap_or(i32::MAX - FIRST_FD - 1);
        inherited_fd(FIRST_FD + 1 + number).map_err(io::Error::other)
    }

    fn lock(self) -> Result<Layers, JailError> {
        self.0.lock(Profile::Worker)
    }
}
