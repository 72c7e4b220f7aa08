//! The exact bytes of a frame of each kind.
//!
//! Where this fails, the wire has changed: bump `WIRE_MAJOR`, then write `golden.txt` anew by
//! running the test with `WRITE_GOLDEN=1`.

use std::fmt::Write as _;

use proc_host_wire::{Message, WIRE_MAJOR};

use crate::raw::{Raw, take, write};
use crate::samples::samples;

const GOLDEN: &str = include_str!("golden.txt");

fn text() -> String {
    let mut out = format!("wire {WIRE_MAJOR}\n");
    for (name, _, message) in samples() {
        write!(out, "{name} ").unwrap();
        for byte in write(message) {
            write!(out, "{byte:02x}").unwrap();
        }
        out.push('\n');
    }
    out
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn the_bytes_of_each_kind_are_as_they_were() {
    let now = text();
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/golden.txt"),
            now,
        )
        .unwrap();
        return;
    }
    assert_eq!(now.lines().count(), GOLDEN.lines().count());
    for (now, then) in now.lines().zip(GOLDEN.lines()) {
        assert_eq!(
            now, then,
            "the wire has changed: bump WIRE_MAJOR and write golden.txt anew"
        );
    }
}

#[test]
fn the_bytes_mean_what_they_meant() {
    for (line, (name, link, message)) in GOLDEN.lines().skip(1).zip(samples()) {
        let (known, bytes) = line.split_once(' ').unwrap();
        assert_eq!(known, name);
        let frame = take(&unhex(bytes)).unwrap().unwrap();
        assert_eq!(Message::from_frame(link, frame), Ok(message), "{name}");
    }
}

#[test]
fn each_kind_has_its_bytes() {
    let golden: Vec<u8> = GOLDEN
        .lines()
        .skip(1)
        .map(|line| unhex(line.split_once(' ').unwrap().1)[4])
        .collect();
    for kind in 0..=u8::MAX {
        assert_eq!(
            Raw::new(kind).take().is_ok(),
            golden.contains(&kind),
            "kind {kind}"
        );
    }
}
