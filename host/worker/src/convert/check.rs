//! The complete check of a value against its type, before the engine sees it.
//!
//! Owns: which CBOR is a value of which type. May not know: memory, instances. What passes here
//! must lower without fault, because a fault in lowering costs the whole Store.

use std::sync::Arc;

use proc_host_wire::AttachmentKind;
use proc_host_wire::cbor::{self, Limits, Reader, TAG_FUTURE, TAG_RESOURCE, TAG_STREAM};

use wasmtime::component::ResourceType;

use super::error::Mismatch;
use super::number::{FloatFault, Key, Seen, float32, float64};
use super::shape::{Kind, Shape};

/// The most guest memory that one call's arguments may take, lists and strings together.
const MAX_LOWERED: u64 = 128 << 20;

type Checked = Result<(), Mismatch>;

/// What is asked of an attachment; resource types are the abstract ones of the signature.
#[derive(Clone, Debug)]
pub(crate) enum Wants {
    Own(ResourceType),
    Borrow(ResourceType),
    Stream(Option<Arc<Shape>>),
    Future(Option<Arc<Shape>>),
}

/// One pass over one document.
#[derive(Debug)]
pub(crate) struct Checker<'a> {
    pub(crate) reader: Reader<'a>,
    attachments: &'a [AttachmentKind],
    /// Parallel to `attachments` once the first of them is used.
    uses: Vec<Option<Wants>>,
    lowered: u64,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(cbor: &'a [u8], attachments: &'a [AttachmentKind]) -> Checker<'a> {
        let reader = Reader::new(cbor, Limits::DEFAULT);
        Checker {
            reader,
            attachments,
            uses: Vec::new(),
            lowered: 0,
        }
    }

    pub(crate) fn into_uses(self) -> Vec<Option<Wants>> {
        self.uses
    }

    pub(crate) fn value(&mut self, shape: &Shape) -> Checked {
        match &shape.kind {
            Kind::Bool => self.of("bool", Reader::bool).map(drop),
            Kind::Int(name, least, greatest) => {
                let value = match self.reader.try_i64() {
                    Some(value) => i128::from(value),
                    None => self.of(name, Reader::int)?,
                };
                if value < *least || value > *greatest {
                    return Err(Mismatch::new(format!("{value} is out of range for {name}")));
                }
                Ok(())
            }
            Kind::F32 => float32(&mut self.reader)
                .map(drop)
                .or_else(|fault| self.wrong("f32", fault)),
            Kind::F64 => float64(&mut self.reader)
                .map(drop)
                .or_else(|fault| self.wrong("f64", fault)),
            Kind::Char => {
                let text = self.of("char", Reader::text)?;
                let mut scalars = text.chars();
                match (scalars.next(), scalars.next()) {
                    (Some(_), None) => Ok(()),
                    _ => Err(Mismatch::new(
                        "expected char, found text that is not one character",
                    )),
                }
            }
            // The guest may want another encoding, of up to twice the bytes.
            Kind::String => {
                let text = self.of("string", Reader::text)?;
                self.lower(2 * text.len() as u64)
            }
            Kind::Bytes => {
                let bytes = self.of("bytes (list<u8>)", Reader::bytes)?;
                self.lower(bytes.len() as u64)
            }
            Kind::List(element) => {
                let length = self.of("array (list)", Reader::array)?;
                self.lower((length as u64).saturating_mul(element.size.into()))?;
                for index in 0..length {
                    self.value(element).map_err(|m| m.index(index))?;
                }
                Ok(())
            }
            Kind::Map(key, value, entry) => self.map(key, value, *entry),
            Kind::Tuple(parts) => {
                let length = self.of("array (tuple)", Reader::array)?;
                if length != parts.len() {
                    let expected = parts.len();
                    let what = format!("expected a tuple of {expected}, found {length} values");
                    return Err(Mismatch::new(what));
                }
                for (index, part) in parts.iter().enumerate() {
                    self.value(part).map_err(|m| m.index(index))?;
                }
                Ok(())
            }
            Kind::Record(fields) => {
                let entries = self.of("map (record)", Reader::map)?;
                self.fields(fields, entries, "field", &mut |_, _| {})
            }
            Kind::Variant(cases) => self.variant(cases),
            Kind::Enum(names) => {
                let name = self.of("text (enum)", Reader::text)?;
                match names.iter().any(|n| **n == *name) {
                    true => Ok(()),
                    false => Err(unknown("case", name, names.iter().map(|n| &**n))),
                }
            }
            Kind::Flags(names) => self.flags(names),
            Kind::Option(some) => self.option(some),
            Kind::Result(ok, err) => self.result(ok.as_deref(), err.as_deref()),
            Kind::Own(ty) => self.attachment(AttachmentKind::Resource, Wants::Own(*ty)),
            Kind::Borrow(ty) => self.attachment(AttachmentKind::Resource, Wants::Borrow(*ty)),
            Kind::Stream(item) => {
                self.attachment(AttachmentKind::Stream, Wants::Stream(item.clone()))
            }
            Kind::Future(item) => {
                self.attachment(AttachmentKind::Future, Wants::Future(item.clone()))
            }
        }
    }

    /// Checks `entries` entries of a map against named shapes; `found` hears where each one starts.
    pub(crate) fn fields(
        &mut self,
        fields: &[(Box<str>, Arc<Shape>)],
        entries: usize,
        noun: &str,
        found: &mut dyn FnMut(usize, usize),
    ) -> Checked {
        let mut seen = Seen::new(fields.len());
        let mut next = 0;
        for _ in 0..entries {
            let name = self.of("text (a name)", Reader::text)?;
            let Some(index) = position(fields, next, name) else {
                return Err(unknown(noun, name, fields.iter().map(|(n, _)| &**n)));
            };
            if !seen.insert(index) {
                return Err(Mismatch::new(format!("{noun} `{name}` occurs twice")));
            }
            next = index + 1;
            found(index, self.reader.position());
            self.value(&fields[index].1).map_err(|m| m.under(name))?;
        }
        let missing = |(index, (_, shape)): &(usize, &(_, Arc<Shape>))| {
            !seen.contains(*index) && !shape.is_option()
        };
        match fields.iter().enumerate().find(missing) {
            Some((_, (name, _))) => Err(Mismatch::new(format!("{noun} `{name}` is missing"))),
            None => Ok(()),
        }
    }

    fn map(&mut self, key: &Shape, value: &Shape, entry: u32) -> Checked {
        let length = self.of("map", Reader::map)?;
        self.lower((length as u64).saturating_mul(entry.into()))?;
        let mut keys = Vec::new();
        for index in 0..length {
            let mut again = self.reader.clone();
            self.value(key).map_err(|m| m.index(index).under("key"))?;
            keys.push(Key::read(&mut again)?);
            self.value(value)
                .map_err(|m| m.index(index).under("value"))?;
        }
        keys.sort_unstable();
        match keys.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err(Mismatch::new("a key of the map occurs twice")),
            false => Ok(()),
        }
    }

    fn variant(&mut self, cases: &[(Box<str>, Option<Arc<Shape>>)]) -> Checked {
        let with_payload = match self.reader.peek()? {
            cbor::Kind::Text => false,
            cbor::Kind::Map => {
                if self.reader.map()? != 1 {
                    return Err(Mismatch::new("expected a map of one entry (variant)"));
                }
                true
            }
            found => {
                let what = format!("expected text or a map of one entry (variant), found {found}");
                return Err(Mismatch::new(what));
            }
        };
        let name = self.of("text (a case)", Reader::text)?;
        let Some((_, payload)) = cases.iter().find(|(n, _)| **n == *name) else {
            return Err(unknown("case", name, cases.iter().map(|(n, _)| &**n)));
        };
        match (payload, with_payload) {
            (Some(payload), true) => self.value(payload).map_err(|m| m.under(name)),
            (None, false) => Ok(()),
            (Some(_), false) => Err(Mismatch::new(format!("case `{name}` needs a value"))),
            (None, true) => Err(Mismatch::new(format!("case `{name}` takes no value"))),
        }
    }

    fn flags(&mut self, names: &[Box<str>]) -> Checked {
        let length = self.of("array of text (flags)", Reader::array)?;
        let mut seen = Seen::new(names.len());
        for index in 0..length {
            let name = self
                .of("text (a flag)", Reader::text)
                .map_err(|m| m.index(index))?;
            let Some(flag) = names.iter().position(|n| **n == *name) else {
                return Err(unknown("flag", name, names.iter().map(|n| &**n)));
            };
            if !seen.insert(flag) {
                return Err(Mismatch::new(format!("flag `{name}` occurs twice")));
            }
        }
        Ok(())
    }

    fn option(&mut self, some: &Shape) -> Checked {
        if !some.is_option() {
            return match self.reader.peek()? {
                cbor::Kind::Null => Ok(self.reader.null()?),
                _ => self.value(some),
            };
        }
        match self.of("array of 0 or 1 (option in option)", Reader::array)? {
            0 => Ok(()),
            1 => self.value(some).map_err(|m| m.index(0)),
            n => Err(Mismatch::new(format!(
                "expected an array of 0 or 1 (option in option), found {n} values"
            ))),
        }
    }

    fn result(&mut self, ok: Option<&Shape>, err: Option<&Shape>) -> Checked {
        let entries = self.of("map {\"ok\": …} or {\"err\": …} (result)", Reader::map)?;
        if entries != 1 {
            return Err(Mismatch::new("expected a map of one entry (result)"));
        }
        let name = self.of("text (ok or err)", Reader::text)?;
        let payload = match name {
            "ok" => ok,
            "err" => err,
            other => return Err(unknown("case", other, ["ok", "err"].into_iter())),
        };
        match payload {
            Some(payload) => self.value(payload),
            None => self.of("null (no value)", Reader::null),
        }
        .map_err(|m| m.under(name))
    }

    fn attachment(&mut self, kind: AttachmentKind, wants: Wants) -> Checked {
        let (tag, name) = match kind {
            AttachmentKind::Resource => (TAG_RESOURCE, "resource"),
            AttachmentKind::Stream => (TAG_STREAM, "stream"),
            AttachmentKind::Future => (TAG_FUTURE, "future"),
        };
        if self.of(name, Reader::tag)? != tag {
            return Err(Mismatch::new(format!("expected {name}, found another tag")));
        }
        let index = self.of("attachment index", Reader::uint)?;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        match self.attachments.get(index) {
            Some(found) if *found == kind => {}
            Some(_) => {
                return Err(Mismatch::new(format!("attachment {index} is not a {name}")));
            }
            None => return Err(Mismatch::new(format!("there is no attachment {index}"))),
        }
        self.uses.resize(self.attachments.len(), None);
        match (&self.uses[index], &wants) {
            (None, _) => {}
            // A resource can be lent many times in one call; whatever moves, moves once.
            (Some(Wants::Borrow(before)), Wants::Borrow(now)) if before == now => {}
            _ => return Err(Mismatch::new(format!("attachment {index} is used twice"))),
        }
        self.uses[index] = Some(wants);
        Ok(())
    }

    fn lower(&mut self, bytes: u64) -> Checked {
        self.lowered = self.lowered.saturating_add(bytes);
        match self.lowered {
            0..=MAX_LOWERED => Ok(()),
            _ => Err(Mismatch::new(format!(
                "needs more than {MAX_LOWERED} bytes in the guest"
            ))),
        }
    }

    /// Reads by `read`, and says what was wanted when something else is there.
    #[inline]
    fn of<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, cbor::CborError>,
    ) -> Result<T, Mismatch> {
        read(&mut self.reader).or_else(|error| self.wrong(name, FloatFault::Cbor(error)))
    }

    #[cold]
    fn wrong<T>(&self, name: &str, fault: FloatFault) -> Result<T, Mismatch> {
        Err(Mismatch::new(match fault {
            FloatFault::Cbor(error) => match error.fault {
                cbor::Fault::Expected { found, .. } => format!("expected {name}, found {found}"),
                fault => fault.to_string(),
            },
            FloatFault::Inexact(value) => format!("{value} has no exact value as {name}"),
            FloatFault::TooLarge => format!("number too large for {name}"),
        }))
    }
}

/// The field named `name`, most likely the one at `next`.
pub(crate) fn position<T>(fields: &[(Box<str>, T)], next: usize, name: &str) -> Option<usize> {
    if fields.get(next).is_some_and(|(n, _)| **n == *name) {
        return Some(next);
    }
    fields.iter().position(|(n, _)| **n == *name)
}

#[cold]
fn unknown<'n>(noun: &str, name: &str, known: impl Iterator<Item = &'n str>) -> Mismatch {
    let shown: String = name.chars().take(64).collect();
    let known: Vec<&str> = known.take(16).collect();
    Mismatch::new(format!(
        "unknown {noun} `{shown}`, expected one of: {}",
        known.join(", ")
    ))
}
