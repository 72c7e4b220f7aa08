//! From JSON to CBOR, by type.

use proc_host_wire::cbor::Writer;
use proc_host_wire::interface::{Interface, Type, TypeId};
use serde_json::{Map, Value};

use super::outline::{Document, is_byte, is_option, put_integer, range, type_name, unwritable};

/// What is wrong, and where within an argument, innermost step first.
pub(super) struct Fault {
    pub(super) message: String,
    steps: Vec<String>,
}

impl Fault {
    fn under(mut self, step: String) -> Fault {
        self.steps.push(step);
        self
    }

    pub(super) fn path(&self) -> String {
        self.steps.iter().rev().map(String::as_str).collect()
    }
}

type Read = Result<(), Fault>;

fn fault(message: impl Into<String>) -> Fault {
    Fault {
        message: message.into(),
        steps: Vec::new(),
    }
}

/// Appends `value` as a `id`.
pub(super) fn put(interface: &Interface, id: TypeId, value: &Value, out: &mut Document) -> Read {
    let ty = interface.ty(id);
    if let Some(why) = unwritable(ty) {
        return Err(fault(why));
    }
    let wrong = || {
        let found = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(value) => value.to_string(),
            Value::String(_) => "a text".to_owned(),
            Value::Array(values) => format!("an array of {}", values.len()),
            Value::Object(_) => "an object".to_owned(),
        };
        fault(format!(
            "expected {}, found {found}",
            type_name(interface, id)
        ))
    };
    let list = || value.as_array().ok_or_else(wrong);
    if let Some(range) = range(ty) {
        let value = integer(value).ok_or_else(wrong)?;
        if value < range.0 || value > range.1 {
            let name = interface.type_text(id);
            return Err(fault(format!("{value} is out of range for {name}")));
        }
        put_integer(&mut out.writer(), value);
        return Ok(());
    }
    match ty {
        Type::Bool => out.writer().bool(value.as_bool().ok_or_else(wrong)?),
        #[expect(clippy::cast_possible_truncation, reason = "rounding is the point")]
        Type::F32 => out.writer().f32(float(value).ok_or_else(wrong)? as f32),
        Type::F64 => out.writer().f64(float(value).ok_or_else(wrong)?),
        Type::Char => {
            let text = value.as_str().filter(|text| text.chars().count() == 1);
            out.writer().text(text.ok_or_else(wrong)?);
        }
        Type::String => out.writer().text(value.as_str().ok_or_else(wrong)?),
        Type::List(item) if is_byte(interface, *item) => {
            let bytes = bytes(list()?)?;
            out.writer().bytes(&bytes);
        }
        Type::List(item) => {
            out.writer().array(list()?.len());
            return each(list()?, |value| put(interface, *item, value, out));
        }
        Type::FixedList(item, length) => {
            if list()?.len() != *length as usize {
                return Err(wrong());
            }
            out.writer().array(list()?.len());
            return each(list()?, |value| put(interface, *item, value, out));
        }
        Type::Tuple(parts) => {
            if list()?.len() != parts.len() {
                return Err(wrong());
            }
            out.writer().array(parts.len());
            let mut parts = parts.iter();
            return each(list()?, |value| match parts.next() {
                Some(part) => put(interface, *part, value, out),
                None => Ok(()),
            });
        }
        Type::Map(key, item) => return map(interface, (*key, *item), value, &wrong, out),
        Type::Record { fields, .. } => {
            return record(
                interface,
                id,
                fields,
                value.as_object().ok_or_else(wrong)?,
                out,
            );
        }
        Type::Variant { cases, .. } => {
            let (name, payload) = case(value).ok_or_else(wrong)?;
            match (cases.iter().find(|(case, _)| case == name), payload) {
                (Some((_, None)), None) => out.writer().text(name),
                (Some((_, Some(id))), Some(payload)) => {
                    one_entry(&mut out.writer(), name);
                    return put(interface, *id, payload, out)
                        .map_err(|fault| fault.under(format!(".{name}")));
                }
                _ => return Err(wrong()),
            }
        }
        Type::Enum { cases, .. } => {
            let name = value
                .as_str()
                .filter(|name| cases.iter().any(|case| case == name));
            out.writer().text(name.ok_or_else(wrong)?);
        }
        Type::Flags { flags, .. } => {
            let set: Option<Vec<&str>> = list()?.iter().map(Value::as_str).collect();
            let set = set.ok_or_else(wrong)?;
            if set
                .iter()
                .any(|name| !flags.iter().any(|flag| flag == name))
            {
                return Err(wrong());
            }
            let set: Vec<_> = flags
                .iter()
                .filter(|flag| set.contains(&flag.as_str()))
                .collect();
            out.writer().array(set.len());
            set.into_iter().for_each(|flag| out.writer().text(flag));
        }
        Type::Option(some) if is_option(interface, *some) => {
            if list()?.len() > 1 {
                return Err(wrong());
            }
            out.writer().array(list()?.len());
            return each(list()?, |value| put(interface, *some, value, out));
        }
        Type::Option(_) if value.is_null() => out.writer().null(),
        Type::Option(some) => return put(interface, *some, value, out),
        Type::Result { ok, err } => {
            let (name, payload) = case(value).ok_or_else(wrong)?;
            let id = match name {
                "ok" => ok,
                "err" => err,
                _ => return Err(wrong()),
            };
            one_entry(&mut out.writer(), name);
            match (id, payload) {
                (Some(id), Some(payload)) => {
                    return put(interface, *id, payload, out)
                        .map_err(|fault| fault.under(format!(".{name}")));
                }
                (None, None | Some(Value::Null)) => out.writer().null(),
                _ => return Err(wrong()),
            }
        }
        Type::Stream(Some(item)) if is_byte(interface, *item) => {
            let mut chunk = Document::default();
            chunk.writer().bytes(&bytes(list()?)?);
            out.stream(vec![chunk.body]);
        }
        Type::Stream(Some(item)) => {
            let mut items = Vec::new();
            each(list()?, |value| {
                items.push(apart(interface, *item, value)?);
                Ok(())
            })?;
            out.stream(items);
        }
        Type::Future(Some(item)) => out.future(apart(interface, *item, value)?),
        _ => return Err(wrong()),
    }
    Ok(())
}

fn apart(interface: &Interface, id: TypeId, value: &Value) -> Result<Vec<u8>, Fault> {
    let mut item = Document::default();
    put(interface, id, value, &mut item)?;
    Ok(item.body)
}

fn each(values: &[Value], mut put: impl FnMut(&Value) -> Read) -> Read {
    for (at, value) in values.iter().enumerate() {
        put(value).map_err(|fault| fault.under(format!("[{at}]")))?;
    }
    Ok(())
}

fn record(
    interface: &Interface,
    id: TypeId,
    fields: &[(String, TypeId)],
    values: &Map<String, Value>,
    out: &mut Document,
) -> Read {
    if let Some(name) = values
        .keys()
        .find(|key| !fields.iter().any(|(field, _)| field == *key))
    {
        let known = type_name(interface, id);
        return Err(fault(format!("no field `{name}`: expected {known}")));
    }
    out.writer().map(fields.len());
    for (name, field) in fields {
        out.writer().text(name);
        match (values.get(name), interface.ty(*field)) {
            (Some(value), _) => put(interface, *field, value, out)
                .map_err(|fault| fault.under(format!(".{name}")))?,
            (None, Type::Option(some)) if is_option(interface, *some) => out.writer().array(0),
            (None, Type::Option(_)) => out.writer().null(),
            (None, _) => {
                let known = type_name(interface, id);
                return Err(fault(format!(
                    "field `{name}` is missing: expected {known}"
                )));
            }
        }
    }
    Ok(())
}

fn map(
    interface: &Interface,
    of: (TypeId, TypeId),
    value: &Value,
    wrong: &dyn Fn() -> Fault,
    out: &mut Document,
) -> Read {
    if let Some(entries) = value
        .as_object()
        .filter(|_| matches!(interface.ty(of.0), Type::String))
    {
        out.writer().map(entries.len());
        return entries.iter().try_for_each(|(key, value)| {
            out.writer().text(key);
            put(interface, of.1, value, out).map_err(|fault| fault.under(format!(".{key}")))
        });
    }
    let entries = value.as_array().ok_or_else(wrong)?;
    out.writer().map(entries.len());
    each(entries, |entry| match entry.as_array().map(Vec::as_slice) {
        Some([key, value]) => {
            put(interface, of.0, key, out)?;
            put(interface, of.1, value, out)
        }
        _ => Err(wrong()),
    })
}

/// A case by its name alone, or with what it holds.
fn case(value: &Value) -> Option<(&str, Option<&Value>)> {
    match value {
        Value::String(name) => Some((name, None)),
        Value::Object(entry) if entry.len() == 1 => entry
            .iter()
            .next()
            .map(|(name, payload)| (name.as_str(), Some(payload))),
        _ => None,
    }
}

fn one_entry(writer: &mut Writer<'_>, name: &str) {
    writer.map(1);
    writer.text(name);
}

fn bytes(values: &[Value]) -> Result<Vec<u8>, Fault> {
    let byte = |(at, value): (usize, &Value)| {
        value
            .as_u64()
            .and_then(|byte| u8::try_from(byte).ok())
            .ok_or_else(|| {
                fault(format!("expected a number from 0 to 255, found {value}"))
                    .under(format!("[{at}]"))
            })
    };
    values.iter().enumerate().map(byte).collect()
}

fn integer(value: &Value) -> Option<i128> {
    value
        .as_u64()
        .map(i128::from)
        .or_else(|| value.as_i64().map(i128::from))
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(word) => match word.as_str() {
            "nan" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}
