//! Bringing up the pools the host was told to have.

use std::path::PathBuf;

use super::{Shared, files};
use crate::ReadyPool;
use crate::error::{ModuleFailure, ServerError};
use crate::host::{Id, Load, NewModule};
use crate::options::PoolConfig;

/// A load under way.
struct Loading {
    load: Id<Load>,
    pool: String,
    /// Where each module came from, and whether it is required.
    sources: Vec<(PathBuf, bool)>,
}

/// Makes the pools and loads their modules. A module that was named explicitly and does not load is
/// an error, with all others like it; one that was found in a directory is left out and listed.
pub(super) async fn start(
    shell: &Shared,
    pools: Vec<PoolConfig>,
) -> Result<(Vec<ReadyPool>, Vec<ModuleFailure>), ServerError> {
    let mut ready = Vec::new();
    let mut loading = Vec::new();
    let mut failures = Vec::new();
    for pool in pools {
        ready.push(ReadyPool {
            name: pool.name.clone(),
            slots: pool.slots,
            modules: Vec::new(),
        });
        loading.push(begin(shell, pool, &mut failures)?);
    }
    for loading in loading {
        let Some(results) = wait_for(shell, loading.load).await else {
            return Err(ServerError::Stopped);
        };
        if shell.state.borrow().is_deaf {
            return Err(ServerError::Stopped);
        }
        // Results come in the order of the modules.
        for ((module, result), (file, required)) in results.into_iter().zip(loading.sources) {
            match result {
                Ok(()) => {
                    let pool = ready.iter_mut().find(|pool| pool.name == loading.pool);
                    pool.into_iter()
                        .for_each(|pool| pool.modules.push(module.clone()));
                }
                Err(why) => {
                    let pool = loading.pool.clone();
                    failures.push((
                        required,
                        ModuleFailure {
                            pool,
                            module,
                            file,
                            why,
                        },
                    ));
                }
            }
        }
    }
    let (fatal, skipped): (Vec<_>, Vec<_>) = failures.into_iter().partition(|(fatal, _)| *fatal);
    let only = |list: Vec<(bool, ModuleFailure)>| list.into_iter().map(|(_, f)| f).collect();
    if !fatal.is_empty() {
        return Err(ServerError::Modules(only(fatal)));
    }
    Ok((ready, only(skipped)))
}

fn begin(
    shell: &Shared,
    pool: PoolConfig,
    failures: &mut Vec<(bool, ModuleFailure)>,
) -> Result<Loading, ServerError> {
    let mut sources = Vec::new();
    let mut modules = Vec::new();
    for module in pool.modules {
        match files::read_component(&module.file) {
            Err(why) => failures.push((
                module.required,
                ModuleFailure {
                    pool: pool.name.clone(),
                    module: module.name,
                    file: module.file,
                    why,
                },
            )),
            Ok(component) => {
                sources.push((module.file, module.required));
                modules.push(NewModule {
                    name: module.name,
                    component,
                    instances: module.instances,
                    limits: module.limits,
                    deadline: module.deadline,
                });
            }
        }
    }
    let mut state = shell.state.borrow_mut();
    let load = state
        .host
        .create_pool(&pool.name, pool.slots, pool.defaults, None)
        .map(|id| state.host.load(id, modules, None))
        .map_err(|why| ServerError::Pool {
            pool: pool.name.clone(),
            why,
        })?;
    shell.carry_on(&mut state);
    Ok(Loading {
        load,
        pool: pool.name,
        sources,
    })
}

/// The results of a load; none where the host stops or breaks before that.
async fn wait_for(shell: &Shared, load: Id<Load>) -> Option<Vec<crate::host::LoadResult>> {
    loop {
        {
            let mut state = shell.state.borrow_mut();
            if let Some(results) = state.loaded.remove(&load) {
                return Some(results);
            }
            if state.is_stopped || state.broken.is_some() {
                return None;
            }
        }
        shell.progress.notified().await;
    }
}
