//! The tour: a host with three workers, and calls of every kind through the real command line.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::guests;
use crate::run::{self, Outcome};

/// One command of the tour: what it shows, its arguments, and what it must do.
struct Step {
    shows: &'static str,
    arguments: &'static [&'static str],
    code: i32,
    /// Each must be in what it prints.
    prints: &'static [&'static str],
}

const fn step(
    shows: &'static str,
    arguments: &'static [&'static str],
    prints: &'static [&'static str],
) -> Step {
    Step {
        shows,
        arguments,
        code: 0,
        prints,
    }
}

const fn fails(
    shows: &'static str,
    code: i32,
    arguments: &'static [&'static str],
    prints: &'static [&'static str],
) -> Step {
    Step {
        shows,
        arguments,
        code,
        prints,
    }
}

const STEPS: &[Step] = &[
    step(
        "What a component offers, and what it asks for.",
        &["inspect", "Workers.math"],
        &["add: func(a: s64, b: s64) -> s64"],
    ),
    step(
        "A plain function.",
        &["call", "Workers", "math.add(40, 2)"],
        &["42\n"],
    ),
    step(
        "The same, with arguments by name, in JSON.",
        &[
            "call",
            "Workers",
            "math.add",
            "--json",
            "{\"b\": 2, \"a\": 40}",
        ],
        &["42\n"],
    ),
    step(
        "A list in, an option out.",
        &["call", "Workers", "math.mean([1, 2, 6])"],
        &["some(3)\n"],
    ),
    fails(
        "A function that raises an error: exit code 10.",
        10,
        &["call", "Workers", "math.divide(1, 0)"],
        &["zero"],
    ),
    step(
        "Any component, without an SDK: records, options, variants, lists.",
        &[
            "call",
            "Workers",
            "types.echo-nested({name: \"Ada\", age: some(36), home: {street: \"Main\", place: {x: 1, \
             y: 2}}, tags: [\"a\"], mood: happy})",
        ],
        &["\"Ada\"", "happy"],
    ),
    step(
        "An async function; it sleeps.",
        &["call", "Workers", "ticker.slow(100)"],
        &["slept"],
    ),
    step(
        "A generator: items as they come.",
        &["call", "Workers", "ticker.count(5)"],
        &["0\n1\n2\n3\n4\n"],
    ),
    step(
        "A stream as a parameter: a list stands for it.",
        &["call", "Workers", "ticker.sum([1, 2, 39])"],
        &["42\n"],
    ),
    fails(
        "A generator that fails half-way: the items so far, then the error.",
        10,
        &["call", "Workers", "ticker.countdown(3, some(1))"],
        &["3\n2\n", "aborted at 1"],
    ),
    step(
        "A guest asks its caller, who answers with a program.",
        &[
            "call",
            "Workers",
            "callback.greet([\"Ada\"])",
            "--on-callback",
            "printf '\"Hello, Ada!\"'",
        ],
        &["Hello, Ada!"],
    ),
    fails(
        "A guest that traps: its instance is gone, with its backtrace; exit code 11.",
        11,
        &["call", "Workers", "math.crash(\"on purpose\")"],
        &["crash"],
    ),
    step(
        "The next call works.",
        &["call", "Workers", "math.add(1, 1)"],
        &["2\n"],
    ),
    fails(
        "A call that takes too long: exit code 13.",
        13,
        &[
            "call",
            "Workers",
            "--timeout",
            "200ms",
            "ticker.slow(60000)",
        ],
        &[],
    ),
    fails(
        "A mistake, and where it is.",
        2,
        &["call", "Workers", "math.add(40, two)"],
        &["^"],
    ),
    step("What guests print and log.", &["logs"], &["on purpose"]),
    step("What runs.", &["ps"], &["Workers"]),
];

/// Builds everything, then takes the tour; errors where a step does not do what it should.
pub(crate) fn run() -> Outcome {
    guests::build()?;
    run::cargo(&["build", "--package", "proc-host"])?;
    let binary = run::target().join("debug").join("proc-host");
    let folder = std::env::temp_dir().join(format!("proc-host-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let result = tour(&binary, &folder.join("host.sock"));
    let left: Vec<PathBuf> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let _ = std::fs::remove_dir_all(&folder);
    result?;
    if !left.is_empty() {
        return Err(format!("the host left {left:?} behind"));
    }
    println!("\nEverything did what it should.");
    Ok(())
}

fn tour(binary: &Path, socket: &Path) -> Outcome {
    let modules: Vec<String> = ["math", "ticker", "callback", "types"]
        .iter()
        .map(|name| {
            guests::folder()
                .join(name)
                .with_extension("wasm")
                .display()
                .to_string()
        })
        .collect();
    println!("\n# A host with one pool of three workers, and four modules.");
    println!("$ proc-host run --pool Workers=3 math.wasm ticker.wasm callback.wasm types.wasm &");
    let mut host = Stopped(
        Command::new(binary)
            .args(["run", "--pool", "Workers=3", "--socket"])
            .arg(socket)
            .args(&modules)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start the host: {error}"))?,
    );
    let mut ready = String::new();
    if let Some(stdout) = host.0.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut ready)
            .map_err(|error| format!("cannot read what the host prints: {error}"))?;
    }
    print!("{ready}");
    if !ready.starts_with("ready") {
        return Err("the host did not become ready".to_owned());
    }
    for step in STEPS {
        take(binary, socket, step)?;
    }
    take(
        binary,
        socket,
        &step("Stop: running calls end first.", &["stop"], &[]),
    )?;
    let status = host
        .0
        .wait()
        .map_err(|error| format!("cannot wait for the host: {error}"))?;
    if !status.success() {
        return Err(format!("the host ended with {status}"));
    }
    Ok(())
}

fn take(binary: &Path, socket: &Path, step: &Step) -> Outcome {
    println!("\n# {}", step.shows);
    let shown: Vec<String> = step
        .arguments
        .iter()
        .map(|argument| quoted(argument))
        .collect();
    println!("$ proc-host {}", shown.join(" "));
    let output = Command::new(binary)
        .args(step.arguments)
        .env("PROC_HOST_SOCKET", socket)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run proc-host: {error}"))?;
    let printed = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    print!("{printed}");
    let code = output.status.code().unwrap_or(-1);
    if code != step.code {
        return Err(format!(
            "`{}` ended with {code}, not {}",
            shown.join(" "),
            step.code
        ));
    }
    for expected in step.prints {
        if !printed.contains(expected) {
            return Err(format!("`{}` did not print {expected:?}", shown.join(" ")));
        }
    }
    Ok(())
}

/// As one would type it in a shell.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=".contains(c);
    if argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

/// A host that is not left running.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
