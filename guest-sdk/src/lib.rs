//! Write proc-host modules in Rust.
//!
//! A module is a wasm component whose exports the host calls. This crate makes one of a plain Rust
//! `mod`: the WIT is generated from the signatures, so no interface file is written by hand, and the
//! result is an ordinary component that any component host can run.
//!
//! ```
//! #[proc_guest::module]
//! mod shop {
//!     use proc_guest::log;
//!
//!     /// One thing on the shelf: becomes a WIT record, because an exported function uses it.
//!     #[derive(Clone)]
//!     pub struct Product {
//!         pub name: String,
//!         pub cents: u32,
//!     }
//!
//!     /// What a basket costs. An `Err` is raised at the caller.
//!     pub fn total(basket: Vec<Product>) -> Result<u32, String> {
//!         let mut total = 0u32;
//!         for product in basket {
//!             log::debug!("adding {}", product.name);
//!             total = total.checked_add(product.cents).ok_or("too expensive")?;
//!         }
//!         Ok(total)
//!     }
//!
//!     /// A generator: the caller reads the items one by one and may stop at any time.
//!     pub fn prices(from: u32) -> impl Iterator<Item = u32> {
//!         (from..).step_by(5)
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! Build it with `cargo build --target wasm32-wasip2`, as a `cdylib`. Natively the `mod` stays what
//! it was, plain Rust, and [`test`](mod@test) fakes what a guest imports:
//!
//! ```
//! # #[cfg(not(target_arch = "wasm32"))] {
//! use proc_guest::test::{self, Fake};
//!
//! let answer: Result<String, _> = test::with(
//!     Fake::new().on_callback(|name: String| format!("hello {name}")),
//!     || proc_guest::callback::ask("Ada"),
//! );
//! assert_eq!(answer.as_deref(), Ok("hello Ada"));
//! # }
//! ```
//!
//! # What a function may take and return
//!
//! | Rust | WIT |
//! |---|---|
//! | `i8` … `u64`, `f32`, `f64`, `bool`, `char` | the same (`i8` is `s8`) |
//! | `String`, `&str` (as a parameter) | `string` |
//! | `Vec<T>`, `&[T]` (as a parameter) | `list<T>` |
//! | `BTreeMap<K, V>`, `HashMap<K, V>` | `list<tuple<K, V>>` |
//! | `Option<T>`, `Result<T, E>`, tuples | `option`, `result`, `tuple` |
//! | a struct with named fields | `record` |
//! | a struct with one unnamed field | `type` |
//! | an enum without payloads, with payloads | `enum`, `variant` |
//! | `impl Iterator<Item = T>`, `impl Stream<Item = T>` (as a result) | `stream<T>` |
//! | the same of `Result<T, E>` | `tuple<stream<T>, future<result<_, E>>>` |
//! | [`Stream<T>`], `impl Stream<Item = T>` (as a parameter of an `async fn`) | `stream<T>` |
//!
//! Types are found by the macro when they are defined inside the `mod`. Names turn from snake case
//! and camel case into kebab case. Doc comments go into the WIT.
//!
//! A component that starts from its own WIT, with `wit-bindgen` alone, can use the functions of this
//! crate all the same: they bring their own imports.

pub mod callback;
pub mod context;
#[cfg(target_arch = "wasm32")]
mod host;
pub mod log;
pub mod stream;
#[cfg(not(target_arch = "wasm32"))]
pub mod test;
pub mod time;

#[doc(hidden)]
pub mod rt;

#[doc(inline)]
pub use proc_guest_macros::module;
#[doc(inline)]
pub use stream::Stream;

#[cfg(not(target_arch = "wasm32"))]
use test as host;
