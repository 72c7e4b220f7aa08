//! One annotated `mod`: reads what is in it and writes it back, with the component beside.

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Item, ItemMod, Visibility};

use crate::export;
use crate::function::{Errors, Function};
use crate::name;
use crate::value::{self, Definition, Types};

/// What an annotated `mod` exports.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) kebab: String,
    pub(crate) docs: Vec<String>,
    pub(crate) types: Vec<Definition>,
    pub(crate) functions: Vec<Function>,
}

/// The attribute: the `mod` itself, and what makes a component of it, or the errors.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut module: ItemMod = match syn::parse2(item.clone()) {
        Ok(module) => module,
        Err(error) => {
            let error = syn::Error::new(
                error.span(),
                "`#[proc_guest::module]` goes on a `mod name { … }`",
            );
            let error = error.to_compile_error();
            return quote!(#error #item);
        }
    };
    let read = if arguments.is_empty() {
        Module::read(&module)
    } else {
        Err(syn::Error::new_spanned(
            arguments,
            "`#[proc_guest::module]` takes no arguments",
        ))
    };
    match read {
        Ok(read) => {
            let glue = export::glue(&read);
            if let Some((_, items)) = &mut module.content {
                items.push(Item::Verbatim(glue));
            }
            quote! {
                #[allow(unreachable_pub, reason = "`pub` means exported here")]
                #[cfg_attr(
                    not(target_arch = "wasm32"),
                    allow(dead_code, reason = "exported only from the component")
                )]
                #module
            }
        }
        Err(error) => {
            // The items stay, so that what uses them has no further errors.
            let error = error.to_compile_error();
            quote! {
                #error
                #[allow(dead_code, unused_imports, reason = "the error above comes first")]
                #module
            }
        }
    }
}

impl Module {
    pub(crate) fn read(module: &ItemMod) -> syn::Result<Self> {
        let Some((_, items)) = &module.content else {
            return Err(syn::Error::new_spanned(
                module,
                "the items must be here, in `mod name { … }`, for the macro to see them",
            ));
        };
        let mut errors = Errors::default();
        let mut types = Types::new(items);
        let exported = items.iter().filter_map(|item| match item {
            Item::Fn(function) if matches!(function.vis, Visibility::Public(_)) => Some(function),
            _ => None,
        });
        let functions: Vec<Function> = exported
            .filter_map(|function| errors.keep(Function::read(function, &mut types)))
            .collect();
        let kebab = errors.keep(name::kebab(&module.ident));
        let types = types.into_found();
        let functions_named = functions
            .iter()
            .map(|function| (&function.kebab, &function.ident));
        let types_named = types
            .iter()
            .map(|definition| (&definition.kebab, &definition.ident));
        for clash in clashes(functions_named).chain(clashes(types_named)) {
            errors.add(clash);
        }
        errors.finish()?;
        if functions.is_empty() {
            return Err(syn::Error::new_spanned(
                &module.ident,
                "there is nothing to export: no function in here is `pub`",
            ));
        }
        Ok(Self {
            kebab: kebab.unwrap_or_default(),
            docs: value::docs(&module.attrs),
            types,
            functions,
        })
    }
}

/// Different names in Rust that are one in WIT.
fn clashes<'a>(
    names: impl Iterator<Item = (&'a String, &'a Ident)>,
) -> impl Iterator<Item = syn::Error> {
    let mut seen: BTreeMap<&String, &Ident> = BTreeMap::new();
    names.filter_map(move |(kebab, ident)| {
        let first = seen.insert(kebab, ident)?;
        let message = format!("`{first}` and `{ident}` are both `{kebab}` in WIT; rename one");
        Some(syn::Error::new(ident.span(), message))
    })
}
