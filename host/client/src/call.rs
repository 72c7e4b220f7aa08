//! One call: how it is to be made, and the future of its value.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::{Future, IntoFuture, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use proc_host_wire::Attachment;
use proc_host_wire::message::{Call as Sent, Deadline};
use proc_host_wire::outcome::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::arguments::{Argument, Arguments};
use crate::call_error::CallError;
use crate::codec::CodecError;
use crate::incoming::WINDOW;
use crate::link::{Link, NotSent};
use crate::outcome::Ended;
use crate::running::{About, Event, Place, Running};

/// A call that is not yet made. Awaited, it is, and gives the value as a `T`.
#[derive(Debug)]
#[must_use = "a call is made when it is awaited"]
pub struct Call<T> {
    link: Link,
    about: Arc<About>,
    arguments: Result<Arguments, CodecError>,
    deadline: Deadline,
    slot: Option<u32>,
    generation: Option<u64>,
    value: PhantomData<fn() -> T>,
}

impl<T> Call<T> {
    pub(crate) fn new(
        link: Link,
        pool: Arc<str>,
        target: String,
        arguments: Result<Arguments, CodecError>,
    ) -> Call<T> {
        Call {
            link,
            about: Arc::new(About { pool, target }),
            arguments,
            deadline: Deadline::Default,
            slot: None,
            generation: None,
            value: PhantomData,
        }
    }

    pub(crate) fn about(&self) -> Arc<About> {
        Arc::clone(&self.about)
    }

    /// Ends the call once it has taken this long.
    pub fn timeout(mut self, limit: Duration) -> Call<T> {
        self.deadline = Deadline::Micros(u64::try_from(limit.as_micros()).unwrap_or(u64::MAX));
        self
    }

    /// Lets the call take as long as it takes.
    pub fn no_deadline(mut self) -> Call<T> {
        self.deadline = Deadline::Never;
        self
    }

    /// Makes the call on this worker (a slot's number, from 0).
    pub fn worker(mut self, slot: u32) -> Call<T> {
        self.slot = Some(slot);
        self
    }

    /// Makes the call on this very generation of the worker, or not at all.
    pub fn generation(mut self, generation: u64) -> Call<T> {
        self.generation = Some(generation);
        self
    }

    /// Makes the call and returns it as it runs. With `listens`, the guest's callbacks come as
    /// events and are to be answered.
    pub fn start(self, listens: bool) -> Result<Running, CallError> {
        let Call {
            link,
            about,
            arguments,
            ..
        } = self;
        let arguments = arguments.map_err(|error| CallError::arguments(&about, error))?;
        let mut attachments = Vec::with_capacity(arguments.attached.len());
        let (mut lent, mut fed) = (Vec::new(), Vec::new());
        for argument in arguments.attached {
            let kind = argument.kind();
            let id = match argument {
                Argument::Handle(handle) => {
                    let id = handle.id();
                    lent.push(handle);
                    id
                }
                Argument::Stream(chunks) | Argument::Future(chunks) => {
                    fed.push(chunks);
                    2 * fed.len() as u64
                }
            };
            attachments.push(Attachment { kind, id });
        }
        let call = link
            .call(
                Sent {
                    call: 0,
                    pool: about.pool.to_string(),
                    target: about.target.clone(),
                    slot: self.slot,
                    generation: self.generation,
                    deadline: self.deadline,
                    listens,
                    window: WINDOW,
                    arguments: Value {
                        body: arguments.body.into(),
                        attachments,
                    },
                },
                fed.len(),
            )
            .map_err(|error| match error {
                NotSent::Lost(why) => CallError::not_sent(&about, why),
                NotSent::TooLarge(error) => {
                    CallError::arguments(&about, CodecError(error.to_string()))
                }
            })?;
        for (number, chunks) in (1..).zip(fed) {
            chunks.feed(link.clone(), call, 2 * number);
        }
        Ok(Running::new(Place { link, call, about }, lent))
    }

    /// Makes the call and returns how it ended, as data. An error here means that it was never
    /// sent.
    pub async fn outcome(self) -> Result<Ended, CallError> {
        let mut running = self.start(false)?;
        poll_fn(|cx| poll_ended(&mut running, cx)).await
    }
}

impl<T: DeserializeOwned> Call<T> {
    /// Makes the call and answers its callbacks with `handler`, several at once where the guest
    /// asks so. An async closure will do: `.on_callback(async |name: String| name.len())`.
    pub async fn on_callback<A, R, F>(self, handler: impl Fn(A) -> F) -> Result<T, CallError>
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Future<Output = R>,
    {
        let never_fails = |asked| handler(asked).map(Ok::<R, Infallible>);
        self.try_on_callback(never_fails).await
    }

    /// [`Call::on_callback`] with a handler that may fail: the guest then gets the error's text.
    pub async fn try_on_callback<A, R, E, F>(self, handler: impl Fn(A) -> F) -> Result<T, CallError>
    where
        A: DeserializeOwned,
        R: Serialize,
        E: Display,
        F: Future<Output = Result<R, E>>,
    {
        let about = Arc::clone(&self.about);
        let mut running = self.start(true)?;
        let mut answers = FuturesUnordered::new();
        loop {
            let event = poll_fn(|cx| {
                while let Poll::Ready(Some(())) = answers.poll_next_unpin(cx) {}
                running.poll_event(cx)
            });
            match event.await {
                Some(Event::Callback(question)) => match question.payload::<A>() {
                    Ok(asked) => answers.push(handler(asked).map(|answered| match answered {
                        Ok(answer) => question.answer(&answer),
                        Err(error) => question.fail(error.to_string()),
                    })),
                    Err(error) => question.fail(format!("unexpected payload: {error}")),
                },
                Some(Event::Ended(ended)) => return CallError::value(&about, ended),
                None => return Err(CallError::not_sent(&about, "closed".to_owned())),
            }
        }
    }
}

impl<T: DeserializeOwned> IntoFuture for Call<T> {
    type Output = Result<T, CallError>;
    type IntoFuture = CallFuture<T>;

    fn into_future(self) -> CallFuture<T> {
        CallFuture(State::Unsent(Box::new(self)))
    }
}

/// The value of a call. Dropping it cancels the call.
#[derive(Debug)]
pub struct CallFuture<T>(State<T>);

#[derive(Debug)]
enum State<T> {
    Unsent(Box<Call<T>>),
    Sent(Running),
    Done,
}

impl<T: DeserializeOwned> Future for CallFuture<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut running = match std::mem::replace(&mut self.0, State::Done) {
            State::Unsent(call) => call.start(false)?,
            State::Sent(running) => running,
            State::Done => return Poll::Pending,
        };
        match poll_ended(&mut running, cx) {
            Poll::Ready(ended) => {
                Poll::Ready(ended.and_then(|ended| CallError::value(&running.place().about, ended)))
            }
            Poll::Pending => {
                self.0 = State::Sent(running);
                Poll::Pending
            }
        }
    }
}

/// The end of a call that does not listen.
fn poll_ended(running: &mut Running, cx: &mut Context<'_>) -> Poll<Result<Ended, CallError>> {
    loop {
        match ready!(running.poll_event(cx)) {
            Some(Event::Ended(ended)) => return Poll::Ready(Ok(ended)),
            // The connection answers questions nobody listens for; there is none here.
            Some(Event::Callback(question)) => drop(question),
            None => {
                let about = &running.place().about;
                return Poll::Ready(Err(CallError::not_sent(about, "closed".to_owned())));
            }
        }
    }
}
