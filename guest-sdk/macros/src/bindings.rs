//! The bindings of an interface, as wit-bindgen writes them, with one difference: an exported
//! function does not have its name as a symbol.
//!
//! A sync function at the root of a world, `abort` say, is a symbol `abort` in wit-bindgen's output,
//! and so takes the place of the C library's `abort`, of `exit`, `log` or `pow`, for everything that
//! is linked to the component. The component model has a second way to name the same export,
//! `cm32p2||abort`, which no C library has.

use proc_macro2::{Span, TokenStream};
use syn::LitStr;
use wit_bindgen_core::wit_parser::{Resolve, WorldItem};
use wit_bindgen_core::{Files, WorldGenerator};

/// Writes the bindings of the only world in `wit`.
pub(crate) fn expand(wit: TokenStream) -> TokenStream {
    let written = syn::parse2(wit).and_then(|wit: LitStr| {
        write(&wit.value()).map_err(|error| syn::Error::new(wit.span(), format!("{error:#}")))
    });
    let parsed = written.and_then(|text| {
        text.parse()
            .map_err(|error| syn::Error::new(Span::call_site(), format!("{error}")))
    });
    parsed.unwrap_or_else(|error| error.to_compile_error())
}

fn write(wit: &str) -> anyhow::Result<String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("module.wit", wit)?;
    let world = resolve.select_world(&[package], None)?;
    let options = wit_bindgen_rust::Opts {
        runtime_path: Some("::proc_guest::rt::wit_bindgen::rt".to_owned()),
        ..wit_bindgen_rust::Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    let mut text = String::new();
    for (_, content) in files.iter() {
        text.push_str(std::str::from_utf8(content)?);
    }
    for item in resolve.worlds[world].exports.values() {
        if let WorldItem::Function(function) = item {
            // The exports of an async function have brackets in their names already.
            let name = &function.name;
            text = text
                .replace(
                    &format!("export_name = \"{name}\""),
                    &format!("export_name = \"cm32p2||{name}\""),
                )
                .replace(
                    &format!("export_name = \"cabi_post_{name}\""),
                    &format!("export_name = \"cm32p2||{name}_post\""),
                );
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_symbol_is_a_name_of_c() {
        let wit =
            "package a:b; world w { export abort: func() -> string; export sleep: async func(); }";
        let text = super::write(wit).expect("the interface is good");
        let symbols: Vec<&str> = text
            .split("export_name = \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let expected = [
            "cm32p2||abort",
            "cm32p2||abort_post",
            "[async-lift]sleep",
            "[callback][async-lift]sleep",
        ];
        assert_eq!(symbols, expected);
    }
}
