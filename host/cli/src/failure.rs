//! Why a command failed, and what the user can do about it.

use std::error::Error;

use proc_host_client::text::TextError;
use proc_host_client::{CallError, ConnectError, RequestError, StartError};
use serde_json::{Value, json};

use crate::exit::Exit;

/// Ends a command. It is printed once, in `args`.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// What more there is to tell a program.
    pub(crate) details: Box<Value>,
}

pub(crate) type Outcome = Result<Exit, Failed>;

impl Failed {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failed {
        Failed {
            exit,
            message: message.into(),
            hint: None,
            details: Box::new(Value::Null),
        }
    }

    /// What the user said makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Failed {
        Failed::new(Exit::Usage, message)
    }

    /// An error that has no code of its own, with its causes.
    pub(crate) fn general(error: &dyn Error) -> Failed {
        Failed::new(Exit::General, chain(error))
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Failed {
        Failed {
            hint: Some(hint.into()),
            ..self
        }
    }

    fn details(self, details: Value) -> Failed {
        Failed {
            details: Box::new(details),
            ..self
        }
    }

    /// The failure as a program reads it.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({ "error": self.exit.word(), "message": self.message });
        if let (Some(object), Some(details)) = (object.as_object_mut(), self.details.as_object()) {
            object.extend(details.clone());
        }
        object
    }
}

/// An error and its causes on one line, each cause once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

impl From<ConnectError> for Failed {
    fn from(error: ConnectError) -> Failed {
        match &error {
            ConnectError::NoHost { .. } => Failed::new(Exit::NoHost, chain(&error)).hint(
                "start one with `proc-host run`, or name its socket with --socket or \
                 PROC_HOST_SOCKET",
            ),
            _ => Failed::general(&error),
        }
    }
}

impl From<RequestError> for Failed {
    fn from(error: RequestError) -> Failed {
        match error {
            RequestError::Connect(error) => error.into(),
            error => Failed::general(&error),
        }
    }
}

impl From<StartError> for Failed {
    fn from(error: StartError) -> Failed {
        match error {
            // The host has said it in our own words already.
            StartError::Ended { stderr, .. } if !stderr.is_empty() => {
                let said = stderr.strip_prefix("error: ").unwrap_or(&stderr);
                Failed::new(Exit::General, said)
            }
            StartError::Connect(error) => error.into(),
            error => Failed::general(&error),
        }
    }
}

impl From<TextError> for Failed {
    fn from(error: TextError) -> Failed {
        Failed::usage(error.to_string())
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Failed {
        let mut details = json!({ "pool": error.pool(), "function": error.target() });
        if let Some(worker) = error.worker() {
            details["worker"] = json!(worker.slot);
            details["generation"] = json!(worker.generation);
        }
        if let Some(trap) = error.trap() {
            details["reason"] = json!(trap.reason);
            details["backtrace"] = trap
                .backtrace
                .iter()
                .map(|frame| json!(frame.function))
                .collect();
        }
        Failed::new(Exit::of(&error), error.to_string()).details(details)
    }
}
