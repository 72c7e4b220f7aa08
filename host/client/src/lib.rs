//! Rust client of proc-host: use a running host, or start one that ends with the program.
//!
//! Owns: the client's end of the wire, and values as Rust types, WAVE text and JSON. May not know:
//! the host's insides, workers, wasm engines.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use proc_host_client::{Host, PoolOptions, StartOptions};
//!
//! let host = Host::start(StartOptions::new()).await?;
//! let pool = host.create_pool(PoolOptions::new("Workers", 3)).await?;
//! pool.load_file("math.wasm").await?;
//! let sum: i64 = pool.call("math.add", (40, 2)).await?;
//! assert_eq!(sum, 42);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by it"))]

mod address;
mod arguments;
mod attached;
mod call;
mod call_error;
mod callback;
mod codec;
mod error;
mod generator;
mod handle;
mod host;
mod incoming;
mod items;
mod link;
mod logs;
mod outcome;
mod outgoing;
mod pool;
mod remote;
mod running;
mod start;
pub mod text;

pub use ciborium::Value;
pub use proc_host_wire::control::{FunctionInfo, ModuleInfo, PoolInfo, WorkerInfo, WorkerState};
pub use proc_host_wire::interface::{self, Interface};
pub use proc_host_wire::log::{Level, LogEntry};
pub use proc_host_wire::message::WorkerRef;
pub use proc_host_wire::start::{Instances, ModuleLimits};
pub use proc_host_wire::{Denied, DeniedReason, Fault, FaultCause, Trap, TrapFrame};

pub use self::address::{default_socket, token_path};
pub use self::arguments::Arguments;
pub use self::attached::Attached;
pub use self::call::{Call, CallFuture};
pub use self::call_error::{CallError, Failure};
pub use self::callback::{Origin, Question};
pub use self::codec::{Bytes, CodecError};
pub use self::error::{ConnectError, RequestError, StartError};
pub use self::generator::Generator;
pub use self::handle::Handle;
pub use self::host::Host;
pub use self::incoming::Incoming;
pub use self::items::Items;
pub use self::logs::Logs;
pub use self::outcome::{Encoded, Ended, Outcome};
pub use self::outgoing::{FutureArg, StreamArg};
pub use self::pool::{ModuleOptions, Pool, PoolOptions, module_name};
pub use self::remote::{RemoteFuture, RemoteStream};
pub use self::running::{Event, Running};
pub use self::start::StartOptions;
