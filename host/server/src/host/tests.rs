//! The state machine under scripted clients, workers and compilers.

mod acts;
mod breaches;
mod callbacks;
mod calls;
mod handles;
mod random;
mod rig;
mod sets;
mod streams;
mod world;
