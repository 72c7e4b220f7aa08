//! The subcommands, one file each: its options, and what it does.

pub(crate) mod call;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod exec;
pub(crate) mod inspect;
pub(crate) mod load;
pub(crate) mod logs;
pub(crate) mod new;
pub(crate) mod ps;
pub(crate) mod run;
pub(crate) mod stop;
pub(crate) mod unload;
