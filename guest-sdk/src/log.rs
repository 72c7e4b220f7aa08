//! Writing to the log of the host.
//!
//! An entry is marked with the call that is running. Writing never blocks: entries over the limit
//! are dropped and counted.
//!
//! ```
//! use proc_guest::log;
//!
//! log::info!("{} items to go", 3);
//! ```
//!
//! Libraries that log through the `log` crate are heard after [`install`].

use std::fmt;

use crate::host;

pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace,
    __log_warn as warn,
};

/// How much an entry matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Each step.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What happens in the normal course.
    Info,
    /// What should be looked at.
    Warn,
    /// What went wrong.
    Error,
}

/// Logs `message` as one entry; `info!("…")` and its siblings are the usual way.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    match message.as_str() {
        Some(message) => host::log(level, message),
        None => host::log(level, &message.to_string()),
    }
}

/// Sends what libraries log through the `log` crate the same way, from `level` up.
///
/// Call it once, early; a later call changes only the level.
pub fn install(level: Level) {
    static BRIDGE: Bridge = Bridge;
    // The first logger of a program stays; whichever it is, the level is the caller's to choose.
    let _ = ::log::set_logger(&BRIDGE);
    ::log::set_max_level(match level {
        Level::Trace => ::log::LevelFilter::Trace,
        Level::Debug => ::log::LevelFilter::Debug,
        Level::Info => ::log::LevelFilter::Info,
        Level::Warn => ::log::LevelFilter::Warn,
        Level::Error => ::log::LevelFilter::Error,
    });
}

/// The logger that [`install`] installs.
struct Bridge;

impl ::log::Log for Bridge {
    fn enabled(&self, _: &::log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &::log::Record<'_>) {
        let level = match record.level() {
            ::log::Level::Trace => Level::Trace,
            ::log::Level::Debug => Level::Debug,
            ::log::Level::Info => Level::Info,
            ::log::Level::Warn => Level::Warn,
            ::log::Level::Error => Level::Error,
        };
        write(
            level,
            format_args!("{}: {}", record.target(), record.args()),
        );
    }

    fn flush(&self) {}
}

/// Logs at level trace, with the arguments of `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace {
    ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Trace, ::core::format_args!($($arg)+)) };
}

/// Logs at level debug, with the arguments of `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Debug, ::core::format_args!($($arg)+)) };
}

/// Logs at level info, with the arguments of `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Info, ::core::format_args!($($arg)+)) };
}

/// Logs at level warn, with the arguments of `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Warn, ::core::format_args!($($arg)+)) };
}

/// Logs at level error, with the arguments of `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Error, ::core::format_args!($($arg)+)) };
}
