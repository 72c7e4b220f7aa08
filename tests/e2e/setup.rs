//! What these tests have in common: hosts with guests by name, and commands that are watched while
//! they run.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use proc_host_tests::{Host, Ran, binary, guest, repository};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A host with one pool of one worker, and these guests.
#[track_caller]
pub(crate) fn host(guests: &[&str]) -> Host {
    host_with(&["--pool", "Workers=1"], guests)
}

/// A host with these options, and these guests.
#[track_caller]
pub(crate) fn host_with(options: &[&str], guests: &[&str]) -> Host {
    let paths: Vec<String> = guests.iter().map(|name| text(&guest(name))).collect();
    let mut arguments = options.to_vec();
    arguments.extend(paths.iter().map(String::as_str));
    Host::start(&arguments)
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A component written by hand, as a binary in `folder`.
#[track_caller]
pub(crate) fn by_hand(folder: &Path, name: &str) -> PathBuf {
    let source = repository("tests/guests/wat").join(name);
    let binary = wat::parse_file(source.with_extension("wat")).unwrap();
    let file = folder.join(name).with_extension("wasm");
    std::fs::write(&file, binary).unwrap();
    file
}

/// `run` with these arguments, on a socket in `folder`; not yet run.
pub(crate) fn run_in(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .arg("run")
        .arg("--socket")
        .arg(folder.join("host.sock"))
        .args(arguments);
    command
}

/// What a command printed, read as JSON.
#[track_caller]
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What `ps` says of the workers of the pool `Workers`.
#[track_caller]
pub(crate) fn workers(host: &Host) -> Vec<Value> {
    let pools = json(&host.run(&["ps", "--json"]).ok());
    let mut pools = pools.as_array().unwrap().iter();
    let pool = pools.find(|pool| pool["name"] == "Workers").unwrap();
    pool["workers"].as_array().unwrap().clone()
}

/// The calls that run in the pool `Workers`.
#[track_caller]
pub(crate) fn running(host: &Host) -> u64 {
    workers(host)
        .iter()
        .map(|worker| worker["running"].as_u64().unwrap())
        .sum()
}

/// A command that runs, and whose lines are read as they come.
#[derive(Debug)]
pub(crate) struct Spawned {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<JoinHandle<String>>,
}

impl Spawned {
    #[track_caller]
    pub(crate) fn new(command: &mut Command) -> Spawned {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        let mut pipe = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        });
        Spawned {
            child,
            stdout,
            stderr: Some(stderr),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its output, without its end; none at the end.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end_matches('\n').to_owned())
    }

    /// Nobody reads its output any more.
    pub(crate) fn close_output(&mut self) {
        self.stdout = None;
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end; the output is what has not been read.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Ran {
        let mut stdout = String::new();
        if let Some(mut rest) = self.stdout.take() {
            rest.read_to_string(&mut stdout).unwrap();
        }
        let stderr = self.stderr.take().unwrap().join().unwrap();
        let status: ExitStatus = self.child.wait().unwrap();
        Ran {
            code: status.code().unwrap_or(-1),
            stdout,
            stderr,
        }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
