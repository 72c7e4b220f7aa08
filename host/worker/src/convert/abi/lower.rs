//! CBOR into a guest.
//!
//! Owns: the walk over a checked value and a type at once. May not know: whether the value fits;
//! it was checked, and a fault here costs the Store.

use std::mem::MaybeUninit;

use proc_host_wire::cbor::{Limits, Reader};
use wasmtime::component::__internal::wasmtime_environ::component::{StringEncoding, TypeMap};
use wasmtime::component::__internal::{InterfaceType, LowerContext};
use wasmtime::component::Lower;
use wasmtime::{Result, ValRaw, format_err};

use super::super::handle::Attachment;
use super::case::{Payload, case, field, misfit, numbers, scalar, set_flags};
use super::memory::{flat_count, index, is_number, next};
use super::store::{Plain, Target, is_plain, put, store, window};
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
        if is_number(element) {
            let room = window(self.memory(), base, total)?;
            match size {
                1 => numbers::<1>(reader, element, room)?,
                2 => numbers::<2>(reader, element, room)?,
                4 => numbers::<4>(reader, element, room)?,
                _ => numbers::<8>(reader, element, room)?,
            }
        } else if is_plain(types, element) {
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
