//! Types, as a value is checked against them.
//!
//! Owns: the tree a WIT type becomes at load, with the figures of the 32-bit canonical ABI that
//! bound what a value costs the guest. May not know: instances, memory, calls. Lowering and lifting
//! go by the engine's own type tables instead, so a mistake here can refuse a value but cannot
//! misplace one.

use std::sync::Arc;

use proc_host_wire::cbor::Limits;
use wasmtime::component::{ResourceType, Type};

/// How deep a type may nest; its values then nest at most twice as deep (option in option).
const MAX_DEPTH: u8 = Limits::DEFAULT.depth / 2;
/// How many nodes the types of one signature may have, repeated ones counted each time.
const MAX_NODES: u32 = 20_000;
/// Values passed flat, in registers as it were; a type with more has this plus one.
const MAX_FLAT: u32 = 16;

/// A type whose values cannot be carried, found when its module is loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A kind of type the transcoder does not have.
    #[error("unsupported type {0}")]
    Type(&'static str),
    /// A handle where handles are not carried.
    #[error("{0} in an item of a stream or future that is a parameter")]
    HandleInItem(&'static str),
    /// A type nested too deeply.
    #[error("type nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// A signature too large.
    #[error("types of the signature have more than {MAX_NODES} parts")]
    TooLarge,
}

/// A type, with its cost in the guest.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    /// Bytes of a value in linear memory, what it points to not counted.
    pub(crate) size: u32,
    align: u32,
    /// Core values it takes when passed flat, up to one more than the most that can be.
    pub(crate) flat: u32,
}

/// Fields, cases or parameters, in the order they are written.
pub(crate) type Named<T> = Box<[(Box<str>, T)]>;

/// What a value of the type is.
#[derive(Debug)]
pub(crate) enum Kind {
    Bool,
    /// The name, and the least and greatest value.
    Int(&'static str, i128, i128),
    F32,
    F64,
    Char,
    String,
    /// `list<u8>`.
    Bytes,
    List(Arc<Shape>),
    /// Keys and values, and the bytes of one entry.
    Map(Arc<Shape>, Arc<Shape>, u32),
    Tuple(Box<[Arc<Shape>]>),
    Record(Named<Arc<Shape>>),
    Variant(Named<Option<Arc<Shape>>>),
    Enum(Box<[Box<str>]>),
    Flags(Box<[Box<str>]>),
    Option(Arc<Shape>),
    Result(Option<Arc<Shape>>, Option<Arc<Shape>>),
    Own(ResourceType),
    Borrow(ResourceType),
    Stream(Option<Arc<Shape>>),
    Future(Option<Arc<Shape>>),
}

impl Shape {
    pub(crate) fn is_option(&self) -> bool {
        matches!(self.kind, Kind::Option(_))
    }
}

/// Turns types into shapes, within one signature's budget.
#[derive(Debug)]
pub(crate) struct Compiler {
    nodes: u32,
    /// Whether handles may occur inside items: they may where items come from the guest.
    pub(crate) handles_in_items: bool,
    /// Every resource type met, in order: at load abstract, in an instance concrete.
    pub(crate) resources: Vec<ResourceType>,
}

impl Compiler {
    pub(crate) fn new() -> Compiler {
        Compiler {
            nodes: 0,
            handles_in_items: false,
            resources: Vec::new(),
        }
    }

    pub(crate) fn shape(&mut self, ty: &Type) -> Result<Arc<Shape>, Unsupported> {
        self.at(ty, 0, false)
    }

    fn at(&mut self, ty: &Type, depth: u8, item: bool) -> Result<Arc<Shape>, Unsupported> {
        if depth > MAX_DEPTH {
            return Err(Unsupported::TooDeep);
        }
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Unsupported::TooLarge);
        }
        let shape = match ty {
            Type::Bool => leaf(Kind::Bool, 1, 1),
            Type::S8 => int("s8", 1, i8::MIN.into(), i8::MAX.into()),
            Type::U8 => int("u8", 1, 0, u8::MAX.into()),
            Type::S16 => int("s16", 2, i16::MIN.into(), i16::MAX.into()),
            Type::U16 => int("u16", 2, 0, u16::MAX.into()),
            Type::S32 => int("s32", 4, i32::MIN.into(), i32::MAX.into()),
            Type::U32 => int("u32", 4, 0, u32::MAX.into()),
            Type::S64 => int("s64", 8, i64::MIN.into(), i64::MAX.into()),
            Type::U64 => int("u64", 8, 0, u64::MAX.into()),
            Type::Float32 => leaf(Kind::F32, 4, 1),
            Type::Float64 => leaf(Kind::F64, 8, 1),
            Type::Char => leaf(Kind::Char, 4, 1),
            Type::String => pair(Kind::String),
            Type::List(list) => match list.ty() {
                Type::U8 => pair(Kind::Bytes),
                element => pair(Kind::List(self.at(&element, depth + 1, item)?)),
            },
            Type::Map(map) => {
                let key = self.at(&map.key(), depth + 1, item)?;
                let value = self.at(&map.value(), depth + 1, item)?;
                let entry = sequence([&key, &value].into_iter()).of(Kind::Bool).size;
                pair(Kind::Map(key, value, entry))
            }
            Type::Own(resource) => {
                self.resources.push(*resource);
                self.handle("own", item)?;
                leaf(Kind::Own(*resource), 4, 1)
            }
            Type::Borrow(resource) => {
                self.resources.push(*resource);
                self.handle("borrow", item)?;
                leaf(Kind::Borrow(*resource), 4, 1)
            }
            Type::Stream(stream) => {
                self.handle("stream", item)?;
                leaf(Kind::Stream(self.item(stream.ty(), depth)?), 4, 1)
            }
            Type::Future(future) => {
                self.handle("future", item)?;
                leaf(Kind::Future(self.item(future.ty(), depth)?), 4, 1)
            }
            Type::Tuple(tuple) => {
                let parts = tuple.types().map(|ty| self.at(&ty, depth + 1, item));
                let parts = parts.collect::<Result<Box<[_]>, _>>()?;
                let layout = sequence(parts.iter());
                layout.of(Kind::Tuple(parts))
            }
            Type::Record(record) => {
                let fields = record
                    .fields()
                    .map(|field| Ok((field.name.into(), self.at(&field.ty, depth + 1, item)?)))
                    .collect::<Result<Box<[(_, _)]>, _>>()?;
                let layout = sequence(fields.iter().map(|(_, shape)| shape));
                layout.of(Kind::Record(fields))
            }
            Type::Variant(variant) => {
                let cases = variant
                    .cases()
                    .map(|case| {
                        let payload = case.ty.map(|ty| self.at(&ty, depth + 1, item));
                        Ok((case.name.into(), payload.transpose()?))
                    })
                    .collect::<Result<Box<[(_, _)]>, _>>()?;
                let layout = choice(
                    cases.len(),
                    cases.iter().filter_map(|(_, case)| case.as_ref()),
                );
                layout.of(Kind::Variant(cases))
            }
            Type::Enum(names) => {
                let names: Box<[_]> = names.names().map(Into::into).collect();
                choice(names.len(), [].iter()).of(Kind::Enum(names))
            }
            Type::Flags(names) => {
                let names: Box<[_]> = names.names().map(Into::into).collect();
                flags(names)
            }
            Type::Option(option) => {
                let some = self.at(&option.ty(), depth + 1, item)?;
                choice(2, [&some].into_iter()).of(Kind::Option(some))
            }
            Type::Result(result) => {
                let ok = result
                    .ok()
                    .map(|ty| self.at(&ty, depth + 1, item))
                    .transpose()?;
                let err = result
                    .err()
                    .map(|ty| self.at(&ty, depth + 1, item))
                    .transpose()?;
                choice(2, ok.iter().chain(&err)).of(Kind::Result(ok, err))
            }
            Type::FixedLengthList(_) => return Err(Unsupported::Type("list of fixed length")),
            Type::ErrorContext => return Err(Unsupported::Type("error-context")),
        };
        Ok(Arc::new(shape))
    }

    fn handle(&self, name: &'static str, item: bool) -> Result<(), Unsupported> {
        match item && !self.handles_in_items {
            true => Err(Unsupported::HandleInItem(name)),
            false => Ok(()),
        }
    }

    fn item(&mut self, ty: Option<Type>, depth: u8) -> Result<Option<Arc<Shape>>, Unsupported> {
        ty.map(|ty| self.at(&ty, depth + 1, true)).transpose()
    }
}

struct Layout {
    size: u32,
    align: u32,
    flat: u32,
}

impl Layout {
    fn of(self, kind: Kind) -> Shape {
        let Layout { size, align, flat } = self;
        Shape {
            kind,
            size: size.next_multiple_of(align),
            align,
            flat: flat.min(MAX_FLAT + 1),
        }
    }
}

fn leaf(kind: Kind, size: u32, flat: u32) -> Shape {
    Layout {
        size,
        align: size,
        flat,
    }
    .of(kind)
}

fn int(name: &'static str, size: u32, least: i128, greatest: i128) -> Shape {
    leaf(Kind::Int(name, least, greatest), size, 1)
}

/// A pointer and a length.
fn pair(kind: Kind) -> Shape {
    Layout {
        size: 8,
        align: 4,
        flat: 2,
    }
    .of(kind)
}

fn sequence<'a>(parts: impl Iterator<Item = &'a Arc<Shape>>) -> Layout {
    parts.fold(
        Layout {
            size: 0,
            align: 1,
            flat: 0,
        },
        |layout, part| Layout {
            size: layout
                .size
                .next_multiple_of(part.align)
                .saturating_add(part.size),
            align: layout.align.max(part.align),
            flat: layout.flat + part.flat,
        },
    )
}

fn choice<'a>(cases: usize, payloads: impl Iterator<Item = &'a Arc<Shape>>) -> Layout {
    let tag = match cases {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    };
    let widest = payloads.fold(
        Layout {
            size: 0,
            align: tag,
            flat: 0,
        },
        |widest, payload| Layout {
            size: widest.size.max(payload.size),
            align: widest.align.max(payload.align),
            flat: widest.flat.max(payload.flat),
        },
    );
    Layout {
        size: tag
            .next_multiple_of(widest.align)
            .saturating_add(widest.size),
        align: widest.align,
        flat: widest.flat + 1,
    }
}

fn flags(names: Box<[Box<str>]>) -> Shape {
    let words = u32::try_from(names.len().div_ceil(32)).unwrap_or(u32::MAX);
    let (size, align) = match names.len() {
        0..=8 => (1, 1),
        9..=16 => (2, 2),
        _ => (words.saturating_mul(4), 4),
    };
    Layout {
        size,
        align,
        flat: words,
    }
    .of(Kind::Flags(names))
}
