//! Entries of the log.

use serde::{Deserialize, Serialize};

/// One entry, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Where it came from, and how grave it is.
    pub level: Level,
    /// The pool; `None` for what the host says of itself.
    pub pool: Option<String>,
    /// The slot of the worker.
    pub worker: Option<u32>,
    /// The module that wrote it.
    pub module: Option<String>,
    /// The function whose call it belongs to.
    pub function: Option<String>,
    /// The call it belongs to.
    pub call: Option<u64>,
    /// One line, without its end.
    pub text: String,
}

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $word:literal;)*) => {
        /// Where an entry came from, and how grave it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[repr(u8)]
        pub enum Level { $($(#[$doc])* $name = $value,)* }

        impl Level {
            pub(crate) fn from_byte(byte: u8) -> Option<Level> {
                match byte { $($value => Some(Level::$name),)* _ => None }
            }

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Level::$name => $word,)* }
            }
        }
    };
}

levels! {
    /// Logged by the guest as trace.
    Trace = 1, "trace";
    /// Logged as debug.
    Debug = 2, "debug";
    /// Logged as info.
    Info = 3, "info";
    /// Logged as warn.
    Warn = 4, "warn";
    /// Logged as error.
    Error = 5, "error";
    /// Printed on standard output.
    Stdout = 6, "stdout";
    /// Printed on standard error.
    Stderr = 7, "stderr";
}
