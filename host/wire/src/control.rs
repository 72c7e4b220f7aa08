//! What a client asks of the host besides calls, and what it is told.

use serde::{Deserialize, Serialize};

use crate::interface::Interface;
use crate::start::{Instances, ModuleLimits};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Is the host there? Answered with [`Reply::Done`].
    Ping,
    /// What runs. Answered with [`Reply::Pools`].
    Ps,
    /// A module of a pool. Answered with [`Reply::Module`].
    Inspect {
        /// The pool.
        pool: String,
        /// The module.
        module: String,
    },
    /// The component in the payload, without loading it. Answered with [`Reply::Module`].
    Examine {
        /// What to call it.
        name: String,
    },
    /// The function a reference names. Answered with [`Reply::Function`].
    Describe {
        /// The pool.
        pool: String,
        /// `module.function` or `module.interface.function`.
        target: String,
    },
    /// Makes a pool. Answered with [`Reply::Done`] once its workers are ready.
    CreatePool(PoolSpec),
    /// Loads the components of the payload, one behind the other, into a pool, replacing those of
    /// the same name. Answered with [`Reply::Done`] once they serve.
    Load {
        /// The pool.
        pool: String,
        /// The modules, in the order of their bytes.
        modules: Vec<ModuleSpec>,
    },
    /// Takes a module out of a pool. Answered with [`Reply::Done`] once no new call can reach it.
    Unload {
        /// The pool.
        pool: String,
        /// The module.
        module: String,
    },
    /// Sends the log to this connection: what is kept of it, and, where `follow`, what comes.
    /// Answered with [`Reply::Done`] behind the last kept entry.
    Logs {
        /// Go on with what comes.
        follow: bool,
    },
    /// Stops the host. Answered with [`Reply::Done`] before it does.
    Stop {
        /// Without waiting for calls that run.
        now: bool,
    },
}

/// A pool to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSpec {
    /// Its name.
    pub name: String,
    /// How many slots.
    pub slots: u32,
    /// Whether callbacks nobody else answers come to the connection that makes this pool.
    pub callbacks: bool,
}

/// A module to load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleSpec {
    /// Its name in references.
    pub name: String,
    /// Bytes of its component in the payload.
    pub size: u64,
    /// How its calls share instances; `None` for what the pool says.
    pub instances: Option<Instances>,
    /// Bounds; `None` for what the pool says.
    pub limits: Option<ModuleLimits>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Done, nothing to tell.
    Done,
    /// Every pool.
    Pools(Vec<PoolInfo>),
    /// One module.
    Module(ModuleInfo),
    /// One function.
    Function(FunctionInfo),
}

/// A pool, as `ps` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolInfo {
    /// Its name.
    pub name: String,
    /// Its slots.
    pub slots: u32,
    /// The names of its modules.
    pub modules: Vec<String>,
    /// Calls that wait for a worker.
    pub queued: u64,
    /// Its workers, by slot and generation.
    pub workers: Vec<WorkerInfo>,
}

/// A worker, as `ps` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Its slot, from 0.
    pub slot: u32,
    /// Its generation in the slot, from 1.
    pub generation: u64,
    /// Its process, in the host's pid namespace.
    pub pid: u32,
    /// What it does.
    pub state: WorkerState,
    /// Modules whose new calls come here.
    pub modules: Vec<String>,
    /// Calls that run here.
    pub in_flight: u64,
    /// Calls that have ended here.
    pub done: u64,
    /// Resident bytes.
    pub memory: u64,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerState {
    /// Loading and locking itself.
    Starting,
    /// Serving.
    Ready,
    /// Ending its calls; it gets no new ones.
    Draining,
}

/// A module and what it exports and imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleInfo {
    /// Its name.
    pub name: String,
    /// The digest of its component, in hexadecimal.
    pub digest: String,
    /// How its calls share instances.
    pub instances: Instances,
    /// Its functions, types and imports.
    pub interface: Interface,
}

/// A function and the types it is written in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionInfo {
    /// The module.
    pub module: String,
    /// Index in the interface's functions.
    pub function: u32,
    /// The module's interface.
    pub interface: Interface,
}
