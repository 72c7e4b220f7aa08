//! The signature of one exported function.

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{
    AssocType, FnArg, GenericArgument, GenericParam, ItemFn, Pat, PathArguments, ReturnType, Type,
    TypeParamBound,
};

use crate::name;
use crate::value::{self, Types, Value};

/// A function as both sides have it.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) ident: Ident,
    pub(crate) kebab: String,
    pub(crate) docs: Vec<String>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) result: Outcome,
    /// Whether it is `async` in Rust. In WIT, a generator is, too.
    pub(crate) is_async: bool,
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) kebab: String,
    pub(crate) kind: ParameterKind,
}

#[derive(Debug)]
pub(crate) enum ParameterKind {
    /// The function takes it whole, or a reference to it.
    Value { value: Value, by_reference: bool },
    /// Items that the caller sends.
    Stream(Value),
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Nothing,
    Value(Value),
    Generator(Generator),
}

/// A function that returns items one by one.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) source: Source,
    pub(crate) item: Value,
    /// For items that are `Result`: the error, which may be nothing.
    pub(crate) error: Option<Option<Value>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    Iterator,
    Stream,
}

impl Function {
    pub(crate) fn read(item: &ItemFn, types: &mut Types<'_>) -> syn::Result<Self> {
        let signature = &item.sig;
        let mut errors = Errors::default();
        if let Some(cfg) = item
            .attrs
            .iter()
            .find(|attribute| attribute.path().is_ident("cfg"))
        {
            errors.add(syn::Error::new_spanned(
                cfg,
                "an export is there or not, whatever the configuration; put `cfg` inside it",
            ));
        }
        for parameter in &signature.generics.params {
            if !matches!(parameter, GenericParam::Lifetime(_)) {
                errors.add(syn::Error::new_spanned(
                    parameter,
                    "an exported function has no type parameters: its caller is not compiled with it",
                ));
            }
        }
        // Whatever names such a parameter would only be an error again.
        std::mem::take(&mut errors).finish()?;
        if let Some(token) = &signature.unsafety {
            errors.add(syn::Error::new_spanned(
                token,
                "an exported function is safe to call",
            ));
        }
        if let Some(abi) = &signature.abi {
            errors.add(syn::Error::new_spanned(
                abi,
                "an exported function has the Rust ABI",
            ));
        }
        if signature.ident == "r#gen" || signature.ident == "gen" {
            errors.add(syn::Error::new_spanned(
                &signature.ident,
                "`gen` cannot be exported: it is a keyword that the generated bindings do not escape",
            ));
        }

        let parameters = signature.inputs.iter().filter_map(|input| {
            errors.keep(parameter(input, signature.asyncness.is_some(), types))
        });
        let parameters = parameters.collect();
        let result = errors.keep(outcome(&signature.output, types));
        let kebab = errors.keep(name::kebab(&signature.ident));
        errors.finish()?;
        let (Some(result), Some(kebab)) = (result, kebab) else {
            return Err(syn::Error::new(
                signature.span(),
                "this signature cannot be exported",
            ));
        };
        Ok(Self {
            ident: signature.ident.clone(),
            kebab,
            docs: value::docs(&item.attrs),
            parameters,
            result,
            is_async: signature.asyncness.is_some(),
        })
    }
}

/// Many errors as one.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    pub(crate) fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn parameter(input: &FnArg, is_async: bool, types: &mut Types<'_>) -> syn::Result<Parameter> {
    let FnArg::Typed(input) = input else {
        return Err(syn::Error::new_spanned(
            input,
            "an exported function has no `self`: keep state in a `static` or a `thread_local!`",
        ));
    };
    let Pat::Ident(pattern) = &*input.pat else {
        return Err(syn::Error::new_spanned(
            &input.pat,
            "name the parameter: its name is part of the interface",
        ));
    };
    let kebab = name::kebab(&pattern.ident)?;
    let kind = match &*input.ty {
        Type::Reference(reference) => {
            if let Some(token) = &reference.mutability {
                return Err(syn::Error::new_spanned(
                    token,
                    "the caller's value is not here to be changed; take it by value and return it",
                ));
            }
            let value = match &*reference.elem {
                Type::Path(path) if path.path.is_ident("str") => Value::Plain("string"),
                Type::Slice(slice) => Value::List(Box::new(types.value(&slice.elem)?)),
                other => types.value(other)?,
            };
            ParameterKind::Value {
                value,
                by_reference: true,
            }
        }
        ty => match stream_of(ty) {
            Some(item) => {
                if !is_async {
                    return Err(syn::Error::new_spanned(
                        ty,
                        "only an `async fn` can take a stream: its items come while it runs",
                    ));
                }
                ParameterKind::Stream(types.value(item)?)
            }
            None => ParameterKind::Value {
                value: types.value(ty)?,
                by_reference: false,
            },
        },
    };
    Ok(Parameter { kebab, kind })
}

/// The items of a stream that is a parameter.
fn stream_of(ty: &Type) -> Option<&Type> {
    match ty {
        Type::ImplTrait(impl_trait) => {
            items_of(&impl_trait.bounds).and_then(|(source, item)| match source {
                Source::Stream => Some(item),
                Source::Iterator => None,
            })
        }
        _ => stream_struct(ty),
    }
}

fn outcome(output: &ReturnType, types: &mut Types<'_>) -> syn::Result<Outcome> {
    let ReturnType::Type(_, ty) = output else {
        return Ok(Outcome::Nothing);
    };
    if value::is_unit(ty) || matches!(&**ty, Type::Never(_)) {
        return Ok(Outcome::Nothing);
    }
    if let Some((source, item)) = generated(ty) {
        return generator(source, item, types).map(Outcome::Generator);
    }
    if let Some(raised) = raised_generator(ty) {
        return Err(syn::Error::new_spanned(
            raised,
            "a generator cannot fail before it begins; \
             return `impl Iterator<Item = Result<T, E>>`, whose first item may be the error",
        ));
    }
    if let Type::ImplTrait(impl_trait) = &**ty
        && impl_trait
            .bounds
            .iter()
            .any(|bound| bound_name(bound).is_some_and(|name| name == "Future"))
    {
        return Err(syn::Error::new_spanned(ty, "write `async fn`"));
    }
    types.value(ty).map(Outcome::Value)
}

fn generator(source: Source, item: &Type, types: &mut Types<'_>) -> syn::Result<Generator> {
    if let Some([ok, err]) = result_sides(item) {
        let error = if value::is_unit(err) {
            None
        } else {
            Some(types.value(err)?)
        };
        return Ok(Generator {
            source,
            item: types.value(ok)?,
            error: Some(error),
        });
    }
    Ok(Generator {
        source,
        item: types.value(item)?,
        error: None,
    })
}

/// What a function returns that returns items one by one.
fn generated(ty: &Type) -> Option<(Source, &Type)> {
    match ty {
        Type::ImplTrait(impl_trait) => items_of(&impl_trait.bounds),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            match (
                last.ident.to_string().as_str(),
                value::arguments(&last.arguments).as_slice(),
            ) {
                ("Box", [Type::TraitObject(object)]) => {
                    // A boxed stream is not one by itself: it is pinned, or moves.
                    items_of(&object.bounds)
                        .filter(|(source, _)| matches!(source, Source::Iterator))
                }
                ("Pin", [Type::Path(boxed)]) => {
                    let inner = boxed.path.segments.last()?;
                    match value::arguments(&inner.arguments).as_slice() {
                        [Type::TraitObject(object)] if inner.ident == "Box" => {
                            items_of(&object.bounds)
                                .filter(|(source, _)| matches!(source, Source::Stream))
                        }
                        _ => None,
                    }
                }
                ("Generated", [item]) => Some((Source::Stream, item)),
                _ => stream_struct(ty).map(|item| (Source::Stream, item)),
            }
        }
        _ => None,
    }
}

/// `proc_guest::Stream<T>`.
fn stream_struct(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else {
        return None;
    };
    let last = path.path.segments.last()?;
    match value::arguments(&last.arguments).as_slice() {
        [item] if last.ident == "Stream" => Some(item),
        _ => None,
    }
}

/// `Result<impl Iterator<…>, E>`: the generator in it.
fn raised_generator(ty: &Type) -> Option<&Type> {
    let [ok, _] = result_sides(ty)?;
    generated(ok).map(|_| ok)
}

fn result_sides(ty: &Type) -> Option<[&Type; 2]> {
    let Type::Path(path) = ty else {
        return None;
    };
    let last = path.path.segments.last()?;
    match value::arguments(&last.arguments).as_slice() {
        [ok, err] if last.ident == "Result" => Some([ok, err]),
        _ => None,
    }
}

/// `Item = T` of an `Iterator` or `Stream` among the bounds.
fn items_of<'a>(
    bounds: impl IntoIterator<Item = &'a TypeParamBound>,
) -> Option<(Source, &'a Type)> {
    bounds.into_iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let last = bound.path.segments.last()?;
        let source = match last.ident.to_string().as_str() {
            "Iterator" | "DoubleEndedIterator" | "ExactSizeIterator" => Source::Iterator,
            "Stream" => Source::Stream,
            _ => return None,
        };
        let PathArguments::AngleBracketed(arguments) = &last.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Item" => {
                Some((source, ty))
            }
            _ => None,
        })
    })
}

fn bound_name(bound: &TypeParamBound) -> Option<&Ident> {
    match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}
