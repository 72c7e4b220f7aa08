//! A guest's values into CBOR.
//!
//! Owns: the walk over guest memory and a type at once, and the bound on what it makes of them. May
//! not know: where the bytes go. Everything read here is the guest's claim: every pointer, tag and
//! length is checked.

use proc_host_wire::cbor::{TAG_FUTURE, TAG_RESOURCE, TAG_STREAM, Writer};
use wasmtime::component::__internal::wasmtime_environ::component::{StringEncoding, TypeMap};
use wasmtime::component::__internal::{InterfaceType, LiftContext};
use wasmtime::component::{FutureAny, Lift, ResourceAny, StreamAny};
use wasmtime::{Result, ValRaw, bail};

use super::super::MAX_BODY;
use super::super::element::Carries;
use super::super::handle::{Attachment, Future, Stream};
use super::CborRet;
use super::item::Lifted;
use super::memory::{array, check, index, is_number, slice};
use super::read::{MemoryIf as _, Parts, Place, case, flag_word, mismatch, pointer, scalar};

/// Numbers written before their length is looked at again.
const RUN: usize = 4096;

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
            for start in (0..length).step_by(RUN) {
                for nth in start..length.min(start + RUN) {
                    let scalar = scalar(memory, element, Place::Memory(at + nth * size))?;
                    scalar.write(element, self.writer())?;
                }
                self.room(cx, 0)?;
            }
            return Ok(());
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
