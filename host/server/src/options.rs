//! What a host is told when it starts: where to listen, which pools to keep, how patient to be.
//!
//! Owns: the plain types that flags and manifest both end in. May not know: files' formats.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use proc_host_jail::Layers;
use proc_host_wire::start::{Instances, ModuleLimits};

/// Everything a host needs to know.
#[derive(Debug)]
pub struct Options {
    /// The socket to listen on. Its directory is made, 0700, where it is not there.
    pub socket: PathBuf,
    /// The pools to make before it is ready.
    pub pools: Vec<PoolConfig>,
    /// The other end of this is held by whoever owns the host; end of file there stops it at once.
    pub owner: Option<OwnedFd>,
    /// Layers of the jail left out.
    pub skip_layers: Layers,
    /// Its bounds and its patience.
    pub bounds: Bounds,
}

impl Options {
    /// A host on this socket, with everything else as it comes.
    pub fn new(socket: impl Into<PathBuf>) -> Options {
        Options {
            socket: socket.into(),
            pools: Vec::new(),
            owner: None,
            skip_layers: Layers::NONE,
            bounds: Bounds::default(),
        }
    }
}

/// A pool to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Its name.
    pub name: String,
    /// How many slots.
    pub slots: u32,
    /// What to load.
    pub modules: Vec<ModuleConfig>,
    /// What its modules have that say nothing themselves.
    pub defaults: ModuleDefaults,
}

impl PoolConfig {
    /// A pool without modules.
    pub fn new(name: impl Into<String>, slots: u32) -> PoolConfig {
        PoolConfig {
            name: name.into(),
            slots,
            modules: Vec::new(),
            defaults: ModuleDefaults::default(),
        }
    }
}

/// What a pool's modules have that say nothing themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleDefaults {
    /// How calls share instances.
    pub instances: Instances,
    /// Bounds of each instance.
    pub limits: ModuleLimits,
    /// How long a call may take that does not say so itself; `None` for without end.
    pub deadline: Option<Duration>,
}

impl Default for ModuleDefaults {
    fn default() -> ModuleDefaults {
        ModuleDefaults {
            instances: Instances::default(),
            limits: ModuleLimits::default(),
            deadline: Some(Duration::from_secs(30)),
        }
    }
}

/// A module to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleConfig {
    /// Its name in references.
    pub name: String,
    /// The component.
    pub file: PathBuf,
    /// It was named explicitly: where it does not load, the host does not start. Where false it is
    /// left out, and said so.
    pub required: bool,
    /// How its calls share instances; `None` for what the pool says.
    pub instances: Option<Instances>,
    /// Bounds of each instance; `None` for what the pool says.
    pub limits: Option<ModuleLimits>,
    /// How long its calls may take; `None` for what the pool says, `Some(None)` for without end.
    pub deadline: Option<Option<Duration>>,
}

impl ModuleConfig {
    /// The component in `file`, under the name of the file.
    pub fn new(file: impl Into<PathBuf>) -> ModuleConfig {
        let file = file.into();
        let name = file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        ModuleConfig {
            name: name.unwrap_or_default(),
            file,
            required: true,
            instances: None,
            limits: None,
            deadline: None,
        }
    }
}

/// Bounds and patience of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// From connecting to `Hello`.
    pub hello: Duration,
    /// From starting a worker to its `Ready`.
    pub start: Duration,
    /// For one compilation.
    pub compile: Duration,
    /// Compilers at once.
    pub compilers: usize,
    /// From a deadline until the host answers in the worker's place.
    pub grace: Duration,
    /// From a cancel until a worker that has not let go of the call is killed.
    pub let_go: Duration,
    /// How long handles and calls without a deadline keep a replaced worker.
    pub drain: Duration,
    /// How long a stopping host waits for calls.
    pub stop: Duration,
    /// How often a worker that has calls is asked whether it is alive; three times without an answer
    /// it is killed.
    pub heartbeat: Duration,
    /// Calls waiting in one pool.
    pub queue: usize,
    /// Bytes of arguments waiting in one pool.
    pub queue_bytes: usize,
    /// Workers of one slot, those that drain included.
    pub slot_workers: usize,
    /// Bytes waiting to be written to a peer above which nothing more is taken from it, or given
    /// to it, that can wait.
    pub outbox_low: usize,
    /// Bytes waiting to be written to a peer above which it is given up.
    pub outbox_high: usize,
    /// Entries of the log that are kept.
    pub log_entries: usize,
    /// Bytes of the log that are kept.
    pub log_bytes: usize,
    /// Clients at once.
    pub clients: usize,
    /// Handles of one client.
    pub handles: usize,
    /// Calls of one client that have not ended.
    pub client_calls: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            hello: Duration::from_secs(5),
            start: Duration::from_secs(10),
            compile: Duration::from_secs(60),
            compilers: 2,
            grace: Duration::from_millis(50),
            let_go: Duration::from_secs(2),
            drain: Duration::from_secs(60),
            stop: Duration::from_secs(10),
            heartbeat: Duration::from_secs(5),
            queue: 10_000,
            queue_bytes: 256 << 20,
            slot_workers: 16,
            outbox_low: 8 << 20,
            outbox_high: 256 << 20,
            log_entries: 10_000,
            log_bytes: 4 << 20,
            clients: 1_000,
            handles: 65_536,
            client_calls: 100_000,
        }
    }
}
