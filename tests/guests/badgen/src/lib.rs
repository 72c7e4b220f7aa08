//! Sync functions that feed their own streams: they hang, so the host must say so beforehand.

#![cfg(target_arch = "wasm32")]

use wit_bindgen::StreamReader;

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
    wit_bindgen::generate!({ world: "badgen", path: "wit" });

    export!(Badgen with_types_in self);

    use super::Badgen;
}

struct Badgen;

fn feed(n: u32) -> StreamReader<u32> {
    let (mut writer, reader) = bindings::wit_stream::new();
    wit_bindgen::spawn_local(async move {
        for number in 0..n {
            if writer.write_one(number).await.is_some() {
                return;
            }
        }
    });
    reader
}

impl bindings::Guest for Badgen {
    fn numbers(n: u32) -> StreamReader<u32> {
        feed(n)
    }

    fn checked(n: u32) -> Result<StreamReader<u32>, String> {
        Ok(feed(n))
    }

    async fn fine(n: u32) -> StreamReader<u32> {
        feed(n)
    }

    fn ping() -> String {
        "pong".to_owned()
    }
}
