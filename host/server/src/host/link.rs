//! What waits to be written to a peer, and the list of peers to write to.

use proc_host_wire::Outbox;

use super::arena::Id;
use super::client::Client;
use super::compile::Compile;
use super::worker::Worker;

/// Whoever is at the other end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    Client(Id<Client>),
    Worker(Id<Worker>),
    Compiler(Id<Compile>),
}

/// A process the launcher has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Process {
    Worker(Id<Worker>),
    Compiler(Id<Compile>),
}

impl From<Process> for Peer {
    fn from(process: Process) -> Peer {
        match process {
            Process::Worker(id) => Peer::Worker(id),
            Process::Compiler(id) => Peer::Compiler(id),
        }
    }
}

/// The host's end of a socket, without the socket.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) outbox: Outbox,
    /// It is in the list of those to be written to.
    pub(crate) is_dirty: bool,
}

impl Link {
    /// Marks it to be written to; true where it was not.
    pub(crate) fn touch(&mut self) -> bool {
        !std::mem::replace(&mut self.is_dirty, true)
    }
}
