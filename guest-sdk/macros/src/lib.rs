//! The macro of proc-guest, [`macro@module`].
//!
//! From the signatures in a `mod` to a component: `module` reads the items, `function` one signature,
//! `value` the types in them, `name` their names in WIT; `wit` prints the interface, and `export`
//! writes the code between it and the functions, over what `bindings` has wit-bindgen write. None of it
//! knows the host.

use proc_macro::TokenStream;

mod bindings;
mod export;
mod function;
mod module;
mod name;
mod value;
mod wit;

/// Makes a component of a `mod`: every `pub fn` in it becomes an export.
///
/// - A plain function becomes a `func`, an `async fn` an `async func`.
/// - `Result<T, E>` as the result raises its error at the caller.
/// - A function that returns `impl Iterator<Item = T>`, or `impl Stream<Item = T>`, is a generator:
///   it returns a `stream<T>`, which goes on while it is read, one item at a time. With items of
///   `Result<T, E>` the first error ends it and is raised at the reader.
/// - `Stream<T>`, or `impl Stream<Item = T>`, as a parameter of an `async fn` takes a stream.
/// - Structs and enums that the signatures name, when they are defined in the `mod`, become types of
///   the interface. Doc comments go with everything.
///
/// What is not `pub` stays inside. Natively the `mod` is left as it is, for tests.
///
/// A crate has one such `mod`; its exports are the whole component.
#[proc_macro_attribute]
pub fn module(arguments: TokenStream, item: TokenStream) -> TokenStream {
    module::expand(arguments.into(), item.into()).into()
}

/// The bindings of the interface that [`macro@module`] prints. Not for use by hand.
#[doc(hidden)]
#[proc_macro]
pub fn bindings(wit: TokenStream) -> TokenStream {
    bindings::expand(wit.into()).into()
}
