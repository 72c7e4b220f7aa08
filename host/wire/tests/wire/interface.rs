//! The descriptor: what is refused, how functions are found, how it prints.

use ciborium::value::Value;
use proc_host_wire::interface::{
    Function, Interface, MAX_DEPTH, MAX_FUNCTIONS, MAX_TYPES, Shape, Type, TypeId,
};
use proc_host_wire::{Kind, ProtocolError};
use proptest::prelude::*;

use crate::strategies::interface;

fn function(interface: Option<&str>, name: &str) -> Function {
    Function {
        interface: interface.map(str::to_owned),
        name: name.to_owned(),
        is_async: false,
        params: Vec::new(),
        result: None,
        unsupported: None,
    }
}

fn types(types: Vec<Type>) -> Interface {
    Interface {
        types,
        ..Interface::default()
    }
}

/// Why these bytes are refused.
fn refusal(bytes: &[u8]) -> String {
    match Interface::decode(bytes) {
        Err(ProtocolError::Body { kind, why }) => {
            assert_eq!(kind, Kind::Compiled);
            why
        }
        other => panic!("{other:?}"),
    }
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

#[test]
fn a_type_names_only_types_before_it() {
    let all: [fn(TypeId) -> Type; 12] = [
        Type::List,
        |id| Type::FixedList(id, 3),
        |id| Type::Map(0, id),
        |id| Type::Map(id, 0),
        Type::Option,
        |id| Type::Result {
            ok: Some(id),
            err: None,
        },
        |id| Type::Result {
            ok: None,
            err: Some(id),
        },
        |id| Type::Tuple(vec![0, id]),
        |id| Type::Record {
            name: None,
            fields: vec![("a".to_owned(), 0), ("b".to_owned(), id)],
        },
        |id| Type::Variant {
            name: None,
            cases: vec![("a".to_owned(), None), ("b".to_owned(), Some(id))],
        },
        |id| Type::Stream(Some(id)),
        |id| Type::Future(Some(id)),
    ];
    for make in all {
        assert!(Interface::decode(&types(vec![Type::Bool, make(0)]).encode()).is_ok());
        for wrong in [1, 2, 3, u32::MAX] {
            let interface = types(vec![Type::Bool, make(wrong), Type::Bool]);
            assert_eq!(
                refusal(&interface.encode()),
                "a type that names a later one"
            );
        }
    }
}

#[test]
fn a_function_names_only_types_there_are() {
    for (params, result) in [
        (vec![("a".to_owned(), 1)], None),
        (Vec::new(), Some(1)),
        (vec![("a".to_owned(), 0)], Some(u32::MAX)),
    ] {
        let interface = Interface {
            types: vec![Type::Bool],
            functions: vec![Function {
                params,
                result,
                ..function(None, "f")
            }],
            imports: Vec::new(),
        };
        assert_eq!(
            refusal(&interface.encode()),
            "a function that names an unknown type"
        );
    }
}

#[test]
fn types_nest_so_deep_and_no_deeper() {
    let nested = |depth: u32| {
        let lists = (0..depth).map(Type::List);
        types(std::iter::once(Type::Bool).chain(lists).collect())
    };
    assert!(Interface::decode(&nested(MAX_DEPTH).encode()).is_ok());
    let deeper = nested(MAX_DEPTH + 1);
    assert_eq!(refusal(&deeper.encode()), "types nested too deep");
}

#[test]
fn types_and_functions_are_counted() {
    let many = types(vec![Type::Bool; MAX_TYPES]);
    assert_eq!(Interface::decode(&many.encode()).as_ref(), Ok(&many));
    let more = types(vec![Type::Bool; MAX_TYPES + 1]);
    assert_eq!(refusal(&more.encode()), "too many types or functions");
    let functions = Interface {
        functions: vec![function(None, "f"); MAX_FUNCTIONS + 1],
        ..Interface::default()
    };
    assert_eq!(refusal(&functions.encode()), "too many types or functions");
}

/// What would take many times its bytes once read is refused before it is.
#[test]
fn values_are_counted_before_they_are_kept() {
    let bools = Value::Array(vec![Value::Text("bool".to_owned()); 2 << 20]);
    let bytes = encoded(&Value::Map(vec![(Value::Text("types".to_owned()), bools)]));
    assert!(refusal(&bytes).contains("too many values"));
    let deep = [vec![0x81; 1000], vec![0]].concat();
    assert!(refusal(&deep).contains("too deep"));
}

/// Few types that name each other twice make a text without end.
#[test]
fn types_that_unfold_without_end_are_refused() {
    let doubled = |count: u32| {
        let pairs = (0..count).map(|id| Type::Tuple(vec![id, id]));
        types(std::iter::once(Type::Bool).chain(pairs).collect())
    };
    let fine = Interface::decode(&doubled(16).encode()).unwrap();
    assert!(fine.type_text(16).len() < 1 << 20);
    let why = "a type that is too large when written out";
    assert_eq!(refusal(&doubled(60).encode()), why);

    let long = "n".repeat(60_000);
    let named = vec![Type::Own(long.clone()), Type::Tuple(vec![0; 1000])];
    assert_eq!(refusal(&types(named).encode()), why);
    let enums = Type::Enum {
        name: None,
        cases: vec![long],
    };
    assert_eq!(
        refusal(&types(vec![enums, Type::Tuple(vec![0; 1000])]).encode()),
        why
    );

    let mut wide = doubled(20);
    wide.functions = vec![Function {
        params: vec![("a".to_owned(), 19); 4],
        ..function(None, "f")
    }];
    let why = "a function whose types are too large when written out";
    assert_eq!(refusal(&wide.encode()), why);
}

#[test]
fn unknown_fields_are_refused() {
    let text = |text: &str| Value::Text(text.to_owned());
    let empty = ["types", "functions", "imports"].map(|name| (name, Value::Array(Vec::new())));
    let plain = |extra: &[(&str, Value)]| {
        let fields = empty.iter().chain(extra);
        Value::Map(
            fields
                .map(|(name, value)| (text(name), value.clone()))
                .collect(),
        )
    };
    assert_eq!(
        Interface::decode(&encoded(&plain(&[]))),
        Ok(Interface::default())
    );
    assert!(refusal(&encoded(&plain(&[("more", Value::Null)]))).contains("unknown field"));

    let with_type = |ty: Value| {
        let mut whole = plain(&[]);
        if let Value::Map(fields) = &mut whole {
            fields[0].1 = Value::Array(vec![text("bool"), ty]);
        }
        encoded(&whole)
    };
    let one = |name: &str, content: Value| Value::Map(vec![(text(name), content)]);
    assert!(Interface::decode(&with_type(one("list", 0.into()))).is_ok());
    let result = |more: &str| {
        let fields = ["ok", "err", more].map(|name| (text(name), Value::Null));
        one("result", Value::Map(fields.to_vec()))
    };
    assert!(refusal(&with_type(result("other"))).contains("unknown field"));
    for bad in [
        text("s128"),
        one("list", (-1).into()),
        one("list", (1u64 << 32).into()),
        one("list", Value::Null),
        one("tuple", text("bool")),
        Value::Null,
        0.into(),
    ] {
        refusal(&with_type(bad));
    }
    // Missing fields, no map at all, and more behind it.
    refusal(&encoded(&Value::Map(Vec::new())));
    refusal(&encoded(&text("types")));
    refusal(b"");
    assert!(refusal(&[encoded(&plain(&[])), vec![0]].concat()).contains("trailing"));
}

fn paths() -> Interface {
    Interface {
        functions: vec![
            function(None, "add"),                                   // 0
            function(Some("a:b/api@0.1.0"), "greet"),                // 1
            function(Some("a:b/other@0.1.0"), "greet"),              // 2
            function(Some("a:b/api@0.1.0"), "[constructor]counter"), // 3
            function(Some("a:b/api@0.1.0"), "[method]counter.incr"), // 4
            function(Some("a:b/api@0.1.0"), "[static]counter.make"), // 5
            function(Some("x:y/api@2.0.0"), "only"),                 // 6
            function(Some("x:y/api@2.0.0"), "greet"),                // 7
            function(Some("plain"), "run"),                          // 8
            function(None, "greet"),                                 // 9
        ],
        ..Interface::default()
    }
}

#[test]
fn functions_are_found_by_short_qualified_and_full_names() {
    let interface = paths();
    for (path, found) in [
        ("add", &[0][..]),
        ("only", &[6]),
        ("api.only", &[6]),
        ("x:y/api@2.0.0.only", &[6]),
        ("run", &[8]),
        ("plain.run", &[8]),
        ("other.greet", &[2]),
        ("counter", &[3]),
        ("counter.incr", &[4]),
        ("[method]counter.incr", &[4]),
        ("api.counter.incr", &[4]),
        ("api.[method]counter.incr", &[4]),
        ("a:b/api@0.1.0.counter.incr", &[4]),
        ("counter.make", &[5]),
        ("a:b/api@0.1.0.[static]counter.make", &[5]),
        // Several, until the name says which.
        ("greet", &[1, 2, 7, 9]),
        ("api.greet", &[1, 7]),
        ("a:b/api@0.1.0.greet", &[1]),
        ("x:y/api@2.0.0.greet", &[7]),
        // None.
        ("", &[]),
        (".", &[]),
        (".add", &[]),
        ("add.", &[]),
        ("api.", &[]),
        ("api", &[]),
        ("api.add", &[]),
        ("ap.only", &[]),
        ("api@2.0.0.only", &[]),
        ("x:y/api.only", &[]),
        ("incr", &[]),
        ("plainrun", &[]),
        ("Add", &[]),
    ] {
        assert_eq!(interface.find(path), found, "{path}");
    }
}

#[test]
fn the_names_of_a_function_find_it() {
    let interface = paths();
    for (index, function) in interface.functions.iter().enumerate() {
        assert!(interface.find(function.callable()).contains(&index));
        assert!(interface.find(&function.name).contains(&index));
        assert!(interface.find(&function.qualified()).contains(&index));
    }
    let qualified: Vec<String> = interface
        .functions
        .iter()
        .map(Function::qualified)
        .collect();
    let expected = [
        "add",
        "api.greet",
        "other.greet",
        "api.counter",
        "api.counter.incr",
        "api.counter.make",
        "api.only",
        "api.greet",
        "plain.run",
        "greet",
    ];
    assert_eq!(qualified, expected);
    assert_eq!(interface.functions[0].short_interface(), None);
    assert_eq!(interface.functions[6].short_interface(), Some("api"));
    assert_eq!(function(None, "[odd").callable(), "[odd");
}

#[test]
fn every_type_prints_as_wit() {
    let text = str::to_owned;
    let point = |name: Option<&str>| Type::Record {
        name: name.map(str::to_owned),
        fields: vec![(text("x"), 8), (text("y"), 13)],
    };
    let shape = |name: Option<&str>| Type::Variant {
        name: name.map(str::to_owned),
        cases: vec![(text("none"), None), (text("some"), Some(5))],
    };
    let words = || vec![text("red"), text("dark-blue")];
    let all = [
        (Type::Bool, "bool"),                             // 0
        (Type::S8, "s8"),                                 // 1
        (Type::U8, "u8"),                                 // 2
        (Type::S16, "s16"),                               // 3
        (Type::U16, "u16"),                               // 4
        (Type::S32, "s32"),                               // 5
        (Type::U32, "u32"),                               // 6
        (Type::S64, "s64"),                               // 7
        (Type::U64, "u64"),                               // 8
        (Type::F32, "f32"),                               // 9
        (Type::F64, "f64"),                               // 10
        (Type::Char, "char"),                             // 11
        (Type::String, "string"),                         // 12
        (Type::List(12), "list<string>"),                 // 13
        (Type::FixedList(2, 16), "list<u8, 16>"),         // 14
        (Type::Map(12, 13), "map<string, list<string>>"), // 15
        (Type::Option(13), "option<list<string>>"),       // 16
        (
            Type::Result {
                ok: None,
                err: None,
            },
            "result",
        ), // 17
        (
            Type::Result {
                ok: Some(0),
                err: None,
            },
            "result<bool>",
        ), // 18
        (
            Type::Result {
                ok: None,
                err: Some(12),
            },
            "result<_, string>",
        ), // 19
        (
            Type::Result {
                ok: Some(0),
                err: Some(12),
            },
            "result<bool, string>",
        ), // 20
        (Type::Tuple(vec![0]), "tuple<bool>"),            // 21
        (
            Type::Tuple(vec![0, 16]),
            "tuple<bool, option<list<string>>>",
        ), // 22
        (point(Some("point")), "point"),                  // 23
        (point(None), "record { x: u64, y: list<string> }"), // 24
        (shape(Some("shape")), "shape"),                  // 25
        (shape(None), "variant { none, some(s32) }"),     // 26
        (
            Type::Enum {
                name: Some(text("color")),
                cases: words(),
            },
            "color",
        ), // 27
        (
            Type::Enum {
                name: None,
                cases: words(),
            },
            "enum { red, dark-blue }",
        ), // 28
        (
            Type::Flags {
                name: Some(text("tints")),
                flags: words(),
            },
            "tints",
        ), // 29
        (
            Type::Flags {
                name: None,
                flags: words(),
            },
            "flags { red, dark-blue }",
        ), // 30
        (Type::Own(text("counter")), "counter"),          // 31
        (Type::Borrow(text("counter")), "borrow<counter>"), // 32
        (Type::Stream(None), "stream"),                   // 33
        (Type::Stream(Some(2)), "stream<u8>"),            // 34
        (Type::Future(None), "future"),                   // 35
        (Type::Future(Some(19)), "future<result<_, string>>"), // 36
        (Type::ErrorContext, "error-context"),            // 37
        (Type::List(23), "list<point>"),                  // 38
    ];
    let interface = types(all.iter().map(|(ty, _)| ty.clone()).collect());
    assert_eq!(
        Interface::decode(&interface.encode()).as_ref(),
        Ok(&interface)
    );
    let definitions = [
        (23, "record point { x: u64, y: list<string> }"),
        (24, "record { x: u64, y: list<string> }"),
        (25, "variant shape { none, some(s32) }"),
        (26, "variant { none, some(s32) }"),
        (27, "enum color { red, dark-blue }"),
        (28, "enum { red, dark-blue }"),
        (29, "flags tints { red, dark-blue }"),
        (30, "flags { red, dark-blue }"),
    ];
    for ((_, expected), id) in all.iter().zip(0..) {
        assert_eq!(interface.type_text(id), *expected);
        let definition = definitions.iter().find(|(known, _)| *known == id);
        let definition = definition.map(|(_, text)| (*text).to_owned());
        assert_eq!(interface.definition_text(id), definition);
    }
}

#[test]
fn every_signature_prints_as_wit() {
    let interface = types(vec![
        Type::S64,
        Type::String,
        Type::List(1),
        Type::Own("c".to_owned()),
    ]);
    let with = |name: &str, is_async, params: &[(&str, TypeId)], result| {
        let params = params
            .iter()
            .map(|(name, id)| ((*name).to_owned(), *id))
            .collect();
        let function = Function {
            is_async,
            params,
            result,
            ..function(Some("a:b/api@1.0.0"), name)
        };
        interface.signature(&function).to_string()
    };
    assert_eq!(with("stop", false, &[], None), "stop: func()");
    assert_eq!(
        with("add", false, &[("a", 0), ("b", 0)], Some(0)),
        "add: func(a: s64, b: s64) -> s64"
    );
    assert_eq!(
        with("all", true, &[("of", 2)], Some(2)),
        "all: async func(of: list<string>) -> list<string>"
    );
    assert_eq!(
        with("[constructor]c", false, &[], Some(3)),
        "c: func() -> c"
    );
    assert_eq!(
        with("[method]c.get", false, &[("self", 3)], None),
        "c.get: func(self: c)"
    );
    assert_eq!(
        with("[static]c.new", true, &[], None),
        "c.new: async func()"
    );
}

#[test]
fn results_come_back_in_their_shape() {
    let interface = types(vec![
        Type::S64, // 0
        Type::Result {
            ok: Some(0),
            err: Some(0),
        }, // 1
        Type::Stream(Some(0)), // 2
        Type::Result {
            ok: None,
            err: Some(0),
        }, // 3
        Type::Future(Some(3)), // 4
        Type::Tuple(vec![2, 4]), // 5
        Type::Future(Some(1)), // 6
        Type::Tuple(vec![2, 6]), // 7
        Type::Tuple(vec![4, 2]), // 8
        Type::Tuple(vec![2, 4, 0]), // 9
        Type::Future(None), // 10
        Type::Tuple(vec![2, 10]), // 11
        Type::Stream(None), // 12
        Type::Result {
            ok: None,
            err: None,
        }, // 13
    ]);
    for (result, shape) in [
        (None, Shape::Plain),
        (Some(0), Shape::Plain),
        (Some(1), Shape::Fallible),
        (Some(13), Shape::Fallible),
        (Some(2), Shape::Generator),
        (Some(12), Shape::Generator),
        (Some(5), Shape::FallibleGenerator),
        (Some(4), Shape::Plain),
        (Some(7), Shape::Plain),
        (Some(8), Shape::Plain),
        (Some(9), Shape::Plain),
        (Some(11), Shape::Plain),
    ] {
        let function = Function {
            result,
            ..function(None, "f")
        };
        assert_eq!(interface.shape(&function), shape, "{result:?}");
    }
}

/// Something that a descriptor might be taken for.
fn any_document() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "types",
        "functions",
        "imports",
        "bool",
        "u8",
        "list",
        "record",
        "variant",
        "tuple",
        "result",
        "name",
        "fields",
        "cases",
        "ok",
        "err",
        "interface",
        "is_async",
        "params",
        "unsupported",
        "grant",
        "granted",
    ]);
    let words = words.prop_map(|word| Value::Text(word.to_owned()));
    let leaf = prop_oneof![
        3 => words.clone(),
        2 => (0u8..4).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let entry = (words.clone(), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::Array),
            prop::collection::vec(entry, 0..5).prop_map(Value::Map),
        ]
    })
}

/// Follows every id and prints everything.
fn tour(interface: &Interface) {
    for id in 0..u32::try_from(interface.types.len()).unwrap() {
        assert!(!interface.type_text(id).is_empty() || is_nameless(interface.ty(id)));
        interface.definition_text(id);
    }
    for function in &interface.functions {
        interface.shape(function);
        interface.signature(function).to_string();
        assert!(!interface.find(&function.qualified()).is_empty());
    }
}

fn is_nameless(ty: &Type) -> bool {
    match ty {
        Type::Own(name)
        | Type::Record {
            name: Some(name), ..
        }
        | Type::Variant {
            name: Some(name), ..
        }
        | Type::Enum {
            name: Some(name), ..
        }
        | Type::Flags {
            name: Some(name), ..
        } => name.is_empty(),
        _ => false,
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(interface in interface()) {
        let read = Interface::decode(&interface.encode());
        prop_assert_eq!(read.as_ref(), Ok(&interface));
        tour(&interface);
    }

    #[test]
    fn a_changed_descriptor_is_sound_or_refused(
        interface in interface(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = interface.encode().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = Interface::decode(&bytes) {
            tour(&read);
        }
    }

    #[test]
    fn random_documents_are_sound_or_refused(
        (types, functions, imports) in (any_document(), any_document(), any_document()),
    ) {
        let field = |name: &str, value| (Value::Text(name.to_owned()), value);
        let whole = Value::Map(vec![
            field("types", types.clone()),
            field("functions", functions),
            field("imports", imports),
        ]);
        for document in [whole, types] {
            if let Ok(read) = Interface::decode(&encoded(&document)) {
                tour(&read);
            }
        }
    }

    #[test]
    fn random_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(read) = Interface::decode(&bytes) {
            tour(&read);
        }
    }
}
