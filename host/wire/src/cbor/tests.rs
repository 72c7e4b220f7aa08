//! The cursor against ciborium, and against the standard's examples.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use ciborium::value::{Integer, Value};
use proptest::prelude::*;

use super::{CborError, Fault, Kind, Limits, Reader, Writer, validate, validate_canonical};

const LIMITS: Limits = Limits::DEFAULT;

fn fault(bytes: &[u8]) -> Option<Fault> {
    validate(bytes, LIMITS).err().map(|error| error.fault)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// The examples of RFC 8949, appendix A, that are in the subset.
#[test]
fn examples_of_the_standard_are_read() {
    let ints: [(&str, i128); 12] = [
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("1903e8", 1000),
        ("1a000f4240", 1_000_000),
        ("1b000000e8d4a51000", 1_000_000_000_000),
        ("1bffffffffffffffff", u64::MAX as i128),
        ("20", -1),
        ("3863", -100),
        ("3903e7", -1000),
        ("3bffffffffffffffff", -(1 << 64)),
        ("1864", 100),
    ];
    for (text, value) in ints {
        assert_eq!(Reader::new(&hex(text), LIMITS).int(), Ok(value));
        assert_eq!(
            Reader::new(&hex(text), LIMITS).try_i64(),
            i64::try_from(value).ok()
        );
    }
    let floats = [
        ("f90000", 0.0),
        ("f98000", -0.0),
        ("f93c00", 1.0),
        ("fb3ff199999999999a", 1.1),
        ("f93e00", 1.5),
        ("f97bff", 65504.0),
        ("fa47c35000", 100_000.0),
        ("fa7f7fffff", 3.402_823_466_385_288_6e38),
        ("fb7e37e43c8800759c", 1.0e300),
        ("f90001", 5.960_464_477_539_063e-8),
        ("f90400", 0.000_061_035_156_25),
        ("f9c400", -4.0),
        ("fbc010666666666666", -4.1),
        ("f97c00", f64::INFINITY),
        ("f9fc00", f64::NEG_INFINITY),
        ("fa7f800000", f64::INFINITY),
    ];
    for (text, value) in floats {
        let read = Reader::new(&hex(text), LIMITS).float().unwrap();
        assert_eq!(read.to_bits(), value.to_bits(), "{text}");
    }
    assert!(
        Reader::new(&hex("f97e00"), LIMITS)
            .float()
            .unwrap()
            .is_nan()
    );
    for text in ["", "19ff", "1c", "f6", "40", "5818"] {
        assert_eq!(Reader::new(&hex(text), LIMITS).try_i64(), None);
    }
    assert_eq!(Reader::new(&hex("6449455446"), LIMITS).text(), Ok("IETF"));
    assert_eq!(
        Reader::new(&hex("4401020304"), LIMITS).bytes(),
        Ok(&[1, 2, 3, 4][..])
    );
    assert_eq!(Reader::new(&hex("c074"), LIMITS).tag(), Ok(0));
}

#[test]
fn what_is_outside_the_subset_is_refused() {
    let cases = [
        ("", Fault::Truncated),
        ("18", Fault::Truncated),
        ("1b00000000000000", Fault::Truncated),
        ("6361", Fault::Truncated),
        ("8201", Fault::Truncated),
        ("a101", Fault::Truncated),
        ("9bffffffffffffffff", Fault::Truncated),
        ("5bffffffffffffffff", Fault::Truncated),
        ("0000", Fault::Trailing),
        ("9fff", Fault::Indefinite),
        ("bfff", Fault::Indefinite),
        ("5f4100ff", Fault::Indefinite),
        ("7f6161ff", Fault::Indefinite),
        ("ff", Fault::Indefinite),
        ("1c", Fault::Reserved),
        ("5d", Fault::Reserved),
        ("fe", Fault::Reserved),
        ("f7", Fault::Simple),
        ("e0", Fault::Simple),
        ("f818", Fault::Simple),
        ("62c328", Fault::Utf8),
        ("63eda080", Fault::Utf8),
        ("a200010002", Fault::DuplicateKey),
        ("a2616101616102", Fault::DuplicateKey),
        ("a2806180", Fault::Truncated),
        // A key spelled longer could hide that it is there already.
        ("a11800f6", Fault::NotShortest),
        ("a1781e", Fault::Truncated),
    ];
    for (text, expected) in cases {
        assert_eq!(fault(&hex(text)), Some(expected), "{text}");
    }
}

#[test]
fn many_keys_are_compared_too() {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    writer.map(1000);
    for key in (0..999).chain([500]) {
        writer.uint(key);
        writer.null();
    }
    assert_eq!(fault(&bytes), Some(Fault::DuplicateKey));
    let length = bytes.len();
    bytes[length - 4..].copy_from_slice(&hex("1903e8f6"));
    assert_eq!(fault(&bytes), None);
}

#[test]
fn limits_hold() {
    let nested = |depth: usize| [vec![0x81; depth], vec![0]].concat();
    assert_eq!(fault(&nested(64)), None);
    assert_eq!(fault(&nested(65)), Some(Fault::TooDeep));
    assert_eq!(fault(&nested(1_000_000)), Some(Fault::TooDeep));
    let skipped = |bytes: &[u8]| {
        Reader::new(bytes, LIMITS)
            .skip()
            .map_err(|error| error.fault)
    };
    assert_eq!(skipped(&nested(64)), Ok(()));
    assert_eq!(skipped(&nested(1_000_000)), Err(Fault::TooDeep));
    assert_eq!(skipped(&[0xc1; 1_000_000]), Err(Fault::TooDeep));

    let few = Limits {
        depth: 4,
        elements: 3,
    };
    assert_eq!(validate(&hex("820102"), few), Ok(()));
    let error = CborError {
        offset: 3,
        fault: Fault::TooManyElements,
    };
    assert_eq!(validate(&hex("83010203"), few), Err(error));
}

#[test]
fn only_canonical_documents_pass_as_such() {
    assert_eq!(validate(&hex("1800"), LIMITS), Ok(()));
    for (text, offset) in [
        ("1800", 0),
        ("1900ff", 0),
        ("81190001", 1),
        ("980101", 0),
        ("d80100", 0),
    ] {
        let error = CborError {
            offset,
            fault: Fault::NotShortest,
        };
        assert_eq!(validate_canonical(&hex(text), LIMITS), Err(error), "{text}");
    }
    for text in [
        "fa00000000",
        "f90000",
        "fb0000000000000000",
        "1818",
        "a2016161026162",
    ] {
        assert_eq!(validate_canonical(&hex(text), LIMITS), Ok(()), "{text}");
    }
}

#[test]
fn a_failed_read_says_where_and_what() {
    let bytes = hex("820163616263");
    let mut reader = Reader::new(&bytes, LIMITS);
    reader.array().unwrap();
    reader.uint().unwrap();
    let error = reader.uint().unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected non-negative integer, found text at byte 2"
    );
    // The cursor is where it was.
    assert_eq!(reader.peek(), Ok(Kind::Text));
    assert_eq!(reader.text(), Ok("abc"));
    assert_eq!(reader.finish(), Ok(()));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..300i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        ".{0,30}".prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let key = prop_oneof![
            any::<i16>().prop_map(Value::from),
            "[a-d]{0,2}".prop_map(Value::from)
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..30).prop_map(Value::Array),
            prop::collection::vec((key, inner.clone()), 0..30).prop_map(Value::Map),
            (0..100_000u64, inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
        ]
    })
}

fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

fn has_duplicate(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_duplicate),
        Value::Tag(_, value) => has_duplicate(value),
        Value::Map(entries) => {
            let mut keys: Vec<_> = entries.iter().map(|(key, _)| encode(key)).collect();
            keys.sort();
            keys.windows(2).any(|pair| pair[0] == pair[1])
                || entries.iter().any(|(_, value)| has_duplicate(value))
        }
        _ => false,
    }
}

/// Rebuilds a value through the reader, and writes it with the writer.
fn copy(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Value {
    let mut writer = Writer::new(out);
    match reader.peek().unwrap() {
        Kind::Uint => {
            let value = reader.uint().unwrap();
            writer.uint(value);
            Value::from(value)
        }
        Kind::Nint => {
            let value = reader.int().unwrap();
            if let Ok(value) = i64::try_from(value) {
                writer.int(value);
            }
            Value::Integer(Integer::try_from(value).unwrap())
        }
        Kind::Bytes => {
            let value = reader.bytes().unwrap();
            writer.bytes(value);
            Value::Bytes(value.to_vec())
        }
        Kind::Text => {
            let value = reader.text().unwrap();
            writer.text(value);
            Value::from(value)
        }
        Kind::Bool => {
            let value = reader.bool().unwrap();
            writer.bool(value);
            Value::from(value)
        }
        Kind::Null => {
            reader.null().unwrap();
            writer.null();
            Value::Null
        }
        Kind::Float => {
            let value = reader.float().unwrap();
            writer.f64(value);
            Value::from(value)
        }
        Kind::Array => {
            let length = reader.array().unwrap();
            writer.array(length);
            Value::Array((0..length).map(|_| copy(reader, out)).collect())
        }
        Kind::Map => {
            let length = reader.map().unwrap();
            writer.map(length);
            Value::Map(
                (0..length)
                    .map(|_| (copy(reader, out), copy(reader, out)))
                    .collect(),
            )
        }
        Kind::Tag => {
            let tag = reader.tag().unwrap();
            writer.tag(tag);
            Value::Tag(tag, Box::new(copy(reader, out)))
        }
        Kind::Simple => panic!("simple value"),
    }
}

proptest! {
    #[test]
    fn what_ciborium_writes_is_read(value in any_value()) {
        let bytes = encode(&value);
        let duplicate = has_duplicate(&value);
        prop_assert_eq!(fault(&bytes), duplicate.then_some(Fault::DuplicateKey));
        let mut reader = Reader::new(&bytes, LIMITS);
        let mut written = Vec::new();
        let read = copy(&mut reader, &mut written);
        prop_assert!(reader.is_at_end());
        prop_assert_eq!(&read, &value);
        // The writer keeps floats at their width, ciborium shortens them; the values are the same.
        let again: Value = ciborium::from_reader(&written[..]).unwrap();
        prop_assert_eq!(&again, &value);
        prop_assert_eq!(validate_canonical(&written, LIMITS).is_ok(), !duplicate);
        let mut skipped = Reader::new(&bytes, LIMITS);
        prop_assert_eq!(skipped.skip(), Ok(()));
        prop_assert!(skipped.is_at_end());
    }

    #[test]
    fn a_document_is_one_value_and_no_prefix_of_it(value in any_value(), extra: u8) {
        let bytes = encode(&value);
        for end in 0..bytes.len() {
            prop_assert!(validate(&bytes[..end], LIMITS).is_err());
        }
        let longer = [&bytes[..], &[extra]].concat();
        prop_assert!(validate(&longer, LIMITS).is_err());
    }

    /// Any bytes are either refused or mean to ciborium what they mean here.
    #[test]
    fn any_bytes_are_read_alike_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let accepted = validate(&bytes, LIMITS).is_ok();
        let mut reader = Reader::new(&bytes, LIMITS);
        prop_assert!(!accepted || (reader.skip().is_ok() && reader.is_at_end()));
        if accepted {
            let value: Value = ciborium::from_reader(&bytes[..]).unwrap();
            let mine = copy(&mut Reader::new(&bytes, LIMITS), &mut Vec::new());
            // Ciborium reads tags 2 and 3 as integers, and a NaN is not equal to itself.
            let alike = format!("{value:?}") == format!("{mine:?}");
            prop_assert!(alike || bytes.iter().any(|b| matches!(b, 0xc2 | 0xc3)));
        }
    }
}
