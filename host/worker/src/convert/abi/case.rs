//! The parts of checked values that are the same in memory and in core values.
//!
//! Owns: which case, flag, field or number a value names. May not know: where it goes.

use proc_host_wire::cbor::{self, CborError, Reader};
use wasmtime::component::__internal::InterfaceType;
use wasmtime::component::__internal::wasmtime_environ::component::{ComponentTypes, TypeRecord};
use wasmtime::{Result, ValRaw, bail};

use super::super::number::{FloatFault, float32, float64};
use super::memory::index;

#[cold]
pub(super) fn misfit<R>() -> Result<R> {
    bail!("checked value does not fit its type")
}

/// The field of a name, most likely the one expected next.
pub(super) fn field(record: &TypeRecord, expected: usize, name: &[u8]) -> Result<usize> {
    let is = |field: &&_| AsRef::<str>::as_ref(*field).as_bytes() == name;
    if record
        .fields
        .get(expected)
        .map(|field| &field.name)
        .as_ref()
        .is_some_and(is)
    {
        return Ok(expected);
    }
    match record
        .fields
        .iter()
        .position(|field| field.name.as_bytes() == name)
    {
        Some(nth) => Ok(nth),
        None => misfit(),
    }
}

/// The case a value is of.
pub(super) struct Case {
    pub(super) number: u32,
    pub(super) tag_size: usize,
    pub(super) payload_offset: usize,
    pub(super) payload: Payload,
}

pub(super) enum Payload {
    /// A value of the type follows in the document.
    Value(InterfaceType),
    /// A `null` follows that stands for no value.
    Null,
    /// Nothing follows.
    Absent,
}

/// Reads up to the payload of a variant, enum, option or result.
pub(super) fn case(types: &ComponentTypes, ty: InterfaceType, r: &mut Reader<'_>) -> Result<Case> {
    let (info, number, payload) = match ty {
        InterfaceType::Variant(i) => {
            if r.peek()? == cbor::Kind::Map {
                r.map()?;
            }
            match types[i].cases.get_full(r.text()?) {
                Some((number, _, Some(payload))) => {
                    (&types[i].info, number, Payload::Value(*payload))
                }
                Some((number, _, None)) => (&types[i].info, number, Payload::Absent),
                None => return misfit(),
            }
        }
        InterfaceType::Enum(i) => match types[i].names.get_index_of(r.text()?) {
            Some(number) => (&types[i].info, number, Payload::Absent),
            None => return misfit(),
        },
        InterfaceType::Option(i) => {
            let some = match types[i].ty {
                InterfaceType::Option(_) => r.array()? != 0,
                _ => r.peek()? != cbor::Kind::Null,
            };
            match (some, types[i].ty) {
                (true, ty) => (&types[i].info, 1, Payload::Value(ty)),
                (false, InterfaceType::Option(_)) => (&types[i].info, 0, Payload::Absent),
                (false, _) => (&types[i].info, 0, Payload::Null),
            }
        }
        InterfaceType::Result(i) => {
            r.map()?;
            let (number, payload) = match r.text()? {
                "ok" => (0, types[i].ok),
                _ => (1, types[i].err),
            };
            (
                &types[i].info,
                number,
                payload.map_or(Payload::Null, Payload::Value),
            )
        }
        _ => return misfit(),
    };
    let tag_size = index(info.size.byte_size());
    let payload_offset = index(info.payload_offset32);
    Ok(Case {
        number: u32::try_from(number)?,
        tag_size,
        payload_offset,
        payload,
    })
}

pub(super) fn set_flags(
    r: &mut Reader<'_>,
    find: impl Fn(&str) -> Option<usize>,
    words: &mut [u32],
) -> Result<()> {
    for _ in 0..r.array()? {
        match find(r.text()?).and_then(|bit| Some((words.get_mut(bit / 32)?, bit % 32))) {
            Some((word, bit)) => *word |= 1 << bit,
            None => return misfit(),
        }
    }
    Ok(())
}

/// A value of one core value: its bits, and how many bytes of them are stored.
pub(super) struct Scalar {
    pub(super) bits: u64,
    pub(super) size: usize,
}

impl Scalar {
    pub(super) fn flat(&self) -> ValRaw {
        ValRaw::u64(self.bits)
    }
}

#[inline]
pub(super) fn scalar(r: &mut Reader<'_>, ty: InterfaceType) -> Result<Scalar> {
    let (bits, size) = match ty {
        InterfaceType::Bool => (u64::from(r.bool()?), 1),
        // Narrow integers are flat as an i32, sign- or zero-extended by their kind; of a stored one
        // only the low bytes are taken.
        InterfaceType::S8 | InterfaceType::U8 => (integer(r)? & 0xffff_ffff, 1),
        InterfaceType::S16 | InterfaceType::U16 => (integer(r)? & 0xffff_ffff, 2),
        InterfaceType::S32 | InterfaceType::U32 => (integer(r)? & 0xffff_ffff, 4),
        InterfaceType::S64 | InterfaceType::U64 => (integer(r)?, 8),
        InterfaceType::Float32 => (u64::from(float(float32(r))?.to_bits()), 4),
        InterfaceType::Float64 => (float(float64(r))?.to_bits(), 8),
        InterfaceType::Char => match r.text()?.chars().next() {
            Some(scalar) => (u64::from(u32::from(scalar)), 4),
            None => return misfit(),
        },
        _ => return misfit(),
    };
    Ok(Scalar { bits, size })
}

/// An integer of at most 64 bits, as such.
#[inline]
fn integer(r: &mut Reader<'_>) -> Result<u64> {
    match r.try_i64() {
        Some(value) => Ok(value.cast_unsigned()),
        None => Ok(r.uint()?),
    }
}

/// Stores numbers of `N` bytes each, as many as there is room for.
pub(super) fn numbers<const N: usize>(
    r: &mut Reader<'_>,
    ty: InterfaceType,
    room: &mut [u8],
) -> Result<()> {
    let (slots, _) = room.as_chunks_mut::<N>();
    for slot in slots {
        let bytes = scalar(r, ty)?.bits.to_le_bytes();
        slot.copy_from_slice(&bytes[..N]);
    }
    Ok(())
}

fn float<F>(read: Result<F, FloatFault>) -> Result<F> {
    match read {
        Ok(value) => Ok(value),
        Err(FloatFault::Cbor(CborError { fault, .. })) => bail!("checked float: {fault}"),
        Err(_) => misfit(),
    }
}
