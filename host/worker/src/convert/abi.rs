//! The one place that meets the engine's internal traits: values straight to and from guest memory.
//!
//! Owns: every use of `wasmtime::component::__internal`, which is outside the engine's promises of
//! stability; the engine is therefore pinned, and the `Val` path is the oracle of the tests. May
//! not know: signatures, wire frames, credit.
//!
//! Everything here goes by the [`InterfaceType`] the engine hands in and by the tables it belongs
//! to, never by a plan of our own, so there is nothing to keep in step between calls that overlap.
//!
//! Three types stand for values of any type. Their size is given to the engine as 0 and their
//! alignment as 1; the true figures come from the tables at run time, and are checked here.
#![expect(
    unsafe_code,
    reason = "the engine's conversion traits are unsafe to implement"
)]

mod case;
mod item;
mod lift;
mod lower;
mod memory;
mod read;
mod store;

use std::mem::MaybeUninit;

use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower};
use wasmtime::{Result, ValRaw, bail};

pub(crate) use self::item::{Item, Lifted, read_items, read_units};

use super::arguments::Arguments;
use super::handle::Attachment;

/// The most core values arguments are passed flat in; more go through memory.
const MAX_FLAT: usize = 16;

/// What the engine is told of a type whose size only the tables know.
const UNSIZED: CanonicalAbiInfo = CanonicalAbiInfo {
    size32: 0,
    align32: 1,
    size64: 0,
    align64: 1,
    flat_count: None,
};

/// Checked arguments with their attachments: the parameters of a call.
#[derive(Debug)]
pub struct CborArgs {
    pub(crate) arguments: Arguments,
    pub(crate) attachments: Vec<Attachment>,
}

/// The result of a call whose type has `N` core values, or more than can be flat if `N` is 17.
#[derive(Debug)]
pub(crate) struct CborRet<const N: usize> {
    pub(crate) lifted: Lifted,
    /// Whether it is the error of a function that returns a `result`.
    pub(crate) raised: bool,
}

// SAFETY: `Lower` is an array of `ValRaw`. The ABI figures claim no memory, so the engine checks
// and reads none on their account.
unsafe impl ComponentType for CborArgs {
    type Lower = [ValRaw; MAX_FLAT];

    const ABI: CanonicalAbiInfo = UNSIZED;

    fn typecheck(ty: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        match ty {
            InterfaceType::Tuple(_) => Ok(()),
            _ => bail!("parameters are not a tuple"),
        }
    }
}

// SAFETY: `typecheck` takes the tuple that parameters are, and lowering goes by it.
unsafe impl ComponentNamedList for CborArgs {}

// SAFETY: every flat value is written before any is set; memory is written through checked slices.
unsafe impl Lower for CborArgs {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<[ValRaw; MAX_FLAT]>,
    ) -> Result<()> {
        let flat = dst.write([ValRaw::u64(0); MAX_FLAT]);
        lower::arguments(cx, self, ty, flat)
    }

    fn linear_lower_to_memory<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: usize,
    ) -> Result<()> {
        bail!("arguments are always lowered flat")
    }
}

// SAFETY: as for `CborArgs`. That `N` is the type's own count is checked by `typecheck`, so a
// result that is read flat has `N` values.
unsafe impl<const N: usize> ComponentType for CborRet<N> {
    type Lower = [ValRaw; N];

    const ABI: CanonicalAbiInfo = UNSIZED;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        let InterfaceType::Tuple(index) = ty else {
            bail!("results are not a tuple");
        };
        match types.types[*index]
            .abi
            .flat_count(MAX_FLAT)
            .unwrap_or(MAX_FLAT + 1)
        {
            count if count == N => Ok(()),
            count => bail!("results take {count} values, expected {N}"),
        }
    }
}

// SAFETY: `typecheck` takes the tuple that results are, and lifting goes by it.
unsafe impl<const N: usize> ComponentNamedList for CborRet<N> {}

// SAFETY: nothing is read but the `N` values given and memory through checked slices.
unsafe impl<const N: usize> Lift for CborRet<N> {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &[ValRaw; N],
    ) -> Result<Self> {
        lift::results(cx, ty, read::Place::Flat(src))
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        let at = memory::address(cx.memory(), bytes)?;
        lift::results(cx, ty, read::Place::Memory(at))
    }
}
