//! A host in a thread of its own, and whether it leaves anything behind.

use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use proc_host_jail::Launcher;
use proc_host_server::{
    ModuleConfig, Options, PoolConfig, ServerError, Stop, StopSource, Stopper, run,
};
use tempfile::TempDir;

use crate::peer::Client;

/// The first bytes of a component, and then what the compiler's player is to do with it.
pub(crate) fn component(directive: &str) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0", directive.as_bytes()].concat()
}

/// A host.
pub(crate) struct Served {
    pub(crate) directory: TempDir,
    pub(crate) stopper: Stopper,
    pub(crate) thread: JoinHandle<Result<(), ServerError>>,
}

impl Served {
    /// A host with one pool, `Workers`, with this many slots and the module `fake`.
    pub(crate) fn start(slots: u32) -> Served {
        let (served, ready) = Served::try_start(slots, &[("fake.wasm", &component("good"))]);
        assert_eq!(ready.unwrap(), ["fake"]);
        served
    }

    pub(crate) fn try_start(slots: u32, files: &[(&str, &[u8])]) -> (Served, Option<Vec<String>>) {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::new(directory.path().join("s/h.sock"));
        let mut pool = PoolConfig::new("Workers", slots);
        for (name, bytes) in files {
            let file = directory.path().join(name);
            std::fs::write(&file, bytes).unwrap();
            pool.modules.push(ModuleConfig::new(file));
        }
        options.pools.push(pool);
        let (stopper, source) = StopSource::channel();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let launcher = Launcher::start().unwrap();
            run(options, launcher, source, |ready| {
                sender.send(ready.pools[0].modules.clone()).unwrap();
            })
        });
        let ready = receiver.recv().ok();
        (
            Served {
                directory,
                stopper,
                thread,
            },
            ready,
        )
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("s/h.sock")
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.socket())
    }

    /// Stops it, and checks that nothing is left.
    pub(crate) fn stop(self, how: Stop) {
        self.stopper.stop(how);
        self.thread.join().unwrap().unwrap();
        assert!(
            !self.directory.path().join("s").exists(),
            "the directory is gone"
        );
        assert_eq!(children(), 0, "no process is left");
    }
}

/// Processes of this one that have not been reaped.
pub(crate) fn children() -> usize {
    let mut count = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path().join("children");
        count += std::fs::read_to_string(path)
            .unwrap_or_default()
            .split_whitespace()
            .count();
    }
    count
}
