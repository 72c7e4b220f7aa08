//! Descriptors that are not sockets of peers: memory files, the owner's end, how many there may be.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use proc_host_wire::limits::MAX_BODY;
use rustix::fs::{MemfdFlags, OFlags, SealFlags, fcntl_add_seals, fcntl_getfl, fcntl_setfl};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::unix::AsyncFd;

use super::Shell;
use crate::host::{Compile, Digest, Event, Id};

const SEALED: SealFlags = SealFlags::SEAL
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// Lets the event loop watch a descriptor.
#[expect(
    unsafe_code,
    reason = "the event loop offers no other way to register a descriptor"
)]
pub(super) fn watch<T: AsRawFd>(inner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: `T` is an owned descriptor or a launcher: each keeps the same one open until it is
    // dropped, and the loop forgets it before that.
    unsafe { AsyncFd::register(inner) }.map_err(io::Error::from)
}

/// An empty memory file.
pub(super) fn memory_file(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    Ok(rustix::fs::memfd_create(name, flags)?)
}

/// The digest of a component, and a sealed copy of it.
fn seal_component(component: &[u8]) -> io::Result<(Digest, Arc<OwnedFd>)> {
    let digest = *blake3::hash(component).as_bytes();
    let mut file = File::from(memory_file("component")?);
    file.write_all(component)?;
    fcntl_add_seals(&file, SEALED)?;
    Ok((digest, Arc::new(file.into())))
}

/// Seals what a compiler has written: nobody can change it any more, not even a part of the compiler
/// that has outlived it.
pub(super) fn seal_artifact(output: OwnedFd, length: u64) -> Result<Arc<OwnedFd>, String> {
    fcntl_add_seals(&output, SEALED)
        .map_err(|errno| format!("the artifact could not be sealed: {errno}"))?;
    let file = File::from(output);
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    if size != length || size == 0 {
        return Err(format!(
            "the compiler wrote {size} bytes of an artifact of {length}"
        ));
    }
    Ok(Arc::new(file.into()))
}

/// Reads a component from disk, bounded.
pub(super) fn read_component(path: &Path) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    let limit = MAX_BODY as u64;
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() > MAX_BODY {
        return Err(format!(
            "larger than a component may be, which is {MAX_BODY} bytes"
        ));
    }
    Ok(Bytes::from(bytes))
}

/// Allows as many descriptors as this user may have.
pub(super) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Fewer will do for a small host.
    let _ = setrlimit(Resource::Nofile, limit);
}

impl Shell {
    /// Hashes and copies a component beside the router's thread.
    pub(super) async fn prepare(self: Rc<Shell>, compile: Id<Compile>, component: Bytes) {
        let done = tokio::task::spawn_blocking(move || seal_component(&component)).await;
        let result = match done {
            Ok(Ok(prepared)) => Ok(prepared),
            Ok(Err(error)) => Err(format!("failed to copy the component: {error}")),
            Err(_) => Err("failed to copy the component".to_owned()),
        };
        self.post(Event::Prepared(compile, result));
    }
}

/// The descriptor whose other end the host's owner holds.
#[derive(Debug)]
pub(super) struct Owner(AsyncFd<OwnedFd>);

impl Owner {
    pub(super) fn new(fd: OwnedFd) -> io::Result<Owner> {
        let flags = fcntl_getfl(&fd)?;
        fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
        Ok(Owner(watch(fd)?))
    }

    /// Waits for its end; whatever is written before that is ignored.
    pub(super) async fn gone(&self) {
        loop {
            let Ok(mut ready) = self.0.readable().await else {
                return;
            };
            let read = ready.try_io(|fd| Ok(rustix::io::read(fd, &mut [0; 64])?));
            if let Ok(Ok(0) | Err(_)) = read {
                return;
            }
        }
    }
}
