//! What is refused, and in which words.

use ciborium::value::Value;
use wasmtime::component::Component;

use super::super::{Signature, Unsupported};
use super::echo::engine;
use super::wat;

const GUEST: &str = r#"(component
(type $point' (record (field "x" s32) (field "y" s32) (field "label" (option string))))
(export $point "point" (type $point'))
(type $shape' (variant (case "dot") (case "circle" $point) (case "text" string)))
(export $shape "shape" (type $shape'))
(type $perms' (flags "read" "write"))
(export $perms "perms" (type $perms'))
(type $lists (tuple (list u8) (list s16) char f32 f64))
(type $deep (option (option (option u8))))
(type $inner (stream u8))
(type $stream (stream $inner))
(core module $m
  (memory (export "memory") 1)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "f") (param i32))
  (func (export "g") (param i32)))
(core instance $i (instantiate $m))
(alias core export $i "memory" (core memory $memory))
(alias core export $i "realloc" (core func $realloc))
(alias core export $i "f" (core func $f))
(alias core export $i "g" (core func $g))
(func (export "f")
  (param "count" u8) (param "point" $point) (param "shape" (list $shape)) (param "perms" $perms)
  (param "lists" $lists) (param "outcome" (result string (error $deep))) (param "deep" $deep)
  (param "last" (option bool))
  (canon lift (core func $f) (memory $memory) (realloc $realloc)))
(func (export "g") (param "s" $stream) (canon lift (core func $g)))
)"#;

fn signature(name: &str) -> Result<Signature, Unsupported> {
    super::echo::signature(&Component::new(&engine(), wat::parse(GUEST)).unwrap(), name)
}

/// Good arguments of `f`, by position.
fn good() -> Vec<Value> {
    let text = |s: &str| Value::Text(s.into());
    let map = |entries: &[(&str, Value)]| {
        Value::Map(entries.iter().map(|(k, v)| (text(k), v.clone())).collect())
    };
    vec![
        Value::from(7),
        map(&[("y", Value::from(-1)), ("x", Value::from(2))]),
        Value::Array(vec![text("dot"), map(&[("text", text("t"))])]),
        Value::Array(vec![text("write")]),
        Value::Array(vec![
            Value::Bytes(vec![1]),
            Value::Array(vec![Value::from(-5)]),
            text("é"),
            Value::from(0.1),
            Value::from(3),
        ]),
        map(&[("err", Value::Array(vec![Value::Array(vec![Value::Null])]))]),
        Value::Array(vec![]),
    ]
}

const NAMES: [&str; 8] = [
    "count", "point", "shape", "perms", "lists", "outcome", "deep", "last",
];

fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

fn check(value: &Value) -> Result<(), String> {
    let body = encode(value).into();
    signature("f")
        .unwrap()
        .arguments(body, &[])
        .map(drop)
        .map_err(|e| e.to_string())
}

#[test]
fn good_arguments_pass_by_position_and_by_name() {
    assert_eq!(check(&Value::Array(good())), Ok(()));
    let named = NAMES
        .iter()
        .zip(good())
        .map(|(k, v)| (Value::from(*k), v))
        .rev()
        .collect();
    assert_eq!(check(&Value::Map(named)), Ok(()));
}

#[test]
fn a_fault_is_named_with_its_place() {
    let text = |s: &str| Value::Text(s.into());
    let one = |k: &str, v: Value| Value::Map(vec![(text(k), v)]);
    let point = |x: Value| Value::Map(vec![(text("x"), x), (text("y"), Value::from(0))]);
    let list = Value::Array;
    let lists = |nth: usize, value: Value| {
        let Value::Array(mut parts) = good()[4].clone() else {
            unreachable!()
        };
        parts[nth] = value;
        Value::Array(parts)
    };
    let cases: Vec<(usize, Value, &str)> = vec![
        (0, text("7"), "count\": expected u8, found text"),
        (0, Value::from(256), "count\": 256 is out of range for u8"),
        (0, Value::from(-1), "count\": -1 is out of range for u8"),
        (0, Value::from(7.0), "count\": expected u8, found float"),
        (1, point(text("a")), "point\".x: expected s32, found text"),
        (1, one("x", Value::from(1)), "point\": field `y` is missing"),
        (
            1,
            one("z", Value::from(1)),
            "point\": unknown field `z`, expected one of: x, y, label",
        ),
        (
            1,
            Value::Map(vec![
                (text("x"), Value::from(1)),
                (text("x"), Value::from(1)),
            ]),
            "point\": field `x` occurs twice",
        ),
        (
            2,
            list(vec![text("square")]),
            "shape\"[0]: unknown case `square`, expected one of: dot, circle, text",
        ),
        (
            2,
            list(vec![text("text")]),
            "shape\"[0]: case `text` needs a value",
        ),
        (
            2,
            list(vec![text("dot"), one("dot", Value::Null)]),
            "shape\"[1]: case `dot` takes no value",
        ),
        (
            2,
            list(vec![one("circle", point(Value::Null))]),
            "shape\"[0].circle.x: expected s32, found null",
        ),
        (
            3,
            list(vec![text("read"), text("read")]),
            "perms\": flag `read` occurs twice",
        ),
        (
            3,
            list(vec![text("exec")]),
            "perms\": unknown flag `exec`, expected one of: read, write",
        ),
        (
            4,
            lists(0, text("abc")),
            "lists\"[0]: expected bytes (list<u8>), found text",
        ),
        (
            4,
            lists(0, list(vec![Value::from(1)])),
            "lists\"[0]: expected bytes (list<u8>), found array",
        ),
        (
            4,
            lists(1, list(vec![Value::from(40_000)])),
            "lists\"[1][0]: 40000 is out of range for s16",
        ),
        (
            4,
            lists(2, text("ab")),
            "lists\"[2]: expected char, found text that is not one character",
        ),
        (
            4,
            lists(3, Value::from(16_777_217)),
            "lists\"[3]: 16777217 has no exact value as f32",
        ),
        (
            4,
            lists(3, Value::from(1e300)),
            "lists\"[3]: number too large for f32",
        ),
        (
            4,
            lists(4, Value::from(u64::MAX)),
            "lists\"[4]: 18446744073709551615 has no exact value as f64",
        ),
        (
            4,
            list(vec![]),
            "lists\": expected a tuple of 5, found 0 values",
        ),
        (
            5,
            one("no", Value::Null),
            "outcome\": unknown case `no`, expected one of: ok, err",
        ),
        (
            5,
            one("ok", Value::Null),
            "outcome\".ok: expected string, found null",
        ),
        (
            6,
            Value::Null,
            "deep\": expected array of 0 or 1 (option in option), found null",
        ),
        (
            6,
            list(vec![list(vec![Value::from(1), Value::from(2)])]),
            "deep\"[0]: expected an array of 0 or 1 (option in option), found 2 values",
        ),
    ];
    for (nth, value, error) in cases {
        let mut args = good();
        args[nth] = value;
        let expected = format!("argument {} \"{error}", nth + 1);
        assert_eq!(check(&Value::Array(args.clone())), Err(expected.clone()));
        let named = NAMES
            .iter()
            .zip(args)
            .map(|(k, v)| (Value::from(*k), v))
            .collect();
        assert_eq!(check(&Value::Map(named)), Err(expected));
    }
}

#[test]
fn the_arguments_as_a_whole_are_counted() {
    let whole = |value| check(&value).unwrap_err();
    assert_eq!(
        whole(Value::Array(good()[..5].to_vec())),
        "arguments: the function takes 8 arguments, 5 were given"
    );
    let mut many = good();
    many.extend([Value::Null, Value::Null]);
    assert_eq!(
        whole(Value::Array(many)),
        "arguments: the function takes 8 arguments, 9 were given"
    );
    assert_eq!(
        whole(Value::Null),
        "arguments: expected an array or a map of arguments, found null"
    );
    assert_eq!(
        whole(Value::Map(vec![])),
        "arguments: argument `count` is missing"
    );
    let unknown = Value::Map(vec![(Value::from("nope"), Value::Null)]);
    assert!(
        whole(unknown).starts_with("arguments: unknown argument `nope`, expected one of: count")
    );
}

#[test]
fn malformed_documents_are_refused() {
    let signature = signature("f").unwrap();
    let refused = |body: Vec<u8>| signature.arguments(body.into(), &[]).is_err();
    let body = encode(&Value::Array(good()));
    for end in 0..body.len() {
        assert!(refused(body[..end].to_vec()), "cut at {end}");
    }
    let trailing = [&body[..], &[0]].concat();
    assert!(refused(trailing));
    assert!(refused(vec![0x9f, 0xff]));
    // A length that promises more than there is costs nothing.
    assert!(refused(vec![
        0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
    ]));
}

#[test]
fn a_parameter_whose_items_are_handles_is_unsupported() {
    assert_eq!(
        signature("g").unwrap_err(),
        Unsupported::HandleInItem("stream")
    );
}

#[test]
fn small_bodies_cannot_ask_for_large_memory() {
    let engine = engine();
    let wide = r#"(component
        (type $wide' (variant (case "no") (case "yes" (tuple u64 u64 u64 u64 u64 u64 u64 u64))))
        (export $wide "wide" (type $wide'))
        (core module $m
          (memory (export "memory") 1)
          (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
          (func (export "f") (param i32 i32)))
        (core instance $i (instantiate $m))
        (alias core export $i "memory" (core memory $memory))
        (alias core export $i "realloc" (core func $realloc))
        (alias core export $i "f" (core func $f))
        (func (export "f") (param "x" (list $wide))
          (canon lift (core func $f) (memory $memory) (realloc $realloc))))"#;
    let component = Component::new(&engine, wat::parse(wide)).unwrap();
    let signature = super::echo::signature(&component, "f").unwrap();
    let body = |count: u32| {
        let values = b"\x62no".repeat(usize::try_from(count).unwrap());
        [&[0x81, 0x9a][..], &count.to_be_bytes(), &values].concat()
    };
    assert!(signature.arguments(body(1 << 20).into(), &[]).is_ok());
    let error = signature.arguments(body(2 << 20).into(), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "argument 1 \"x\": needs more than 134217728 bytes in the guest"
    );
}
