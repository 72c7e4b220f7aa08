//! From references to functions, and what to say where one leads nowhere.

use proc_host_wire::interface::Interface;
use proc_host_wire::{Denied, DeniedReason};

use super::Host;
use super::arena::Id;
use super::pool::{Pool, Target};

/// Names listed in one message.
const LISTED: usize = 20;

impl Host {
    /// The pool of this name.
    pub(crate) fn find_pool(&self, name: &str) -> Result<Id<Pool>, Denied> {
        if let Some(pool) = self.pool_names.get(name) {
            return Ok(*pool);
        }
        let known = self.pool_names.keys().map(String::as_str);
        let message = format!(
            "no pool is named {name}{}",
            hint(name, known, "the pools are")
        );
        Err(Denied::new(DeniedReason::UnknownPool, message))
    }

    /// The function that `reference` names in a pool, such as `module.function`.
    pub(crate) fn find_target(
        &mut self,
        pool: Id<Pool>,
        reference: &str,
    ) -> Result<Target, Denied> {
        if let Some(target) = self
            .pools
            .get(pool)
            .and_then(|pool| pool.targets.get(reference))
        {
            return Ok(target.clone());
        }
        let target = self.look_up(pool, reference)?;
        if let Some(pool) = self.pools.get_mut(pool) {
            pool.targets.insert(reference.to_owned(), target.clone());
        }
        Ok(target)
    }

    fn look_up(&self, pool: Id<Pool>, reference: &str) -> Result<Target, Denied> {
        let modules = self.pools.get(pool).map(|pool| &pool.modules);
        // A module's name may hold dots: the shortest that is a module counts.
        let found = reference.match_indices('.').find_map(|(dot, _)| {
            let entry = *modules?.get(&reference[..dot])?;
            Some((entry, dot + 1))
        });
        let Some((entry, path_at)) = found else {
            if modules.is_some_and(|modules| modules.contains_key(reference)) {
                let message = format!("name a function of it: {reference}.function");
                return Err(Denied::new(DeniedReason::UnknownFunction, message));
            }
            let module = reference
                .split_once('.')
                .map_or(reference, |(module, _)| module);
            return Err(self.no_module(pool, module));
        };
        let Some(record) = self.entries.get(entry) else {
            return Err(self.no_module(pool, reference));
        };
        let interface = &record.module.compiled.interface;
        let function = find_function(interface, &record.module.name, &reference[path_at..])?;
        Ok(Target {
            entry,
            module: record.module.clone(),
            function,
            path_at,
        })
    }

    pub(crate) fn no_module(&self, pool: Id<Pool>, name: &str) -> Denied {
        let (pool, known) = match self.pools.get(pool) {
            Some(pool) => (
                pool.name.as_str(),
                pool.modules.keys().map(String::as_str).collect(),
            ),
            None => ("", Vec::new()),
        };
        let hint = hint(name, known.into_iter(), "its modules are");
        let message = format!("pool {pool} has no module {name}{hint}");
        Denied::new(DeniedReason::UnknownModule, message)
    }
}

/// The one function of `interface` that `path` names.
pub(crate) fn find_function(
    interface: &Interface,
    module: &str,
    path: &str,
) -> Result<u32, Denied> {
    let function = |index: usize| &interface.functions[index];
    match interface.find(path).as_slice() {
        [index] => match &function(*index).unsupported {
            None => Ok(u32::try_from(*index).unwrap_or(u32::MAX)),
            Some(why) => {
                let message = format!("{module}.{path} cannot be called: {why}");
                Err(Denied::new(DeniedReason::Unsupported, message))
            }
        },
        [] => {
            let names: Vec<String> = interface.functions.iter().map(|f| f.qualified()).collect();
            let hint = hint(path, names.iter().map(String::as_str), "its functions are");
            let message = format!("module {module} has no function {path}{hint}");
            Err(Denied::new(DeniedReason::UnknownFunction, message))
        }
        several => {
            let full = |index: &usize| match &function(*index).interface {
                Some(interface) => format!("{module}.{interface}.{}", function(*index).callable()),
                None => format!("{module}.{}", function(*index).callable()),
            };
            let mut names: Vec<String> = several
                .iter()
                .map(|index| format!("{module}.{}", function(*index).qualified()))
                .collect();
            let short = names.len();
            names.sort();
            names.dedup();
            // Two interfaces of the same short name are told apart by their full ones.
            if names.len() < short {
                names = several.iter().map(full).collect();
            }
            let message = format!("{module}.{path} is ambiguous: {}", listed(names));
            Err(Denied::new(DeniedReason::Ambiguous, message))
        }
    }
}

/// What to say of the names there are.
fn hint<'a>(wanted: &str, known: impl Iterator<Item = &'a str>, are: &str) -> String {
    let mut known: Vec<&str> = known.collect();
    if known.is_empty() {
        return String::new();
    }
    known.sort_unstable();
    known.dedup();
    let short = |name: &'a str| name.rsplit_once('.').map_or(name, |(_, short)| short);
    let near = known
        .iter()
        .map(|name| {
            (
                distance(wanted, name).min(distance(wanted, short(name))),
                *name,
            )
        })
        .min()
        .filter(|(distance, _)| *distance <= (wanted.chars().count() / 3).max(1));
    let near = near
        .map(|(_, name)| format!("; did you mean {name}?"))
        .unwrap_or_default();
    let list = listed(known.into_iter().map(str::to_owned).collect());
    format!("{near} ({are} {list})")
}

fn listed(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let mut text = names.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Edits from one name to the other; names beyond 64 characters are as far apart as can be.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_suggested() {
        assert_eq!(distance("kitten", "sitting"), 3);
        let known = ["math", "text"].into_iter();
        assert_eq!(
            hint("mth", known, "they are"),
            "; did you mean math? (they are math, text)"
        );
        let known = ["api.greet", "add"].into_iter();
        assert!(hint("gret", known, "they are").contains("did you mean api.greet?"));
        assert_eq!(
            hint("zzz", ["math"].into_iter(), "they are"),
            " (they are math)"
        );
        assert_eq!(hint("zzz", [].into_iter(), "they are"), "");
    }
}
