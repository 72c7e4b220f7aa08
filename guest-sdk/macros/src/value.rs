//! The types of values: from Rust to WIT.

use std::collections::BTreeMap;

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{Fields, GenericArgument, Item, PathArguments, Type};

use crate::name;

/// What a value is in WIT.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A type that both sides name alike; its WIT.
    Plain(&'static str),
    List(Box<Value>),
    /// A map of Rust, a list of pairs in WIT.
    Map(Box<Value>, Box<Value>),
    Option(Box<Value>),
    Result(Option<Box<Value>>, Option<Box<Value>>),
    Tuple(Vec<Value>),
    /// A type defined in the module.
    Named(Ident),
}

/// A type defined in the module, as WIT has it.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) ident: Ident,
    pub(crate) kebab: String,
    pub(crate) docs: Vec<String>,
    pub(crate) shape: Shape,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Record(Vec<Field>),
    /// A struct with one unnamed field: only a name.
    Alias(Value),
    Enum(Vec<Case>),
    Variant(Vec<Case>),
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) kebab: String,
    pub(crate) docs: Vec<String>,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) ident: Ident,
    pub(crate) kebab: String,
    pub(crate) docs: Vec<String>,
    /// How many fields it has in Rust: several are one tuple in WIT.
    pub(crate) arity: usize,
    pub(crate) payload: Option<Value>,
}

/// The types that the items of the module define, read when a signature names them.
pub(crate) struct Types<'a> {
    items: BTreeMap<Ident, &'a Item>,
    /// Those that were named, each after those it names itself.
    found: Vec<Definition>,
    /// Those being read: one that turns up again contains itself.
    open: Vec<Ident>,
}

impl<'a> Types<'a> {
    pub(crate) fn new(items: &'a [Item]) -> Self {
        let items = items
            .iter()
            .filter_map(|item| match item {
                Item::Struct(item_struct) => Some((item_struct.ident.clone(), item)),
                Item::Enum(item_enum) => Some((item_enum.ident.clone(), item)),
                Item::Type(item_type) => Some((item_type.ident.clone(), item)),
                Item::Union(item_union) => Some((item_union.ident.clone(), item)),
                _ => None,
            })
            .collect();
        Self {
            items,
            found: Vec::new(),
            open: Vec::new(),
        }
    }

    pub(crate) fn into_found(self) -> Vec<Definition> {
        self.found
    }

    /// Reads a type as it stands in a signature or a definition.
    pub(crate) fn value(&mut self, ty: &Type) -> syn::Result<Value> {
        match ty {
            Type::Path(path) if path.qself.is_none() => self.path(&path.path, ty),
            Type::Tuple(tuple) if tuple.elems.is_empty() => Err(unsupported(
                ty,
                "`()` is not a value in WIT; leave it out, or use `bool`",
            )),
            Type::Tuple(tuple) => {
                let values = tuple.elems.iter().map(|elem| self.value(elem));
                Ok(Value::Tuple(values.collect::<syn::Result<_>>()?))
            }
            Type::Paren(inner) => self.value(&inner.elem),
            Type::Group(inner) => self.value(&inner.elem),
            Type::Reference(_) => Err(unsupported(
                ty,
                "a reference cannot cross to the caller here; use the owned type",
            )),
            Type::Array(_) => Err(unsupported(ty, "an array has no type in WIT; use `Vec`")),
            Type::Slice(_) => Err(unsupported(
                ty,
                "a slice is only a parameter, as `&[T]`; use `Vec`",
            )),
            Type::ImplTrait(_) => Err(unsupported(
                ty,
                "`impl Trait` is either a result, as `impl Iterator<Item = T>` or `impl Stream<Item = T>`, \
                 or a parameter, as `impl Stream<Item = T>`",
            )),
            _ => Err(unsupported(ty, "this type cannot cross to the caller")),
        }
    }

    fn path(&mut self, path: &syn::Path, ty: &Type) -> syn::Result<Value> {
        let Some(last) = path.segments.last() else {
            return Err(unsupported(ty, "this type cannot cross to the caller"));
        };
        if path.segments.len() == 1 && self.items.contains_key(&last.ident) {
            return self.named(&last.ident, &last.arguments);
        }
        let name = last.ident.to_string();
        let arguments = arguments(&last.arguments);
        match (name.as_str(), arguments.as_slice()) {
            ("bool" | "char" | "u8" | "u16" | "u32" | "u64" | "f32" | "f64", []) => {
                Ok(Value::Plain(match name.as_str() {
                    "bool" => "bool",
                    "char" => "char",
                    "u8" => "u8",
                    "u16" => "u16",
                    "u32" => "u32",
                    "u64" => "u64",
                    "f32" => "f32",
                    _ => "f64",
                }))
            }
            ("i8", []) => Ok(Value::Plain("s8")),
            ("i16", []) => Ok(Value::Plain("s16")),
            ("i32", []) => Ok(Value::Plain("s32")),
            ("i64", []) => Ok(Value::Plain("s64")),
            ("String", []) => Ok(Value::Plain("string")),
            ("Vec", [item]) => Ok(Value::List(Box::new(self.value(item)?))),
            ("BTreeMap" | "HashMap", [key, value]) => Ok(Value::Map(
                Box::new(self.value(key)?),
                Box::new(self.value(value)?),
            )),
            ("Option", [some]) => Ok(Value::Option(Box::new(self.value(some)?))),
            ("Result", [ok, err]) => Ok(Value::Result(
                self.side(ok)?.map(Box::new),
                self.side(err)?.map(Box::new),
            )),
            ("Result", [_]) => Err(unsupported(ty, "name the error too: `Result<T, E>`")),
            ("usize", _) => Err(unsupported(
                ty,
                "`usize` has no type in WIT; use `u32` or `u64`",
            )),
            ("isize", _) => Err(unsupported(
                ty,
                "`isize` has no type in WIT; use `i32` or `i64`",
            )),
            ("u128" | "i128", _) => Err(unsupported(
                ty,
                "WIT has no 128-bit integers; use two `u64`, or a `String`",
            )),
            ("str", []) => Err(unsupported(ty, "use `String`")),
            ("Stream", _) => Err(unsupported(
                ty,
                "a stream is a parameter or the result, not a part of another type",
            )),
            _ => Err(unsupported(
                ty,
                "this type cannot cross to the caller: \
                 it is neither one that WIT knows nor defined inside this `mod`",
            )),
        }
    }

    /// One side of a result: `()` is nothing.
    fn side(&mut self, ty: &Type) -> syn::Result<Option<Value>> {
        if is_unit(ty) {
            Ok(None)
        } else {
            self.value(ty).map(Some)
        }
    }

    fn named(&mut self, ident: &Ident, arguments: &PathArguments) -> syn::Result<Value> {
        if !arguments.is_empty() {
            return Err(syn::Error::new(
                ident.span(),
                "a type with parameters has no counterpart in WIT",
            ));
        }
        let item = self.items[ident];
        if let Item::Type(alias) = item {
            no_generics(&alias.generics)?;
            return self.inside(ident, |types| types.value(&alias.ty));
        }
        if !self
            .found
            .iter()
            .any(|definition| definition.ident == *ident)
        {
            let definition = self.inside(ident, |types| types.definition(item))?;
            self.found.push(definition);
        }
        Ok(Value::Named(ident.clone()))
    }

    fn inside<T>(
        &mut self,
        ident: &Ident,
        read: impl FnOnce(&mut Self) -> syn::Result<T>,
    ) -> syn::Result<T> {
        if self.open.contains(ident) {
            let message = format!("`{ident}` contains itself, which WIT cannot say");
            return Err(syn::Error::new(ident.span(), message));
        }
        self.open.push(ident.clone());
        let result = read(self);
        self.open.pop();
        result
    }

    fn definition(&mut self, item: &Item) -> syn::Result<Definition> {
        let (ident, attributes, generics) = match item {
            Item::Struct(item) => (&item.ident, &item.attrs, &item.generics),
            Item::Enum(item) => (&item.ident, &item.attrs, &item.generics),
            _ => {
                return Err(syn::Error::new(
                    item.span(),
                    "a union cannot cross to the caller",
                ));
            }
        };
        no_generics(generics)?;
        let shape = match item {
            Item::Struct(item) => self.structure(item)?,
            Item::Enum(item) => self.enumeration(item)?,
            _ => {
                return Err(syn::Error::new(
                    item.span(),
                    "this type cannot cross to the caller",
                ));
            }
        };
        Ok(Definition {
            ident: ident.clone(),
            kebab: name::kebab(ident)?,
            docs: docs(attributes),
            shape,
        })
    }

    fn structure(&mut self, item: &syn::ItemStruct) -> syn::Result<Shape> {
        match &item.fields {
            Fields::Named(fields) if !fields.named.is_empty() => {
                let fields = fields.named.iter().map(|field| {
                    let ident = field.ident.clone().unwrap_or_else(|| item.ident.clone());
                    Ok(Field {
                        kebab: name::kebab(&ident)?,
                        ident,
                        docs: docs(&field.attrs),
                        value: self.value(&field.ty)?,
                    })
                });
                Ok(Shape::Record(fields.collect::<syn::Result<_>>()?))
            }
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                Ok(Shape::Alias(self.value(&fields.unnamed[0].ty)?))
            }
            Fields::Unnamed(_) => Err(syn::Error::new(
                item.ident.span(),
                "name the fields: WIT has no struct whose fields have no names",
            )),
            _ => Err(syn::Error::new(
                item.ident.span(),
                "a record in WIT has at least one field",
            )),
        }
    }

    fn enumeration(&mut self, item: &syn::ItemEnum) -> syn::Result<Shape> {
        let cases = item.variants.iter().map(|variant| self.case(variant));
        let cases = cases.collect::<syn::Result<Vec<Case>>>()?;
        if cases.is_empty() {
            return Err(syn::Error::new(
                item.ident.span(),
                "an enum in WIT has at least one case",
            ));
        }
        if cases.iter().all(|case| case.arity == 0) {
            Ok(Shape::Enum(cases))
        } else {
            Ok(Shape::Variant(cases))
        }
    }

    fn case(&mut self, variant: &syn::Variant) -> syn::Result<Case> {
        let payload = match &variant.fields {
            Fields::Unit => Vec::new(),
            Fields::Unnamed(fields) => fields
                .unnamed
                .iter()
                .map(|field| self.value(&field.ty))
                .collect::<syn::Result<Vec<Value>>>()?,
            Fields::Named(fields) => {
                return Err(syn::Error::new(
                    fields.span(),
                    "a case in WIT has one payload without fields of its own; \
                     define a struct and write `Case(Struct)`",
                ));
            }
        };
        let arity = payload.len();
        if arity == 0 && variant.fields != Fields::Unit {
            return Err(syn::Error::new(
                variant.span(),
                "leave out the empty parentheses",
            ));
        }
        let payload = match arity {
            0 => None,
            1 => payload.into_iter().next(),
            _ => Some(Value::Tuple(payload)),
        };
        Ok(Case {
            ident: variant.ident.clone(),
            kebab: name::kebab(&variant.ident)?,
            docs: docs(&variant.attrs),
            arity,
            payload,
        })
    }
}

impl Value {
    /// Whether Rust's type and the one wit-bindgen writes are the same.
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Map(..) | Self::Named(_) => false,
            Self::List(item) | Self::Option(item) => item.is_plain(),
            Self::Result(ok, err) => [ok, err].into_iter().flatten().all(|side| side.is_plain()),
            Self::Tuple(values) => values.iter().all(Self::is_plain),
        }
    }
}

/// The types between the angle brackets.
pub(crate) fn arguments(arguments: &PathArguments) -> Vec<&Type> {
    match arguments {
        PathArguments::AngleBracketed(list) => list
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

pub(crate) fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// The lines of the doc comments.
pub(crate) fn docs(attributes: &[syn::Attribute]) -> Vec<String> {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let syn::Meta::NameValue(pair) = &attribute.meta
            && pair.path.is_ident("doc")
            && let syn::Expr::Lit(literal) = &pair.value
            && let syn::Lit::Str(text) = &literal.lit
        {
            lines.extend(
                text.value()
                    .split('\n')
                    .map(|line| line.trim_end().to_owned()),
            );
        }
    }
    lines
}

fn no_generics(generics: &syn::Generics) -> syn::Result<()> {
    match generics.params.first() {
        Some(first) => Err(syn::Error::new(
            first.span(),
            "a type with parameters has no counterpart in WIT",
        )),
        None => Ok(()),
    }
}

fn unsupported(ty: &Type, message: &str) -> syn::Error {
    syn::Error::new_spanned(ty, message)
}
