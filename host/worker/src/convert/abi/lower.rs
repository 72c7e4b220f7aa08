//! CBOR into a guest.
//!
//! Owns: the walk over a checked value and a type at once. May not know: whether the value fits;
//! it was checked, and a fault here costs the Store.

use std::mem::MaybeUninit;

use proc_host_wire::cbor::{self, CborError, Limits, Reader};
use wasmtime::component::__internal::wasmtime_environ::component::{
    ComponentTypes, StringEncoding, TypeMap, TypeRecord,
};
use wasmtime::component::__internal::{InterfaceType, LowerContext};
use wasmtime::component::Lower;
use wasmtime::{Result, ValRaw, bail, format_err};

use super::super::check::{FloatFault, float32, float64};
use super::super::handle::Attachment;
use super::memory::{flat_count, index, next};
use super::{CborArgs, MAX_FLAT};

pub(super) fn arguments<T>(
    cx: &mut LowerContext<'_, T>,
    args: &CborArgs,
    ty: InterfaceType,
    flat: &mut [ValRaw; MAX_FLAT],
) -> Result<()> {
    let types = cx.types;
    let InterfaceType::Tuple(tuple) = ty else {
        return misfit();
    };
    let tuple = &types[tuple];
    let starts = &args.arguments.starts;
    if tuple.types.len() != starts.len() {
        return misfit();
    }
    let reader = |start| Reader::at(&args.arguments.body, start, Limits::DEFAULT);
    if tuple.abi.flat_count(MAX_FLAT).is_some() {
        let mut guest = Guest {
            cx,
            attachments: &args.attachments,
        };
        let mut at = 0;
        for (ty, start) in tuple.types.iter().zip(starts) {
            let count = flat_count(types, ty);
            // An option left out is all zeros, which it is already.
            if let Some(start) = start {
                guest.flat(&mut reader(*start), *ty, part(flat, at, count)?)?;
            }
            at += count;
        }
        return Ok(());
    }
    // More values than can be flat: the guest allocates room for all of them.
    let base = cx.realloc(0, 0, tuple.abi.align32, index(tuple.abi.size32))?;
    let mut guest = Guest {
        cx,
        attachments: &args.attachments,
    };
    let mut offset = 0;
    for (ty, start) in tuple.types.iter().zip(starts) {
        let at = base + next(types, ty, &mut offset);
        match start {
            Some(start) => store(&mut guest, types, &mut reader(*start), *ty, at)?,
            None => put(&mut guest, at, [0])?,
        }
    }
    flat[0] = ValRaw::i64(i64::try_from(base)?);
    Ok(())
}

/// Lowers one value of a checked document to memory.
pub(super) fn value<T>(
    cx: &mut LowerContext<'_, T>,
    document: &[u8],
    ty: InterfaceType,
    at: usize,
) -> Result<()> {
    let types = cx.types;
    let mut reader = Reader::new(document, Limits::DEFAULT);
    store(
        &mut Guest {
            cx,
            attachments: &[],
        },
        types,
        &mut reader,
        ty,
        at,
    )
}

#[cold]
fn misfit<R>() -> Result<R> {
    bail!("checked value does not fit its type")
}

/// Where a value is stored: a guest, or bytes of its memory alone for what holds no pointers.
trait Target {
    fn memory(&mut self) -> &mut [u8];
    fn string(&mut self, reader: &mut Reader<'_>) -> Result<(usize, usize)>;
    fn list(&mut self, reader: &mut Reader<'_>, element: InterfaceType) -> Result<(usize, usize)>;
    fn map(&mut self, reader: &mut Reader<'_>, map: &TypeMap) -> Result<(usize, usize)>;
    fn handle(&mut self, reader: &mut Reader<'_>, ty: InterfaceType) -> Result<u32>;
}

struct Guest<'c, 'g, T: 'static> {
    cx: &'c mut LowerContext<'g, T>,
    attachments: &'c [Attachment],
}

impl<T> Target for Guest<'_, '_, T> {
    fn memory(&mut self) -> &mut [u8] {
        self.cx.as_slice_mut()
    }

    fn string(&mut self, reader: &mut Reader<'_>) -> Result<(usize, usize)> {
        let text = reader.text_bytes()?;
        if self.cx.options().string_encoding == StringEncoding::Utf8 {
            // Checked to be UTF-8 with everything else.
            let at = self.cx.realloc(0, 0, 1, text.len())?;
            window(self.memory(), at, text.len())?.copy_from_slice(text);
            return Ok((at, text.len()));
        }
        let mut pair = MaybeUninit::new([ValRaw::u64(0); 2]);
        std::str::from_utf8(text)?.linear_lower_to_flat(
            self.cx,
            InterfaceType::String,
            &mut pair,
        )?;
        // SAFETY: it was initialised when it was made.
        let [at, length] = unsafe { pair.assume_init() };
        Ok((
            usize::try_from(at.get_u64())?,
            usize::try_from(length.get_u64())?,
        ))
    }

    fn list(&mut self, reader: &mut Reader<'_>, element: InterfaceType) -> Result<(usize, usize)> {
        let types = self.cx.types;
        if element == InterfaceType::U8 {
            let bytes = reader.bytes()?;
            let at = self.cx.realloc(0, 0, 1, bytes.len())?;
            window(self.memory(), at, bytes.len())?.copy_from_slice(bytes);
            return Ok((at, bytes.len()));
        }
        let length = reader.array()?;
        let abi = types.canonical_abi(&element);
        let size = index(abi.size32);
        let total = size
            .checked_mul(length)
            .ok_or_else(|| format_err!("list too large"))?;
        let base = self.cx.realloc(0, 0, abi.align32, total)?;
        if is_plain(types, element) {
            let mut plain = Plain(window(self.memory(), base, total)?);
            for nth in 0..length {
                store(&mut plain, types, reader, element, nth * size)?;
            }
        } else {
            for nth in 0..length {
                store(self, types, reader, element, base + nth * size)?;
            }
        }
        Ok((base, length))
    }

    fn map(&mut self, reader: &mut Reader<'_>, map: &TypeMap) -> Result<(usize, usize)> {
        let types = self.cx.types;
        let length = reader.map()?;
        let size = index(map.entry_abi.size32);
        let total = size
            .checked_mul(length)
            .ok_or_else(|| format_err!("map too large"))?;
        let base = self.cx.realloc(0, 0, map.entry_abi.align32, total)?;
        for at in (0..length).map(|nth| base + nth * size) {
            store(self, types, reader, map.key, at)?;
            store(
                self,
                types,
                reader,
                map.value,
                at + index(map.value_offset32),
            )?;
        }
        Ok((base, length))
    }

    fn handle(&mut self, reader: &mut Reader<'_>, ty: InterfaceType) -> Result<u32> {
        reader.tag()?;
        let nth = usize::try_from(reader.uint()?)?;
        let mut slot = MaybeUninit::new(ValRaw::u64(0));
        match (self.attachments.get(nth), ty) {
            (
                Some(Attachment::Resource(resource)),
                InterfaceType::Own(_) | InterfaceType::Borrow(_),
            ) => resource.linear_lower_to_flat(self.cx, ty, &mut slot)?,
            (Some(Attachment::Stream(stream)), InterfaceType::Stream(_)) => {
                stream.any.linear_lower_to_flat(self.cx, ty, &mut slot)?;
            }
            (Some(Attachment::Future(future)), InterfaceType::Future(_)) => {
                future.any.linear_lower_to_flat(self.cx, ty, &mut slot)?;
            }
            _ => return misfit(),
        }
        // SAFETY: it was initialised when it was made.
        Ok(unsafe { slot.assume_init() }.get_u32())
    }
}

impl<T> Guest<'_, '_, T> {
    /// Lowers a value to exactly its own flat slots, which hold zeros.
    fn flat(&mut self, r: &mut Reader<'_>, ty: InterfaceType, out: &mut [ValRaw]) -> Result<()> {
        let types = self.cx.types;
        match ty {
            InterfaceType::String => {
                let (at, length) = self.string(r)?;
                set(out, 0, ValRaw::u64(at as u64))?;
                set(out, 1, ValRaw::u64(length as u64))
            }
            InterfaceType::List(list) => {
                let (at, length) = self.list(r, types[list].element)?;
                set(out, 0, ValRaw::u64(at as u64))?;
                set(out, 1, ValRaw::u64(length as u64))
            }
            InterfaceType::Map(map) => {
                let (at, length) = self.map(r, &types[map])?;
                set(out, 0, ValRaw::u64(at as u64))?;
                set(out, 1, ValRaw::u64(length as u64))
            }
            InterfaceType::Own(_)
            | InterfaceType::Borrow(_)
            | InterfaceType::Stream(_)
            | InterfaceType::Future(_) => {
                let handle = self.handle(r, ty)?;
                set(out, 0, ValRaw::u32(handle))
            }
            InterfaceType::Tuple(tuple) => {
                r.array()?;
                let mut at = 0;
                for ty in &types[tuple].types {
                    let count = flat_count(types, ty);
                    self.flat(r, *ty, part(out, at, count)?)?;
                    at += count;
                }
                Ok(())
            }
            InterfaceType::Record(record) => {
                let record = &types[record];
                let mut nth = 0;
                for _ in 0..r.map()? {
                    nth = field(record, nth, r.text_bytes()?)?;
                    let before = &record.fields[..nth];
                    let at = before
                        .iter()
                        .map(|field| flat_count(types, &field.ty))
                        .sum();
                    let ty = record.fields[nth].ty;
                    self.flat(r, ty, part(out, at, flat_count(types, &ty))?)?;
                    nth += 1;
                }
                Ok(())
            }
            InterfaceType::Flags(flags) => {
                let names = &types[flags].names;
                let mut words = vec![0u32; out.len()];
                set_flags(r, |name| names.get_index_of(name), &mut words)?;
                for (slot, word) in out.iter_mut().zip(words) {
                    *slot = ValRaw::u32(word);
                }
                Ok(())
            }
            InterfaceType::Variant(_)
            | InterfaceType::Enum(_)
            | InterfaceType::Option(_)
            | InterfaceType::Result(_) => {
                let case = case(types, ty, r)?;
                set(out, 0, ValRaw::u32(case.number))?;
                match case.payload {
                    Payload::Value(ty) => self.flat(r, ty, part(out, 1, flat_count(types, &ty))?),
                    Payload::Null => Ok(r.null()?),
                    Payload::Absent => Ok(()),
                }
            }
            _ => set(out, 0, scalar(r, ty)?.flat()),
        }
    }
}

struct Plain<'m>(&'m mut [u8]);

impl Target for Plain<'_> {
    #[inline]
    fn memory(&mut self) -> &mut [u8] {
        self.0
    }

    fn string(&mut self, _: &mut Reader<'_>) -> Result<(usize, usize)> {
        misfit()
    }

    fn list(&mut self, _: &mut Reader<'_>, _: InterfaceType) -> Result<(usize, usize)> {
        misfit()
    }

    fn map(&mut self, _: &mut Reader<'_>, _: &TypeMap) -> Result<(usize, usize)> {
        misfit()
    }

    fn handle(&mut self, _: &mut Reader<'_>, _: InterfaceType) -> Result<u32> {
        misfit()
    }
}

/// Whether values of the type are stored whole where they lie.
fn is_plain(types: &ComponentTypes, ty: InterfaceType) -> bool {
    let plain = |ty: &InterfaceType| is_plain(types, *ty);
    match ty {
        InterfaceType::String
        | InterfaceType::List(_)
        | InterfaceType::Map(_)
        | InterfaceType::Own(_)
        | InterfaceType::Borrow(_)
        | InterfaceType::Stream(_)
        | InterfaceType::Future(_)
        | InterfaceType::ErrorContext(_)
        | InterfaceType::FixedLengthList(_) => false,
        InterfaceType::Tuple(i) => types[i].types.iter().all(plain),
        InterfaceType::Record(i) => types[i].fields.iter().all(|field| plain(&field.ty)),
        InterfaceType::Variant(i) => types[i].cases.values().flatten().all(plain),
        InterfaceType::Option(i) => plain(&types[i].ty),
        InterfaceType::Result(i) => types[i].ok.iter().chain(&types[i].err).all(plain),
        _ => true,
    }
}

/// Lowers a value to memory at `at`.
fn store<M: Target>(
    m: &mut M,
    types: &ComponentTypes,
    r: &mut Reader<'_>,
    ty: InterfaceType,
    at: usize,
) -> Result<()> {
    match ty {
        InterfaceType::String => {
            let (pointer, length) = m.string(r)?;
            put_pair(m, at, pointer, length)
        }
        InterfaceType::List(list) => {
            let (pointer, length) = m.list(r, types[list].element)?;
            put_pair(m, at, pointer, length)
        }
        InterfaceType::Map(map) => {
            let (pointer, length) = m.map(r, &types[map])?;
            put_pair(m, at, pointer, length)
        }
        InterfaceType::Own(_)
        | InterfaceType::Borrow(_)
        | InterfaceType::Stream(_)
        | InterfaceType::Future(_) => {
            let handle = m.handle(r, ty)?;
            put(m, at, handle.to_le_bytes())
        }
        InterfaceType::Tuple(tuple) => {
            r.array()?;
            let mut offset = 0;
            for ty in &types[tuple].types {
                let within = next(types, ty, &mut offset);
                store(m, types, r, *ty, at + within)?;
            }
            Ok(())
        }
        InterfaceType::Record(record) => store_record(m, types, r, &types[record], at),
        InterfaceType::Flags(flags) => {
            let flags = &types[flags];
            let size = index(flags.abi.size32);
            let mut words = vec![0u32; size.div_ceil(4)];
            set_flags(r, |name| flags.names.get_index_of(name), &mut words)?;
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            window(m.memory(), at, size)?.copy_from_slice(&bytes[..size]);
            Ok(())
        }
        InterfaceType::Variant(_)
        | InterfaceType::Enum(_)
        | InterfaceType::Option(_)
        | InterfaceType::Result(_) => {
            let case = case(types, ty, r)?;
            let tag = case.number.to_le_bytes();
            window(m.memory(), at, case.tag_size)?.copy_from_slice(&tag[..case.tag_size]);
            match case.payload {
                Payload::Value(ty) => store(m, types, r, ty, at + case.payload_offset),
                Payload::Null => Ok(r.null()?),
                Payload::Absent => Ok(()),
            }
        }
        _ => {
            let scalar = scalar(r, ty)?;
            let bytes = scalar.bits.to_le_bytes();
            window(m.memory(), at, scalar.size)?.copy_from_slice(&bytes[..scalar.size]);
            Ok(())
        }
    }
}

fn store_record<M: Target>(
    m: &mut M,
    types: &ComponentTypes,
    r: &mut Reader<'_>,
    record: &TypeRecord,
    at: usize,
) -> Result<()> {
    let entries = r.map()?;
    if entries < record.fields.len() {
        // What is left out is an option, and 0 is its tag for none; the rest is overwritten.
        let mut offset = 0;
        for ty in record.fields.iter().map(|field| &field.ty) {
            let within = next(types, ty, &mut offset);
            if matches!(ty, InterfaceType::Option(_)) {
                put(m, at + within, [0])?;
            }
        }
    }
    let (mut nth, mut offset) = (0, 0);
    for _ in 0..entries {
        let wanted = field(record, nth, r.text_bytes()?)?;
        if wanted < nth {
            (nth, offset) = (0, 0);
        }
        while nth < wanted {
            next(types, &record.fields[nth].ty, &mut offset);
            nth += 1;
        }
        let ty = record.fields[nth].ty;
        let within = next(types, &ty, &mut offset);
        store(m, types, r, ty, at + within)?;
        nth += 1;
    }
    Ok(())
}

/// The field of a name, most likely the one expected next.
fn field(record: &TypeRecord, expected: usize, name: &[u8]) -> Result<usize> {
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
struct Case {
    number: u32,
    tag_size: usize,
    payload_offset: usize,
    payload: Payload,
}

enum Payload {
    /// A value of the type follows in the document.
    Value(InterfaceType),
    /// A `null` follows that stands for no value.
    Null,
    /// Nothing follows.
    Absent,
}

/// Reads up to the payload of a variant, enum, option or result.
fn case(types: &ComponentTypes, ty: InterfaceType, r: &mut Reader<'_>) -> Result<Case> {
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

fn set_flags(
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
struct Scalar {
    bits: u64,
    size: usize,
}

impl Scalar {
    fn flat(&self) -> ValRaw {
        ValRaw::u64(self.bits)
    }
}

#[inline]
fn scalar(r: &mut Reader<'_>, ty: InterfaceType) -> Result<Scalar> {
    // Narrow integers are flat as an i32, sign- or zero-extended by their kind; of a stored one
    // only the low bytes are taken.
    let narrow = |value: i128| u64::try_from(value & 0xffff_ffff).unwrap_or_default();
    let (bits, size) = match ty {
        InterfaceType::Bool => (u64::from(r.bool()?), 1),
        InterfaceType::S8 | InterfaceType::U8 => (narrow(r.int()?), 1),
        InterfaceType::S16 | InterfaceType::U16 => (narrow(r.int()?), 2),
        InterfaceType::S32 | InterfaceType::U32 => (narrow(r.int()?), 4),
        InterfaceType::S64 => (i64::try_from(r.int()?)?.cast_unsigned(), 8),
        InterfaceType::U64 => (r.uint()?, 8),
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

fn float<F>(read: Result<F, FloatFault>) -> Result<F> {
    match read {
        Ok(value) => Ok(value),
        Err(FloatFault::Cbor(CborError { fault, .. })) => bail!("checked float: {fault}"),
        Err(_) => misfit(),
    }
}

fn set(out: &mut [ValRaw], at: usize, value: ValRaw) -> Result<()> {
    match out.get_mut(at) {
        Some(slot) => {
            *slot = value;
            Ok(())
        }
        None => misfit(),
    }
}

fn part(out: &mut [ValRaw], at: usize, count: usize) -> Result<&mut [ValRaw]> {
    match out.get_mut(at..).and_then(|rest| rest.get_mut(..count)) {
        Some(part) => Ok(part),
        None => misfit(),
    }
}

#[inline]
fn window(memory: &mut [u8], at: usize, size: usize) -> Result<&mut [u8]> {
    match memory.get_mut(at..).and_then(|rest| rest.get_mut(..size)) {
        Some(window) => Ok(window),
        None => bail!("pointer out of bounds of memory"),
    }
}

fn put<M: Target, const N: usize>(m: &mut M, at: usize, bytes: [u8; N]) -> Result<()> {
    window(m.memory(), at, N)?.copy_from_slice(&bytes);
    Ok(())
}

fn put_pair<M: Target>(m: &mut M, at: usize, pointer: usize, length: usize) -> Result<()> {
    put(m, at, u32::try_from(pointer)?.to_le_bytes())?;
    put(m, at + 4, u32::try_from(length)?.to_le_bytes())
}
