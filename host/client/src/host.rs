//! A host: what it runs, and its pools.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use proc_host_wire::control::{ModuleInfo, PoolInfo, PoolSpec, Reply, Request};

use crate::address::default_socket;
use crate::callback::PoolHandler;
use crate::error::{ConnectError, RequestError, StartError};
use crate::link::Link;
use crate::logs::Logs;
use crate::pool::{Pool, PoolOptions};
use crate::start::{Child, StartOptions};

/// A host to whom this program is connected. Copies share the connection, which closes with the
/// last of them and of what came from them; a host that was started here then ends as well.
#[derive(Clone, Debug)]
pub struct Host {
    link: Link,
    path: Arc<Path>,
    version: Arc<str>,
    pid: u32,
    /// Last, so that the connection has closed before the process is told to stop.
    _child: Option<Arc<Child>>,
}

impl Host {
    /// Connects to the host that serves on the socket `path`.
    pub async fn connect(path: impl Into<PathBuf>) -> Result<Host, ConnectError> {
        let path = path.into();
        let (link, welcome) = Link::open(&path).await?;
        let version = welcome.version.into();
        Ok(Host {
            link,
            path: path.into(),
            version,
            pid: welcome.pid,
            _child: None,
        })
    }

    /// Connects to the host on [`default_socket`].
    pub async fn connect_default() -> Result<Host, ConnectError> {
        Host::connect(default_socket()).await
    }

    /// Starts a host that belongs to this program and ends with it, however the program ends.
    pub async fn start(options: StartOptions) -> Result<Host, StartError> {
        let child = Child::start(options).await?;
        let host = Host::connect(child.socket()).await?;
        Ok(Host {
            _child: Some(Arc::new(child)),
            ..host
        })
    }

    /// The socket of the host.
    pub fn socket(&self) -> &Path {
        &self.path
    }

    /// The host's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The host's process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Asks for a sign of life.
    pub async fn ping(&self) -> Result<(), RequestError> {
        self.done(Request::Ping, Bytes::new()).await
    }

    /// The pool of this name. It is not asked for: a call to a pool there is not is denied.
    pub fn pool(&self, name: &str) -> Pool {
        Pool::new(self.clone(), name)
    }

    /// Makes a pool, and returns once its workers are ready.
    pub async fn create_pool(&self, options: PoolOptions) -> Result<Pool, RequestError> {
        let PoolOptions {
            name,
            slots,
            handler,
        } = options;
        let callbacks = handler.is_some();
        if let Some(handler) = handler {
            // In place before the first callback can come.
            let handler = PoolHandler::start(&self.link, handler);
            self.link.lock().handlers.insert(name.clone(), handler);
        }
        let spec = PoolSpec {
            name: name.clone(),
            slots,
            callbacks,
        };
        let made = self.done(Request::CreatePool(spec), Bytes::new()).await;
        if made.is_err() && callbacks {
            self.link.lock().handlers.remove(&name);
        }
        made.map(|()| self.pool(&name))
    }

    /// What runs.
    pub async fn ps(&self) -> Result<Vec<PoolInfo>, RequestError> {
        match self.ask(Request::Ps, Bytes::new()).await? {
            Reply::Pools(pools) => Ok(pools),
            _ => Err(RequestError::Unexpected),
        }
    }

    /// What a component exports and imports. It is compiled for that, and not loaded.
    pub async fn examine(
        &self,
        name: &str,
        component: impl Into<Bytes>,
    ) -> Result<ModuleInfo, RequestError> {
        let request = Request::Examine {
            name: name.to_owned(),
        };
        match self.ask(request, component.into()).await? {
            Reply::Module(module) => Ok(module),
            _ => Err(RequestError::Unexpected),
        }
    }

    /// The log: what is kept of it, and, with `follow`, what comes, until it is dropped. It has a
    /// connection of its own, so that a flood of it delays nobody.
    pub async fn logs(&self, follow: bool) -> Result<Logs, RequestError> {
        Logs::open(&self.path, follow).await
    }

    /// Stops the host: it denies new calls, lets those that run end, and exits.
    pub async fn stop(&self) -> Result<(), RequestError> {
        self.done(Request::Stop { now: false }, Bytes::new()).await
    }

    /// Stops the host and the calls that run.
    pub async fn stop_now(&self) -> Result<(), RequestError> {
        self.done(Request::Stop { now: true }, Bytes::new()).await
    }

    pub(crate) async fn ask(
        &self,
        request: Request,
        payload: Bytes,
    ) -> Result<Reply, RequestError> {
        self.link.request(request, payload).await
    }

    pub(crate) async fn done(&self, request: Request, payload: Bytes) -> Result<(), RequestError> {
        match self.ask(request, payload).await? {
            Reply::Done => Ok(()),
            _ => Err(RequestError::Unexpected),
        }
    }
}
