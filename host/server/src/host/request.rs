//! What clients ask besides calls.

use std::sync::Arc;

use bytes::Bytes;
use proc_host_wire::control::{
    FunctionInfo, ModuleInfo, ModuleSpec, PoolInfo, PoolSpec, Reply, Request, WorkerInfo,
    WorkerState,
};
use proc_host_wire::{Denied, Message};

use super::Host;
use super::arena::Id;
use super::client::Client;
use super::compile::Waiter;
use super::module::{Compiled, NewModule};
use super::pool::Pool;
use super::worker::{State, Worker};
use crate::Stop;
use crate::config::inspect_component;
use crate::options::ModuleDefaults;

impl Host {
    pub(super) fn client_request(
        &mut self,
        client: Id<Client>,
        id: u64,
        request: Request,
        payload: Bytes,
    ) {
        let takes_payload = matches!(request, Request::Examine { .. } | Request::Load { .. });
        if !payload.is_empty() && !takes_payload {
            return self.respond(client, id, Err("this request takes no payload".to_owned()));
        }
        let reply = match request {
            Request::Ping => Ok(Reply::Done),
            Request::Ps => Ok(Reply::Pools(self.ps())),
            Request::Inspect { pool, module } => self.inspect(&pool, &module),
            Request::Describe { pool, target } => self.describe(&pool, &target),
            Request::CreatePool(spec) => self.make_pool(client, &spec),
            Request::Unload { pool, module } => match self.find_pool(&pool) {
                Ok(pool) => self.unload(pool, &module).map(|()| Reply::Done),
                Err(denied) => Err(denied.message),
            },
            Request::Logs { follow } => {
                self.send_log(client, follow);
                Ok(Reply::Done)
            }
            // These answer later.
            Request::Examine { name } => return self.examine(client, id, name, payload),
            Request::Load { pool, modules } => {
                return self.load_for(client, id, &pool, modules, payload);
            }
            Request::Stop { now } => {
                self.respond(client, id, Ok(Reply::Done));
                return self.stop(if now { Stop::Now } else { Stop::Drain });
            }
        };
        self.respond(client, id, reply);
    }

    pub(super) fn respond(&mut self, client: Id<Client>, id: u64, reply: Result<Reply, String>) {
        if !self.tell_client(client, Message::Response { id, reply }) {
            let reply = Err("the answer is too large to be sent".to_owned());
            self.tell_client(client, Message::Response { id, reply });
        }
    }

    fn inspect(&self, pool: &str, module: &str) -> Result<Reply, String> {
        let pool = self.find_pool(pool).map_err(message)?;
        let entry = self
            .pools
            .get(pool)
            .and_then(|pool| pool.modules.get(module));
        let Some(entry) = entry.and_then(|id| self.entries.get(*id)) else {
            return Err(self.no_module(pool, module).message);
        };
        Ok(Reply::Module(ModuleInfo {
            name: module.to_owned(),
            digest: entry.module.compiled.hex(),
            instances: entry.module.instances,
            interface: entry.module.compiled.interface.clone(),
        }))
    }

    fn describe(&mut self, pool: &str, target: &str) -> Result<Reply, String> {
        let pool = self.find_pool(pool).map_err(message)?;
        let target = self.find_target(pool, target).map_err(message)?;
        Ok(Reply::Function(FunctionInfo {
            module: target.module.name.clone(),
            function: target.function,
            interface: target.module.compiled.interface.clone(),
        }))
    }

    fn make_pool(&mut self, client: Id<Client>, spec: &PoolSpec) -> Result<Reply, String> {
        let handler = spec.callbacks.then_some(client);
        self.create_pool(&spec.name, spec.slots, ModuleDefaults::default(), handler)?;
        Ok(Reply::Done)
    }

    fn examine(&mut self, client: Id<Client>, id: u64, name: String, component: Bytes) {
        if !self.phase.is_serving() {
            return self.respond(client, id, Err("the host is stopping".to_owned()));
        }
        match inspect_component(&component) {
            Ok(()) => self.compile(component, Waiter::Examine(client, id, name)),
            Err(why) => self.respond(client, id, Err(why.to_owned())),
        }
    }

    pub(super) fn examined(
        &mut self,
        client: Id<Client>,
        id: u64,
        name: String,
        result: Result<Arc<Compiled>, String>,
    ) {
        let reply = result.map(|compiled| {
            Reply::Module(ModuleInfo {
                name,
                digest: compiled.hex(),
                instances: Default::default(),
                interface: compiled.interface.clone(),
            })
        });
        self.respond(client, id, reply);
    }

    fn load_for(
        &mut self,
        client: Id<Client>,
        id: u64,
        pool: &str,
        specs: Vec<ModuleSpec>,
        mut payload: Bytes,
    ) {
        if !self.phase.is_serving() {
            return self.respond(client, id, Err("the host is stopping".to_owned()));
        }
        let pool = match self.find_pool(pool) {
            Ok(pool) => pool,
            Err(denied) => return self.respond(client, id, Err(denied.message)),
        };
        let mut modules = Vec::new();
        for spec in specs {
            let size = usize::try_from(spec.size).unwrap_or(usize::MAX);
            if size > payload.len() {
                let why = format!("the payload ends inside module {}", spec.name);
                return self.respond(client, id, Err(why));
            }
            modules.push(NewModule {
                name: spec.name,
                component: payload.split_to(size),
                instances: spec.instances,
                limits: spec.limits,
                deadline: None,
            });
        }
        if !payload.is_empty() {
            let why = "the payload is longer than its modules".to_owned();
            return self.respond(client, id, Err(why));
        }
        self.load(pool, modules, Some((client, id)));
    }

    fn ps(&mut self) -> Vec<PoolInfo> {
        let mut infos: Vec<PoolInfo> = self
            .pools
            .ids()
            .into_iter()
            .filter_map(|pool| self.pool_info(pool))
            .collect();
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        infos
    }

    fn pool_info(&mut self, id: Id<Pool>) -> Option<PoolInfo> {
        let pool = self.pools.get(id)?;
        let mut modules: Vec<String> = pool.modules.keys().cloned().collect();
        modules.sort();
        let mut info = PoolInfo {
            name: pool.name.clone(),
            slots: u32::try_from(pool.slots.len()).unwrap_or(u32::MAX),
            modules,
            queued: pool.queued as u64,
            workers: Vec::new(),
        };
        let workers: Vec<Id<Worker>> = pool
            .slots
            .iter()
            .flat_map(|slot| &slot.workers)
            .copied()
            .collect();
        for worker in workers {
            info.workers.extend(self.worker_info(worker));
        }
        Some(info)
    }

    fn worker_info(&mut self, id: Id<Worker>) -> Option<WorkerInfo> {
        let worker = self.workers.get(id)?;
        let state = match worker.state {
            State::Starting => WorkerState::Starting,
            State::Ready => WorkerState::Ready,
            State::Draining | State::Leaving => WorkerState::Draining,
            State::Dead => return None,
        };
        let serves = |entry: &super::Entry| entry.set == worker.set;
        let modules = worker
            .hosted
            .iter()
            .filter(|h| {
                h.entry
                    .and_then(|id| self.entries.get(id))
                    .is_some_and(serves)
            })
            .map(|hosted| hosted.module.name.clone())
            .collect();
        Some(WorkerInfo {
            slot: worker.at.slot,
            generation: worker.at.generation,
            pid: worker.pid.unwrap_or(0),
            state,
            modules,
            in_flight: worker.calls.len() as u64,
            done: worker.done,
            memory: worker.pid.map_or(0, |pid| self.environment.resident(pid)),
        })
    }
}

fn message(denied: Denied) -> String {
    denied.message
}
