//! Both notations against every type, against each other, and against the reference reader.

mod random;

use proc_host_wire::cbor::Writer;
use proc_host_wire::control::FunctionInfo;
use proc_host_wire::interface::{Function, Interface, Type, TypeId};

use super::*;
use crate::arguments::Arguments;
use crate::outcome::Encoded;

/// A function of these parameters, the last of `types` the only one where none are named.
fn function(types: Vec<Type>, params: &[(&str, TypeId)]) -> FunctionInfo {
    let function = Function {
        interface: None,
        name: "f".to_owned(),
        is_async: false,
        params: params
            .iter()
            .map(|(name, id)| ((*name).to_owned(), *id))
            .collect(),
        result: None,
        unsupported: None,
    };
    let interface = Interface {
        types,
        functions: vec![function],
        imports: Vec::new(),
    };
    FunctionInfo {
        module: "m".to_owned(),
        function: 0,
        interface,
    }
}

fn add() -> FunctionInfo {
    function(vec![Type::S64], &[("a", 0), ("b", 0)])
}

fn words(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn wave(text: &str, info: &FunctionInfo) -> Result<Arguments, TextError> {
    Expression::parse(text)?.arguments(info)
}

#[track_caller]
fn refused(text: &str, info: &FunctionInfo, expected: &str) {
    assert_eq!(
        wave(text, info).unwrap_err().to_string(),
        expected.trim_matches('\n')
    );
}

#[test]
fn an_expression_names_a_function_and_its_arguments() {
    let call = Expression::parse(" types.api.greet ( \"a\" , 1 ) ").unwrap();
    assert_eq!(call.target(), "types.api.greet");
    assert_eq!(
        wave("m.add(40, -2)", &add()).unwrap().body,
        [0x82, 0x18, 40, 0x21]
    );
    assert_eq!(
        wave("m.now( )", &function(Vec::new(), &[])).unwrap().body,
        [0x80]
    );
}

#[test]
fn a_caret_points_at_what_is_wrong() {
    refused(
        "math.add(40, \"x\")",
        &add(),
        r#"
argument 2 "b": expected s64, found a string
  math.add(40, "x")
               ^^^
  f: func(a: s64, b: s64) -> "#
            .trim_end_matches(" -> "),
    );
    refused(
        "math.add(40)",
        &add(),
        "
expected 2 arguments, found 1
  math.add(40)
             ^
  f: func(a: s64, b: s64)",
    );
    refused(
        "math.add(1, 2, 3, 44)",
        &add(),
        "
expected 2 arguments, found 4
  math.add(1, 2, 3, 44)
                 ^^^^^
  f: func(a: s64, b: s64)",
    );
    refused(
        "math.add(1, ]",
        &add(),
        "
did not expect `]` here
  math.add(1, ]
              ^",
    );
    refused(
        "math.add(1, 2",
        &add(),
        "
the text ends inside of a value: is a bracket not closed?
  math.add(1, 2
               ^",
    );
    refused(
        "math.add(1, 9223372036854775808)",
        &add(),
        "
argument 2 \"b\": 9223372036854775808 is out of range for s64
  math.add(1, 9223372036854775808)
              ^^^^^^^^^^^^^^^^^^^
  f: func(a: s64, b: s64)",
    );
    refused(
        "math.add",
        &add(),
        "
expected `(` and arguments behind the function's name
  math.add
          ^
  write `math.add()` for a call without arguments",
    );
    refused(
        "math.add(1, 2) 3",
        &add(),
        "\ntext behind the call\n  math.add(1, 2) 3\n                 ^",
    );
}

#[test]
fn names_that_do_not_occur_are_told_with_those_that_do() {
    let point = Type::Record {
        name: Some("point".to_owned()),
        fields: vec![("x".to_owned(), 0), ("y".to_owned(), 0)],
    };
    let info = function(vec![Type::S64, point], &[("p", 1)]);
    let error = wave("m.f({x: 1, z: 2})", &info).unwrap_err();
    assert_eq!(
        error.message(),
        "argument 1 \"p\": no field `z`: expected record point { x: s64, y: s64 }"
    );
    let error = wave("m.f({x: 1})", &info).unwrap_err();
    assert!(error.message().contains("field `y` is missing"), "{error}");
    let error = arguments_from_json(r#"[{"x": 1, "y": "a"}]"#, &info).unwrap_err();
    assert_eq!(
        error.message(),
        "argument 1 \"p\".y: expected s64, found a text"
    );
}

#[test]
fn json_arguments_are_positional_or_named() {
    let body = |text| arguments_from_json(text, &add()).map(|arguments| arguments.body);
    assert_eq!(body("[40, 2]").unwrap(), [0x82, 0x18, 40, 2]);
    let named = body(r#"{"b": 2, "a": 1}"#).unwrap();
    assert_eq!(named, [0xa2, 0x61, b'a', 1, 0x61, b'b', 2]);
    let message = |text| body(text).unwrap_err().to_string();
    assert_eq!(
        message(r#"[1, "x"]"#),
        "argument 2 \"b\": expected s64, found a text\n  f: func(a: s64, b: s64)"
    );
    assert_eq!(
        message("[1,, 2]"),
        "malformed JSON: expected value\n  [1,, 2]\n     ^"
    );
    assert!(message(r#"{"a": 1, "c": 2}"#).starts_with("no parameter is called `c`"));
    assert!(message(r#"{"a": 1}"#).starts_with("argument 2 \"b\" is missing"));
    assert!(message("7").starts_with("arguments are a JSON array or object"));
}

#[test]
fn lists_stand_for_streams() {
    let types = vec![
        Type::U32,
        Type::U8,
        Type::Stream(Some(0)),
        Type::Stream(Some(1)),
        Type::Future(Some(0)),
    ];
    let info = function(types, &[("numbers", 2), ("bytes", 3), ("late", 4)]);
    for arguments in [
        wave("m.f([1, 2], [3, 4], 5)", &info).unwrap(),
        arguments_from_json("[[1, 2], [3, 4], 5]", &info).unwrap(),
    ] {
        assert_eq!(arguments.attached.len(), 3);
        assert_eq!(arguments.body[0], 0x83);
    }
}

#[test]
fn numbers_json_has_no_word_for_are_texts() {
    let interface = Interface {
        types: vec![Type::F64],
        ..Interface::default()
    };
    for (value, text) in [
        (f64::INFINITY, "\"inf\""),
        (f64::NEG_INFINITY, "\"-inf\""),
        (0.1, "0.1"),
        (1.0, "1.0"),
    ] {
        let mut body = Vec::new();
        Writer::new(&mut body).f64(value);
        let value = Encoded::new(body.into(), Vec::new());
        assert_eq!(to_json(&interface, 0, &value).unwrap(), text);
    }
}

#[test]
fn untyped_values_print_as_json() {
    let body = value_from_json(r#"{"a": [1, -2, 0.5, null, true, "x\n"], "b": {}}"#).unwrap();
    assert_eq!(
        untyped_to_json(&body).unwrap(),
        r#"{"a":[1,-2,0.5,null,true,"x\n"],"b":{}}"#
    );
    let error = value_from_json("{").unwrap_err().to_string();
    assert!(
        error.starts_with("malformed JSON: EOF while parsing an object\n  {\n"),
        "{error}"
    );
}
