//! What becomes of processes, whatever they do: started, hung up, ended, reaped.
//!
//! A process that dies closes its socket and is reaped, in either order. Its last messages count, so
//! its end is looked at when both have happened, or a little after the first.

use std::fmt;
use std::time::Duration;

use proc_host_wire::FaultCause;
use proc_host_wire::log::Level;

use super::link::Process;
use super::time::Alarm;
use super::{Breach, Host};

/// How long the other sign of an end is waited for.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(500);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Signal(i32),
    Exit(i32),
}

impl Death {
    pub(super) fn cause(self) -> FaultCause {
        match self {
            Death::Signal(signal) => FaultCause::Signal(signal),
            Death::Exit(code) => FaultCause::Exit(code),
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Death::Exit(code) => write!(f, "exited with code {code}"),
            Death::Signal(signal) => {
                write!(f, "was killed by signal {signal}")?;
                match name(*signal) {
                    Some(name) => write!(f, " ({name})"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// What a signal that ends our processes is called, and what it tells.
fn name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        24 => "SIGXCPU: it used more processor time than it may",
        25 => "SIGXFSZ",
        31 => "SIGSYS: a system call that is not allowed",
        _ => return None,
    })
}

/// What is known of the end of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    /// Its socket has ended.
    pub(super) hung_up: bool,
    /// It has been reaped.
    pub(super) death: Option<Death>,
}

impl End {
    pub(super) fn has_begun(&self) -> bool {
        self.hung_up || self.death.is_some()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.hung_up && self.death.is_some()
    }
}

impl Host {
    pub(super) fn process_spawned(&mut self, process: Process, pid: u32) {
        match process {
            Process::Worker(id) => {
                if let Some(worker) = self.workers.get_mut(id) {
                    worker.pid = Some(pid);
                }
            }
            Process::Compiler(_) => {}
        }
    }

    pub(super) fn process_failed(&mut self, process: Process, why: &str) {
        match process {
            Process::Worker(id) => self.worker_not_spawned(id, why),
            Process::Compiler(id) => self.compiler_not_spawned(id, why),
        }
    }

    pub(super) fn process_hung_up(&mut self, process: Process) {
        if let Some(end) = self.end_of(process) {
            end.hung_up = true;
            self.look_at_end(process);
        }
    }

    pub(super) fn process_exited(&mut self, process: Process, death: Death) {
        if let Some(end) = self.end_of(process) {
            end.death = Some(death);
            self.look_at_end(process);
        }
    }

    pub(super) fn process_broke(&mut self, process: Process, breach: &Breach) {
        match process {
            Process::Worker(id) => self.worker_broke(id, breach),
            Process::Compiler(id) => self.compiler_broke(id, breach),
        }
    }

    pub(super) fn process_printed(&mut self, process: Process, line: &[u8]) {
        match process {
            Process::Worker(id) => self.note_worker(id, Level::Stderr, line),
            Process::Compiler(_) => {
                self.note(
                    Level::Stderr,
                    format!("compiler: {}", String::from_utf8_lossy(line)),
                );
            }
        }
    }

    fn end_of(&mut self, process: Process) -> Option<&mut End> {
        match process {
            Process::Worker(id) => self.workers.get_mut(id).map(|worker| &mut worker.end),
            Process::Compiler(id) => self.compiles.get_mut(id).map(|compile| &mut compile.end),
        }
    }

    fn look_at_end(&mut self, process: Process) {
        let due = self.now.time + LAST_WORDS;
        match process {
            Process::Worker(id) => {
                let Some(worker) = self.workers.get_mut(id) else {
                    return;
                };
                if worker.is_dead() || worker.end.is_whole() {
                    self.worker_ended_life(id);
                } else {
                    worker.timer = Some(due);
                    self.timers.push(due, Alarm::Worker(id));
                }
            }
            Process::Compiler(id) => {
                let Some(compile) = self.compiles.get_mut(id) else {
                    return;
                };
                if compile.end.is_whole() {
                    self.compiler_ended_life(id);
                } else {
                    compile.timer = Some(due);
                    self.timers.push(due, Alarm::Compile(id));
                }
            }
        }
    }
}
