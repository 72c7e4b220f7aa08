//! A guest's values into CBOR.
//!
//! Owns: the walk over guest memory and a type at once, and the bound on what it makes of them. May
//! not know: where the bytes go. Everything read here is the guest's claim: every pointer, tag and
//! length is checked.

use proc_host_wire::cbor::{TAG_FUTURE, TAG_RESOURCE, TAG_STREAM, Writer};
use wasmtime::component::__internal::wasmtime_environ::component::{
    ComponentTypes, StringEncoding, TypeMap,
};
use wasmtime::component::__internal::{InterfaceType, LiftContext};
use wasmtime::component::{FutureAny, Lift, ResourceAny, StreamAny};
use wasmtime::{Result, ValRaw, bail};

use super::super::MAX_BODY;
use super::super::element::Carries;
use super::super::handle::{Attachment, Future, Stream};
use super::item::Lifted;
use super::memory::{array, check, flat_count, index, next, pair, slice};
use super::{CborRet, MAX_FLAT};

/// Where a value is found.
#[derive(Clone, Copy)]
pub(super) enum Place<'s> {
    /// In core values.
    Flat(&'s [ValRaw]),
    /// At an address.
    Memory(usize),
}

pub(super) fn results<const N: usize>(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    place: Place<'_>,
) -> Result<CborRet<N>> {
    let InterfaceType::Tuple(tuple) = ty else {
        return mismatch();
    };
    let tuple = &cx.types[tuple];
    let mut encoder = Encoder::default();
    let mut raised = false;
    if let Place::Memory(at) = place {
        check(cx.memory(), at, 1, &tuple.abi)?;
    }
    match *tuple.types {
        [] => encoder.writer().null(),
        [InterfaceType::Result(result)] => {
            let case = case(cx, InterfaceType::Result(result), place)?;
            raised = case.number == 1;
            match case.payload {
                Some((ty, place)) => encoder.value(cx, ty, place)?,
                None => encoder.writer().null(),
            }
        }
        [ty] => encoder.value(cx, ty, place)?,
        _ => return mismatch(),
    }
    Ok(CborRet {
        lifted: encoder.lifted,
        raised,
    })
}

#[cold]
fn mismatch<R>() -> Result<R> {
    bail!("value is not of the type the engine names")
}

/// Values on their way out, bounded.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    pub(super) lifted: Lifted,
}

impl Encoder {
    pub(super) fn writer(&mut self) -> Writer<'_> {
        Writer::new(&mut self.lifted.body)
    }

    /// Pays for `bytes` more before they are copied out of the guest.
    fn room(&self, cx: &mut LiftContext<'_>, bytes: usize) -> Result<()> {
        cx.consume_fuel(bytes)?;
        if self.lifted.body.len().saturating_add(bytes) > MAX_BODY {
            bail!("value takes more than {MAX_BODY} bytes");
        }
        Ok(())
    }

    pub(super) fn value(
        &mut self,
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        place: Place<'_>,
    ) -> Result<()> {
        let types = cx.types;
        match ty {
            InterfaceType::String => self.string(cx, place),
            InterfaceType::List(list) => self.list(cx, types[list].element, place),
            InterfaceType::Map(map) => self.map(cx, &types[map], place),
            InterfaceType::Own(_)
            | InterfaceType::Borrow(_)
            | InterfaceType::Stream(_)
            | InterfaceType::Future(_) => self.handle(cx, ty, place),
            InterfaceType::Tuple(tuple) => {
                let parts = &types[tuple].types;
                self.writer().array(parts.len());
                let mut parts_at = Parts::new(place);
                parts.iter().try_for_each(|ty| {
                    let place = parts_at.next(types, ty)?;
                    self.value(cx, *ty, place)
                })
            }
            InterfaceType::Record(record) => {
                let fields = &types[record].fields;
                self.writer().map(fields.len());
                let mut parts = Parts::new(place);
                fields.iter().try_for_each(|field| {
                    let place = parts.next(types, &field.ty)?;
                    self.writer().text(&field.name);
                    self.value(cx, field.ty, place)
                })
            }
            InterfaceType::Flags(flags) => {
                let names = &types[flags].names;
                let mut set = Vec::new();
                for word in 0..names.len().div_ceil(32) {
                    let bits = flag_word(cx.memory(), names.len(), place, word)?;
                    set.extend(
                        (0..32)
                            .filter(|bit| bits >> bit & 1 == 1)
                            .map(|bit| word * 32 + bit),
                    );
                }
                // Bits that have no name are not values.
                set.retain(|flag| *flag < names.len());
                self.room(cx, set.len())?;
                self.writer().array(set.len());
                set.iter()
                    .for_each(|flag| self.writer().text(&names[*flag]));
                Ok(())
            }
            InterfaceType::Enum(_)
            | InterfaceType::Variant(_)
            | InterfaceType::Option(_)
            | InterfaceType::Result(_) => self.case(cx, ty, place),
            _ => {
                let scalar = scalar(cx.memory_if(place), ty, place)?;
                // Bounds what small values of long names add up to, too.
                self.room(cx, 1)?;
                scalar.write(ty, self.writer())
            }
        }
    }

    fn case(
        &mut self,
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        place: Place<'_>,
    ) -> Result<()> {
        let types = cx.types;
        self.room(cx, 1)?;
        let case = case(cx, ty, place)?;
        match ty {
            InterfaceType::Enum(i) => {
                self.writer().text(&types[i].names[case.number]);
                return Ok(());
            }
            InterfaceType::Variant(i) => {
                let name = types[i]
                    .cases
                    .get_index(case.number)
                    .map_or("", |(name, _)| name);
                match case.payload {
                    Some(_) => self.named(name),
                    None => self.writer().text(name),
                }
            }
            InterfaceType::Option(i) => match (types[i].ty, &case.payload) {
                (InterfaceType::Option(_), payload) => {
                    self.writer().array(usize::from(payload.is_some()));
                }
                (_, None) => self.writer().null(),
                (_, Some(_)) => {}
            },
            InterfaceType::Result(_) => {
                self.named(if case.number == 0 { "ok" } else { "err" });
                if case.payload.is_none() {
                    self.writer().null();
                }
            }
            _ => return mismatch(),
        }
        match case.payload {
            Some((ty, place)) => self.value(cx, ty, place),
            None => Ok(()),
        }
    }

    /// The head of a map of one entry, and its key.
    fn named(&mut self, name: &str) {
        let mut writer = self.writer();
        writer.map(1);
        writer.text(name);
    }

    fn string(&mut self, cx: &mut LiftContext<'_>, place: Place<'_>) -> Result<()> {
        if cx.options().string_encoding == StringEncoding::Utf8 {
            let (at, length) = pointer(cx, place)?;
            self.room(cx, length)?;
            let text = std::str::from_utf8(slice(cx.memory(), at, length)?)?;
            self.writer().text(text);
            return Ok(());
        }
        let text = match place {
            Place::Flat([at, length, ..]) => {
                String::linear_lift_from_flat(cx, InterfaceType::String, &[*at, *length])?
            }
            Place::Flat(_) => return mismatch(),
            Place::Memory(at) => {
                let bytes = slice(cx.memory(), at, 8)?;
                String::linear_lift_from_memory(cx, InterfaceType::String, bytes)?
            }
        };
        self.room(cx, text.len())?;
        self.writer().text(&text);
        Ok(())
    }

    fn list(
        &mut self,
        cx: &mut LiftContext<'_>,
        element: InterfaceType,
        place: Place<'_>,
    ) -> Result<()> {
        let (at, length) = pointer(cx, place)?;
        let memory = cx.memory();
        if element == InterfaceType::U8 {
            self.room(cx, length)?;
            let bytes = slice(memory, at, length)?;
            self.writer().bytes(bytes);
            return Ok(());
        }
        let abi = cx.types.canonical_abi(&element);
        check(memory, at, length, abi)?;
        let size = index(abi.size32);
        self.room(cx, length)?;
        self.lifted.body.reserve(length);
        self.writer().array(length);
        if is_number(element) {
            for nth in 0..length {
                let scalar = scalar(memory, element, Place::Memory(at + nth * size))?;
                scalar.write(element, self.writer())?;
            }
            // At most nine bytes each, and `length` of them fit.
            return self.room(cx, 0);
        }
        for nth in 0..length {
            self.value(cx, element, Place::Memory(at + nth * size))?;
        }
        Ok(())
    }

    fn map(&mut self, cx: &mut LiftContext<'_>, map: &TypeMap, place: Place<'_>) -> Result<()> {
        let (at, length) = pointer(cx, place)?;
        check(cx.memory(), at, length, &map.entry_abi)?;
        self.room(cx, length.saturating_mul(2))?;
        self.writer().map(length);
        let size = index(map.entry_abi.size32);
        let mut keys = Vec::with_capacity(length);
        for at in (0..length).map(|nth| at + nth * size) {
            let start = self.lifted.body.len();
            self.value(cx, map.key, Place::Memory(at))?;
            keys.push(start..self.lifted.body.len());
            self.value(cx, map.value, Place::Memory(at + index(map.value_offset32)))?;
        }
        let body = &self.lifted.body;
        keys.sort_unstable_by(|a, b| body[a.clone()].cmp(&body[b.clone()]));
        if keys
            .windows(2)
            .any(|pair| body[pair[0].clone()] == body[pair[1].clone()])
        {
            bail!("a key of a map occurs twice");
        }
        Ok(())
    }

    fn handle(
        &mut self,
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        place: Place<'_>,
    ) -> Result<()> {
        let raw = match place {
            Place::Flat([raw, ..]) => *raw,
            Place::Flat([]) => return mismatch(),
            Place::Memory(at) => ValRaw::u32(u32::from_le_bytes(array(cx.memory(), at)?)),
        };
        self.room(cx, size_of::<Attachment>())?;
        let types = cx.types;
        let (tag, attachment) = match ty {
            InterfaceType::Stream(table) => {
                let carries = match types[types[table].ty].payload {
                    None => Carries::Nothing,
                    Some(InterfaceType::U8) => Carries::Bytes,
                    Some(_) => Carries::Values,
                };
                let any = StreamAny::linear_lift_from_flat(cx, ty, &raw)?;
                (
                    TAG_STREAM,
                    Attachment::Stream(Stream {
                        any,
                        carries,
                        element: None,
                    }),
                )
            }
            InterfaceType::Future(table) => {
                let carries = match types[types[table].ty].payload {
                    None => Carries::Nothing,
                    Some(_) => Carries::Values,
                };
                let any = FutureAny::linear_lift_from_flat(cx, ty, &raw)?;
                (
                    TAG_FUTURE,
                    Attachment::Future(Future {
                        any,
                        carries,
                        element: None,
                    }),
                )
            }
            _ => {
                let any = ResourceAny::linear_lift_from_flat(cx, ty, &raw)?;
                (TAG_RESOURCE, Attachment::Resource(any))
            }
        };
        let nth = self.lifted.attachments.len() as u64;
        self.lifted.attachments.push(attachment);
        let mut writer = self.writer();
        writer.tag(tag);
        writer.uint(nth);
        Ok(())
    }
}

/// Memory, for a value that may not have any: only one found there needs it.
trait MemoryIf<'a> {
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
struct Parts<'s> {
    place: Place<'s>,
    offset: usize,
}

impl<'s> Parts<'s> {
    fn new(place: Place<'s>) -> Parts<'s> {
        Parts { place, offset: 0 }
    }

    fn next(&mut self, types: &ComponentTypes, ty: &InterfaceType) -> Result<Place<'s>> {
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

struct Case<'s> {
    number: usize,
    payload: Option<(InterfaceType, Place<'s>)>,
}

/// Reads which case a variant, enum, option or result is of.
fn case<'s>(cx: &LiftContext<'_>, ty: InterfaceType, place: Place<'s>) -> Result<Case<'s>> {
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

fn pointer(cx: &LiftContext<'_>, place: Place<'_>) -> Result<(usize, usize)> {
    match place {
        Place::Flat([at, length, ..]) => Ok((index(at.get_u32()), index(length.get_u32()))),
        Place::Flat(_) => mismatch(),
        Place::Memory(at) => pair(cx.memory(), at),
    }
}

fn flag_word(memory: &[u8], names: usize, place: Place<'_>, word: usize) -> Result<u32> {
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

fn is_number(ty: InterfaceType) -> bool {
    use InterfaceType::{Float32, Float64, S8, S16, S32, S64, U8, U16, U32, U64};
    matches!(
        ty,
        S8 | U8 | S16 | U16 | S32 | U32 | S64 | U64 | Float32 | Float64
    )
}

/// A value of one core value, by its bits: as many as its type has are meant.
struct Scalar(u64);

#[inline]
fn scalar(memory: &[u8], ty: InterfaceType, place: Place<'_>) -> Result<Scalar> {
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
    fn write(self, ty: InterfaceType, mut writer: Writer<'_>) -> Result<()> {
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

const _: () = assert!(
    MAX_FLAT == 16,
    "a result of more than 16 core values is in memory"
);
