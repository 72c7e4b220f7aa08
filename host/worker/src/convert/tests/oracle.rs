//! The engine's own dynamic values: the slow path that the fast one must agree with.

use proc_host_wire::cbor::{Kind, Reader, Writer};
use wasmtime::component::Val;

use super::types::{Ty, name};

/// Reads a canonical value of a type.
pub(super) fn read(ty: &Ty, r: &mut Reader<'_>) -> Val {
    match ty {
        Ty::Bool => Val::Bool(r.bool().unwrap()),
        Ty::S8 => Val::S8(r.i64().unwrap().try_into().unwrap()),
        Ty::U8 => Val::U8(r.i64().unwrap().try_into().unwrap()),
        Ty::S16 => Val::S16(r.i64().unwrap().try_into().unwrap()),
        Ty::U16 => Val::U16(r.i64().unwrap().try_into().unwrap()),
        Ty::S32 => Val::S32(r.i64().unwrap().try_into().unwrap()),
        Ty::U32 => Val::U32(r.i64().unwrap().try_into().unwrap()),
        Ty::S64 => Val::S64(r.i64().unwrap()),
        Ty::U64 => Val::U64(r.uint().unwrap()),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it was an f32 when it was written"
        )]
        Ty::F32 => Val::Float32(r.float().unwrap() as f32),
        Ty::F64 => Val::Float64(r.float().unwrap()),
        Ty::Char => Val::Char(r.text().unwrap().chars().next().unwrap()),
        Ty::String => Val::String(r.text().unwrap().to_owned()),
        Ty::List(element) if **element == Ty::U8 => {
            Val::List(r.bytes().unwrap().iter().map(|b| Val::U8(*b)).collect())
        }
        Ty::List(element) => {
            let length = r.array().unwrap();
            Val::List((0..length).map(|_| read(element, r)).collect())
        }
        Ty::Map(key, value) => {
            let length = r.map().unwrap();
            Val::Map(
                (0..length)
                    .map(|_| (read(key, r), read(value, r)))
                    .collect(),
            )
        }
        Ty::Tuple(parts) => {
            r.array().unwrap();
            Val::Tuple(parts.iter().map(|part| read(part, r)).collect())
        }
        Ty::Record(fields) => {
            r.map().unwrap();
            let field = |field| (r.text().unwrap().to_owned(), read(field, r));
            Val::Record(fields.iter().map(field).collect())
        }
        Ty::Variant(cases) => {
            let payload = r.peek().unwrap() == Kind::Map && r.map().unwrap() == 1;
            let case = r.text().unwrap().to_owned();
            let index: usize = case[1..].parse().unwrap();
            let payload = payload.then(|| Box::new(read(cases[index].as_ref().unwrap(), r)));
            Val::Variant(case, payload)
        }
        Ty::Enum(_) => Val::Enum(r.text().unwrap().to_owned()),
        Ty::Flags(_) => {
            let length = r.array().unwrap();
            Val::Flags((0..length).map(|_| r.text().unwrap().to_owned()).collect())
        }
        Ty::Option(some) => {
            let none = match **some {
                Ty::Option(_) => r.array().unwrap() == 0,
                _ => r.peek().unwrap() == Kind::Null && r.null().is_ok(),
            };
            Val::Option((!none).then(|| Box::new(read(some, r))))
        }
        Ty::Result(ok, err) => {
            r.map().unwrap();
            let is_ok = r.text().unwrap() == "ok";
            let payload = match if is_ok { ok } else { err } {
                Some(payload) => Some(Box::new(read(payload, r))),
                None => r.null().map(|()| None).unwrap(),
            };
            Val::Result(if is_ok { Ok(payload) } else { Err(payload) })
        }
    }
}

/// Writes a value as a guest's is written.
pub(super) fn write(ty: &Ty, value: &Val, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    match (ty, value) {
        (_, Val::Bool(v)) => w.bool(*v),
        (_, Val::S8(v)) => w.int((*v).into()),
        (_, Val::U8(v)) => w.uint((*v).into()),
        (_, Val::S16(v)) => w.int((*v).into()),
        (_, Val::U16(v)) => w.uint((*v).into()),
        (_, Val::S32(v)) => w.int((*v).into()),
        (_, Val::U32(v)) => w.uint((*v).into()),
        (_, Val::S64(v)) => w.int(*v),
        (_, Val::U64(v)) => w.uint(*v),
        (_, Val::Float32(v)) => w.f32(*v),
        (_, Val::Float64(v)) => w.f64(*v),
        (_, Val::Char(v)) => w.text(&v.to_string()),
        (_, Val::String(v)) => w.text(v),
        (Ty::List(element), Val::List(values)) if **element == Ty::U8 => {
            let byte = |v: &Val| {
                if let Val::U8(b) = v {
                    *b
                } else {
                    panic!("not a byte")
                }
            };
            w.bytes(&values.iter().map(byte).collect::<Vec<_>>());
        }
        (Ty::List(element), Val::List(values)) => {
            w.array(values.len());
            values.iter().for_each(|v| write(element, v, out));
        }
        (Ty::Map(k, v), Val::Map(entries)) => {
            w.map(entries.len());
            for (key, value) in entries {
                write(k, key, out);
                write(v, value, out);
            }
        }
        (Ty::Tuple(parts), Val::Tuple(values)) => {
            w.array(values.len());
            parts
                .iter()
                .zip(values)
                .for_each(|(part, v)| write(part, v, out));
        }
        (Ty::Record(fields), Val::Record(values)) => {
            w.map(values.len());
            for (field, (name, value)) in fields.iter().zip(values) {
                Writer::new(out).text(name);
                write(field, value, out);
            }
        }
        (Ty::Variant(cases), Val::Variant(case, payload)) => match payload {
            None => w.text(case),
            Some(payload) => {
                w.map(1);
                w.text(case);
                let index = (0..cases.len()).find(|i| name(*i) == *case).unwrap();
                write(cases[index].as_ref().unwrap(), payload, out);
            }
        },
        (_, Val::Enum(case)) => w.text(case),
        (_, Val::Flags(flags)) => {
            w.array(flags.len());
            flags.iter().for_each(|flag| w.text(flag));
        }
        (Ty::Option(some), Val::Option(value)) => {
            match (&**some, value) {
                (Ty::Option(_), value) => w.array(usize::from(value.is_some())),
                (_, None) => w.null(),
                (_, Some(_)) => {}
            }
            value.iter().for_each(|value| write(some, value, out));
        }
        (Ty::Result(ok, err), Val::Result(value)) => {
            let (name, ty, payload) = match value {
                Ok(payload) => ("ok", ok, payload),
                Err(payload) => ("err", err, payload),
            };
            w.map(1);
            w.text(name);
            match (ty, payload) {
                (Some(ty), Some(payload)) => write(ty, payload, out),
                _ => w.null(),
            }
        }
        other => panic!("not of the type: {other:?}"),
    }
}
