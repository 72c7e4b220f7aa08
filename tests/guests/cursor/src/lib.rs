//! Generators as resources with `next`, for callers to see as any other generator.

#![cfg(target_arch = "wasm32")]

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, Ordering};

use bindings::exports::guest::cursor::cursors;

/// What wit-bindgen makes of `wit/world.wit`.
#[allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "generated code"
)]
mod bindings {
    wit_bindgen::generate!({ world: "cursor", path: "wit" });

    export!(Guest with_types_in self);

    use super::Guest;
}

struct Guest;

static ALIVE: AtomicU32 = AtomicU32::new(0);

/// Counts among the living.
struct Alive;

impl Alive {
    fn new() -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Numbers {
    left: RefCell<std::ops::Range<u32>>,
    _alive: Alive,
}

impl cursors::GuestNumbers for Numbers {
    fn new(end: u32) -> Self {
        Self {
            left: RefCell::new(0..end),
            _alive: Alive::new(),
        }
    }

    fn next(&self) -> Option<u32> {
        self.left.borrow_mut().next()
    }
}

struct Words {
    left: RefCell<std::vec::IntoIter<String>>,
    _alive: Alive,
}

impl cursors::GuestWords for Words {
    fn new(text: String) -> Self {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Self {
            left: RefCell::new(words.into_iter()),
            _alive: Alive::new(),
        }
    }

    async fn next(&self) -> Option<String> {
        wit_bindgen::yield_async().await;
        self.left.borrow_mut().next()
    }
}

struct Fragile {
    next: Cell<u32>,
    at: u32,
    _alive: Alive,
}

impl cursors::GuestFragile for Fragile {
    fn new(at: u32) -> Self {
        Self {
            next: Cell::new(0),
            at,
            _alive: Alive::new(),
        }
    }

    fn next(&self) -> Result<Option<u32>, String> {
        let next = self.next.get();
        if next == self.at {
            return Err(format!("broke at {next}"));
        }
        self.next.set(next + 1);
        Ok(Some(next))
    }
}

struct Dice(Alive);

impl cursors::GuestDice for Dice {
    fn new() -> Self {
        Self(Alive::new())
    }

    fn next(&self, sides: u32) -> Option<u32> {
        sides.checked_sub(1)
    }
}

impl cursors::Guest for Guest {
    type Numbers = Numbers;
    type Words = Words;
    type Fragile = Fragile;
    type Dice = Dice;

    fn count(end: u32) -> cursors::Numbers {
        cursors::Numbers::new(<Numbers as cursors::GuestNumbers>::new(end))
    }

    fn split(text: String) -> cursors::Words {
        cursors::Words::new(<Words as cursors::GuestWords>::new(text))
    }

    fn break_at(at: u32) -> cursors::Fragile {
        cursors::Fragile::new(<Fragile as cursors::GuestFragile>::new(at))
    }

    fn roll() -> cursors::Dice {
        cursors::Dice::new(<Dice as cursors::GuestDice>::new())
    }

    fn alive() -> u32 {
        ALIVE.load(Ordering::Relaxed)
    }
}
