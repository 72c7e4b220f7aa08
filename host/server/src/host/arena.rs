//! A table whose keys are never mistaken for one another: an index, and how often it was used.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// Names an entry of an [`Arena`]. Never zero, and not reused while anybody may remember it.
pub(crate) struct Id<T> {
    raw: u64,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// As it travels.
    pub(crate) fn raw(self) -> u64 {
        self.raw
    }

    /// From a peer: it may name nothing.
    pub(crate) fn from_raw(raw: u64) -> Id<T> {
        Id {
            raw,
            of: PhantomData,
        }
    }

    /// Where it lies; small and dense.
    pub(crate) fn index(self) -> usize {
        usize::try_from(self.raw & u64::from(u32::MAX)).unwrap_or(usize::MAX)
    }

    fn new(index: u32, generation: u32) -> Id<T> {
        Id::from_raw(u64::from(generation) << 32 | u64::from(index))
    }
}

/// Entries by [`Id`].
#[derive(Debug)]
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    /// From 1.
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Arena<T> {
        Arena {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Arena<T> {
    pub(crate) fn insert(&mut self, value: T) -> Id<T> {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.value = Some(value);
            return Id::new(index, slot.generation);
        }
        // Bounds on clients, calls and handles keep every table far below this.
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot {
            generation: 1,
            value: Some(value),
        });
        Id::new(index, 1)
    }

    pub(crate) fn get(&self, id: Id<T>) -> Option<&T> {
        let slot = self.slots.get(id.index())?;
        if u64::from(slot.generation) == id.raw >> 32 {
            slot.value.as_ref()
        } else {
            None
        }
    }

    pub(crate) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.index())?;
        if u64::from(slot.generation) == id.raw >> 32 {
            slot.value.as_mut()
        } else {
            None
        }
    }

    pub(crate) fn contains(&self, id: Id<T>) -> bool {
        self.get(id).is_some()
    }

    pub(crate) fn remove(&mut self, id: Id<T>) -> Option<T> {
        let slot = self.slots.get_mut(id.index())?;
        if u64::from(slot.generation) != id.raw >> 32 {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.checked_add(1).unwrap_or(1);
        self.free
            .push(u32::try_from(id.index()).unwrap_or(u32::MAX));
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        (0..).zip(&self.slots).filter_map(|(index, slot)| {
            slot.value
                .as_ref()
                .map(|value| (Id::new(index, slot.generation), value))
        })
    }

    /// The ids there are now, for whoever changes the table on the way.
    pub(crate) fn ids(&self) -> Vec<Id<T>> {
        self.iter().map(|(id, _)| id).collect()
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Id<T> {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Id<T>) -> bool {
        self.raw == other.raw
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Id<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Id<T>) -> Ordering {
        self.raw.cmp(&other.raw)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index(), self.raw >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_outlives_its_entry_and_names_no_other() {
        let mut arena = Arena::default();
        let first = arena.insert('a');
        assert_ne!(first.raw(), 0);
        assert_eq!(arena.remove(first), Some('a'));
        let second = arena.insert('b');
        assert_eq!(first.index(), second.index());
        assert_eq!((arena.get(first), arena.get(second)), (None, Some(&'b')));
        assert_eq!(arena.remove(first), None);
        assert_eq!(arena.get(Id::from_raw(0)), None);
        assert_eq!(arena.get(Id::from_raw(u64::MAX)), None);
        assert_eq!((arena.len(), arena.ids()), (1, vec![second]));
    }
}
