//! A host that belongs to this program.
//!
//! It is a child process with a private socket. It holds the read end of a pipe to us as its
//! standard input, and stops when that ends: when we drop it, or die.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::error::StartError;

/// How much of what the host writes to its standard error is kept.
const STDERR_KEPT: usize = 64 << 10;
/// How long a host that was told to stop may take.
const STOPPING: Duration = Duration::from_secs(5);

/// How a host is started.
#[derive(Clone, Debug, Default)]
pub struct StartOptions {
    binary: Option<PathBuf>,
    arguments: Vec<OsString>,
}

impl StartOptions {
    /// A host without pools; [`Host::create_pool`](crate::Host::create_pool) makes them.
    pub fn new() -> StartOptions {
        StartOptions::default()
    }

    /// The `proc-host` binary. Else it is what `PROC_HOST_BIN` names, or the one beside this
    /// program, or the first one in `PATH`.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> StartOptions {
        self.binary = Some(path.into());
        self
    }

    /// A pool to start with.
    pub fn pool(self, name: &str, slots: u32) -> StartOptions {
        self.argument("--pool").argument(format!("{name}={slots}"))
    }

    /// A component, or a folder of them, to load into every pool it starts with.
    pub fn module(self, path: impl Into<PathBuf>) -> StartOptions {
        self.argument(path.into())
    }

    /// A configuration file.
    pub fn config(self, path: impl Into<PathBuf>) -> StartOptions {
        self.argument("--config").argument(path.into())
    }

    /// Any other argument of `proc-host run`.
    pub fn argument(mut self, argument: impl Into<OsString>) -> StartOptions {
        self.arguments.push(argument.into());
        self
    }
}

/// The host's process, and the folder of its socket. An owner that dies without dropping this
/// leaves both to the host, which ends and removes the folder. Dropped, it is told to stop, and killed where it does not.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    folder: TempDir,
}

impl Child {
    pub(crate) async fn start(options: StartOptions) -> Result<Child, StartError> {
        let binary = options
            .binary
            .or_else(find_binary)
            .ok_or(StartError::NoBinary)?;
        let folder = tempfile::Builder::new()
            .prefix("proc-host-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(StartError::Folder)?;
        let process = Command::new(&binary)
            .args(["run", "--owned", "--socket"])
            .arg(folder.path().join(SOCKET))
            .args(&options.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // What a terminal sends to this program is not for the host: it ends with its owner.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| StartError::Spawn { binary, source })?;
        let mut child = Child { process, folder };
        let stderr = Tail::follow(child.process.stderr.take());
        let ready = match child.process.stdout.take() {
            Some(stdout) => {
                let mut lines = BufReader::new(stdout).lines();
                let ready = first_ready(&mut lines).await;
                // Whatever else it prints must not fill the pipe.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                ready
            }
            None => false,
        };
        if ready {
            return Ok(child);
        }
        // Nothing more to read from: it is ending, or of no use.
        child.process.stdin = None;
        let status = match tokio::time::timeout(STOPPING, child.process.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            _ => "it closed its output".to_owned(),
        };
        Err(StartError::Ended {
            status,
            stderr: stderr.text().await,
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }
}

const SOCKET: &str = "proc-host.sock";

impl Drop for Child {
    fn drop(&mut self) {
        // The end of this pipe is the order to stop. The process is reaped here, so that nothing of
        // it is left when its owner goes on.
        self.process.stdin = None;
        let end = Instant::now() + STOPPING;
        let mut pause = Duration::from_micros(200);
        while Instant::now() < end {
            match self.process.try_wait() {
                Ok(None) => thread::sleep(pause),
                Ok(Some(_)) | Err(_) => return,
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        // Where this fails it has just gone; `kill_on_drop` has the last word.
        let _ = self.process.start_kill();
    }
}

async fn first_ready(lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>) -> bool {
    while let Ok(Some(line)) = lines.next_line().await {
        if line == "ready" || line.starts_with("ready ") {
            return true;
        }
    }
    false
}

fn find_binary() -> Option<PathBuf> {
    const NAME: &str = "proc-host";
    if let Some(path) = env::var_os("PROC_HOST_BIN").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let beside = env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join(NAME)));
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).map(|folder| folder.join(NAME));
    beside.into_iter().chain(in_path).find(|path| is_file(path))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// The end of what a process writes.
struct Tail {
    kept: Arc<Mutex<VecDeque<u8>>>,
    reader: tokio::task::JoinHandle<io::Result<()>>,
}

impl Tail {
    fn follow(source: Option<tokio::process::ChildStderr>) -> Tail {
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let keeping = Arc::clone(&kept);
        let reader = tokio::spawn(async move {
            let Some(mut source) = source else {
                return Ok(());
            };
            let mut buffer = vec![0; 4096];
            loop {
                let count = source.read(&mut buffer).await?;
                if count == 0 {
                    return Ok(());
                }
                let mut kept = keeping.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&buffer[..count]);
                let over = kept.len().saturating_sub(STDERR_KEPT);
                kept.drain(..over);
            }
        });
        Tail { kept, reader }
    }

    /// What was written, once the writer has ended or a little time has passed.
    async fn text(self) -> String {
        // A child of the process may hold the pipe for longer.
        let _ = tokio::time::timeout(Duration::from_millis(200), self.reader).await;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }
}
