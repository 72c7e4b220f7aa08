//! What the end-to-end tests share: the built binary, the built guests, a running host.
//!
//! `cargo xtask test` builds both before it runs the tests.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test fails by a panic that says what was expected"
)]

pub mod processes;
pub mod wait;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// The `proc-host` binary under test: `PROC_HOST_BIN`, or the one beside the test's own.
pub fn binary() -> PathBuf {
    let found = match std::env::var_os("PROC_HOST_BIN") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()
            .unwrap()
            .ancestors()
            .nth(2)
            .unwrap()
            .join("proc-host"),
    };
    assert!(
        found.is_file(),
        "{} is not built: run `cargo xtask test`",
        found.display()
    );
    found
}

/// The built guest of this name.
pub fn guest(name: &str) -> PathBuf {
    let target = std::env::current_exe()
        .unwrap()
        .ancestors()
        .nth(3)
        .unwrap()
        .to_owned();
    let found = target
        .join("wasm32-wasip2/guest")
        .join(name)
        .with_extension("wasm");
    assert!(
        found.is_file(),
        "{} is not built: run `cargo xtask test`",
        found.display()
    );
    found
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; -1 where a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Ran {
    /// Its output, where it succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(
            self.code, 0,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self.stdout
    }

    /// Its complaint, where it failed with `code`.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self.stderr
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A `proc-host` that runs, in a directory of its own.
#[derive(Debug)]
pub struct Host {
    child: Child,
    stdout: BufReader<ChildStdout>,
    dir: TempDir,
    /// Its `ready` line.
    pub ready: String,
}

impl Host {
    /// Starts one with these arguments behind `run`, and waits until it is ready.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Host {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(binary())
            .arg("run")
            .arg("--socket")
            .arg(dir.path().join("host.sock"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        if !ready.starts_with("ready") {
            let mut stderr = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut stderr)
                .unwrap();
            panic!("the host did not become ready: {ready}{stderr}");
        }
        Host {
            child,
            stdout,
            dir,
            ready,
        }
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("host.sock")
    }

    /// A directory that lives as long as the host.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A client command to it, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env("PROC_HOST_SOCKET", self.socket());
        command
    }

    /// Runs a client command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// `call Workers EXPRESSION`.
    pub fn call(&self, expression: &str) -> Ran {
        self.run(&["call", "Workers", expression])
    }

    /// Stops it by `stop`, and checks that it leaves nothing behind.
    #[track_caller]
    pub fn stop(mut self) {
        self.run(&["stop"]).ok();
        self.assert_gone();
    }

    /// Waits until it has ended, and checks that it leaves nothing behind.
    #[track_caller]
    pub fn assert_gone(&mut self) {
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let mut stderr = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert!(status.success(), "the host ended with {status}: {stderr}");
        let left: Vec<_> = std::fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name.to_string_lossy().starts_with("host.sock"))
            .collect();
        assert!(left.is_empty(), "the host left {left:?}");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
