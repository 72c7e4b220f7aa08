//! `inspect`: what a component offers and what it asks for.

use std::path::{Path, PathBuf};

use clap::Args;
use proc_host_client::interface::{Function, Grant, Interface, TypeId};
use proc_host_client::{Instances, ModuleInfo, RequestError, module_name};
use serde_json::{Value, json};

use super::exec::start_host;
use crate::connect::Which;
use crate::exit::Exit;
use crate::failure::{Failed, Outcome};
use crate::output;

/// Show a component's functions, and what it imports and which of that is granted.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A file, or POOL.MODULE of a running host
    #[arg(value_name = "FILE|POOL.MODULE")]
    what: String,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    which: Which,
}

impl Inspect {
    pub(crate) async fn execute(self) -> Outcome {
        let path = Path::new(&self.what);
        let named = self.what.split_once('.').filter(|(pool, module)| {
            !path.exists() && ![pool, module].iter().any(|name| name.contains('/'))
        });
        let module = match named {
            // A name of nothing else is a file that is not there.
            Some((_, "wasm")) | None => examine(path).await?,
            Some((pool, module)) => {
                self.which
                    .connect()
                    .await?
                    .pool(pool)
                    .inspect(module)
                    .await?
            }
        };
        if self.json {
            output::json(&module_json(&module))?;
        } else {
            lines(&module)
                .iter()
                .try_for_each(|line| output::line(line))?;
        }
        Ok(Exit::Success)
    }
}

/// A file, compiled behind the same walls as ever by a host of our own.
async fn examine(path: &Path) -> Result<ModuleInfo, Failed> {
    let name = module_name(path)?;
    let component = std::fs::read(path).map_err(|source| RequestError::File {
        path: PathBuf::from(path),
        source,
    })?;
    let host = start_host(|options| options).await?;
    host.examine(&name, component)
        .await
        .map_err(|error| match error {
            RequestError::Refused(_) | RequestError::TooLarge(_) => {
                Failed::new(Exit::General, format!("{}: {error}", path.display()))
            }
            error => error.into(),
        })
}

/// Definitions that occur in the functions' types: the named ones, once each.
fn definitions(interface: &Interface) -> Vec<String> {
    let mut lines = Vec::new();
    for id in 0..interface.types.len() {
        let Ok(id) = TypeId::try_from(id) else { break };
        let named = interface.definition_text(id).filter(|_| {
            // A type without a name is spelled out where it is used.
            !interface.type_text(id).contains('{')
        });
        lines.extend(named.filter(|line| !lines.contains(line)));
    }
    lines
}

fn lines(module: &ModuleInfo) -> Vec<String> {
    let interface = &module.interface;
    let digest = module.digest.get(..16).unwrap_or(&module.digest);
    let head = format!(
        "module {} ({}, {digest})",
        module.name,
        mode(module.instances)
    );
    let mut lines = vec![head, "functions:".to_owned()];
    let mut current: Option<&str> = None;
    for function in &interface.functions {
        if function.interface.as_deref() != current {
            current = function.interface.as_deref();
            lines.extend(current.map(|name| format!("  {name}:")));
        }
        let indent = if current.is_some() { "    " } else { "  " };
        let why = function
            .unsupported
            .as_ref()
            .map(|why| format!("  (cannot be called: {why})"));
        let signature = interface.signature(function);
        lines.push(format!("{indent}{signature}{}", why.unwrap_or_default()));
    }
    let definitions = definitions(interface);
    if !definitions.is_empty() {
        lines.push("types:".to_owned());
        lines.extend(definitions.iter().map(|line| format!("  {line}")));
    }
    if !interface.imports.is_empty() {
        lines.push("imports:".to_owned());
    }
    let width = interface
        .imports
        .iter()
        .map(|import| import.name.len())
        .max()
        .unwrap_or(0);
    for import in &interface.imports {
        lines.push(format!("  {:width$}  {}", import.name, grant(import.grant)));
    }
    lines
}

fn module_json(module: &ModuleInfo) -> Value {
    let interface = &module.interface;
    let imports: Vec<Value> = interface
        .imports
        .iter()
        .map(|import| {
            json!({
                "name": import.name,
                "functions": import.functions,
                "grant": match import.grant {
                    Grant::Granted => "granted",
                    Grant::Empty => "empty",
                    Grant::Unknown => "unknown",
                },
            })
        })
        .collect();
    json!({
        "name": module.name,
        "digest": module.digest,
        "instances": mode(module.instances),
        "functions": interface.functions.iter().map(|f| function_json(interface, f)).collect::<Vec<_>>(),
        "types": definitions(interface),
        "imports": imports,
    })
}

fn function_json(interface: &Interface, function: &Function) -> Value {
    let params: Vec<Value> = function
        .params
        .iter()
        .map(|(name, id)| json!({ "name": name, "type": interface.type_text(*id) }))
        .collect();
    json!({
        "interface": function.interface,
        "name": function.callable(),
        "async": function.is_async,
        "params": params,
        "result": function.result.map(|id| interface.type_text(id)),
        "signature": interface.signature(function).to_string(),
        "unsupported": function.unsupported,
    })
}

fn mode(instances: Instances) -> &'static str {
    match instances {
        Instances::Shared => "shared",
        Instances::Exclusive => "exclusive",
        Instances::PerCall => "per-call",
    }
}

fn grant(grant: Grant) -> &'static str {
    match grant {
        Grant::Granted => "granted",
        Grant::Empty => "not granted: it links, and is empty",
        Grant::Unknown => "unknown: the component does not load",
    }
}
