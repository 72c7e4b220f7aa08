//! Streams and futures inside results, as Rust types.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use proc_host_wire::cbor::{TAG_FUTURE, TAG_STREAM};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

use crate::attached::{self, Attached};
use crate::call_error::CallError;
use crate::incoming::Incoming;

/// A stream in a result, as a Rust type: `struct Rows { header: String, rows: RemoteStream<Row> }`.
#[derive(Debug)]
pub struct RemoteStream<T> {
    incoming: Incoming,
    item: PhantomData<fn() -> T>,
}

impl<T> From<Incoming> for RemoteStream<T> {
    fn from(incoming: Incoming) -> RemoteStream<T> {
        RemoteStream {
            incoming,
            item: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Stream for RemoteStream<T> {
    type Item = Result<T, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_item(cx)
    }
}

impl<'de, T> Deserialize<'de> for RemoteStream<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RemoteStream<T>, D::Error> {
        match attached::detach::<D, TAG_STREAM>(deserializer)? {
            Attached::Stream(incoming) => Ok(incoming.into()),
            _ => Err(D::Error::custom("the attachment is no stream")),
        }
    }
}

/// A future in a result. It is awaited; `None` where the guest dropped it without a value.
#[derive(Debug)]
pub struct RemoteFuture<T> {
    incoming: Incoming,
    value: PhantomData<fn() -> T>,
}

impl<T> From<Incoming> for RemoteFuture<T> {
    fn from(incoming: Incoming) -> RemoteFuture<T> {
        RemoteFuture {
            incoming,
            value: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Future for RemoteFuture<T> {
    type Output = Result<Option<T>, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.incoming.poll_item(cx).map(Option::transpose)
    }
}

impl<'de, T> Deserialize<'de> for RemoteFuture<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RemoteFuture<T>, D::Error> {
        match attached::detach::<D, TAG_FUTURE>(deserializer)? {
            Attached::Future(incoming) => Ok(incoming.into()),
            _ => Err(D::Error::custom("the attachment is no future")),
        }
    }
}
