//! A guest's values, one core value or one part at a time.
//!
//! Owns: what memory and core values say of a type. May not know: CBOR, but for single numbers.

use proc_host_wire::cbor::Writer;
use wasmtime::component::__internal::wasmtime_environ::component::ComponentTypes;
use wasmtime::component::__internal::{InterfaceType, LiftContext};
use wasmtime::{Result, ValRaw, bail};

use super::memory::{array, flat_count, index, next, pair};

/// Where a value is found.
#[derive(Clone, Copy)]
pub(super) enum Place<'s> {
    /// In core values.
    Flat(&'s [ValRaw]),
    /// At an address.
    Memory(usize),
}

#[cold]
pub(super) fn mismatch<R>() -> Result<R> {
    bail!("value is not of the type the engine names")
}

/// Memory, for a value that may not have any: only one found there needs it.
pub(super) trait MemoryIf<'a> {
    fn memory_if(&self, place: Place<'_>) -> &'a [u8];
}

impl<'a> MemoryIf<'a> for LiftContext<'a> {
    fn memory_if(&self, place: Place<'_>) -> &'a [u8] {
        match place {
            Place::Flat(_) => &[],
            Place::Memory(_) => self.memory(),
        }
    }
}

/// The places of a sequence's parts, one after the other.
pub(super) struct Parts<'s> {
    place: Place<'s>,
    offset: usize,
}

impl<'s> Parts<'s> {
    pub(super) fn new(place: Place<'s>) -> Parts<'s> {
        Parts { place, offset: 0 }
    }

    pub(super) fn next(&mut self, types: &ComponentTypes, ty: &InterfaceType) -> Result<Place<'s>> {
        match self.place {
            Place::Memory(base) => Ok(Place::Memory(base + next(types, ty, &mut self.offset))),
            Place::Flat(values) => {
                let at = self.offset;
                self.offset += flat_count(types, ty);
                match values.get(at..self.offset) {
                    Some(values) => Ok(Place::Flat(values)),
                    None => mismatch(),
                }
            }
        }
    }
}

pub(super) struct Case<'s> {
    pub(super) number: usize,
    pub(super) payload: Option<(InterfaceType, Place<'s>)>,
}

/// Reads which case a variant, enum, option or result is of.
pub(super) fn case<'s>(
    cx: &LiftContext<'_>,
    ty: InterfaceType,
    place: Place<'s>,
) -> Result<Case<'s>> {
    let types = cx.types;
    let info = match ty {
        InterfaceType::Variant(i) => &types[i].info,
        InterfaceType::Enum(i) => &types[i].info,
        InterfaceType::Option(i) => &types[i].info,
        InterfaceType::Result(i) => &types[i].info,
        _ => return mismatch(),
    };
    let tag = match place {
        Place::Flat([tag, ..]) => tag.get_u32(),
        Place::Flat([]) => return mismatch(),
        Place::Memory(at) => match info.size.byte_size() {
            1 => u32::from(array::<1>(cx.memory(), at)?[0]),
            2 => u32::from(u16::from_le_bytes(array(cx.memory(), at)?)),
            _ => u32::from_le_bytes(array(cx.memory(), at)?),
        },
    };
    let number = index(tag);
    let payload = match ty {
        InterfaceType::Variant(i) => types[i]
            .cases
            .get_index(number)
            .map(|(_, payload)| *payload),
        InterfaceType::Enum(i) => (number < types[i].names.len()).then_some(None),
        InterfaceType::Option(i) => [None, Some(types[i].ty)].get(number).copied(),
        InterfaceType::Result(i) => [types[i].ok, types[i].err].get(number).copied(),
        _ => None,
    };
    let Some(payload) = payload else {
        bail!("discriminant {tag} out of range");
    };
    let payload = match (payload, place) {
        (None, _) => None,
        (Some(ty), Place::Memory(at)) => {
            Some((ty, Place::Memory(at + index(info.payload_offset32))))
        }
        (Some(ty), Place::Flat(values)) => Some((ty, Place::Flat(&values[1..]))),
    };
    Ok(Case { number, payload })
}

pub(super) fn pointer(cx: &LiftContext<'_>, place: Place<'_>) -> Result<(usize, usize)> {
    match place {
        Place::Flat([at, length, ..]) => Ok((index(at.get_u32()), index(length.get_u32()))),
        Place::Flat(_) => mismatch(),
        Place::Memory(at) => pair(cx.memory(), at),
    }
}

pub(super) fn flag_word(memory: &[u8], names: usize, place: Place<'_>, word: usize) -> Result<u32> {
    Ok(match place {
        Place::Flat(values) => match values.get(word) {
            Some(value) => value.get_u32(),
            None => return mismatch(),
        },
        Place::Memory(at) => match names {
            0..=8 => u32::from(array::<1>(memory, at)?[0]),
            9..=16 => u32::from(u16::from_le_bytes(array(memory, at)?)),
            _ => u32::from_le_bytes(array(memory, at + 4 * word)?),
        },
    })
}

/// A value of one core value, by its bits: as many as its type has are meant.
pub(super) struct Scalar(u64);

#[inline]
pub(super) fn scalar(memory: &[u8], ty: InterfaceType, place: Place<'_>) -> Result<Scalar> {
    use InterfaceType::{Bool, Char, Float32, S8, S16, S32, U8, U16, U32};
    Ok(Scalar(match place {
        Place::Flat([value, ..]) => match ty {
            InterfaceType::S64 | InterfaceType::U64 | InterfaceType::Float64 => value.get_u64(),
            _ => u64::from(value.get_u32()),
        },
        Place::Flat([]) => return mismatch(),
        Place::Memory(at) => match ty {
            Bool | S8 | U8 => u64::from(array::<1>(memory, at)?[0]),
            S16 | U16 => u64::from(u16::from_le_bytes(array(memory, at)?)),
            S32 | U32 | Float32 | Char => u64::from(u32::from_le_bytes(array(memory, at)?)),
            _ => u64::from_le_bytes(array(memory, at)?),
        },
    }))
}

impl Scalar {
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits are the value"
    )]
    pub(super) fn write(self, ty: InterfaceType, mut writer: Writer<'_>) -> Result<()> {
        let bits = self.0;
        match ty {
            InterfaceType::Bool => writer.bool(bits as u32 != 0),
            InterfaceType::S8 => writer.int((bits as u8).cast_signed().into()),
            InterfaceType::U8 => writer.uint((bits as u8).into()),
            InterfaceType::S16 => writer.int((bits as u16).cast_signed().into()),
            InterfaceType::U16 => writer.uint((bits as u16).into()),
            InterfaceType::S32 => writer.int((bits as u32).cast_signed().into()),
            InterfaceType::U32 => writer.uint((bits as u32).into()),
            InterfaceType::S64 => writer.int(bits.cast_signed()),
            InterfaceType::U64 => writer.uint(bits),
            // One NaN for all: which bits a computation leaves in one is up to the machine.
            InterfaceType::Float32 => match f32::from_bits(bits as u32) {
                nan if nan.is_nan() => writer.f32(f32::from_bits(0x7fc0_0000)),
                value => writer.f32(value),
            },
            InterfaceType::Float64 => match f64::from_bits(bits) {
                nan if nan.is_nan() => writer.f64(f64::from_bits(0x7ff8_0000_0000_0000)),
                value => writer.f64(value),
            },
            InterfaceType::Char => {
                let scalar = char::try_from(bits as u32)?;
                writer.text(scalar.encode_utf8(&mut [0; 4]));
            }
            _ => return mismatch(),
        }
        Ok(())
    }
}
