//! An interface as WIT writes it.

use std::fmt::{self, Write as _};

use super::{Function, Interface, Type, TypeId};

impl Interface {
    /// A type in WIT: named types by their name.
    pub fn type_text(&self, id: TypeId) -> String {
        let mut out = String::new();
        self.write_type(id, &mut out);
        out
    }

    fn write_type(&self, id: TypeId, out: &mut String) {
        let list = |out: &mut String, open: &str, ids: &[Option<TypeId>]| {
            out.push_str(open);
            out.push('<');
            for (at, id) in ids.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                match id {
                    Some(id) => self.write_type(*id, out),
                    None => out.push('_'),
                }
            }
            out.push('>');
        };
        match self.ty(id) {
            Type::Bool => out.push_str("bool"),
            Type::S8 => out.push_str("s8"),
            Type::U8 => out.push_str("u8"),
            Type::S16 => out.push_str("s16"),
            Type::U16 => out.push_str("u16"),
            Type::S32 => out.push_str("s32"),
            Type::U32 => out.push_str("u32"),
            Type::S64 => out.push_str("s64"),
            Type::U64 => out.push_str("u64"),
            Type::F32 => out.push_str("f32"),
            Type::F64 => out.push_str("f64"),
            Type::Char => out.push_str("char"),
            Type::String => out.push_str("string"),
            Type::ErrorContext => out.push_str("error-context"),
            Type::List(item) => list(out, "list", &[Some(*item)]),
            Type::FixedList(item, length) => {
                out.push_str("list<");
                self.write_type(*item, out);
                let _ = write!(out, ", {length}>");
            }
            Type::Map(key, value) => list(out, "map", &[Some(*key), Some(*value)]),
            Type::Option(inner) => list(out, "option", &[Some(*inner)]),
            Type::Result {
                ok: None,
                err: None,
            } => out.push_str("result"),
            Type::Result { ok, err: None } => list(out, "result", &[*ok]),
            Type::Result { ok, err } => list(out, "result", &[*ok, *err]),
            Type::Tuple(parts) => {
                list(
                    out,
                    "tuple",
                    &parts.iter().copied().map(Some).collect::<Vec<_>>(),
                );
            }
            Type::Own(name) => out.push_str(name),
            Type::Borrow(name) => {
                let _ = write!(out, "borrow<{name}>");
            }
            Type::Stream(None) => out.push_str("stream"),
            Type::Future(None) => out.push_str("future"),
            Type::Stream(item) => list(out, "stream", &[*item]),
            Type::Future(item) => list(out, "future", &[*item]),
            Type::Record {
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
            } => out.push_str(name),
            other => self.write_definition(other, out),
        }
    }

    /// The body of a record, variant, enum or flags type on one line, as WIT would write it.
    pub fn definition_text(&self, id: TypeId) -> Option<String> {
        let ty = self.ty(id);
        let named = matches!(
            ty,
            Type::Record { .. } | Type::Variant { .. } | Type::Enum { .. } | Type::Flags { .. }
        );
        named.then(|| {
            let mut out = String::new();
            self.write_definition(ty, &mut out);
            out
        })
    }

    fn write_definition(&self, ty: &Type, out: &mut String) {
        let head = |out: &mut String, word: &str, name: &Option<String>| {
            out.push_str(word);
            if let Some(name) = name {
                out.push(' ');
                out.push_str(name);
            }
            out.push_str(" { ");
        };
        let mut rest = false;
        let mut comma = |out: &mut String| {
            if std::mem::replace(&mut rest, true) {
                out.push_str(", ");
            }
        };
        match ty {
            Type::Record { name, fields } => {
                head(out, "record", name);
                for (field, id) in fields {
                    comma(out);
                    let _ = write!(out, "{field}: ");
                    self.write_type(*id, out);
                }
            }
            Type::Variant { name, cases } => {
                head(out, "variant", name);
                for (case, payload) in cases {
                    comma(out);
                    out.push_str(case);
                    if let Some(id) = payload {
                        out.push('(');
                        self.write_type(*id, out);
                        out.push(')');
                    }
                }
            }
            Type::Enum { name, cases: words } | Type::Flags { name, flags: words } => {
                head(
                    out,
                    if matches!(ty, Type::Enum { .. }) {
                        "enum"
                    } else {
                        "flags"
                    },
                    name,
                );
                for word in words {
                    comma(out);
                    out.push_str(word);
                }
            }
            _ => return,
        }
        out.push_str(" }");
    }

    /// A function in WIT: `add: func(a: s64, b: s64) -> s64`.
    pub fn signature(&self, function: &Function) -> Signature<'_> {
        Signature {
            interface: self,
            function: function.clone(),
        }
    }
}

/// Prints a function as WIT does.
#[derive(Debug)]
pub struct Signature<'a> {
    interface: &'a Interface,
    function: Function,
}

impl fmt::Display for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.function.is_async {
            "async func"
        } else {
            "func"
        };
        write!(f, "{}: {word}(", self.function.callable())?;
        for (at, (name, id)) in self.function.params.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{name}: {}", self.interface.type_text(*id))?;
        }
        write!(f, ")")?;
        match self.function.result {
            Some(id) => write!(f, " -> {}", self.interface.type_text(id)),
            None => Ok(()),
        }
    }
}
