//! A pool: its modules, and calls to them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use proc_host_wire::control::{FunctionInfo, ModuleInfo, ModuleSpec, Reply, Request};
use proc_host_wire::start::{Instances, ModuleLimits};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::arguments::Arguments;
use crate::call::Call;
use crate::callback::{Handler, Question};
use crate::error::RequestError;
use crate::host::Host;
use crate::items::Items;

/// A pool to make.
pub struct PoolOptions {
    pub(crate) name: String,
    pub(crate) slots: u32,
    pub(crate) handler: Option<Handler>,
}

/// How a module is loaded, where that is not as its pool says.
#[derive(Clone, Debug, Default)]
pub struct ModuleOptions {
    /// How its calls share instances.
    pub instances: Option<Instances>,
    /// Bounds of its instances.
    pub limits: Option<ModuleLimits>,
}

/// A pool of a host.
#[derive(Clone, Debug)]
pub struct Pool {
    host: Host,
    name: Arc<str>,
}

impl PoolOptions {
    /// A pool of this name and this many workers.
    pub fn new(name: impl Into<String>, slots: u32) -> PoolOptions {
        PoolOptions {
            name: name.into(),
            slots,
            handler: None,
        }
    }

    /// Answers the callbacks of calls whose own caller does not, or has gone.
    pub fn on_callback<F>(
        mut self,
        handler: impl Fn(Question) -> F + Send + Sync + 'static,
    ) -> PoolOptions
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.handler = Some(Arc::new(move |question| Box::pin(handler(question))));
        self
    }
}

impl std::fmt::Debug for PoolOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolOptions")
            .field("name", &self.name)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl Pool {
    pub(crate) fn new(host: Host, name: &str) -> Pool {
        Pool {
            host,
            name: name.into(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// A call of `module.function` or `module.interface.function`, made when it is awaited.
    ///
    /// Arguments are a tuple, `()` for none, or a struct or map that names them. The result is
    /// whatever serde reads it as.
    pub fn call<T: DeserializeOwned>(&self, target: &str, arguments: impl Serialize) -> Call<T> {
        self.call_encoded(target, Arguments::new(&arguments))
    }

    /// [`Pool::call`] with arguments that are encoded already.
    pub fn call_encoded<T>(
        &self,
        target: &str,
        arguments: Result<Arguments, crate::CodecError>,
    ) -> Call<T> {
        let link = self.host.link().clone();
        Call::new(link, Arc::clone(&self.name), target.to_owned(), arguments)
    }

    /// The items of a generator: of a function that returns `stream<T>`,
    /// `tuple<stream<T>, future<result<_, E>>>`, or a resource with `next: func() -> option<T>`.
    pub fn stream<T: DeserializeOwned>(&self, target: &str, arguments: impl Serialize) -> Items<T> {
        Items::new(self.call(target, arguments))
    }

    /// Loads a component, by the name of its file without extension, and returns once it serves.
    /// A module of that name is replaced; calls that run there end there.
    pub async fn load_file(&self, path: impl AsRef<Path>) -> Result<(), RequestError> {
        let path = path.as_ref();
        let name = module_name(path)?;
        let component = std::fs::read(path).map_err(|source| RequestError::File {
            path: path.to_owned(),
            source,
        })?;
        self.load_bytes(&name, component).await
    }

    /// [`Pool::load_file`] with the component's bytes.
    pub async fn load_bytes(
        &self,
        name: &str,
        component: impl Into<Bytes>,
    ) -> Result<(), RequestError> {
        self.load(vec![(
            name.to_owned(),
            component.into(),
            ModuleOptions::default(),
        )])
        .await
    }

    /// Loads several components at once: they then share a worker in each slot.
    pub async fn load(
        &self,
        modules: Vec<(String, Bytes, ModuleOptions)>,
    ) -> Result<(), RequestError> {
        let payload = match modules.as_slice() {
            [(_, component, _)] => component.clone(),
            modules => modules
                .iter()
                .flat_map(|(_, bytes, _)| bytes.iter().copied())
                .collect::<Bytes>(),
        };
        let modules = modules
            .into_iter()
            .map(|(name, component, options)| ModuleSpec {
                name,
                size: component.len() as u64,
                instances: options.instances,
                limits: options.limits,
            })
            .collect();
        self.host
            .done(
                Request::Load {
                    pool: self.name.to_string(),
                    modules,
                },
                payload,
            )
            .await
    }

    /// Takes a module out, and returns once no new call reaches it.
    pub async fn unload(&self, module: &str) -> Result<(), RequestError> {
        let (pool, module) = (self.name.to_string(), module.to_owned());
        self.host
            .done(Request::Unload { pool, module }, Bytes::new())
            .await
    }

    /// What a module exports and imports.
    pub async fn inspect(&self, module: &str) -> Result<ModuleInfo, RequestError> {
        let (pool, module) = (self.name.to_string(), module.to_owned());
        match self
            .host
            .ask(Request::Inspect { pool, module }, Bytes::new())
            .await?
        {
            Reply::Module(module) => Ok(module),
            _ => Err(RequestError::Unexpected),
        }
    }

    /// The function that a reference names, with its types.
    pub async fn describe(&self, target: &str) -> Result<FunctionInfo, RequestError> {
        let (pool, target) = (self.name.to_string(), target.to_owned());
        match self
            .host
            .ask(Request::Describe { pool, target }, Bytes::new())
            .await?
        {
            Reply::Function(function) => Ok(function),
            _ => Err(RequestError::Unexpected),
        }
    }
}

/// The name that a component's file gives its module.
pub fn module_name(path: &Path) -> Result<String, RequestError> {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .map(str::to_owned)
        .ok_or_else(|| RequestError::Name {
            path: path.to_owned(),
        })
}
