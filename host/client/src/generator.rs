//! The three shapes of a generator behind one face.
//!
//! A stream; a stream with a future that says whether it failed; a resource whose `next` is called
//! until it has nothing more.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use proc_host_wire::cbor::{Kind, Limits, Reader, TAG_RESOURCE, TAG_STREAM};
use proc_host_wire::control::{FunctionInfo, Reply, Request};
use proc_host_wire::interface::{Type, TypeId};
use proc_host_wire::message::WorkerRef;

use crate::attached::Attached;
use crate::call::Call;
use crate::call_error::CallError;
use crate::codec::CodecError;
use crate::handle::Handle;
use crate::incoming::Incoming;
use crate::outcome::{Encoded, Outcome};
use crate::running::Place;

/// The items of a call that has returned a generator. [`Items`](crate::Items) is the same as a
/// `futures::Stream` of one type; this is for those who learn the type as they go.
pub struct Generator {
    source: Source,
    /// Where the call ran.
    worker: Option<WorkerRef>,
}

enum Source {
    Stream {
        place: Place,
        items: Incoming,
        /// Tells how the stream ended, where it can fail.
        verdict: Option<Incoming>,
    },
    Resource {
        place: Place,
        handle: Handle,
        method: Option<Next>,
        step: Option<BoxFuture<'static, Step>>,
    },
}

/// What a step of a resource brings.
enum Step {
    Method(Result<Next, CallError>),
    Item(Result<Encoded, CallError>),
}

impl Generator {
    /// The generator that a call has returned.
    pub(crate) fn new(
        place: &Place,
        worker: Option<WorkerRef>,
        outcome: Outcome,
    ) -> Result<Generator, CallError> {
        let value = match outcome {
            Outcome::Returned(value) => value,
            outcome => return Err(CallError::ended(&place.about, worker, outcome)),
        };
        let (body, attached) = value.into_parts();
        let tag = {
            let mut reader = Reader::new(&body, Limits::DEFAULT);
            match reader.peek() {
                Ok(Kind::Array) => reader.array().and_then(|_| reader.tag()),
                _ => reader.tag(),
            }
        };
        let mut attached = attached.into_iter().flatten();
        let source = match (tag.ok(), attached.next(), attached.next()) {
            (Some(TAG_STREAM), Some(Attached::Stream(items)), verdict) => Source::Stream {
                place: place.clone(),
                items,
                verdict: match verdict {
                    Some(Attached::Future(verdict)) => Some(verdict),
                    _ => None,
                },
            },
            (Some(TAG_RESOURCE), Some(Attached::Handle(handle)), None) => Source::Resource {
                place: place.clone(),
                handle,
                method: None,
                step: Some(find_next(place.clone()).map(Step::Method).boxed()),
            },
            _ => {
                let why = "no stream and no resource with `next`".to_owned();
                return Err(CallError::result(&place.about, CodecError(why)).on(worker));
            }
        };
        Ok(Generator { source, worker })
    }

    /// The stream, where that is all there is.
    pub(crate) fn stream(&mut self) -> Option<&mut Incoming> {
        match &mut self.source {
            Source::Stream { items, .. } => Some(items),
            Source::Resource { .. } => None,
        }
    }

    /// The next item; `None` after the last. After an error there is nothing more.
    pub async fn next(&mut self) -> Option<Result<Encoded, CallError>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    /// [`Generator::next`], to be polled.
    pub fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Encoded, CallError>>> {
        let worker = self.worker;
        let item = self.source.poll_item(cx);
        item.map(|item| item.map(|item| item.map_err(|error| error.on(worker))))
    }
}

impl Source {
    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Encoded, CallError>>> {
        match self {
            Source::Stream {
                place,
                items,
                verdict,
            } => match (ready!(items.poll_encoded(cx)), verdict) {
                (None, Some(verdict)) => poll_verdict(place, verdict, cx),
                (item, _) => Poll::Ready(item),
            },
            Source::Resource {
                place,
                handle,
                method,
                step,
            } => loop {
                if let Some(running) = step {
                    let done = ready!(running.poll_unpin(cx));
                    *step = None;
                    match done {
                        Step::Method(found) => *method = Some(found?),
                        Step::Item(item) => {
                            let nested = method.as_ref().is_some_and(|method| method.nested);
                            return Poll::Ready(match item {
                                Ok(item) => item_of(place, item, nested),
                                Err(error) => {
                                    *method = None;
                                    Some(Err(error))
                                }
                            });
                        }
                    }
                }
                let Some(Next { method: name, .. }) = method else {
                    return Poll::Ready(None);
                };
                *step = Some(next_item(place.clone(), handle.call(name, ())).boxed());
            },
        }
    }
}

/// One call of `next`.
async fn next_item(place: Place, call: Call<()>) -> Step {
    Step::Item(call.outcome().await.and_then(|ended| match ended.outcome {
        Outcome::Returned(value) => Ok(value),
        outcome => Err(CallError::ended(&place.about, ended.worker, outcome)),
    }))
}

/// Asks the host how the resource that `place` has returned is called, and finds its `next`.
async fn find_next(place: Place) -> Result<Next, CallError> {
    let about = &place.about;
    let wrong = |why: String| CallError::result(about, CodecError(why));
    let request = Request::Describe {
        pool: about.pool.to_string(),
        target: about.target.clone(),
    };
    let reply = place.link.request(request, Bytes::new()).await;
    let Reply::Function(found) = reply.map_err(|error| wrong(error.to_string()))? else {
        return Err(wrong("the host answered something else".to_owned()));
    };
    next_method(&found).ok_or_else(|| wrong("a resource without `next`".to_owned()))
}

/// The `next` of a resource.
pub(crate) struct Next {
    /// As it is called: `resource.next`.
    method: String,
    /// What it returns, where there is more.
    pub(crate) item: TypeId,
    /// Whether that is an option itself.
    nested: bool,
}

/// The `next` of the resource that a function returns.
pub(crate) fn next_method(found: &FunctionInfo) -> Option<Next> {
    let interface = &found.interface;
    let function = interface
        .functions
        .get(usize::try_from(found.function).ok()?)?;
    let ok = match interface.types.get(function.result? as usize)? {
        Type::Result { ok: Some(ok), .. } => interface.types.get(*ok as usize)?,
        ty => ty,
    };
    let Type::Own(resource) = ok else { return None };
    let name = format!("[method]{resource}.next");
    let next = interface
        .functions
        .iter()
        .find(|other| other.interface == function.interface && other.name == name)?;
    // One that can fail raises, as any function does.
    let more = match interface.types.get(next.result? as usize)? {
        Type::Result { ok: Some(ok), .. } => interface.types.get(*ok as usize)?,
        ty => ty,
    };
    let Type::Option(item) = more else {
        return None;
    };
    let nested = matches!(interface.types.get(*item as usize)?, Type::Option(_));
    (next.params.len() == 1).then(|| Next {
        method: format!("{resource}.next"),
        item: *item,
        nested,
    })
}

/// What an `option<T>` holds: `null` is nothing, or, where T is an option, the empty array.
fn item_of(place: &Place, value: Encoded, nested: bool) -> Option<Result<Encoded, CallError>> {
    let (body, attached) = value.into_parts();
    let mut reader = Reader::new(&body, Limits::DEFAULT);
    if !nested {
        return match reader.peek() {
            Ok(Kind::Null) | Err(_) => None,
            Ok(_) => Some(Ok(Encoded::new(body, attached))),
        };
    }
    match reader.array() {
        Ok(0) => None,
        Ok(1) => Some(Ok(Encoded::new(body.slice(reader.position()..), attached))),
        _ => {
            let why = "neither an item nor nothing".to_owned();
            Some(Err(CallError::result(&place.about, CodecError(why))))
        }
    }
}

/// How a stream that can fail has ended: `{"ok": …}`, or `{"err": E}`, which raises.
fn poll_verdict(
    place: &Place,
    verdict: &mut Incoming,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Encoded, CallError>>> {
    let value = match ready!(verdict.poll_encoded(cx)) {
        Some(Ok(value)) => value,
        // Dropped without a word: the stream has ended, and nothing says that it failed.
        end => return Poll::Ready(end),
    };
    let (body, attached) = value.into_parts();
    let mut reader = Reader::new(&body, Limits::DEFAULT);
    let case = reader.map().and_then(|_| reader.text());
    Poll::Ready(match case {
        Ok("err") => {
            let raised = Encoded::new(body.slice(reader.position()..), attached);
            Some(Err(CallError::ended(
                &place.about,
                None,
                Outcome::Raised(raised),
            )))
        }
        Ok("ok") => None,
        _ => {
            let why = "an end that is no result".to_owned();
            Some(Err(CallError::result(&place.about, CodecError(why))))
        }
    })
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Generator")
    }
}
