//! What the code written by `#[proc_guest::module]` calls. Not for use by hand.

#[cfg(target_arch = "wasm32")]
pub use feed::{drain, feed, feed_fallible};
pub use futures_util::stream::iter;
pub use proc_guest_macros::bindings;
pub use wit_bindgen;

/// Moves items between Rust's streams and the component's.
#[cfg(target_arch = "wasm32")]
mod feed {
    use std::collections::VecDeque;
    use std::pin::pin;

    use futures_util::{Stream as AnyStream, StreamExt, stream};
    use wit_bindgen::rt::async_support::{FutureWriter, StreamReader, StreamWriter};

    use crate::Stream;

    /// How many items a guest reads at once, if so many are there.
    const READ_AHEAD: usize = 64;

    /// Writes each item when the one before is taken; ends when the reader is gone.
    pub async fn feed<T, W: 'static>(
        mut writer: StreamWriter<W>,
        items: impl AnyStream<Item = T>,
        lower: impl Fn(T) -> W,
    ) {
        let mut items = pin!(items);
        while let Some(item) = items.next().await {
            if writer.write_one(lower(item)).await.is_some() {
                return;
            }
        }
    }

    /// As [`feed`]; the first error ends the stream and goes to `end`.
    pub async fn feed_fallible<T, E, W: 'static, F: 'static>(
        mut writer: StreamWriter<W>,
        end: FutureWriter<Result<(), F>>,
        items: impl AnyStream<Item = Result<T, E>>,
        lower: impl Fn(T) -> W,
        lower_error: impl Fn(E) -> F,
    ) {
        let mut outcome = Ok(());
        {
            let mut items = pin!(items);
            while let Some(item) = items.next().await {
                match item {
                    Ok(item) => {
                        if writer.write_one(lower(item)).await.is_some() {
                            break;
                        }
                    }
                    Err(error) => {
                        outcome = Err(lower_error(error));
                        break;
                    }
                }
            }
        }
        // The reader sees the end of the stream before it looks for the outcome.
        drop(writer);
        // A reader that is gone does not miss it.
        let _ = end.write(outcome).await;
    }

    /// The stream a function takes.
    pub fn drain<W: 'static, T: 'static>(
        reader: StreamReader<W>,
        lift: impl Fn(W) -> T + Copy + 'static,
    ) -> Stream<T> {
        let batches = stream::unfold(Some(reader), |reader| async {
            let mut reader = reader?;
            let (result, items) = reader.read(Vec::with_capacity(READ_AHEAD)).await;
            let rest = matches!(result, wit_bindgen::StreamResult::Complete(_)).then_some(reader);
            Some((VecDeque::from(items), rest))
        });
        Stream::new(batches.flat_map(stream::iter).map(lift))
    }
}
