//! What can go wrong around calls. How calls themselves end is in [`crate::CallError`].

use std::io;
use std::path::PathBuf;

use proc_host_wire::ProtocolError;
use thiserror::Error;

/// No connection to a host.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Nobody listens on the socket.
    #[error("no host is listening on {}", path.display())]
    NoHost {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The token beside the socket cannot be read.
    #[error("failed to read the token {}", path.display())]
    Token {
        /// Its file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The token's file holds something else.
    #[error("{} does not hold a token", path.display())]
    BadToken {
        /// Its file.
        path: PathBuf,
    },
    /// The host refused this client.
    #[error("the host refused the connection: {0}")]
    Refused(String),
    /// The host hung up before it had answered.
    #[error("the host closed the connection before it answered")]
    Closed,
    /// The socket failed.
    #[error("failed to talk to the host")]
    Io(#[source] io::Error),
    /// The peer is no host, or speaks another version.
    #[error("the peer does not speak the protocol")]
    Protocol(#[from] ProtocolError),
}

/// A request that is not a call failed.
#[derive(Debug, Error)]
pub enum RequestError {
    /// The host says why.
    #[error("{0}")]
    Refused(String),
    /// The connection is lost; the request may have been done or not.
    #[error("connection to the host lost: {0}")]
    Lost(String),
    /// A file that was to be sent.
    #[error("failed to read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file whose name makes no module name.
    #[error("{} has no name a module could have", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// More than one message carries.
    #[error("{0}")]
    TooLarge(ProtocolError),
    /// Another answer than the question asks for.
    #[error("the host answered something else")]
    Unexpected,
    /// A connection of its own was needed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// A host could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// No binary to start.
    #[error("no `proc-host` binary: not in PROC_HOST_BIN, beside this program or in PATH")]
    NoBinary,
    /// The binary cannot be started.
    #[error("failed to start {}", binary.display())]
    Spawn {
        /// The binary.
        binary: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No private folder for its socket.
    #[error("failed to make a folder for the host's socket")]
    Folder(#[source] io::Error),
    /// It ended, or closed its output, before it was ready.
    #[error("the host did not start ({status}){}{stderr}", if stderr.is_empty() { "" } else { ":\n" })]
    Ended {
        /// How it ended.
        status: String,
        /// What it wrote to its standard error.
        stderr: String,
    },
    /// It runs and cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}
