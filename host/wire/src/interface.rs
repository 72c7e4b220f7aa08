//! What a component exports and imports, as the compiler describes it.
//!
//! Owns: the descriptor, its bounds and its printed form (WIT). The host takes a descriptor as
//! hostile: [`Interface::decode`] checks every index before anybody follows one.

mod text;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cbor::Limits;
use crate::frame::{Kind, ProtocolError};
use crate::outcome::{decode_within, encode};

pub use text::Signature;

/// Types a descriptor may hold.
pub const MAX_TYPES: usize = 100_000;
/// Functions a descriptor may hold.
pub const MAX_FUNCTIONS: usize = 10_000;
/// How deep types may nest.
pub const MAX_DEPTH: u32 = 64;
/// What a type, or the types of a function together, may come to when every type is written out
/// wherever it is named: bytes, roughly. The engine's own bound is a million types.
pub const MAX_EXPANDED: u64 = 16 << 20;
/// What the encoded descriptor may cost its reader, before any of it is kept.
const LIMITS: Limits = Limits {
    depth: 16,
    elements: 1 << 20,
};

/// Index of a type in [`Interface::types`]. A type names only types before it.
pub type TypeId = u32;

/// Everything callable in a component, and everything it asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Types, children before parents.
    pub types: Vec<Type>,
    /// Functions; a call names one by its index.
    pub functions: Vec<Function>,
    /// What the component imports.
    pub imports: Vec<Import>,
}

/// A WIT type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs, reason = "each variant is the WIT type of its name")]
pub enum Type {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List(TypeId),
    FixedList(TypeId, u32),
    Map(TypeId, TypeId),
    Option(TypeId),
    Result {
        ok: Option<TypeId>,
        err: Option<TypeId>,
    },
    Tuple(Vec<TypeId>),
    Record {
        name: Option<String>,
        fields: Vec<(String, TypeId)>,
    },
    Variant {
        name: Option<String>,
        cases: Vec<(String, Option<TypeId>)>,
    },
    Enum {
        name: Option<String>,
        cases: Vec<String>,
    },
    Flags {
        name: Option<String>,
        flags: Vec<String>,
    },
    Own(String),
    Borrow(String),
    Stream(Option<TypeId>),
    Future(Option<TypeId>),
    ErrorContext,
}

/// A function of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// The exported interface it is in, such as `example:types/api@0.1.0`; `None` at the root.
    pub interface: Option<String>,
    /// Its name in WIT, such as `add` or `[method]counter.incr`.
    pub name: String,
    /// An `async func`.
    pub is_async: bool,
    /// Parameters in order.
    pub params: Vec<(String, TypeId)>,
    /// The result, where there is one.
    pub result: Option<TypeId>,
    /// Why it cannot be called, where it cannot.
    pub unsupported: Option<String>,
}

/// An interface or function that a component imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// Its name, such as `wasi:cli/stdout@0.2.6`.
    pub name: String,
    /// Its functions, or none where it is a function itself.
    pub functions: Vec<String>,
    /// What the host does with it.
    pub grant: Grant,
}

/// What stands behind an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// It links and works.
    Granted,
    /// It links; every use is answered as if there was nothing there.
    Empty,
    /// The host does not know it: the component does not load.
    Unknown,
}

/// How the results of a function come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One value.
    Plain,
    /// `result<T, E>`: returns T or raises E.
    Fallible,
    /// `stream<T>`.
    Generator,
    /// `tuple<stream<T>, future<result<_, E>>>`: a stream that can fail part-way.
    FallibleGenerator,
}

impl Interface {
    /// The descriptor as bytes.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// A descriptor from untrusted bytes, with every bound and index checked.
    pub fn decode(bytes: &[u8]) -> Result<Interface, ProtocolError> {
        let interface: Interface = decode_within(Kind::Compiled, bytes, LIMITS)?;
        interface.check().map_err(|why| ProtocolError::Body {
            kind: Kind::Compiled,
            why: why.to_owned(),
        })?;
        Ok(interface)
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.types.len() > MAX_TYPES || self.functions.len() > MAX_FUNCTIONS {
            return Err("too many types or functions");
        }
        // Depth and expanded size of each type so far: a few types that each name the one before
        // twice would make a text without end.
        let mut sizes: Vec<(u32, u64)> = Vec::with_capacity(self.types.len());
        for ty in &self.types {
            let mut depth = 0;
            let mut expanded = ty.own_size();
            let mut known = true;
            ty.each_child(&mut |child| match sizes.get(child as usize) {
                Some((below, size)) => {
                    depth = depth.max(below + 1);
                    expanded = expanded.saturating_add(*size);
                }
                None => known = false,
            });
            if !known {
                return Err("a type that names a later one");
            }
            if depth > MAX_DEPTH {
                return Err("types nested too deep");
            }
            if expanded > MAX_EXPANDED {
                return Err("a type that is too large when written out");
            }
            sizes.push((depth, expanded));
        }
        for function in &self.functions {
            let params = function.params.iter().map(|(_, id)| *id);
            let mut expanded = 0u64;
            for id in params.chain(function.result) {
                match sizes.get(id as usize) {
                    Some((_, size)) => expanded = expanded.saturating_add(*size),
                    None => return Err("a function that names an unknown type"),
                }
            }
            if expanded > MAX_EXPANDED {
                return Err("a function whose types are too large when written out");
            }
        }
        Ok(())
    }

    /// The type behind an id that came with this descriptor.
    pub fn ty(&self, id: TypeId) -> &Type {
        &self.types[id as usize]
    }

    /// How `function`'s results come back.
    pub fn shape(&self, function: &Function) -> Shape {
        let is_failure = |id: &TypeId| match self.ty(*id) {
            Type::Future(Some(inner)) => {
                matches!(self.ty(*inner), Type::Result { ok: None, .. })
            }
            _ => false,
        };
        match function.result.map(|id| self.ty(id)) {
            Some(Type::Result { .. }) => Shape::Fallible,
            Some(Type::Stream(_)) => Shape::Generator,
            Some(Type::Tuple(parts)) => match parts.as_slice() {
                [stream, end] if matches!(self.ty(*stream), Type::Stream(_)) && is_failure(end) => {
                    Shape::FallibleGenerator
                }
                _ => Shape::Plain,
            },
            _ => Shape::Plain,
        }
    }

    /// Functions that `path` (what follows `module.` in a reference) names: by the short name, or
    /// by `interface.function` with the interface's short or full name.
    pub fn find(&self, path: &str) -> Vec<usize> {
        (0..self.functions.len())
            .filter(|&index| self.functions[index].answers_to(path))
            .collect()
    }
}

impl Function {
    /// The name callers use inside its interface: `add`, `counter` (the constructor of a resource),
    /// `counter.incr` (a method, its handle first, or a static).
    pub fn callable(&self) -> &str {
        match self
            .name
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            Some((_, name)) => name,
            None => &self.name,
        }
    }

    /// The interface's name without package and version: `api` of `example:types/api@0.1.0`.
    pub fn short_interface(&self) -> Option<&str> {
        let name = self.interface.as_deref()?;
        let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
        Some(name.split_once('@').map_or(name, |(name, _)| name))
    }

    /// The shortest name that tells it from functions of other interfaces: `api.greet` or `add`.
    pub fn qualified(&self) -> String {
        match self.short_interface() {
            Some(interface) => format!("{interface}.{}", self.callable()),
            None => self.callable().to_owned(),
        }
    }

    fn answers_to(&self, path: &str) -> bool {
        let names = |rest: &str| rest == self.callable() || rest == self.name;
        let inside = |interface: Option<&str>| {
            interface
                .and_then(|interface| path.strip_prefix(interface))
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(names)
        };
        names(path) || inside(self.short_interface()) || inside(self.interface.as_deref())
    }
}

impl Type {
    /// The bytes this type takes where it is written out, without those of the types it names.
    fn own_size(&self) -> u64 {
        let named = |name: &Option<String>| name.as_ref().map_or(0, String::len);
        let texts = match self {
            Type::Record { name, fields } => {
                named(name)
                    + fields
                        .iter()
                        .map(|(field, _)| field.len() + 4)
                        .sum::<usize>()
            }
            Type::Variant { name, cases } => {
                named(name) + cases.iter().map(|(case, _)| case.len() + 4).sum::<usize>()
            }
            Type::Enum { name, cases: words } | Type::Flags { name, flags: words } => {
                named(name) + words.iter().map(|word| word.len() + 2).sum::<usize>()
            }
            Type::Own(name) | Type::Borrow(name) => name.len(),
            _ => 0,
        };
        8 + texts as u64
    }

    /// Calls `visit` with each type this one names.
    pub fn each_child(&self, visit: &mut dyn FnMut(TypeId)) {
        match self {
            Type::List(id) | Type::FixedList(id, _) | Type::Option(id) => visit(*id),
            Type::Map(key, value) => {
                visit(*key);
                visit(*value);
            }
            Type::Result { ok, err } => ok.iter().chain(err).copied().for_each(visit),
            Type::Tuple(parts) => parts.iter().copied().for_each(visit),
            Type::Record { fields, .. } => fields.iter().for_each(|(_, id)| visit(*id)),
            Type::Variant { cases, .. } => {
                cases.iter().filter_map(|(_, id)| *id).for_each(visit);
            }
            Type::Stream(id) | Type::Future(id) => id.iter().copied().for_each(visit),
            _ => {}
        }
    }
}
