//! `call`: one call to a running host.

use clap::Args;

use crate::connect::Which;
use crate::failure::{Failed, Outcome};
use crate::invoke::{self, invoke};

/// Call a function of a running host.
///
/// FUNCTION is `module.function(arguments)` or `module.interface.function(arguments)`, with
/// arguments in WAVE: numbers, true, "text", 'c', [1, 2], (1, "a"), {x: 1, y: 2}, some(1), none,
/// ok(1), err("no"), a-case, a-case(1), {a-flag, another}. A list stands for a stream. A generator
/// prints each item on a line as it arrives.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  proc-host call Workers 'math.add(40, 2)'
  proc-host call Workers math.add --json '[40, 2]'
  proc-host call Workers math.add --json '{\"a\": 40, \"b\": 2}'
  proc-host call Workers 'ticker.count(1000000)' | head")]
pub(crate) struct Call {
    /// The pool
    #[arg(value_name = "POOL")]
    pool: Option<String>,
    /// The function and its arguments
    #[arg(value_name = "FUNCTION")]
    function: Option<String>,
    #[command(flatten)]
    options: invoke::Options,
    #[command(flatten)]
    which: Which,
}

impl Call {
    pub(crate) fn as_json(&self) -> bool {
        self.options.as_json()
    }

    pub(crate) async fn execute(mut self) -> Outcome {
        let (pool, function) = self.positionals()?;
        let request = self.options.request(&function)?;
        let host = self.which.connect().await?;
        invoke(&host.pool(&pool), request.target(), &request, &self.options).await
    }

    /// `--json` takes arguments where they follow it, and then has taken one of the positionals
    /// where it stands alone before them.
    fn positionals(&mut self) -> Result<(String, String), Failed> {
        let mut given: Vec<String> = self
            .pool
            .take()
            .into_iter()
            .chain(self.function.take())
            .collect();
        if let Some(taken) = invoke::taken_positional(&mut self.options) {
            // A call has a dot or a parenthesis, the name of a pool has neither.
            let is_function = taken.contains(['(', '.']);
            given.insert(if is_function { given.len() } else { 0 }, taken);
        }
        match <[String; 2]>::try_from(given) {
            Ok([pool, function]) => Ok((pool, function)),
            Err(given) => Err(Failed::usage(match given.len() {
                0 => "the pool and the function to call are missing",
                _ => "the function to call is missing",
            })
            .hint("proc-host call Workers 'math.add(40, 2)'")),
        }
    }
}
