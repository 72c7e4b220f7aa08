//! The code between the component's exports and the functions of the `mod`.
//!
//! The types of the `mod` stay the author's own; values of them are turned into the types that
//! wit-bindgen writes, and back. Where both are the same type, nothing is done.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::function::{Function, Generator, Outcome, ParameterKind, Source};
use crate::module::Module;
use crate::name::{bound_case, bound_type, bound_value};
use crate::value::{Case, Definition, Shape, Value};
use crate::wit;

/// The hidden module that makes a component of the module it is in.
pub(crate) fn glue(module: &Module) -> TokenStream {
    let wit = wit::print(module);
    let conversions = module.types.iter().map(conversion);
    let exports = module.functions.iter().map(export);
    quote! {
        #[cfg(target_arch = "wasm32")]
        #[doc(hidden)]
        #[allow(
            warnings,
            missing_docs,
            unsafe_code,
            unreachable_pub,
            clippy::all,
            clippy::allow_attributes_without_reason,
            clippy::cast_possible_truncation,
            clippy::undocumented_unsafe_blocks,
            clippy::unwrap_used,
            reason = "generated code"
        )]
        mod __proc_guest {
            mod bindings {
                ::proc_guest::rt::bindings!(#wit);
            }

            struct Component;

            impl bindings::Guest for Component {
                #(#exports)*
            }

            bindings::export!(Component with_types_in bindings);

            #(#conversions)*
        }
    }
}

fn export(function: &Function) -> TokenStream {
    let ident = &function.ident;
    let bound = bound_value(&function.kebab);
    let parameters = function
        .parameters
        .iter()
        .enumerate()
        .map(|(index, parameter)| {
            let argument = format_ident!("argument{index}");
            let ty = match &parameter.kind {
                ParameterKind::Value { value, .. } => bound_ty(value),
                ParameterKind::Stream(item) => {
                    let item = bound_ty(item);
                    quote!(::proc_guest::rt::wit_bindgen::rt::async_support::StreamReader<#item>)
                }
            };
            quote!(#argument: #ty)
        });
    let parameters: Vec<TokenStream> = parameters.collect();
    // What the function borrows must live as long as it runs.
    let owned = function
        .parameters
        .iter()
        .enumerate()
        .map(|(index, parameter)| {
            let argument = format_ident!("argument{index}");
            let lifted = match &parameter.kind {
                ParameterKind::Value { value, .. } => lift(value, quote!(#argument)),
                ParameterKind::Stream(item) => {
                    let lifted = lift(item, quote!(item));
                    quote!(::proc_guest::rt::drain(#argument, |item| #lifted))
                }
            };
            quote!(let #argument = #lifted;)
        });
    let passed = function
        .parameters
        .iter()
        .enumerate()
        .map(|(index, parameter)| {
            let argument = format_ident!("argument{index}");
            match &parameter.kind {
                ParameterKind::Value {
                    by_reference: true, ..
                } => quote!(&#argument),
                _ => quote!(#argument),
            }
        });
    let wait = function.is_async.then(|| quote!(.await));
    let call = quote!(super::#ident(#(#passed),*) #wait);
    let asyncness = function.is_async.then(|| quote!(async));
    match &function.result {
        Outcome::Nothing => quote! {
            #asyncness fn #bound(#(#parameters),*) {
                #(#owned)*
                #call;
            }
        },
        Outcome::Value(value) => {
            let ty = bound_ty(value);
            let lowered = lower(value, quote!(result));
            quote! {
                #asyncness fn #bound(#(#parameters),*) -> #ty {
                    #(#owned)*
                    let result = #call;
                    #lowered
                }
            }
        }
        Outcome::Generator(generator) => {
            let (ty, open, feed, ends) = feeding(generator);
            let items = match generator.source {
                Source::Iterator => quote!(::proc_guest::rt::iter(#call)),
                Source::Stream => call,
            };
            quote! {
                async fn #bound(#(#parameters),*) -> #ty {
                    #open
                    ::proc_guest::rt::wit_bindgen::spawn_local(async move {
                        #(#owned)*
                        let items = #items;
                        #feed
                    });
                    #ends
                }
            }
        }
    }
}

/// Of a generator: its result type, the streams it opens, the feeding of `items`, what it returns.
fn feeding(generator: &Generator) -> (TokenStream, TokenStream, TokenStream, TokenStream) {
    let support = quote!(::proc_guest::rt::wit_bindgen::rt::async_support);
    let item = bound_ty(&generator.item);
    let lower_item = lower(&generator.item, quote!(item));
    match &generator.error {
        None => (
            quote!(#support::StreamReader<#item>),
            quote!(let (writer, reader) = bindings::wit_stream::new::<#item>();),
            quote!(::proc_guest::rt::feed(writer, items, |item| #lower_item).await;),
            quote!(reader),
        ),
        Some(error) => {
            let error_ty = error.as_ref().map_or_else(|| quote!(()), bound_ty);
            let lower_error = error
                .as_ref()
                .map_or_else(|| quote!(error), |error| lower(error, quote!(error)));
            let end = quote!(::core::result::Result<(), #error_ty>);
            (
                quote!((#support::StreamReader<#item>, #support::FutureReader<#end>)),
                quote! {
                    let (writer, reader) = bindings::wit_stream::new::<#item>();
                    let (end, ended) = bindings::wit_future::new::<#end>(|| ::core::result::Result::Ok(()));
                },
                quote! {
                    ::proc_guest::rt::feed_fallible(
                        writer,
                        end,
                        items,
                        |item| #lower_item,
                        |error| #lower_error,
                    )
                    .await;
                },
                quote!((reader, ended)),
            )
        }
    }
}

/// The functions `lower_T` and `lift_T` of a type of the module.
fn conversion(definition: &Definition) -> TokenStream {
    let ident = &definition.ident;
    let bound = bound_type(&definition.kebab);
    let (lower_name, lift_name) = (
        format_ident!("lower_{ident}"),
        format_ident!("lift_{ident}"),
    );
    let (lowered, lifted) = match &definition.shape {
        Shape::Record(fields) => {
            let lowered = fields.iter().map(|field| {
                let (name, bound) = (&field.ident, bound_value(&field.kebab));
                let value = lower(&field.value, quote!(value.#name));
                quote!(#bound: #value)
            });
            let lifted = fields.iter().map(|field| {
                let (name, bound) = (&field.ident, bound_value(&field.kebab));
                let value = lift(&field.value, quote!(value.#bound));
                quote!(#name: #value)
            });
            (
                quote!(bindings::#bound { #(#lowered),* }),
                quote!(super::#ident { #(#lifted),* }),
            )
        }
        Shape::Alias(inner) => {
            let lowered = lower(inner, quote!(value.0));
            let lifted = lift(inner, quote!(value));
            (lowered, quote!(super::#ident(#lifted)))
        }
        Shape::Enum(cases) | Shape::Variant(cases) => {
            let lowered = cases.iter().map(|case| lower_case(ident, &bound, case));
            let lifted = cases.iter().map(|case| lift_case(ident, &bound, case));
            (
                quote!(match value { #(#lowered),* }),
                quote!(match value { #(#lifted),* }),
            )
        }
    };
    quote! {
        fn #lower_name(value: super::#ident) -> bindings::#bound { #lowered }
        fn #lift_name(value: bindings::#bound) -> super::#ident { #lifted }
    }
}

fn lower_case(ident: &syn::Ident, bound: &syn::Ident, case: &Case) -> TokenStream {
    let (name, bound_name) = (&case.ident, bound_case(&case.kebab));
    let parts: Vec<_> = (0..case.arity)
        .map(|index| format_ident!("part{index}"))
        .collect();
    let payload = case.payload.as_ref().map(|payload| {
        let value = if case.arity == 1 {
            quote!(part0)
        } else {
            quote!((#(#parts),*))
        };
        lower(payload, value)
    });
    match payload {
        Some(payload) => {
            quote!(super::#ident::#name(#(#parts),*) => bindings::#bound::#bound_name(#payload))
        }
        None => quote!(super::#ident::#name => bindings::#bound::#bound_name),
    }
}

fn lift_case(ident: &syn::Ident, bound: &syn::Ident, case: &Case) -> TokenStream {
    let (name, bound_name) = (&case.ident, bound_case(&case.kebab));
    let Some(payload) = &case.payload else {
        return quote!(bindings::#bound::#bound_name => super::#ident::#name);
    };
    let lifted = lift(payload, quote!(payload));
    if case.arity == 1 {
        return quote!(bindings::#bound::#bound_name(payload) => super::#ident::#name(#lifted));
    }
    let parts: Vec<_> = (0..case.arity)
        .map(|index| format_ident!("part{index}"))
        .collect();
    quote! {
        bindings::#bound::#bound_name(payload) => {
            let (#(#parts),*) = #lifted;
            super::#ident::#name(#(#parts),*)
        }
    }
}

/// The type that wit-bindgen gives a value.
fn bound_ty(value: &Value) -> TokenStream {
    match value {
        Value::Plain("string") => quote!(::std::string::String),
        Value::Plain(name) => {
            let name = match *name {
                "s8" => "i8",
                "s16" => "i16",
                "s32" => "i32",
                "s64" => "i64",
                other => other,
            };
            let name = format_ident!("{name}");
            quote!(::core::primitive::#name)
        }
        Value::List(item) => {
            let item = bound_ty(item);
            quote!(::std::vec::Vec<#item>)
        }
        Value::Map(key, value) => {
            let (key, value) = (bound_ty(key), bound_ty(value));
            quote!(::std::vec::Vec<(#key, #value)>)
        }
        Value::Option(some) => {
            let some = bound_ty(some);
            quote!(::core::option::Option<#some>)
        }
        Value::Result(ok, err) => {
            let [ok, err] =
                [ok, err].map(|side| side.as_deref().map_or_else(|| quote!(()), bound_ty));
            quote!(::core::result::Result<#ok, #err>)
        }
        Value::Tuple(values) => {
            let values = values.iter().map(bound_ty);
            quote!((#(#values,)*))
        }
        Value::Named(ident) => {
            let bound = crate::name::kebab(ident).map(|kebab| bound_type(&kebab));
            // A name that has none was refused when it was read.
            let bound = bound.unwrap_or_else(|_| ident.clone());
            quote!(bindings::#bound)
        }
    }
}

/// From the author's type to wit-bindgen's.
fn lower(value: &Value, from: TokenStream) -> TokenStream {
    convert(value, from, "lower")
}

/// From wit-bindgen's type to the author's.
fn lift(value: &Value, from: TokenStream) -> TokenStream {
    convert(value, from, "lift")
}

fn convert(value: &Value, from: TokenStream, direction: &str) -> TokenStream {
    if value.is_plain() {
        return from;
    }
    match value {
        Value::Plain(_) => from,
        Value::List(item) => {
            let item = convert(item, quote!(item), direction);
            quote!(#from.into_iter().map(|item| #item).collect::<::std::vec::Vec<_>>())
        }
        // Which map it is, is for the type that is wanted to say.
        Value::Map(key, value) => {
            let (key, value) = (
                convert(key, quote!(key), direction),
                convert(value, quote!(value), direction),
            );
            quote!(#from.into_iter().map(|(key, value)| (#key, #value)).collect())
        }
        Value::Option(some) => {
            let some = convert(some, quote!(some), direction);
            quote!(#from.map(|some| #some))
        }
        Value::Result(ok, err) => {
            let [ok, err] = [(ok, quote!(ok)), (err, quote!(err))].map(|(side, name)| {
                side.as_ref().map_or_else(
                    || name.clone(),
                    |side| convert(side, name.clone(), direction),
                )
            });
            quote!(#from.map(|ok| #ok).map_err(|err| #err))
        }
        Value::Tuple(values) => {
            let names: Vec<_> = (0..values.len())
                .map(|index| format_ident!("member{index}"))
                .collect();
            let converted = values
                .iter()
                .zip(&names)
                .map(|(value, name)| convert(value, quote!(#name), direction));
            quote!({ let (#(#names,)*) = #from; (#(#converted,)*) })
        }
        Value::Named(ident) => {
            let function = format_ident!("{direction}_{ident}");
            quote!(#function(#from))
        }
    }
}
