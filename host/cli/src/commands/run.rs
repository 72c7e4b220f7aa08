//! `run`: a host, in the foreground.

use std::path::{Path, PathBuf};

use clap::Args;
use proc_host_client::{Instances, default_socket};
use proc_host_jail::{Launcher, Layers};
use proc_host_server::config::modules_at;
use proc_host_server::{Config, ModuleConfig, Options, PoolConfig, Ready, StopSource};
use serde_json::json;

use crate::exit::Exit;
use crate::failure::{Failed, Outcome};
use crate::output;

/// Run a host in the foreground.
///
/// Prints one line, `ready` and a JSON object with the socket and the pools, when every worker is
/// ready. An interrupt lets the calls that run end first; a second one does not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  proc-host run mods/*.wasm
  proc-host run --pool Workers=3 --pool Jobs=1 mods/
  proc-host run --config proc-host.toml")]
pub(crate) struct Run {
    /// Components to load, or folders of them, into every pool named here
    #[arg(value_name = "PATH.wasm|DIR")]
    modules: Vec<PathBuf>,
    /// A pool and its number of workers [default: Workers, one for each core]
    #[arg(long = "pool", value_name = "NAME[=N]", value_parser = parse_pool)]
    pools: Vec<(String, Option<u32>)>,
    /// A configuration file; options here go before what it says
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The socket [default: proc-host/proc-host.sock under $XDG_RUNTIME_DIR]
    #[arg(
        long,
        value_name = "PATH",
        env = "PROC_HOST_SOCKET",
        conflicts_with = "sock_dir"
    )]
    socket: Option<PathBuf>,
    /// The folder for the socket; it is made where there is none
    #[arg(long, value_name = "DIR")]
    sock_dir: Option<PathBuf>,
    /// A fresh instance for each call, where a module does not say otherwise
    #[arg(long)]
    isolate: bool,
    /// End when standard input does: for programs that start a host of their own
    #[arg(long, hide = true)]
    owned: bool,
    /// Layers of the jail to do without, by name, separated by commas
    #[arg(long, value_name = "LAYERS", hide = true, value_parser = parse_layers)]
    without_layers: Option<Layers>,
}

fn parse_pool(text: &str) -> Result<(String, Option<u32>), String> {
    let (name, slots) = match text.split_once('=') {
        Some((name, slots)) => {
            let slots = slots.parse().ok().filter(|slots| *slots > 0);
            (
                name,
                Some(slots.ok_or_else(|| "write NAME=N, N at least 1".to_owned())?),
            )
        }
        None => (text, None),
    };
    if name.is_empty() || name.contains(['.', '/']) || name.contains(char::is_whitespace) {
        return Err(format!(
            "`{name}` is no name for a pool: no dots, slashes or blanks"
        ));
    }
    Ok((name.to_owned(), slots))
}

fn parse_layers(text: &str) -> Result<Layers, String> {
    text.split(',')
        .filter(|name| !name.is_empty())
        .try_fold(Layers::NONE, |layers, name| {
            let layer = Layers::from_name(name);
            layer
                .map(|layer| layers.with(layer))
                .ok_or_else(|| format!("no layer is called `{name}`: there are {}", Layers::ALL))
        })
}

impl Run {
    pub(crate) fn execute(self) -> Outcome {
        let owned = self.owned;
        let options = self.options()?;
        let folder = options.socket.parent().map(Path::to_owned);
        // Before there is any other thread: what it starts is bound to this one.
        let launcher = Launcher::start().map_err(|error| Failed::general(&error))?;
        let served = proc_host_server::run(options, launcher, StopSource::signals(), announce);
        if let Some(folder) = folder.filter(|_| owned) {
            // Its owner made it for this host, and may be no more; one with anything in it stays.
            let _ = std::fs::remove_dir(folder);
        }
        served.map_err(|error| Failed::general(&error))?;
        Ok(Exit::Success)
    }

    /// Options over the manifest over what is usual.
    fn options(self) -> Result<Options, Failed> {
        let manifest = match &self.config {
            Some(file) => {
                Config::load(file).map_err(|error| Failed::new(Exit::General, error.to_string()))?
            }
            None => Config::default(),
        };
        let socket = match (self.socket, self.sock_dir) {
            (_, Some(folder)) => folder.join("proc-host.sock"),
            (Some(path), None) => path,
            (None, None) => manifest.socket.clone().unwrap_or_else(default_socket),
        };
        let mut options = Options::new(socket);
        options.pools = manifest.pools;
        if let Some(grace) = manifest.grace {
            options.bounds.stop = grace;
        }
        let mut named: Vec<String> = self.pools.iter().map(|(name, _)| name.clone()).collect();
        for (name, slots) in self.pools {
            match options.pools.iter_mut().find(|pool| pool.name == name) {
                Some(pool) => pool.slots = slots.unwrap_or(pool.slots),
                None => options
                    .pools
                    .push(PoolConfig::new(name, slots.unwrap_or_else(cores))),
            }
        }
        // An owner makes the pools itself.
        if options.pools.is_empty() && (!self.owned || !self.modules.is_empty()) {
            options.pools.push(PoolConfig::new("Workers", cores()));
        }
        if named.is_empty() {
            named = options.pools.iter().map(|pool| pool.name.clone()).collect();
        }
        let mut given: Vec<ModuleConfig> = Vec::new();
        for path in &self.modules {
            let mut modules =
                modules_at(path).map_err(|error| Failed::new(Exit::General, error.to_string()))?;
            // The same file twice is one module; of two of a name none goes over the other.
            modules.retain(|module| given.iter().all(|other| other.file != module.file));
            for module in &modules {
                if let Some(other) = given.iter().find(|other| other.name == module.name) {
                    let (file, other) = (module.file.display(), other.file.display());
                    let why = format!("{file}: there is already a module {}: {other}", module.name);
                    return Err(Failed::new(Exit::General, why));
                }
            }
            given.extend(modules.iter().cloned());
            for pool in options
                .pools
                .iter_mut()
                .filter(|pool| named.contains(&pool.name))
            {
                for module in &modules {
                    pool.modules.retain(|other| other.name != module.name);
                    pool.modules.push(module.clone());
                }
            }
        }
        if self.isolate {
            for pool in &mut options.pools {
                pool.defaults.instances = Instances::PerCall;
            }
        }
        if self.owned {
            let owner = rustix::io::dup(std::io::stdin());
            options.owner = Some(owner.map_err(|error| Failed::general(&error))?);
        }
        options.skip_layers = self.without_layers.unwrap_or(Layers::NONE);
        Ok(options)
    }
}

fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(1)
}

/// The one line that a program can wait for.
fn announce(ready: &Ready<'_>) {
    for skipped in &ready.skipped {
        output::warn(&format!("left out of pool {}: {skipped}", skipped.pool));
    }
    let pools: Vec<_> = ready
        .pools
        .iter()
        .map(|pool| json!({ "name": pool.name, "slots": pool.slots, "modules": pool.modules }))
        .collect();
    let object = json!({
        "socket": ready.socket,
        "pid": std::process::id(),
        "pools": pools,
    });
    // A host serves just as well where nobody waits for the line.
    let _ = output::line(&format!("ready {object}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_have_a_name_and_may_have_a_number() {
        assert_eq!(parse_pool("Workers=3"), Ok(("Workers".to_owned(), Some(3))));
        assert_eq!(parse_pool("Jobs"), Ok(("Jobs".to_owned(), None)));
        for wrong in ["", "=3", "a=0", "a=x", "a.b=1", "a b"] {
            assert!(parse_pool(wrong).is_err(), "{wrong}");
        }
    }
}
