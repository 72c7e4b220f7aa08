//! Macros of proc-guest.
