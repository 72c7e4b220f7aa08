//! A component's interface descriptor, read off the engine's own reflection.

use std::collections::HashMap;

use proc_host_wire::interface::{Function, Import, Interface, Type, TypeId};
use wasmtime::Engine;
use wasmtime::component::types::{self, ComponentItem};
use wasmtime::component::{Component, ResourceType};

use crate::{exports, grant};

/// Describes `component`: its functions in the order of [`exports`], and its imports.
pub fn describe(engine: &Engine, component: &Component) -> Interface {
    let mut types = Types::named(engine, component);
    let functions = exports(engine, component)
        .into_iter()
        .map(|export| {
            let params = export
                .ty
                .params()
                .map(|(name, ty)| (name.to_owned(), types.id(&ty)))
                .collect();
            let result = export.ty.results().next().map(|ty| types.id(&ty));
            Function {
                interface: export.interface,
                name: export.name,
                is_async: export.ty.async_(),
                params,
                result,
                unsupported: unsupported(&export.ty),
            }
        })
        .collect();
    let imports = component
        .component_type()
        .imports(engine)
        .map(|(name, item)| Import {
            name: name.to_owned(),
            functions: match item.ty {
                ComponentItem::ComponentInstance(instance) => instance
                    .exports(engine)
                    .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
                    .map(|(name, _)| name.to_owned())
                    .collect(),
                _ => Vec::new(),
            },
            grant: grant(name),
        })
        .collect();
    Interface {
        types: types.types,
        functions,
        imports,
    }
}

/// Why a function cannot be called, as far as its type alone tells.
fn unsupported(ty: &types::ComponentFunc) -> Option<String> {
    // One that only hands on a stream it was given needs nobody to feed it.
    let flows =
        ty.results().any(|ty| has_stream(&ty)) && !ty.params().any(|(_, ty)| has_stream(&ty));
    (flows && !ty.async_()).then(|| {
        "a generator must be an `async func`: a plain one cannot feed the stream it returns"
            .to_owned()
    })
}

/// Whether a stream or future is anywhere in a value of this type.
fn has_stream(ty: &types::Type) -> bool {
    match ty {
        types::Type::Stream(_) | types::Type::Future(_) => true,
        types::Type::List(list) => has_stream(&list.ty()),
        types::Type::FixedLengthList(list) => has_stream(&list.ty()),
        types::Type::Map(map) => has_stream(&map.value()),
        types::Type::Option(option) => has_stream(&option.ty()),
        types::Type::Result(result) => result.ok().iter().chain(&result.err()).any(has_stream),
        types::Type::Tuple(tuple) => tuple.types().any(|ty| has_stream(&ty)),
        types::Type::Record(record) => record.fields().any(|field| has_stream(&field.ty)),
        types::Type::Variant(variant) => variant
            .cases()
            .any(|case| case.ty.is_some_and(|ty| has_stream(&ty))),
        _ => false,
    }
}

/// The types met so far, each once.
struct Types {
    types: Vec<Type>,
    known: HashMap<Type, TypeId>,
    /// Names that interfaces give to types; types compare by structure.
    names: Vec<(types::Type, String)>,
    resources: Vec<(ResourceType, String)>,
}

impl Types {
    fn named(engine: &Engine, component: &Component) -> Types {
        let mut types = Types {
            types: Vec::new(),
            known: HashMap::new(),
            names: Vec::new(),
            resources: Vec::new(),
        };
        let ty = component.component_type();
        let items = ty.exports(engine).chain(ty.imports(engine));
        for (name, item) in items {
            match item.ty {
                ComponentItem::ComponentInstance(instance) => {
                    for (name, item) in instance.exports(engine) {
                        types.name(name, item.ty);
                    }
                }
                item => types.name(name, item),
            }
        }
        types
    }

    fn name(&mut self, name: &str, item: ComponentItem) {
        match item {
            ComponentItem::Type(ty) => self.names.push((ty, name.to_owned())),
            ComponentItem::Resource(ty) => self.resources.push((ty, name.to_owned())),
            _ => {}
        }
    }

    fn id(&mut self, ty: &types::Type) -> TypeId {
        let described = self.describe(ty);
        if let Some(id) = self.known.get(&described) {
            return *id;
        }
        let id = TypeId::try_from(self.types.len()).unwrap_or(TypeId::MAX);
        self.types.push(described.clone());
        self.known.insert(described, id);
        id
    }

    fn describe(&mut self, ty: &types::Type) -> Type {
        let name = self
            .names
            .iter()
            .find(|(known, _)| known == ty)
            .map(|(_, name)| name.clone());
        let maybe = |types: &mut Types, ty: Option<types::Type>| ty.map(|ty| types.id(&ty));
        match ty {
            types::Type::Bool => Type::Bool,
            types::Type::S8 => Type::S8,
            types::Type::U8 => Type::U8,
            types::Type::S16 => Type::S16,
            types::Type::U16 => Type::U16,
            types::Type::S32 => Type::S32,
            types::Type::U32 => Type::U32,
            types::Type::S64 => Type::S64,
            types::Type::U64 => Type::U64,
            types::Type::Float32 => Type::F32,
            types::Type::Float64 => Type::F64,
            types::Type::Char => Type::Char,
            types::Type::String => Type::String,
            types::Type::ErrorContext => Type::ErrorContext,
            types::Type::List(list) => Type::List(self.id(&list.ty())),
            types::Type::FixedLengthList(list) => Type::FixedList(self.id(&list.ty()), list.len()),
            types::Type::Map(map) => Type::Map(self.id(&map.key()), self.id(&map.value())),
            types::Type::Option(option) => Type::Option(self.id(&option.ty())),
            types::Type::Result(result) => Type::Result {
                ok: maybe(self, result.ok()),
                err: maybe(self, result.err()),
            },
            types::Type::Tuple(tuple) => {
                Type::Tuple(tuple.types().map(|ty| self.id(&ty)).collect())
            }
            types::Type::Record(record) => Type::Record {
                name,
                fields: record
                    .fields()
                    .map(|field| (field.name.to_owned(), self.id(&field.ty)))
                    .collect(),
            },
            types::Type::Variant(variant) => Type::Variant {
                name,
                cases: variant
                    .cases()
                    .map(|case| (case.name.to_owned(), maybe(self, case.ty)))
                    .collect(),
            },
            types::Type::Enum(cases) => Type::Enum {
                name,
                cases: cases.names().map(str::to_owned).collect(),
            },
            types::Type::Flags(flags) => Type::Flags {
                name,
                flags: flags.names().map(str::to_owned).collect(),
            },
            types::Type::Own(resource) => Type::Own(self.resource(*resource)),
            types::Type::Borrow(resource) => Type::Borrow(self.resource(*resource)),
            types::Type::Future(future) => Type::Future(maybe(self, future.ty())),
            types::Type::Stream(stream) => Type::Stream(maybe(self, stream.ty())),
        }
    }

    fn resource(&self, ty: ResourceType) -> String {
        self.resources
            .iter()
            .find(|(known, _)| *known == ty)
            .map_or_else(|| "resource".to_owned(), |(_, name)| name.clone())
    }
}
