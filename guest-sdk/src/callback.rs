//! Calling back to whoever made the call that is running.
//!
//! A value goes out by serde, as CBOR, and the answer comes back the same way. A call may ask any
//! number of times.
//!
//! ```no_run
//! let name: String = proc_guest::callback::ask("what is your name?")?;
//! # Ok::<(), proc_guest::callback::Error>(())
//! ```

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The call has no caller who listens, and its pool has no callback handler.
    Unheard,
    /// The caller's handler failed; its message.
    Failed(String),
    /// The caller went away, or the call was cancelled, before an answer came.
    Gone,
    /// The value cannot be sent: it is too large, or serde could not write it.
    Malformed(String),
    /// The answer came, and is not of the type that was asked for.
    Unexpected(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unheard => f.write_str("nobody listens to the callbacks of this call"),
            Self::Failed(message) => write!(f, "the callback failed: {message}"),
            Self::Gone => f.write_str("the caller is gone"),
            Self::Malformed(why) => write!(f, "the callback's value cannot be sent: {why}"),
            Self::Unexpected(why) => write!(f, "the callback's answer is of another type: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for String {
    /// So that `?` works in a function that raises a string.
    fn from(error: Error) -> Self {
        error.to_string()
    }
}

/// Sends `value` to the caller and waits for the answer.
///
/// Other calls of this instance wait as well; in an `async fn`, use [`ask_async`].
pub fn ask<T: Serialize, R: DeserializeOwned>(value: T) -> Result<R, Error> {
    decode(&host::ask(&encode(&value)?)?)
}

/// Sends `value` to the caller and awaits the answer; other calls of this instance go on.
pub async fn ask_async<T: Serialize, R: DeserializeOwned>(value: T) -> Result<R, Error> {
    let payload = encode(&value)?;
    // The value may borrow, and is not needed any more.
    drop(value);
    decode(&host::ask_async(payload).await?)
}

/// [`ask`] with CBOR of one's own making.
pub fn ask_cbor(payload: &[u8]) -> Result<Vec<u8>, Error> {
    host::ask(payload)
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    let mut payload = Vec::new();
    ciborium::into_writer(value, &mut payload)
        .map_err(|error| Error::Malformed(error.to_string()))?;
    Ok(payload)
}

fn decode<R: DeserializeOwned>(answer: &[u8]) -> Result<R, Error> {
    ciborium::from_reader(answer).map_err(|error| {
        Error::Unexpected(match error {
            ciborium::de::Error::Semantic(_, why) => why,
            other => other.to_string(),
        })
    })
}
