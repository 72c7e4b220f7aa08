//! The process around one compilation.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use proc_host_jail::{FIRST_FD, Jail, JailError, Profile, inherited_fd};
use proc_host_wire::start::{CompilerStart, Start};
use proc_host_wire::{Inbox, Link, Message, Outbox, ProtocolError};
use thiserror::Error;

use crate::compile::compile;

/// Seconds of processor time one component may cost.
const CPU_SECONDS: u64 = 120;
/// Bytes of memory one component may cost.
const MEMORY: u64 = 4 << 30;
/// Bytes an artifact may have.
const ARTIFACT: u64 = 1 << 30;

#[derive(Debug, Error)]
enum CompilerError {
    #[error("failed to read the start message: {0}")]
    Start(#[source] io::Error),
    #[error("failed to understand the start message: {0}")]
    Protocol(#[from] ProtocolError),
    #[error("the host closed the socket before it said what to compile")]
    NoStart,
    #[error("failed to set up its socket: {0}")]
    Socket(#[source] io::Error),
    #[error("failed to read the component: {0}")]
    Input(#[source] io::Error),
    #[error("failed to write the artifact: {0}")]
    Output(#[source] io::Error),
    #[error("failed in its jail: {0}")]
    Jail(#[from] JailError),
    #[error("failed to set up the engine: {0}")]
    Engine(String),
    #[error("failed to tell the host: {0}")]
    Reply(#[source] io::Error),
}

/// The compiler's whole life. The host hears how it went over the socket; the exit code is for the
/// case that it cannot.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error goes to the host's log.
            let _ = writeln!(io::stderr(), "compiler: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), CompilerError> {
    let jail = Jail::enter()?;
    // The socket comes first among the descriptors, the component and the artifact follow.
    let mut socket = UnixStream::from(inherited_fd(FIRST_FD)?);
    socket
        .set_nonblocking(false)
        .map_err(CompilerError::Socket)?;
    let start = read_start(&mut socket)?;
    let fd =
        |at: u32| inherited_fd(FIRST_FD + 1 + i32::try_from(at).unwrap_or(i32::MAX - FIRST_FD - 1));
    let component = read_component(fd(start.input)?, start.input_len)?;
    let output = File::from(fd(start.output)?);
    let engine = proc_host_engine::compiler()
        .map_err(|error| CompilerError::Engine(format!("{error:#}")))?;
    start_threads();
    let _layers = jail.lock(Profile::Compiler {
        cpu_seconds: CPU_SECONDS,
        data_bytes: MEMORY,
        output_bytes: ARTIFACT,
    })?;
    let answer = match compile(&engine, &component) {
        Ok((artifact, interface)) => {
            (&output)
                .write_all(&artifact)
                .map_err(CompilerError::Output)?;
            Message::Compiled {
                artifact_len: artifact.len() as u64,
                interface: interface.encode(),
            }
        }
        Err(error) => Message::Failed {
            module: None,
            message: error.to_string(),
        },
    };
    reply(&mut socket, answer)
}

/// Starts the threads that compile functions side by side. No thread can be started once locked.
fn start_threads() {
    rayon::broadcast(|_| ());
}

fn read_start(socket: &mut UnixStream) -> Result<CompilerStart, CompilerError> {
    let mut inbox = Inbox::default();
    let mut chunk = [0; 4096];
    loop {
        if let Some(frame) = inbox.next_frame()? {
            let kind = frame.kind;
            return match Message::from_frame(Link::HostToWorker, frame)? {
                Message::Start(Start::Compiler(start)) => Ok(start),
                _ => Err(ProtocolError::Unexpected(kind).into()),
            };
        }
        match socket.read(&mut chunk).map_err(CompilerError::Start)? {
            0 => return Err(CompilerError::NoStart),
            count => inbox.feed(&chunk[..count]),
        }
    }
}

fn read_component(input: OwnedFd, length: u64) -> Result<Vec<u8>, CompilerError> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length.min(proc_host_wire::limits::MAX_BODY)];
    std::os::unix::fs::FileExt::read_exact_at(&File::from(input), &mut bytes, 0)
        .map_err(CompilerError::Input)?;
    Ok(bytes)
}

fn reply(socket: &mut UnixStream, message: Message) -> Result<(), CompilerError> {
    let mut outbox = Outbox::default();
    outbox.push(message)?;
    let mut buffer = Vec::new();
    while outbox.fill(&mut buffer) {
        socket.write_all(&buffer).map_err(CompilerError::Reply)?;
        buffer.clear();
    }
    Ok(())
}
