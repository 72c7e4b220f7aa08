//! Generators: calls whose value is a stream of items.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::call_error::CallError;
use crate::callback::Question;
use crate::generator::Generator;
use crate::outcome::Encoded;
use crate::running::{About, Event, Running};

/// The items of a generator, as a `futures::Stream`. Nothing happens before it is polled; dropped,
/// it ends the generator in the guest. An error is the last thing it yields.
#[must_use = "a generator runs while its items are taken"]
pub struct Items<T> {
    about: Arc<About>,
    state: State,
    /// Callbacks of the call, while there are any to come.
    running: Option<Running>,
    handler: Option<Handler>,
    answers: FuturesUnordered<BoxFuture<'static, ()>>,
    item: PhantomData<fn() -> T>,
}

type Handler = Box<dyn Fn(Question) -> BoxFuture<'static, ()> + Send>;

enum State {
    Unsent(Box<Call<()>>),
    Sent,
    Items(Box<Generator>),
    Done,
}

impl<T> Items<T> {
    pub(crate) fn new(call: Call<()>) -> Items<T> {
        Items {
            about: call.about(),
            state: State::Unsent(Box::new(call)),
            running: None,
            handler: None,
            answers: FuturesUnordered::new(),
            item: PhantomData,
        }
    }

    /// Ends the generator once it has taken this long.
    pub fn timeout(self, limit: Duration) -> Items<T> {
        self.with(|call| call.timeout(limit))
    }

    /// Lets the generator take as long as it takes.
    pub fn no_deadline(self) -> Items<T> {
        self.with(Call::no_deadline)
    }

    /// Runs the generator on this worker (a slot's number, from 0).
    pub fn worker(self, slot: u32) -> Items<T> {
        self.with(|call| call.worker(slot))
    }

    /// Answers the callbacks of the generator, while its items are taken.
    pub fn on_callback<A, R, F>(mut self, handler: impl Fn(A) -> F + Send + 'static) -> Items<T>
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Future<Output = R> + Send + 'static,
    {
        self.handler = Some(Box::new(move |question| {
            let answer = question.payload::<A>().map(&handler);
            Box::pin(async {
                match answer {
                    Ok(answer) => question.answer(&answer.await),
                    Err(error) => question.fail(format!("unexpected payload: {error}")),
                }
            })
        }));
        self
    }

    fn with(mut self, change: impl FnOnce(Call<()>) -> Call<()>) -> Items<T> {
        if let State::Unsent(call) = self.state {
            self.state = State::Unsent(Box::new(change(*call)));
        }
        self
    }

    /// Answers what is asked; true where the call has just ended with a generator.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Result<(), CallError> {
        while let Poll::Ready(Some(())) = self.answers.poll_next_unpin(cx) {}
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        while let Poll::Ready(event) = running.poll_event(cx) {
            match event {
                Some(Event::Callback(question)) => {
                    let Some(handler) = &self.handler else {
                        continue;
                    };
                    self.answers.push(handler(question));
                    while let Poll::Ready(Some(())) = self.answers.poll_next_unpin(cx) {}
                }
                Some(Event::Ended(ended)) => {
                    let place = running.place();
                    let generator = Generator::new(place, ended.worker, ended.outcome)?;
                    self.state = State::Items(Box::new(generator));
                    if self.handler.is_none() {
                        self.running = None;
                        return Ok(());
                    }
                }
                None => {
                    self.running = None;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn poll_encoded(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Encoded, CallError>>> {
        if let State::Unsent(_) = self.state
            && let State::Unsent(call) = std::mem::replace(&mut self.state, State::Sent)
        {
            self.running = Some(call.start(self.handler.is_some())?);
        }
        self.poll_running(cx)?;
        match &mut self.state {
            State::Items(generator) => generator.poll_item(cx),
            State::Unsent(_) | State::Done => Poll::Ready(None),
            State::Sent if self.running.is_some() => Poll::Pending,
            State::Sent => Poll::Ready(None),
        }
    }
}

impl<T: DeserializeOwned> Stream for Items<T> {
    type Item = Result<T, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        // Most items are plain values of a stream, and need no document of their own.
        let plain = match &mut this.state {
            State::Items(generator) if this.running.is_none() => match generator.stream() {
                Some(items) => items.poll_item(cx),
                None => Poll::Ready(None),
            },
            _ => Poll::Ready(None),
        };
        let item = match plain {
            Poll::Ready(None) => this.poll_encoded(cx).map(|item| {
                item.map(|item| {
                    item?
                        .decode()
                        .map_err(|error| CallError::result(&this.about, error))
                })
            }),
            plain => plain,
        };
        if let Poll::Ready(None | Some(Err(_))) = item {
            this.state = State::Done;
            this.running = None;
        }
        item
    }
}

impl<T> std::fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Items")
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}
