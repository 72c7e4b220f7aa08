//! From CBOR to JSON: by type, and as it comes.

use std::fmt::Write as _;

use proc_host_wire::cbor::{Kind, Limits, Reader, TAG_FUTURE, TAG_RESOURCE, TAG_STREAM};
use proc_host_wire::interface::{Interface, Type, TypeId};

use super::labels::{label, wrong};
use super::outline::{is_byte, is_option, range};
use crate::attached::Attached;
use crate::codec::CodecError;
use crate::outcome::Encoded;

/// A value of type `id` in JSON, on one line.
pub fn to_json(interface: &Interface, id: TypeId, value: &Encoded) -> Result<String, CodecError> {
    let mut json = Json {
        attached: value.attached(),
        reader: Reader::new(value.body(), Limits::DEFAULT),
        out: String::new(),
    };
    json.value(interface, id)?;
    json.reader.finish().map_err(wrong)?;
    Ok(json.out)
}

/// A document whose type nobody knows, such as a callback's, in JSON. Bytes are an array of
/// numbers; keys that are not text are printed as they would be as values.
pub fn untyped_to_json(body: &[u8]) -> Result<String, CodecError> {
    let reader = Reader::new(body, Limits::DEFAULT);
    let mut json = Json {
        attached: &[],
        reader,
        out: String::new(),
    };
    json.untyped(Limits::DEFAULT.depth)?;
    json.reader.finish().map_err(wrong)?;
    Ok(json.out)
}

struct Json<'a> {
    attached: &'a [Option<Attached>],
    reader: Reader<'a>,
    out: String,
}

type Written = Result<(), CodecError>;

impl Json<'_> {
    fn value(&mut self, interface: &Interface, id: TypeId) -> Written {
        let ty = interface.ty(id);
        if matches!(ty, Type::U8) && self.next()? == Kind::Bytes {
            // Items of a `stream<u8>` come many at a time.
            return self.untyped(1);
        }
        if range(ty).is_some() {
            let value = self.reader.int().map_err(wrong)?;
            return self.show(value);
        }
        match ty {
            #[expect(clippy::cast_possible_truncation, reason = "it is an f32, widened")]
            Type::F32 => {
                let value = self.reader.float().map_err(wrong)? as f32;
                self.float(f64::from(value), || serde_json::to_string(&value))
            }
            Type::List(item) if !is_byte(interface, *item) => {
                let length = self.reader.array().map_err(wrong)?;
                self.array(length, |json, _| json.value(interface, *item))
            }
            Type::FixedList(item, _) => {
                let length = self.reader.array().map_err(wrong)?;
                self.array(length, |json, _| json.value(interface, *item))
            }
            Type::Tuple(parts) => {
                let length = self.reader.array().map_err(wrong)?;
                self.array(length, |json, at| match parts.get(at) {
                    Some(part) => json.value(interface, *part),
                    None => Err(CodecError("more values than the tuple has".to_owned())),
                })
            }
            Type::Map(key, value) => self.map(interface, *key, *value),
            Type::Record { fields, .. } => {
                let length = self.reader.map().map_err(wrong)?;
                self.object(length, |json, name| {
                    match fields.iter().find(|(field, _)| field == name) {
                        Some((_, id)) => json.value(interface, *id),
                        None => Err(CodecError(format!("unknown field `{name}`"))),
                    }
                })
            }
            Type::Variant { cases, .. } if self.next()? == Kind::Map => {
                let length = self.reader.map().map_err(wrong)?;
                self.object(length, |json, name| {
                    match cases.iter().find(|(case, _)| case == name) {
                        Some((_, Some(id))) => json.value(interface, *id),
                        _ => Err(CodecError(format!("unknown case `{name}`"))),
                    }
                })
            }
            Type::Result { ok, err } => {
                let length = self.reader.map().map_err(wrong)?;
                self.object(length, |json, name| {
                    match if name == "ok" { ok } else { err } {
                        Some(id) => json.value(interface, *id),
                        None => json.untyped(1),
                    }
                })
            }
            Type::Option(some) if is_option(interface, *some) => {
                let length = self.reader.array().map_err(wrong)?;
                self.array(length, |json, _| json.value(interface, *some))
            }
            Type::Option(some) if self.next()? != Kind::Null => self.value(interface, *some),
            Type::Own(_) | Type::Borrow(_) | Type::Stream(_) | Type::Future(_) => {
                let flow = label(&mut self.reader, ty, self.attached)?;
                self.text(&flow.label)
            }
            // What is left looks in JSON as it does in CBOR.
            _ => self.untyped(Limits::DEFAULT.depth),
        }
    }

    fn untyped(&mut self, depth: u8) -> Written {
        let deeper = depth
            .checked_sub(1)
            .ok_or_else(|| CodecError("nested too deeply".to_owned()));
        match self.next()? {
            Kind::Uint | Kind::Nint => {
                let value = self.reader.int().map_err(wrong)?;
                self.show(value)
            }
            Kind::Float => {
                let value = self.reader.float().map_err(wrong)?;
                self.float(value, || serde_json::to_string(&value))
            }
            Kind::Bool => {
                let value = self.reader.bool().map_err(wrong)?;
                self.show(value)
            }
            Kind::Null | Kind::Simple => {
                self.reader.null().map_err(wrong)?;
                self.show("null")
            }
            Kind::Text => {
                let text = self.reader.text().map_err(wrong)?;
                self.text(text)
            }
            Kind::Bytes => {
                let bytes = self.reader.bytes().map_err(wrong)?;
                self.array(bytes.len(), |json, at| json.show(bytes[at]))
            }
            Kind::Array => {
                let deeper = deeper?;
                let length = self.reader.array().map_err(wrong)?;
                self.array(length, |json, _| json.untyped(deeper))
            }
            Kind::Map => {
                let deeper = deeper?;
                let length = self.reader.map().map_err(wrong)?;
                self.out.push('{');
                for at in 0..length {
                    self.comma(at);
                    if self.next()? == Kind::Text {
                        self.untyped(deeper)?;
                    } else {
                        let before = self.out.split_off(0);
                        self.untyped(deeper)?;
                        let key = std::mem::replace(&mut self.out, before);
                        self.text(&key)?;
                    }
                    self.out.push(':');
                    self.untyped(deeper)?;
                }
                self.out.push('}');
                Ok(())
            }
            Kind::Tag => {
                let name = match self.reader.tag().map_err(wrong)? {
                    TAG_RESOURCE => "resource",
                    TAG_STREAM => "stream",
                    TAG_FUTURE => "future",
                    _ => return self.untyped(deeper?),
                };
                let index = self.reader.uint().map_err(wrong)?;
                self.text(&format!("{name}#{index}"))
            }
        }
    }

    fn next(&self) -> Result<Kind, CodecError> {
        self.reader.peek().map_err(wrong)
    }

    fn show(&mut self, value: impl std::fmt::Display) -> Written {
        write!(self.out, "{value}").map_err(|error| CodecError(error.to_string()))
    }

    fn float(
        &mut self,
        value: f64,
        digits: impl FnOnce() -> Result<String, serde_json::Error>,
    ) -> Written {
        let text = match value {
            value if value.is_nan() => "\"nan\"".to_owned(),
            f64::INFINITY => "\"inf\"".to_owned(),
            f64::NEG_INFINITY => "\"-inf\"".to_owned(),
            _ => digits().map_err(|error| CodecError(error.to_string()))?,
        };
        self.out.push_str(&text);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Written {
        let quoted = serde_json::to_string(text).map_err(|error| CodecError(error.to_string()))?;
        self.out.push_str(&quoted);
        Ok(())
    }

    fn array(
        &mut self,
        length: usize,
        mut item: impl FnMut(&mut Self, usize) -> Written,
    ) -> Written {
        self.out.push('[');
        for at in 0..length {
            self.comma(at);
            item(self, at)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn object(
        &mut self,
        length: usize,
        mut value: impl FnMut(&mut Self, &str) -> Written,
    ) -> Written {
        self.out.push('{');
        for at in 0..length {
            self.comma(at);
            let name = self.reader.text().map_err(wrong)?;
            self.text(name)?;
            self.out.push(':');
            value(self, name)?;
        }
        self.out.push('}');
        Ok(())
    }

    /// A map with texts for keys is an object, any other an array of pairs.
    fn map(&mut self, interface: &Interface, key: TypeId, value: TypeId) -> Written {
        let length = self.reader.map().map_err(wrong)?;
        if matches!(interface.ty(key), Type::String) {
            return self.object(length, |json, _| json.value(interface, value));
        }
        self.array(length, |json, _| {
            json.array(2, |json, at| json.value(interface, [key, value][at]))
        })
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.out.push(',');
        }
    }
}
