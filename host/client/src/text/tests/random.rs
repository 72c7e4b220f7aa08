//! Values of random types there and back.

use proc_host_wire::cbor::Writer;
use proc_host_wire::interface::{Type, TypeId};
use proptest::prelude::*;

use super::{add, function, wave, words};
use crate::outcome::Encoded;
use crate::text::outline::{put_integer, range};
use crate::text::{arguments_from_json, to_json, to_wave};

/// A type tree: the types, children first, and the last of them the root.
fn types() -> impl Strategy<Value = Vec<Type>> {
    let leaf = prop::sample::select(vec![
        Type::Bool,
        Type::S8,
        Type::U8,
        Type::S16,
        Type::U16,
        Type::S32,
        Type::U32,
        Type::S64,
        Type::U64,
        Type::F32,
        Type::F64,
        Type::Char,
        Type::String,
        Type::Enum {
            name: None,
            cases: words(&["red", "ok", "none", "dark-blue"]),
        },
        Type::Flags {
            name: None,
            flags: words(&["read", "write", "inf"]),
        },
        Type::Result {
            ok: None,
            err: None,
        },
    ]);
    let leaf = leaf.prop_map(|ty| vec![ty]);
    leaf.prop_recursive(4, 24, 3, |inner| {
        (prop::collection::vec(inner, 1..4), 0..10_u8).prop_map(|(children, kind)| {
            let mut types = Vec::new();
            let mut roots = Vec::new();
            for child in children {
                let base = u32::try_from(types.len()).unwrap();
                types.extend(child.into_iter().map(|ty| moved(ty, base)));
                roots.push(u32::try_from(types.len()).unwrap() - 1);
            }
            let named = |prefix: &str| -> Vec<(String, TypeId)> {
                roots
                    .iter()
                    .map(|id| (format!("{prefix}{id}"), *id))
                    .collect()
            };
            types.push(match kind {
                0 => Type::List(roots[0]),
                1 => Type::FixedList(roots[0], 2),
                2 => Type::Option(roots[0]),
                3 => Type::Result {
                    ok: Some(roots[0]),
                    err: roots.get(1).copied(),
                },
                4 => Type::Result {
                    ok: None,
                    err: Some(roots[0]),
                },
                5 => Type::Tuple(roots),
                6 => Type::Map(roots[0], roots[roots.len() - 1]),
                7 => Type::Variant {
                    name: None,
                    cases: named("case")
                        .into_iter()
                        .map(|(name, id)| (name, Some(id)))
                        .chain([("some".to_owned(), None)])
                        .collect(),
                },
                _ => Type::Record {
                    name: None,
                    fields: named("field"),
                },
            });
            types
        })
    })
}

fn moved(ty: Type, base: u32) -> Type {
    let m = |id: TypeId| id + base;
    match ty {
        Type::List(id) => Type::List(m(id)),
        Type::FixedList(id, n) => Type::FixedList(m(id), n),
        Type::Option(id) => Type::Option(m(id)),
        Type::Map(key, value) => Type::Map(m(key), m(value)),
        Type::Result { ok, err } => Type::Result {
            ok: ok.map(m),
            err: err.map(m),
        },
        Type::Tuple(parts) => Type::Tuple(parts.into_iter().map(m).collect()),
        Type::Record { name, fields } => Type::Record {
            name,
            fields: fields.into_iter().map(|(n, id)| (n, m(id))).collect(),
        },
        Type::Variant { name, cases } => Type::Variant {
            name,
            cases: cases.into_iter().map(|(n, id)| (n, id.map(m))).collect(),
        },
        leaf => leaf,
    }
}

/// Writes some value of a type, drawn from `bits`.
fn fill(types: &[Type], id: TypeId, bits: &mut impl FnMut() -> u64, out: &mut Writer<'_>) {
    let option = |id: TypeId| matches!(types[id as usize], Type::Option(_));
    let ty = &types[id as usize];
    if let Some((least, greatest)) = range(ty) {
        let value = least + i128::from(bits()) % (greatest - least + 1);
        return put_integer(out, value);
    }
    match ty {
        Type::Bool => out.bool(bits().is_multiple_of(2)),
        Type::F32 => {
            let value = f32::from_bits(u32::try_from(bits() >> 32).unwrap());
            out.f32(if value.is_nan() { f32::NAN } else { value });
        }
        Type::F64 => {
            let value = f64::from_bits(bits());
            out.f64(if value.is_nan() { f64::NAN } else { value });
        }
        Type::Char | Type::String => {
            let scalars = [
                'a', '\'', '"', '\\', '\n', '\u{7}', 'é', '🦀', '\u{200b}', '\u{301}',
            ];
            let mut scalar = || scalars[usize::try_from(bits() % 10).unwrap()];
            let text: String = match ty {
                Type::Char => scalar().into(),
                _ => (0..scalar().len_utf8() * 2 - 2).map(|_| scalar()).collect(),
            };
            out.text(&text);
        }
        Type::Enum { cases, .. } => out.text(&cases[usize::try_from(bits() % 4).unwrap()]),
        Type::Flags { flags, .. } => {
            let set: Vec<&String> = flags.iter().filter(|_| bits().is_multiple_of(2)).collect();
            out.array(set.len());
            set.into_iter().for_each(|flag| out.text(flag));
        }
        Type::List(item) if matches!(types[*item as usize], Type::U8) => {
            let bytes: Vec<u8> = (0..bits() % 5).map(|_| bits().to_le_bytes()[3]).collect();
            out.bytes(&bytes);
        }
        Type::List(item) => {
            let length = usize::try_from(bits() % 4).unwrap();
            out.array(length);
            (0..length).for_each(|_| fill(types, *item, bits, out));
        }
        Type::FixedList(item, length) => {
            out.array(*length as usize);
            (0..*length).for_each(|_| fill(types, *item, bits, out));
        }
        Type::Map(key, value) => {
            out.map(1);
            fill(types, *key, bits, out);
            fill(types, *value, bits, out);
        }
        Type::Tuple(parts) => {
            out.array(parts.len());
            parts.iter().for_each(|part| fill(types, *part, bits, out));
        }
        Type::Record { fields, .. } => {
            out.map(fields.len());
            for (name, id) in fields {
                out.text(name);
                fill(types, *id, bits, out);
            }
        }
        Type::Variant { cases, .. } => {
            let (name, payload) = &cases[usize::try_from(bits()).unwrap() % cases.len()];
            if let Some(id) = payload {
                out.map(1);
                out.text(name);
                fill(types, *id, bits, out);
            } else {
                out.text(name);
            }
        }
        Type::Option(some) => match (option(*some), bits().is_multiple_of(2)) {
            (false, false) => out.null(),
            (nested, there) => {
                if nested {
                    out.array(usize::from(there));
                }
                if there {
                    fill(types, *some, bits, out);
                }
            }
        },
        Type::Result { ok, err } => {
            let (name, id) = if bits().is_multiple_of(2) {
                ("ok", ok)
            } else {
                ("err", err)
            };
            out.map(1);
            out.text(name);
            match id {
                Some(id) => fill(types, *id, bits, out),
                None => out.null(),
            }
        }
        other => panic!("{other:?} is not made"),
    }
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_the_same(types in types(), seed in any::<u64>()) {
        let root = u32::try_from(types.len()).unwrap() - 1;
        let mut state = seed;
        let mut bits = || {
            // A splitmix step: the values need variety, not quality.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^ (mixed >> 31)
        };
        let mut body = Vec::new();
        fill(&types, root, &mut bits, &mut Writer::new(&mut body));
        let info = function(types, &[("x", root)]);
        let value = Encoded::new(body.clone().into(), Vec::new());
        let expected = [&[0x81], body.as_slice()].concat();

        let text = to_wave(&info.interface, root, &value).unwrap();
        let again = wave(&format!("m.f({text})"), &info)
            .unwrap_or_else(|error| panic!("{error}"));
        prop_assert_eq!(&again.body, &expected, "{}", text);

        let text = to_json(&info.interface, root, &value).unwrap();
        let again = arguments_from_json(&format!("[{text}]"), &info)
            .unwrap_or_else(|error| panic!("{error}"));
        prop_assert_eq!(&again.body, &expected, "{}", text);
    }

    #[test]
    fn no_text_breaks_the_readers(text in ".{0,60}") {
        let _ = wave(&text, &add()).map_err(|error| error.to_string());
        let _ = wave(&format!("m.f({text})"), &add()).map_err(|error| error.to_string());
        let _ = arguments_from_json(&text, &add()).map_err(|error| error.to_string());
    }
}
