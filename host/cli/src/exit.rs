//! Exit codes: every way a command can end, for scripts.

use std::process::ExitCode;

use proc_host_client::{CallError, Failure, Outcome};

macro_rules! exits {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $words:literal;)*) => {
        /// How the program ends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Exit { $($(#[$doc])* $name = $code,)* }

        /// The codes and what they mean, as help and book print them.
        #[cfg(test)]
        pub(crate) const TABLE: &[(u8, &str)] = &[$(($code, $words),)*];

        /// [`TABLE`] below the help of the program.
        pub(crate) const HELP: &str = concat!(
            "Exit codes:\n",
            $("  ", stringify!($code), "\t", $words, "\n",)*
        );
    };
}

exits! {
    /// Done.
    Success = 0, "done";
    /// Something went wrong that has no code of its own.
    General = 1, "an error that has no code of its own";
    /// The command line is wrong: options, the call's notation, its arguments.
    Usage = 2, "wrong usage: options, the call's notation, its arguments";
    /// Nobody listens on the socket.
    NoHost = 3, "no host is listening";
    /// The function raised an error.
    Raised = 10, "the function raised an error";
    /// The guest trapped.
    Trapped = 11, "the guest trapped";
    /// The worker died.
    Faulted = 12, "the worker process died";
    /// The deadline passed.
    TimedOut = 13, "the call timed out";
    /// The call was cancelled.
    Cancelled = 14, "the call was cancelled";
    /// The call never started.
    Denied = 15, "the call was denied: it never started";
    /// The connection was lost.
    Unknown = 16, "the connection was lost: the call may have run or not";
}

impl Exit {
    /// Of a call that did not bring a value.
    pub(crate) fn of(error: &CallError) -> Exit {
        match error.failure() {
            Failure::Outcome(outcome) => match outcome {
                Outcome::Returned(_) => Exit::General,
                Outcome::Raised(_) => Exit::Raised,
                Outcome::Trapped(_) => Exit::Trapped,
                Outcome::Faulted(_) => Exit::Faulted,
                Outcome::Denied(_) => Exit::Denied,
                Outcome::Cancelled { .. } => Exit::Cancelled,
                Outcome::TimedOut { .. } => Exit::TimedOut,
                Outcome::Unknown(_) => Exit::Unknown,
            },
            Failure::Arguments(_) => Exit::Usage,
            _ => Exit::General,
        }
    }

    /// One word for it, in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Exit::Success => "done",
            Exit::General => "error",
            Exit::Usage => "usage",
            Exit::NoHost => "no-host",
            Exit::Raised => "raised",
            Exit::Trapped => "trapped",
            Exit::Faulted => "faulted",
            Exit::TimedOut => "timed-out",
            Exit::Cancelled => "cancelled",
            Exit::Denied => "denied",
            Exit::Unknown => "unknown",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_and_told_in_the_help() {
        for (at, (code, words)) in TABLE.iter().enumerate() {
            assert!(TABLE[..at].iter().all(|(other, _)| other != code));
            assert!(HELP.contains(&format!("  {code}\t{words}\n")));
        }
    }
}
