//! From CBOR to WAVE, by type.

use std::fmt::{Display, Write as _};

use proc_host_wire::cbor::{Kind, Limits, Reader};
use proc_host_wire::interface::{Interface, Type, TypeId};
use wasm_wave::lex::Keyword;

use super::labels::{Flow, label, wrong};
use super::outline::{is_byte, is_option, range};
use crate::attached::Attached;
use crate::codec::CodecError;
use crate::outcome::Encoded;

/// A value of type `id` in WAVE.
pub fn to_wave(interface: &Interface, id: TypeId, value: &Encoded) -> Result<String, CodecError> {
    print(interface, id, value, &mut drop)
}

/// [`to_wave`], telling of the streams on the way.
pub(super) fn print(
    interface: &Interface,
    id: TypeId,
    value: &Encoded,
    on_flow: &mut dyn FnMut(Flow),
) -> Result<String, CodecError> {
    let mut wave = Wave {
        interface,
        attached: value.attached(),
        reader: Reader::new(value.body(), Limits::DEFAULT),
        out: String::new(),
        on_flow,
    };
    wave.value(id)?;
    wave.reader.finish().map_err(wrong)?;
    Ok(wave.out)
}

struct Wave<'a> {
    interface: &'a Interface,
    attached: &'a [Option<Attached>],
    reader: Reader<'a>,
    out: String,
    on_flow: &'a mut dyn FnMut(Flow),
}

type Written = Result<(), CodecError>;

impl Wave<'_> {
    fn value(&mut self, id: TypeId) -> Written {
        let interface = self.interface;
        let ty = interface.ty(id);
        if matches!(ty, Type::U8) && self.reader.peek().map_err(wrong)? == Kind::Bytes {
            // Items of a `stream<u8>` come many at a time.
            return self.bytes();
        }
        if range(ty).is_some() {
            let value = self.reader.int().map_err(wrong)?;
            return self.show(value);
        }
        match ty {
            Type::Bool => {
                let value = self.reader.bool().map_err(wrong)?;
                self.show(value)
            }
            #[expect(clippy::cast_possible_truncation, reason = "it is an f32, widened")]
            Type::F32 => {
                let value = self.reader.float().map_err(wrong)? as f32;
                self.float(value, value.is_nan())
            }
            Type::F64 => {
                let value = self.reader.float().map_err(wrong)?;
                self.float(value, value.is_nan())
            }
            Type::Char => self.text('\''),
            Type::String => self.text('"'),
            Type::List(item) if is_byte(interface, *item) => self.bytes(),
            Type::List(item) | Type::FixedList(item, _) => {
                let length = self.reader.array().map_err(wrong)?;
                self.parts(('[', ']'), length, |wave, _| wave.value(*item))
            }
            Type::Map(key, value) => {
                let length = self.reader.map().map_err(wrong)?;
                self.parts(('[', ']'), length, |wave, _| {
                    wave.parts(('(', ')'), 2, |wave, at| wave.value([*key, *value][at]))
                })
            }
            Type::Tuple(parts) => {
                let length = self.reader.array().map_err(wrong)?;
                self.same(length, parts.len())?;
                self.parts(('(', ')'), length, |wave, at| wave.value(parts[at]))
            }
            Type::Record { fields, .. } => self.record(fields),
            Type::Variant { cases, .. } => self.variant(cases),
            Type::Enum { .. } => {
                let case = self.reader.text().map_err(wrong)?;
                self.case(case);
                Ok(())
            }
            Type::Flags { .. } => {
                let length = self.reader.array().map_err(wrong)?;
                self.parts(('{', '}'), length, |wave, _| {
                    wave.out.push_str(wave.reader.text().map_err(wrong)?);
                    Ok(())
                })
            }
            Type::Option(some) => self.option(*some),
            Type::Result { ok, err } => self.result(*ok, *err),
            _ => {
                let flow = label(&mut self.reader, ty, self.attached)?;
                self.out.push_str(&flow.label);
                if matches!(ty, Type::Stream(_) | Type::Future(_)) {
                    (self.on_flow)(flow);
                }
                Ok(())
            }
        }
    }

    fn bytes(&mut self) -> Written {
        let bytes = self.reader.bytes().map_err(wrong)?;
        self.parts(('[', ']'), bytes.len(), |wave, at| wave.show(bytes[at]))
    }

    fn show(&mut self, value: impl Display) -> Written {
        write!(self.out, "{value}").map_err(|error| CodecError(error.to_string()))
    }

    /// `Display` gives the shortest digits that read back as the same number.
    fn float(&mut self, value: impl Display, nan: bool) -> Written {
        if nan {
            self.out.push_str("nan");
            return Ok(());
        }
        self.show(value)
    }

    fn text(&mut self, quote: char) -> Written {
        let text = self.reader.text().map_err(wrong)?;
        self.out.push(quote);
        for scalar in text.chars() {
            match scalar {
                // Only its own quote would end it.
                '"' | '\'' if scalar != quote => self.out.push(scalar),
                '"' | '\'' | '\\' | '\t' | '\r' | '\n' => {
                    self.out.extend(scalar.escape_default());
                }
                scalar if scalar.is_control() => self.out.extend(scalar.escape_unicode()),
                scalar => self.out.extend(scalar.escape_debug()),
            }
        }
        self.out.push(quote);
        Ok(())
    }

    fn parts(
        &mut self,
        brackets: (char, char),
        length: usize,
        mut part: impl FnMut(&mut Self, usize) -> Written,
    ) -> Written {
        self.out.push(brackets.0);
        for at in 0..length {
            if at > 0 {
                self.out.push_str(", ");
            }
            part(self, at)?;
        }
        self.out.push(brackets.1);
        Ok(())
    }

    /// Fields that are options and have nothing are left out.
    fn record(&mut self, fields: &[(String, TypeId)]) -> Written {
        self.out.push('{');
        let before = self.out.len();
        for _ in 0..self.reader.map().map_err(wrong)? {
            let name = self.reader.text().map_err(wrong)?;
            let Some((_, id)) = fields.iter().find(|(field, _)| field == name) else {
                return Err(CodecError(format!("unknown field `{name}`")));
            };
            if self.is_nothing(*id)? {
                continue;
            }
            if self.out.len() > before {
                self.out.push_str(", ");
            }
            self.out.push_str(name);
            self.out.push_str(": ");
            self.value(*id)?;
        }
        if self.out.len() == before {
            self.out.push(':');
        }
        self.out.push('}');
        Ok(())
    }

    /// Passes over an option that holds nothing.
    fn is_nothing(&mut self, id: TypeId) -> Result<bool, CodecError> {
        let Type::Option(some) = self.interface.ty(id) else {
            return Ok(false);
        };
        let mut ahead = self.reader.clone();
        let nothing = match is_option(self.interface, *some) {
            false => ahead.peek().map_err(wrong)? == Kind::Null && ahead.null().is_ok(),
            true => ahead.array().map_err(wrong)? == 0,
        };
        if nothing {
            self.reader = ahead;
        }
        Ok(nothing)
    }

    fn variant(&mut self, cases: &[(String, Option<TypeId>)]) -> Written {
        if self.reader.peek().map_err(wrong)? == Kind::Text {
            let case = self.reader.text().map_err(wrong)?;
            self.case(case);
            return Ok(());
        }
        let length = self.reader.map().map_err(wrong)?;
        self.same(length, 1)?;
        let case = self.reader.text().map_err(wrong)?;
        let Some((_, Some(id))) = cases.iter().find(|(name, _)| name == case) else {
            return Err(CodecError(format!("unknown case `{case}`")));
        };
        self.case(case);
        self.parts(('(', ')'), 1, |wave, _| wave.value(*id))
    }

    /// A case that is also a word of the notation is marked.
    fn case(&mut self, name: &str) {
        if Keyword::decode(name).is_some() {
            self.out.push('%');
        }
        self.out.push_str(name);
    }

    fn option(&mut self, some: TypeId) -> Written {
        let there = if is_option(self.interface, some) {
            self.reader.array().map_err(wrong)? > 0
        } else if self.reader.peek().map_err(wrong)? == Kind::Null {
            self.reader.null().map_err(wrong)?;
            false
        } else {
            true
        };
        if !there {
            self.out.push_str("none");
            return Ok(());
        }
        self.out.push_str("some");
        self.parts(('(', ')'), 1, |wave, _| wave.value(some))
    }

    fn result(&mut self, ok: Option<TypeId>, err: Option<TypeId>) -> Written {
        let length = self.reader.map().map_err(wrong)?;
        self.same(length, 1)?;
        let case = self.reader.text().map_err(wrong)?;
        let payload = match case {
            "ok" => ok,
            "err" => err,
            _ => return Err(CodecError(format!("unknown case `{case}`"))),
        };
        self.out.push_str(case);
        match payload {
            Some(id) => self.parts(('(', ')'), 1, |wave, _| wave.value(id)),
            None => self.reader.null().map_err(wrong),
        }
    }

    fn same(&self, found: usize, expected: usize) -> Written {
        if found == expected {
            return Ok(());
        }
        Err(CodecError(format!(
            "expected {expected} values, found {found}"
        )))
    }
}
