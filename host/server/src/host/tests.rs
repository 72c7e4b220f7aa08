//! The state machine under scripted clients, workers and compilers.

mod calls;
mod handles;
mod random;
mod rig;
mod sets;
mod streams;
