//! Loading an artifact the host has checked.
#![expect(unsafe_code, reason = "native code is trusted on the word of the host")]

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::module::LoadError;

/// Reads `length` bytes of `artifact` and makes a component of them.
pub(crate) fn load(
    engine: &Engine,
    artifact: OwnedFd,
    length: u64,
) -> Result<Component, LoadError> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    File::from(artifact)
        .read_exact_at(&mut bytes, 0)
        .map_err(LoadError::Artifact)?;
    // SAFETY: the artifact is a sealed memory file that a compiler process of this same build has
    // written and only the host has held since. Nobody else can have changed it.
    unsafe { Component::deserialize(engine, &bytes) }.map_err(LoadError::Engine)
}
