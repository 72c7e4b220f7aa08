//! An interface of its own, by plain wit-bindgen, and of the SDK only the imports.

#![cfg(target_arch = "wasm32")]

use std::time::Duration;

use bindings::exports::demo::greeter::greeter::{self, Greeting};
use proc_guest::{callback, context, log, time};

/// What wit-bindgen makes of `wit/world.wit`.
#[allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "generated code"
)]
mod bindings {
    wit_bindgen::generate!({ world: "greeters", path: "wit" });

    export!(Greeter with_types_in self);

    use super::Greeter;
}

struct Greeter;

impl bindings::Guest for Greeter {
    fn version() -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }
}

impl greeter::Guest for Greeter {
    fn hello(name: String) -> Greeting {
        log::info!("greeting {name}");
        Greeting {
            text: format!("hello {name}"),
            from_worker: context::current().worker,
        }
    }

    async fn hello_you() -> Result<Greeting, String> {
        let name = callback::ask_async("who are you?").await?;
        Ok(Self::hello(name))
    }

    async fn nap(ms: u32) -> u32 {
        time::sleep(Duration::from_millis(ms.into())).await;
        ms
    }
}
