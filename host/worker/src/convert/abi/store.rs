//! CBOR into linear memory.
//!
//! Owns: where each part of a value lies. May not know: where strings and lists are put; that is
//! the [`Target`]'s. Memory is written through checked slices.

use proc_host_wire::cbor::Reader;
use wasmtime::component::__internal::InterfaceType;
use wasmtime::component::__internal::wasmtime_environ::component::{
    ComponentTypes, TypeMap, TypeRecord,
};
use wasmtime::{Result, bail};

use super::case::{Payload, case, field, misfit, scalar, set_flags};
use super::memory::{index, next};

/// Where a value is stored: a guest, or bytes of its memory alone for what holds no pointers.
pub(super) trait Target {
    fn memory(&mut self) -> &mut [u8];
    fn string(&mut self, reader: &mut Reader<'_>) -> Result<(usize, usize)>;
    fn list(&mut self, reader: &mut Reader<'_>, element: InterfaceType) -> Result<(usize, usize)>;
    fn map(&mut self, reader: &mut Reader<'_>, map: &TypeMap) -> Result<(usize, usize)>;
    fn handle(&mut self, reader: &mut Reader<'_>, ty: InterfaceType) -> Result<u32>;
}

/// Bytes of a guest's memory: for what holds no pointers and no handles.
pub(super) struct Plain<'m>(pub(super) &'m mut [u8]);

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
pub(super) fn is_plain(types: &ComponentTypes, ty: InterfaceType) -> bool {
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
pub(super) fn store<M: Target>(
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

#[inline]
pub(super) fn window(memory: &mut [u8], at: usize, size: usize) -> Result<&mut [u8]> {
    match memory.get_mut(at..).and_then(|rest| rest.get_mut(..size)) {
        Some(window) => Ok(window),
        None => bail!("pointer out of bounds of memory"),
    }
}

pub(super) fn put<M: Target, const N: usize>(m: &mut M, at: usize, bytes: [u8; N]) -> Result<()> {
    window(m.memory(), at, N)?.copy_from_slice(&bytes);
    Ok(())
}

fn put_pair<M: Target>(m: &mut M, at: usize, pointer: usize, length: usize) -> Result<()> {
    put(m, at, u32::try_from(pointer)?.to_le_bytes())?;
    put(m, at + 4, u32::try_from(length)?.to_le_bytes())
}
