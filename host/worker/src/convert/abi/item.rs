//! Items of streams and futures, of any type.
//!
//! Owns: one engine type that stands for items of every layout. May not know: credit, sinks.
//!
//! The engine sizes items by a constant of their type. Here that constant is 0, so it hands over
//! the address of the first item for each of them; which one is meant is counted in a thread-local
//! batch that lives exactly as long as one read. For this a write is read at most once: a consumer
//! that took items completes the write, and the guest writes the rest anew.

use std::cell::RefCell;
use std::mem::MaybeUninit;

use bytes::Bytes;
use wasmtime::component::__internal::{InstanceType, InterfaceType, LiftContext, LowerContext};
use wasmtime::component::{ComponentType, Lift, Lower, ReadBuffer, Source, WriteBuffer};
use wasmtime::{AsContextMut, Result, ValRaw, bail, format_err};

use super::super::handle::Attachment;
use super::lift::Encoder;
use super::read::Place;
use super::{UNSIZED, lower, memory};

/// Values out of a guest: a result, or a run of items one after the other.
#[derive(Debug, Default)]
pub(crate) struct Lifted {
    pub(crate) body: Vec<u8>,
    pub(crate) attachments: Vec<Attachment>,
}

/// An item on its way through the engine.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// Out of a guest: it is in the batch now.
    Taken,
    /// Out of a guest: it was left where it is, because the batch is full.
    Left,
    /// Into a guest: one value, checked against the item type.
    Value(Bytes),
}

/// What one read takes.
#[derive(Debug)]
pub(crate) struct Batch {
    encoder: Encoder,
    /// How many items have been looked at.
    cursor: usize,
    /// No more items are taken once the body is this long.
    enough: usize,
}

thread_local! {
    static BATCH: RefCell<Option<Batch>> = const { RefCell::new(None) };
}

/// Takes up to `items` items, and no more once they are `bytes` long, from one write.
pub(crate) fn read_items(
    store: impl AsContextMut,
    source: &mut Source<'_, Item>,
    items: usize,
    bytes: usize,
) -> Result<(usize, Lifted)> {
    let batch = Batch {
        encoder: Encoder::default(),
        cursor: 0,
        enough: bytes.max(1),
    };
    BATCH.set(Some(batch));
    let mut taken = Taken {
        count: 0,
        room: items,
    };
    let read = source.read(store, &mut taken);
    let batch = BATCH.take().ok_or_else(|| format_err!("batch lost"))?;
    read?;
    Ok((taken.count, batch.encoder.lifted))
}

/// Takes up to `items` items without a type from one write.
pub(crate) fn read_units(
    store: impl AsContextMut,
    source: &mut Source<'_, ()>,
    items: usize,
) -> Result<usize> {
    let mut taken = Taken {
        count: 0,
        room: items,
    };
    source.read(store, &mut taken)?;
    Ok(taken.count)
}

/// Counts what is read.
struct Taken {
    count: usize,
    room: usize,
}

impl ReadBuffer<Item> for Taken {
    fn extend<I: IntoIterator<Item = Item>>(&mut self, items: I) {
        self.count += items
            .into_iter()
            .filter(|item| !matches!(item, Item::Left))
            .count();
    }

    fn remaining_capacity(&self) -> usize {
        self.room - self.count
    }

    fn move_from(&mut self, input: &mut dyn WriteBuffer<Item>, count: usize) {
        // A stream this host feeds and reads, which a guest only passed on: no guest value is in it.
        BATCH.with_borrow_mut(|batch| {
            for item in &input.remaining()[..count] {
                if let (Item::Value(value), Some(batch)) = (item, batch.as_mut()) {
                    batch.encoder.writer().raw(value);
                }
            }
        });
        input.skip(count);
        self.count += count;
    }
}

impl ReadBuffer<()> for Taken {
    fn extend<I: IntoIterator<Item = ()>>(&mut self, items: I) {
        self.count += items.into_iter().count();
    }

    fn remaining_capacity(&self) -> usize {
        self.room - self.count
    }

    fn move_from(&mut self, input: &mut dyn WriteBuffer<()>, count: usize) {
        input.skip(count);
        self.count += count;
    }
}

// SAFETY: `Lower` is an array of `ValRaw`, and never used: items are in memory. The ABI figures
// claim no memory, so the engine checks and reads none on their account.
unsafe impl ComponentType for Item {
    type Lower = [ValRaw; 1];

    const ABI: wasmtime::component::__internal::CanonicalAbiInfo = UNSIZED;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}

// SAFETY: memory is read through checked slices, by the layout of the type handed in.
unsafe impl Lift for Item {
    fn linear_lift_from_flat(
        _: &mut LiftContext<'_>,
        _: InterfaceType,
        _: &[ValRaw; 1],
    ) -> Result<Self> {
        bail!("items are never flat")
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        let first = memory::address(cx.memory(), bytes)?;
        BATCH.with_borrow_mut(|batch| {
            let Some(batch) = batch else {
                bail!("item read outside of a batch")
            };
            if batch.encoder.lifted.body.len() >= batch.enough {
                return Ok(Item::Left);
            }
            let abi = cx.types.canonical_abi(&ty);
            let at = first + batch.cursor * memory::index(abi.size32);
            memory::check(cx.memory(), at, 1, abi)?;
            batch.cursor += 1;
            batch.encoder.value(cx, ty, Place::Memory(at))?;
            Ok(Item::Taken)
        })
    }
}

// SAFETY: memory is written through checked slices, by the layout of the type handed in.
unsafe impl Lower for Item {
    fn linear_lower_to_flat<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: &mut MaybeUninit<[ValRaw; 1]>,
    ) -> Result<()> {
        bail!("items are never flat")
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        Self::linear_store_list_to_memory(cx, ty, offset, std::slice::from_ref(self))
    }

    fn linear_store_list_to_memory<T>(
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
        items: &[Self],
    ) -> Result<()> {
        let types = cx.types;
        let abi = types.canonical_abi(&ty);
        memory::check(cx.as_slice_mut(), offset, items.len(), abi)?;
        for (nth, item) in items.iter().enumerate() {
            let Item::Value(value) = item else {
                bail!("item without a value")
            };
            lower::value(cx, value, ty, offset + nth * memory::index(abi.size32))?;
        }
        Ok(())
    }
}
