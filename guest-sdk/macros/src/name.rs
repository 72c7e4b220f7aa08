//! Names: from Rust to WIT, and from WIT to the Rust that wit-bindgen writes.

use heck::{ToKebabCase, ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;

/// The name in WIT, without the escape; an error where there is none.
pub(crate) fn kebab(ident: &Ident) -> syn::Result<String> {
    let name = ident.unraw().to_string();
    let kebab = name.to_kebab_case();
    let legal = kebab.starts_with(|first: char| first.is_ascii_lowercase())
        && kebab
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !legal {
        let message = format!(
            "`{name}` has no name in WIT: it must begin with a letter, and letters and digits must be ASCII"
        );
        return Err(syn::Error::new(ident.span(), message));
    }
    Ok(kebab)
}

/// A name as WIT text: keywords are escaped.
pub(crate) fn escaped(kebab: &str) -> String {
    if WIT_KEYWORDS.contains(&kebab) {
        format!("%{kebab}")
    } else {
        kebab.to_owned()
    }
}

/// What wit-bindgen calls a function or a field.
pub(crate) fn bound_value(kebab: &str) -> Ident {
    // wit-bindgen escapes with an underscore, not with `r#`.
    let name = kebab.to_snake_case();
    let name = if RUST_KEYWORDS.contains(&kebab) {
        format!("{name}_")
    } else {
        name
    };
    Ident::new(&name, Span::call_site())
}

/// What wit-bindgen calls a type.
pub(crate) fn bound_type(kebab: &str) -> Ident {
    match kebab {
        // Its traits have this name.
        "guest" => Ident::new("Guest_", Span::call_site()),
        _ => bound_case(kebab),
    }
}

/// What wit-bindgen calls a case of an enum or variant.
pub(crate) fn bound_case(kebab: &str) -> Ident {
    Ident::new(&kebab.to_upper_camel_case(), Span::call_site())
}

const WIT_KEYWORDS: &[&str] = &[
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

const RUST_KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "if", "impl", "in",
    "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];
