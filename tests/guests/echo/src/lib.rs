//! Gives back what it gets, of many types, at the root of the component.

#![cfg(target_arch = "wasm32")]

use std::sync::atomic::{AtomicU64, Ordering};

use bindings::{Big, Modes, Shape};

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
    wit_bindgen::generate!({ world: "echo", path: "wit" });

    export!(Echo with_types_in self);

    use super::Echo;
}

struct Echo;

/// The calls of `calls`.
static CALLS: AtomicU64 = AtomicU64::new(0);

impl bindings::Guest for Echo {
    fn bytes(b: Vec<u8>) -> Vec<u8> {
        b
    }

    async fn bytes_async(b: Vec<u8>) -> Vec<u8> {
        b
    }

    fn text(s: String) -> String {
        s
    }

    fn number(n: i64) -> i64 {
        n
    }

    fn float(x: f64) -> f64 {
        x
    }

    fn numbers(items: Vec<u64>) -> Vec<u64> {
        items
    }

    fn texts(items: Vec<String>) -> Vec<String> {
        items
    }

    fn pairs(items: Vec<(String, u32)>) -> Vec<(String, u32)> {
        items
    }

    fn shape(s: Shape) -> Shape {
        s
    }

    fn shapes(items: Vec<Shape>) -> Vec<Shape> {
        items
    }

    fn modes(m: Modes) -> Modes {
        m
    }

    fn maybe(value: Option<Option<String>>) -> Option<Option<String>> {
        value
    }

    fn big(b: Big) -> Big {
        b
    }

    fn bigs(items: Vec<Big>) -> Vec<Big> {
        items
    }

    async fn big_async(b: Big) -> Big {
        wit_bindgen::yield_async().await;
        b
    }

    fn nothing() {}

    async fn nothing_async() {}

    fn sink(b: Vec<u8>) -> u32 {
        u32::try_from(b.len()).unwrap_or(u32::MAX)
    }

    fn source(length: u32) -> Vec<u8> {
        (0..length).map(|index| index.to_le_bytes()[0]).collect()
    }

    fn many(
        a: u8,
        b: u16,
        c: u32,
        d: u64,
        e: i8,
        f: i16,
        g: i32,
        h: i64,
        i: bool,
        j: char,
        k: String,
        l: Vec<u8>,
        m: Option<u32>,
        n: (u32, u32),
        o: f64,
        p: u32,
        q: u32,
        r: u32,
        s: u32,
        t: u32,
    ) -> i64 {
        let small = i64::from(a) + i64::from(b) + i64::from(e) + i64::from(f) + i64::from(g) + h;
        let large = d.cast_signed() + i64::from(i) + i64::from(u32::from(j));
        let lists = k.len().cast_signed() as i64 + l.into_iter().map(i64::from).sum::<i64>();
        let pairs = i64::from(m.unwrap_or(0)) + i64::from(n.0) + i64::from(n.1);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the tests send whole numbers"
        )]
        let float = o as i64;
        let rest = [c, p, q, r, s, t].into_iter().map(i64::from).sum::<i64>();
        small + large + lists + pairs + float + rest
    }

    fn raise(text: Option<String>) -> Result<u32, String> {
        text.map_or(Ok(0), Err)
    }

    fn raise_shape(shape: Shape) -> Result<(), Shape> {
        Err(shape)
    }

    fn calls() -> u64 {
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }
}
