//! Guests that ask: questions, their answers, and the handlers of pools.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use proc_host_wire::cbor::{Limits, validate};
use proc_host_wire::limits::MAX_BODY;
use proc_host_wire::message::Answer;
pub use proc_host_wire::message::Origin;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::codec::{self, CodecError};
use crate::link::Link;

/// A callback as it came.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) call: u64,
    pub(crate) callback: u32,
    pub(crate) origin: Option<Origin>,
    pub(crate) payload: Bytes,
}

/// A callback that waits for its answer. Dropped without one, it fails in the guest.
#[derive(Debug)]
pub struct Question {
    link: Link,
    asked: Asked,
    answered: bool,
}

impl Question {
    pub(crate) fn new(link: Link, asked: Asked) -> Question {
        Question {
            link,
            asked,
            answered: false,
        }
    }

    /// Which pool, module, worker and call asks.
    pub fn origin(&self) -> Option<&Origin> {
        self.asked.origin.as_ref()
    }

    /// The CBOR document that the guest sent.
    pub fn body(&self) -> &[u8] {
        &self.asked.payload
    }

    /// What the guest sent, as a Rust type.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        codec::decode(&self.asked.payload)
    }

    /// Answers.
    pub fn answer<T: Serialize + ?Sized>(self, value: &T) {
        match codec::encode(value) {
            Ok(body) => self.answer_encoded(body),
            Err(error) => self.fail(format!("the answer cannot be sent: {error}")),
        }
    }

    /// Answers with a document that is CBOR already.
    pub fn answer_encoded(mut self, body: Vec<u8>) {
        let bad = if body.len() > MAX_BODY {
            Some("it is too large".to_owned())
        } else {
            validate(&body, Limits::DEFAULT)
                .err()
                .map(|error| error.to_string())
        };
        self.reply(match bad {
            Some(why) => Answer::Failed(format!("the answer cannot be sent: {why}")),
            None => Answer::Value(body.into()),
        });
    }

    /// Answers that there is no answer, and why.
    pub fn fail(mut self, message: impl Into<String>) {
        self.reply(Answer::Failed(message.into()));
    }

    fn reply(&mut self, answer: Answer) {
        if !std::mem::replace(&mut self.answered, true) {
            self.link.lock().answer(&self.asked, answer);
            self.link.wake();
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.reply(Answer::Failed("the handler did not answer".to_owned()));
    }
}

type Handling = Pin<Box<dyn Future<Output = ()> + Send>>;
/// What a pool does with a question.
pub(crate) type Handler = Arc<dyn Fn(Question) -> Handling + Send + Sync>;

/// Where the callbacks of a pool go that no caller answers.
#[derive(Debug)]
pub(crate) struct PoolHandler(mpsc::UnboundedSender<Asked>);

impl PoolHandler {
    /// Starts a task that answers with `handler`, several questions at once. It ends with the
    /// connection, which it does not keep open.
    pub(crate) fn start(link: &Link, handler: Handler) -> PoolHandler {
        let (sender, mut questions) = mpsc::unbounded_channel();
        let link = link.downgrade();
        tokio::spawn(async move {
            let mut answers = FuturesUnordered::new();
            loop {
                tokio::select! {
                    asked = questions.recv() => {
                        let (Some(asked), Some(link)) = (asked, link.upgrade()) else { return };
                        answers.push(handler(Question::new(link, asked)));
                    }
                    Some(()) = answers.next() => {}
                }
            }
        });
        PoolHandler(sender)
    }

    pub(crate) fn hear(&self, asked: Asked) {
        // Without its task the connection is about to close.
        let _ = self.0.send(asked);
    }
}
