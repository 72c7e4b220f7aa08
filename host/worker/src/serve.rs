//! Serving: from the first message to the last.
//!
//! Owns: the order load, lock, `Ready`, calls. May not know: where its descriptors come from, or
//! how the lock is made ([`Surroundings`]).

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use proc_host_jail::{JailError, Layers};
use proc_host_wire::Message;
use proc_host_wire::start::{Start, WorkerStart};
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::instance::{Maker, Pending};
use crate::link::{Link, LinkError, Reader};
use crate::module::{LoadError, Module, Place};
use crate::worker::Worker;
use crate::{imports, ticker};

/// The world a worker is in until it is locked.
pub(crate) trait Surroundings {
    /// The artifact the start message numbers so.
    fn artifact(&self, number: u32) -> io::Result<OwnedFd>;

    /// Gives the world up; the layers that hold from then on.
    fn lock(self) -> Result<Layers, JailError>;
}

/// Why a worker could not serve, or no longer.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the host did not say what to load")]
    NoStart,
    #[error("failed to set up the engine: {0:#}")]
    Engine(#[source] wasmtime::Error),
    #[error("failed to take an artifact: {0}")]
    Artifact(#[source] io::Error),
    #[error("module `{name}`: {error}")]
    Load {
        index: u32,
        name: String,
        error: LoadError,
    },
    #[error("failed to start its ticker: {0}")]
    Ticker(#[source] io::Error),
    #[error("failed to lock itself in: {0}")]
    Lock(#[from] JailError),
}

/// Serves the host behind `socket`.
pub(crate) async fn serve(
    socket: UnixStream,
    surroundings: impl Surroundings,
) -> Result<(), ServeError> {
    let (mut reader, writer) = Reader::new(socket);
    let link = Arc::new(Link::default());
    let Some(Message::Start(Start::Worker(start))) = reader.next().await? else {
        return Err(ServeError::NoStart);
    };
    match prepare(&start, &link, surroundings) {
        Ok((worker, returns, layers)) => {
            let _ = link.send(Message::Ready {
                layers: layers.bits(),
            });
            turn(worker, returns, &link, reader, writer).await
        }
        Err(error) => {
            let module = match &error {
                ServeError::Load { index, .. } => Some(*index),
                _ => None,
            };
            let _ = link.send(Message::Failed {
                module,
                message: error.to_string(),
            });
            link.flush(&writer).await?;
            Err(error)
        }
    }
}

/// Everything that needs the world outside happens here; at the end of it the worker is locked.
fn prepare(
    start: &WorkerStart,
    link: &Arc<Link>,
    surroundings: impl Surroundings,
) -> Result<(Worker, UnboundedReceiver<Pending>, Layers), ServeError> {
    let engine = proc_host_engine::worker().map_err(ServeError::Engine)?;
    let linker = imports::linker(&engine).map_err(ServeError::Engine)?;
    let place = Arc::new(Place {
        pool: start.pool.clone(),
        slot: start.slot,
        generation: start.generation,
    });
    let mut modules = Vec::with_capacity(start.modules.len());
    for (module, index) in start.modules.iter().zip(0..) {
        let artifact = surroundings
            .artifact(module.artifact)
            .map_err(ServeError::Artifact)?;
        let loaded = Module::load(&engine, &linker, (index, module), artifact, &place, link)
            .map_err(|error| ServeError::Load {
                index,
                name: module.name.clone(),
                error,
            })?;
        modules.push(loaded);
    }
    ticker::start(&engine, proc_host_engine::TICK).map_err(ServeError::Ticker)?;
    let layers = surroundings.lock()?;
    let (returns, returned) = unbounded_channel();
    let room = Arc::new(Semaphore::new(proc_host_engine::INSTANCES as usize));
    let maker = Rc::new(Maker {
        engine,
        room,
        returns,
    });
    Ok((Worker::new(modules, link.clone(), maker), returned, layers))
}

/// Serves until the host goes, or says to drain and nothing is left.
async fn turn(
    worker: Worker,
    mut returns: UnboundedReceiver<Pending>,
    link: &Arc<Link>,
    mut reader: Reader,
    writer: OwnedWriteHalf,
) -> Result<(), ServeError> {
    let mut draining = false;
    let writing = link.write(&writer);
    tokio::pin!(writing);
    loop {
        tokio::select! {
            message = reader.next() => {
                let Some(mut message) = message? else { return Ok(()) };
                // All that one read has brought, before anything is run or written.
                loop {
                    match message {
                        Message::Drain => draining = true,
                        message => worker.handle(message),
                    }
                    match reader.buffered()? {
                        Some(next) => message = next,
                        None => break,
                    }
                }
            }
            Some(pending) = returns.recv() => worker.replace(pending),
            error = &mut writing => return Err(error.into()),
            () = worker.idle(), if draining => break,
        }
    }
    link.flush(&writer).await?;
    Ok(())
}
