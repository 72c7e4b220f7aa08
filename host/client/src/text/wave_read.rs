//! From WAVE to CBOR, by type.

use std::ops::Range;

use proc_host_wire::interface::{Interface, Type, TypeId};
use wasm_wave::ast::{Node, NodeType};

use super::outline::{Document, is_byte, is_option, put_integer, range, type_name, unwritable};

/// A text in WAVE and the types it is read by.
pub(super) struct Wave<'a> {
    pub(super) interface: &'a Interface,
    pub(super) text: &'a str,
}

/// What is wrong, and at which bytes.
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) span: Range<usize>,
}

type Read = Result<(), Fault>;

impl Wave<'_> {
    /// Appends the value of `node` as a `id`.
    pub(super) fn value(&self, id: TypeId, node: &Node, out: &mut Document) -> Read {
        let ty = self.interface.ty(id);
        if let Some(why) = unwritable(ty) {
            return Err(fault(node, why.to_owned()));
        }
        if let Some(range) = range(ty) {
            let value = self.integer(id, range, node)?;
            put_integer(&mut out.writer(), value);
            return Ok(());
        }
        match ty {
            Type::Bool => out
                .writer()
                .bool(node.as_bool().map_err(|_| self.wrong(id, node))?),
            Type::F32 => {
                let value = node
                    .as_number(self.text)
                    .map_err(|_| self.wrong(id, node))?;
                out.writer().f32(value);
            }
            Type::F64 => {
                let value = node
                    .as_number(self.text)
                    .map_err(|_| self.wrong(id, node))?;
                out.writer().f64(value);
            }
            Type::Char => {
                let value = node.as_char(self.text).map_err(|_| self.wrong(id, node))?;
                out.writer().text(value.encode_utf8(&mut [0; 4]));
            }
            Type::String => match node.as_str(self.text) {
                Ok(text) => out.writer().text(&text),
                Err(error) if matches!(node.ty(), NodeType::String | NodeType::MultilineString) => {
                    return Err(fault(node, error.kind().to_string()));
                }
                Err(_) => return Err(self.wrong(id, node)),
            },
            Type::List(item) if is_byte(self.interface, *item) => {
                let bytes = self.bytes(id, *item, node)?;
                out.writer().bytes(&bytes);
            }
            Type::List(item) => {
                let nodes = self.list(id, node)?;
                out.writer().array(nodes.len());
                return nodes
                    .into_iter()
                    .try_for_each(|node| self.value(*item, node, out));
            }
            Type::FixedList(item, length) => {
                let nodes = self.list(id, node)?;
                if nodes.len() != *length as usize {
                    return Err(self.wrong(id, node));
                }
                out.writer().array(nodes.len());
                return nodes
                    .into_iter()
                    .try_for_each(|node| self.value(*item, node, out));
            }
            Type::Map(key, value) => return self.map(id, (*key, *value), node, out),
            Type::Tuple(parts) => {
                let nodes: Vec<&Node> =
                    node.as_tuple().map_err(|_| self.wrong(id, node))?.collect();
                if nodes.len() != parts.len() {
                    return Err(self.wrong(id, node));
                }
                out.writer().array(nodes.len());
                return nodes
                    .into_iter()
                    .zip(parts)
                    .try_for_each(|(n, p)| self.value(*p, n, out));
            }
            Type::Record { fields, .. } => return self.record(id, fields, node, out),
            Type::Variant { cases, .. } => return self.variant(id, cases, node, out),
            Type::Enum { cases, .. } => {
                let case = node.as_enum(self.text).map_err(|_| self.wrong(id, node))?;
                if !cases.iter().any(|known| known == case) {
                    return Err(self.wrong(id, node));
                }
                out.writer().text(case);
            }
            Type::Flags { flags, .. } => {
                let names: Vec<&str> = node
                    .as_flags(self.text)
                    .map_err(|_| self.wrong(id, node))?
                    .collect();
                let names = names.into_iter().map(|name| name.trim_start_matches('%'));
                let set: Vec<&str> = names.collect();
                if let Some(unknown) = set.iter().find(|name| !flags.iter().any(|f| f == *name)) {
                    let known = type_name(self.interface, id);
                    return Err(fault(
                        node,
                        format!("no flag `{unknown}`: expected {known}"),
                    ));
                }
                out.writer().array(set.len());
                for flag in flags.iter().filter(|flag| set.contains(&flag.as_str())) {
                    out.writer().text(flag);
                }
            }
            Type::Option(some) => return self.option(id, *some, node, out),
            Type::Result { ok, err } => return self.result(id, (*ok, *err), node, out),
            Type::Stream(Some(item)) if is_byte(self.interface, *item) => {
                let mut chunk = Document::default();
                chunk.writer().bytes(&self.bytes(id, *item, node)?);
                out.stream(vec![chunk.body]);
            }
            Type::Stream(Some(item)) => {
                let nodes = self.list(id, node)?;
                let items: Result<Vec<Vec<u8>>, Fault> = nodes
                    .into_iter()
                    .map(|node| self.apart(*item, node))
                    .collect();
                out.stream(items?);
            }
            Type::Future(Some(value)) => out.future(self.apart(*value, node)?),
            _ => return Err(self.wrong(id, node)),
        }
        Ok(())
    }

    /// A document of its own. Nothing in it can name a stream: the host takes none there.
    fn apart(&self, id: TypeId, node: &Node) -> Result<Vec<u8>, Fault> {
        let mut item = Document::default();
        self.value(id, node, &mut item)?;
        Ok(item.body)
    }

    fn integer(&self, id: TypeId, range: (i128, i128), node: &Node) -> Result<i128, Fault> {
        let value: i128 = node
            .as_number(self.text)
            .map_err(|_| self.wrong(id, node))?;
        if value < range.0 || value > range.1 {
            let name = self.interface.type_text(id);
            return Err(fault(node, format!("{value} is out of range for {name}")));
        }
        Ok(value)
    }

    fn bytes(&self, id: TypeId, item: TypeId, node: &Node) -> Result<Vec<u8>, Fault> {
        let nodes = self.list(id, node)?;
        let byte = |node: &Node| self.integer(item, (0, 255), node);
        nodes
            .into_iter()
            .map(|node| Ok(byte(node)?.to_le_bytes()[0]))
            .collect()
    }

    fn list<'n>(&self, id: TypeId, node: &'n Node) -> Result<Vec<&'n Node>, Fault> {
        node.as_list()
            .map(Iterator::collect)
            .map_err(|_| self.wrong(id, node))
    }

    fn map(&self, id: TypeId, of: (TypeId, TypeId), node: &Node, out: &mut Document) -> Read {
        let nodes = self.list(id, node)?;
        out.writer().map(nodes.len());
        for entry in nodes {
            let pair: Vec<&Node> = entry
                .as_tuple()
                .map_err(|_| self.wrong(id, entry))?
                .collect();
            let [key, value] = pair.as_slice() else {
                return Err(self.wrong(id, entry));
            };
            self.value(of.0, key, out)?;
            self.value(of.1, value, out)?;
        }
        Ok(())
    }

    fn record(
        &self,
        id: TypeId,
        fields: &[(String, TypeId)],
        node: &Node,
        out: &mut Document,
    ) -> Read {
        let given: Vec<(&str, &Node)> = node
            .as_record(self.text)
            .map_err(|_| self.wrong(id, node))?
            .collect();
        if let Some((name, _)) = given
            .iter()
            .find(|(name, _)| !fields.iter().any(|f| f.0 == *name))
        {
            let known = type_name(self.interface, id);
            return Err(fault(node, format!("no field `{name}`: expected {known}")));
        }
        out.writer().map(fields.len());
        for (name, field) in fields {
            out.writer().text(name);
            match given.iter().find(|(given, _)| given == name) {
                Some((_, node)) => self.value(*field, node, out)?,
                None => self.absent(id, name, *field, node, out)?,
            }
        }
        Ok(())
    }

    /// A field that is not there: nothing, where that is an option.
    fn absent(&self, id: TypeId, name: &str, field: TypeId, at: &Node, out: &mut Document) -> Read {
        match self.interface.ty(field) {
            Type::Option(some) if is_option(self.interface, *some) => out.writer().array(0),
            Type::Option(_) => out.writer().null(),
            _ => {
                let known = type_name(self.interface, id);
                return Err(fault(
                    at,
                    format!("field `{name}` is missing: expected {known}"),
                ));
            }
        }
        Ok(())
    }

    fn variant(
        &self,
        id: TypeId,
        cases: &[(String, Option<TypeId>)],
        node: &Node,
        out: &mut Document,
    ) -> Read {
        let (name, payload) = node
            .as_variant(self.text)
            .map_err(|_| self.wrong(id, node))?;
        let case = cases.iter().find(|(case, _)| case == name);
        match (case, payload) {
            (Some((_, None)), None) => out.writer().text(name),
            (Some((_, Some(ty))), Some(payload)) => {
                out.writer().map(1);
                out.writer().text(name);
                return self.value(*ty, payload, out);
            }
            _ => return Err(self.wrong(id, node)),
        }
        Ok(())
    }

    fn option(&self, id: TypeId, some: TypeId, node: &Node, out: &mut Document) -> Read {
        let nested = is_option(self.interface, some);
        let payload = match node.as_option() {
            Ok(payload) => payload,
            // `some(…)` may be left away where nothing else can be meant.
            Err(_) if !nested => Some(node),
            Err(_) => return Err(self.wrong(id, node)),
        };
        match (payload, nested) {
            (None, false) => out.writer().null(),
            (None, true) => out.writer().array(0),
            (Some(payload), nested) => {
                if nested {
                    out.writer().array(1);
                }
                return self.value(some, payload, out);
            }
        }
        Ok(())
    }

    fn result(
        &self,
        id: TypeId,
        of: (Option<TypeId>, Option<TypeId>),
        node: &Node,
        out: &mut Document,
    ) -> Read {
        let (case, ty, payload) = match node.as_result() {
            Ok(Ok(payload)) => ("ok", of.0, payload),
            Ok(Err(payload)) => ("err", of.1, payload),
            Err(_) => ("ok", of.0, Some(node)),
        };
        let mut writer = out.writer();
        writer.map(1);
        writer.text(case);
        match (ty, payload) {
            (Some(ty), Some(payload)) => self.value(ty, payload, out),
            (None, None) => {
                out.writer().null();
                Ok(())
            }
            _ => Err(self.wrong(id, node)),
        }
    }

    fn wrong(&self, id: TypeId, node: &Node) -> Fault {
        let found = match node.ty() {
            NodeType::BoolTrue | NodeType::BoolFalse => "a bool",
            NodeType::Number => "a number",
            NodeType::Char => "a char",
            NodeType::String | NodeType::MultilineString => "a string",
            NodeType::Tuple => "a tuple",
            NodeType::List => "a list",
            NodeType::Record => "a record",
            NodeType::Flags => "flags",
            NodeType::OptionSome | NodeType::OptionNone => "an option",
            NodeType::ResultOk | NodeType::ResultErr => "a result",
            NodeType::Label | NodeType::VariantWithPayload => "a name",
        };
        fault(
            node,
            format!("expected {}, found {found}", type_name(self.interface, id)),
        )
    }
}

fn fault(node: &Node, message: String) -> Fault {
    Fault {
        message,
        span: node.span(),
    }
}
