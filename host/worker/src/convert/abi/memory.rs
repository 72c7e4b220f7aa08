//! Reading linear memory by address.
//!
//! Owns: bounds and alignment. May not know: types.

use wasmtime::component::__internal::wasmtime_environ::component::{
    CanonicalAbiInfo, ComponentTypes, InterfaceType,
};
use wasmtime::{Result, bail, format_err};

/// Where in `memory` an empty slice of it begins: the address the engine took it at.
pub(super) fn address(memory: &[u8], empty: &[u8]) -> Result<usize> {
    (empty.as_ptr().addr())
        .checked_sub(memory.as_ptr().addr())
        .filter(|at| *at <= memory.len())
        .ok_or_else(|| format_err!("value is not in the guest's memory"))
}

/// `size` bytes at `at`.
#[inline]
pub(super) fn slice(memory: &[u8], at: usize, size: usize) -> Result<&[u8]> {
    match memory.get(at..).and_then(|rest| rest.get(..size)) {
        Some(bytes) => Ok(bytes),
        None => bail!("pointer out of bounds of memory"),
    }
}

/// The `N` bytes at `at`.
#[inline]
pub(super) fn array<const N: usize>(memory: &[u8], at: usize) -> Result<[u8; N]> {
    match memory.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => Ok(*bytes),
        None => bail!("pointer out of bounds of memory"),
    }
}

/// A pointer and a length, each of 32 bits.
pub(super) fn pair(memory: &[u8], at: usize) -> Result<(usize, usize)> {
    let pointer = u32::from_le_bytes(array(memory, at)?);
    let length = u32::from_le_bytes(array(memory, at + 4)?);
    Ok((index(pointer), index(length)))
}

/// Checks that `count` values of `abi` lie at `at`.
pub(super) fn check(memory: &[u8], at: usize, count: usize, abi: &CanonicalAbiInfo) -> Result<()> {
    if !at.is_multiple_of(index(abi.align32)) {
        bail!("pointer not aligned");
    }
    let Some(size) = index(abi.size32).checked_mul(count) else {
        bail!("pointer out of bounds of memory");
    };
    slice(memory, at, size).map(drop)
}

/// A 32-bit figure as an index.
#[inline]
pub(super) fn index(figure: u32) -> usize {
    // The worker is built for 64-bit targets alone.
    figure as usize
}

/// How many core values a type that is passed flat takes.
pub(super) fn flat_count(types: &ComponentTypes, ty: &InterfaceType) -> usize {
    types.canonical_abi(ty).flat_count.map_or(0, usize::from)
}

/// Where the next part of a sequence lies, advancing `offset` past it.
pub(super) fn next(types: &ComponentTypes, ty: &InterfaceType, offset: &mut usize) -> usize {
    let abi = types.canonical_abi(ty);
    let at = offset.next_multiple_of(index(abi.align32));
    *offset = at + index(abi.size32);
    at
}

/// Whether a type is an integer or float, stored as such.
pub(super) fn is_number(ty: InterfaceType) -> bool {
    use InterfaceType::{Float32, Float64, S8, S16, S32, S64, U8, U16, U32, U64};
    matches!(
        ty,
        S8 | U8 | S16 | U16 | S32 | U32 | S64 | U64 | Float32 | Float64
    )
}
