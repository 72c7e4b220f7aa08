//! Every type of WIT, there and back, in WAVE and in JSON.

use crate::setup::{host, json};

/// A function of one argument that gives it back: each value, in WAVE and in JSON.
struct Echo {
    function: &'static str,
    values: &'static [(&'static str, &'static str)],
}

const fn echo(function: &'static str, values: &'static [(&'static str, &'static str)]) -> Echo {
    Echo { function, values }
}

/// Both notations, as they are printed.
const ECHOES: &[Echo] = &[
    echo("echo-bool", &[("true", "true"), ("false", "false")]),
    echo("echo-u8", &[("0", "0"), ("255", "255")]),
    echo("echo-u16", &[("0", "0"), ("65535", "65535")]),
    echo("echo-u32", &[("0", "0"), ("4294967295", "4294967295")]),
    echo(
        "echo-u64",
        &[
            ("0", "0"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
        ],
    ),
    echo("echo-s8", &[("-128", "-128"), ("127", "127")]),
    echo("echo-s16", &[("-32768", "-32768"), ("32767", "32767")]),
    echo(
        "echo-s32",
        &[("-2147483648", "-2147483648"), ("2147483647", "2147483647")],
    ),
    echo(
        "echo-s64",
        &[
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775807", "9223372036854775807"),
        ],
    ),
    echo(
        "echo-f32",
        &[
            ("0.1", "0.1"),
            ("-1.5", "-1.5"),
            ("16777216", "16777216.0"),
            ("nan", r#""nan""#),
            ("inf", r#""inf""#),
            ("-inf", r#""-inf""#),
        ],
    ),
    echo(
        "echo-f64",
        &[
            ("0.1", "0.1"),
            ("-0", "-0.0"),
            ("1", "1.0"),
            ("-12345.678", "-12345.678"),
            ("nan", r#""nan""#),
            ("inf", r#""inf""#),
            ("-inf", r#""-inf""#),
        ],
    ),
    echo(
        "echo-char",
        &[
            ("'x'", r#""x""#),
            ("'ß'", r#""ß""#),
            ("'😀'", r#""😀""#),
            (r"'\''", r#""'""#),
        ],
    ),
    echo(
        "echo-string",
        &[
            (r#""""#, r#""""#),
            (r#""Grüße, 世界 😀""#, r#""Grüße, 世界 😀""#),
            (r#""a\n\t\"b\" \\""#, r#""a\n\t\"b\" \\""#),
        ],
    ),
    echo(
        "echo-bytes",
        &[("[]", "[]"), ("[0, 127, 128, 255]", "[0,127,128,255]")],
    ),
    echo(
        "echo-numbers",
        &[("[]", "[]"), ("[1, -1, 2147483647]", "[1,-1,2147483647]")],
    ),
    echo(
        "echo-strings",
        &[("[]", "[]"), (r#"["", "b", "ü"]"#, r#"["","b","ü"]"#)],
    ),
    echo(
        "echo-matrix",
        &[
            ("[]", "[]"),
            ("[[1, 2.5], [], [-3]]", "[[1.0,2.5],[],[-3.0]]"),
        ],
    ),
    echo(
        "echo-tuple",
        &[(r#"(7, "seven", true)"#, r#"[7,"seven",true]"#)],
    ),
    echo(
        "echo-record",
        &[("{x: 1.5, y: -2}", r#"{"x":1.5,"y":-2.0}"#)],
    ),
    echo(
        "echo-nested",
        &[
            (
                r#"{name: "Ada", age: some(36), home: {street: "Main", place: {x: 1, y: 2}}, tags: ["a", "b"], mood: happy}"#,
                r#"{"name":"Ada","age":36,"home":{"street":"Main","place":{"x":1.0,"y":2.0}},"tags":["a","b"],"mood":"happy"}"#,
            ),
            (
                r#"{name: "", home: {street: "", place: {x: 0, y: 0}}, tags: [], mood: calm}"#,
                r#"{"name":"","age":null,"home":{"street":"","place":{"x":0.0,"y":0.0}},"tags":[],"mood":"calm"}"#,
            ),
        ],
    ),
    echo(
        "echo-records",
        &[
            ("[]", "[]"),
            (
                r#"[{name: "Bo", age: some(0), home: {street: "S", place: {x: 0, y: 0}}, tags: [], mood: angry}]"#,
                r#"[{"name":"Bo","age":0,"home":{"street":"S","place":{"x":0.0,"y":0.0}},"tags":[],"mood":"angry"}]"#,
            ),
        ],
    ),
    echo(
        "echo-enum",
        &[
            ("calm", r#""calm""#),
            ("happy", r#""happy""#),
            ("angry", r#""angry""#),
        ],
    ),
    echo(
        "echo-variant",
        &[
            ("empty", r#""empty""#),
            ("circle(1.5)", r#"{"circle":1.5}"#),
            ("polygon([])", r#"{"polygon":[]}"#),
            (
                "polygon([{x: 1, y: 2}])",
                r#"{"polygon":[{"x":1.0,"y":2.0}]}"#,
            ),
            (
                r#"labelled(("here", {x: 1, y: 2}))"#,
                r#"{"labelled":["here",{"x":1.0,"y":2.0}]}"#,
            ),
        ],
    ),
    echo(
        "echo-flags",
        &[
            ("{}", "[]"),
            ("{write}", r#"["write"]"#),
            ("{read, write, execute}", r#"["read","write","execute"]"#),
        ],
    ),
    echo(
        "echo-option",
        &[
            ("none", "null"),
            (r#"some("")"#, r#""""#),
            (r#"some("x")"#, r#""x""#),
        ],
    ),
    echo(
        "echo-option-option",
        &[
            ("none", "[]"),
            ("some(none)", "[null]"),
            ("some(some(0))", "[0]"),
        ],
    ),
    echo(
        "echo-result",
        &[
            ("(ok(3))", r#"[{"ok":3}]"#),
            (r#"(err("no"))"#, r#"[{"err":"no"}]"#),
        ],
    ),
    echo(
        "echo-results",
        &[
            ("[]", "[]"),
            ("[ok, err(angry)]", r#"[{"ok":null},{"err":"angry"}]"#),
        ],
    ),
    echo(
        "echo-empty-result",
        &[
            ("none", "null"),
            ("some(ok)", r#"{"ok":null}"#),
            ("some(err)", r#"{"err":null}"#),
        ],
    ),
];

#[test]
fn every_type_comes_back_in_both_notations() {
    let host = host(&["types"]);
    for Echo { function, values } in ECHOES {
        for (wave, as_json) in *values {
            let function = format!("types.{function}");
            let call = format!("{function}({wave})");
            assert_eq!(host.call(&call).ok(), format!("{wave}\n"), "{call}");
            let arguments = format!("[{as_json}]");
            let ran = host.run(&["call", "Workers", &function, "--json", &arguments]);
            assert_eq!(
                ran.ok(),
                format!("{as_json}\n"),
                "{function} --json {arguments}"
            );
        }
    }
    host.stop();
}

#[test]
fn values_may_be_written_in_other_ways_than_they_are_printed() {
    let host = host(&["types", "echo"]);
    for (call, printed) in [
        ("types.echo-char('\\u{df}')", "'ß'"),
        ("types.echo-string(\"\\u{1F600}\\u{0}\")", "\"😀\\u{0}\""),
        ("types.echo-flags({execute, read})", "{read, execute}"),
        ("types.echo-record({y: 2, x: 1})", "{x: 1, y: 2}"),
        ("types.echo-f64(1e3)", "1000"),
        ("types.echo-f64(-0.0)", "-0"),
        (" types.echo-u8( 7 ) ", "7"),
        ("echo.maybe(some(some(\"x\")))", "some(some(\"x\"))"),
        ("echo.maybe(some(none))", "some(none)"),
    ] {
        assert_eq!(host.call(call).ok(), format!("{printed}\n"), "{call}");
    }
    host.stop();
}

#[test]
fn options_may_be_left_out() {
    let host = host(&["types", "echo"]);
    assert_eq!(
        host.run(&["call", "Workers", "types.echo-option", "--json", "{}"])
            .ok(),
        "null\n"
    );
    let place = r#"{"x":1,"y":2}"#;
    let person = format!(
        r#"{{"name":"A","home":{{"street":"S","place":{place}}},"tags":[],"mood":"calm"}}"#
    );
    let arguments = format!("[{person}]");
    let ran = host.run(&["call", "Workers", "types.echo-nested", "--json", &arguments]);
    assert_eq!(json(&ran.ok())["age"], serde_json::Value::Null);
    let wave = r#"{name: "A", home: {street: "S", place: {x: 1, y: 2}}, tags: [], mood: calm}"#;
    assert_eq!(
        host.call(&format!("types.echo-nested({wave})")).ok(),
        format!("{wave}\n")
    );
    host.stop();
}

#[test]
fn more_than_sixteen_parameters_pass_through_memory() {
    let host = host(&["types", "echo"]);
    let many = r#"types.many(1, 2, 3, 4, -5, -6, -7, -8, 1.5, 2.5, true, 'ß', "m", {x: 1, y: 2}, some(3), [1, 2], angry)"#;
    assert_eq!(
        host.call(many).ok(),
        "\"1 2 3 4 -5 -6 -7 -8 1.5 2.5 true ß m (1, 2) Some(3) [1, 2] Mood::Angry\"\n"
    );
    let twenty = "echo.many(1, 2, 3, 4, -5, -6, -7, -8, true, 'a', \"kkk\", [1, 2], some(5), (1, 2), 3, 1, 1, 1, 1, 1)";
    assert_eq!(host.call(twenty).ok(), "104\n");
    let named = r#"{"t":1,"s":1,"r":1,"q":1,"p":1,"o":3,"n":[1,2],"l":[1,2],"k":"kkk","j":"a","i":true,"h":-8,"g":-7,"f":-6,"e":-5,"d":4,"c":3,"b":2,"a":1}"#;
    assert_eq!(
        host.run(&["call", "Workers", "echo.many", "--json", named])
            .ok(),
        "99\n"
    );
    host.stop();
}

const BIG: &str = r#"{a: 1, b: -1, c: 2, d: -2, e: 3, f: -3, g: 4, h: -4, i: 1.5, j: 2.5, k: true, l: 'x', m: "m", n: [1, 2], o: ["a"], p: some("p"), q: (7, "q"), r: err("r"), s: pair((1, "s")), t: blue, u: {a, i}}"#;
const BIG_JSON: &str = r#"{"a":1,"b":-1,"c":2,"d":-2,"e":3,"f":-3,"g":4,"h":-4,"i":1.5,"j":2.5,"k":true,"l":"x","m":"m","n":[1,2],"o":["a"],"p":"p","q":[7,"q"],"r":{"err":"r"},"s":{"pair":[1,"s"]},"t":"blue","u":["a","i"]}"#;

#[test]
fn big_records_come_back_from_plain_and_async_functions() {
    let host = host(&["echo"]);
    for function in ["echo.big", "echo.big-async"] {
        assert_eq!(
            host.call(&format!("{function}({BIG})")).ok(),
            format!("{BIG}\n")
        );
        let ran = host.run(&[
            "call",
            "Workers",
            function,
            "--json",
            &format!("[{BIG_JSON}]"),
        ]);
        assert_eq!(ran.ok(), format!("{BIG_JSON}\n"));
    }
    let list = format!("[{BIG}, {BIG}, {BIG}]");
    assert_eq!(
        host.call(&format!("echo.bigs({list})")).ok(),
        format!("{list}\n")
    );
    host.stop();
}

#[test]
fn bytes_come_back_whole() {
    let host = host(&["echo"]);
    let bytes: Vec<String> = (0..100_000)
        .map(|index: u32| (index % 256).to_string())
        .collect();
    let list = format!("[{}]", bytes.join(", "));
    assert_eq!(host.call("echo.source(100000)").ok(), format!("{list}\n"));
    for function in ["echo.bytes", "echo.bytes-async"] {
        let ran = host.call(&format!("{function}([0, 255, 10])"));
        assert_eq!(ran.ok(), "[0, 255, 10]\n");
        assert_eq!(host.call(&format!("{function}([])")).ok(), "[]\n");
    }
    assert_eq!(host.call("echo.sink([1, 2, 3])").ok(), "3\n");
    host.stop();
}

#[test]
fn types_written_in_rust_come_back() {
    let host = host(&["values"]);
    for (call, printed) in [
        (
            "values.scalars(1, -1, 2, -2, 3, -3, 4, -4, 1.5, 2.5, true, 'x')",
            "(1, -1, 2, -2, 3, -3, 4, -4, 1.5, 2.5, true, 'x')",
        ),
        ("values.event(moved((1, 2, \"x\")))", "moved((2, 1, \"x\"))"),
        (
            "values.events([closed, answered(error500), tried(ok(1))])",
            "[tried(ok(1)), answered(error500), closed]",
        ),
        (
            "values.awkward({%type: 1, %list: [2], %from: none, line-2: \"l\", x1: 1.5, own: 127})",
            "{type: 1, list: [2], line-2: \"l\", x1: 1.5, own: -128}",
        ),
        (
            "values.ages([(\"Ada\", 36), (\"Bo\", 7)])",
            "[(\"Ada\", 36), (\"Bo\", 7)]",
        ),
        (
            "values.nested(some(some((1, [not-found]))))",
            "some(some((1, [not-found])))",
        ),
        // A case that is called as a result's is told from it by its mark.
        ("values.status(%ok)", "not-found"),
        ("values.list(1, 2)", "3"),
        ("values.match(3)", "3"),
        ("values.id(1)", "2"),
    ] {
        assert_eq!(host.call(call).ok(), format!("{printed}\n"), "{call}");
    }
    host.stop();
}

#[test]
fn a_resource_is_shown_by_a_number_and_let_go_of_at_the_end() {
    let host = host(&["types"]);
    for call in [
        "types.counter(3)",
        "types.make-counter(3)",
        "types.api.counter(3)",
    ] {
        let printed = host.call(call).ok();
        let number = printed.strip_prefix("counter#").unwrap().trim_end();
        assert!(number.parse::<u64>().is_ok(), "{printed}");
    }
    let printed = host
        .run(&[
            "call",
            "Workers",
            "types.make-counters",
            "--json",
            "[[1, 2]]",
        ])
        .ok();
    let counters = json(&printed);
    assert_eq!(counters.as_array().unwrap().len(), 2);
    assert_ne!(counters[0], counters[1]);
    // Releasing them is not waited for by the command that had them.
    proc_host_tests::processes::eventually("no counter is left", || {
        host.call("types.counter.alive()").ok() == "0\n"
    });
    let why = host.call("types.consume-counter(1)").fails(2);
    assert!(
        why.contains("a resource cannot be written as text"),
        "{why}"
    );
    assert!(
        why.contains("consume-counter: func(counter: counter) -> u32"),
        "{why}"
    );
    host.stop();
}
