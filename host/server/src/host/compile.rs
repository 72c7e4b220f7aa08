//! Compilations: each component in a process of its own, a few at a time.
//!
//! ```text
//! Preparing ──> Waiting ──> Running ──> Sealing ──> delivered
//!     │ the same digest is known, or under way: joined
//!     └──────────────────────────────────────────────^
//! ```
//!
//! The digest is the host's own, of the bytes it was given; what a compiler says of its work is taken
//! as hostile.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use proc_host_wire::interface::Interface;
use proc_host_wire::start::{CompilerStart, Start};
use proc_host_wire::{Kind, Message, ProtocolError};

use super::arena::Id;
use super::client::Client;
use super::link::{Link, Process};
use super::load::Load;
use super::module::Compiled;
use super::process::{Death, End};
use super::time::{Alarm, Time};
use super::{Breach, Effect, Host};

/// The name of a component: the hash of its bytes.
pub(crate) type Digest = [u8; 32];

/// Bytes of an interface descriptor.
const DESCRIPTOR: usize = 16 << 20;

#[derive(Debug)]
pub(crate) struct Compile {
    pub(crate) link: Link,
    length: u64,
    digest: Option<Digest>,
    stage: Stage,
    waiters: Vec<Waiter>,
    /// What the compiler said, or what kept it from saying it.
    result: Option<Result<(u64, Interface), String>>,
    pub(super) end: End,
    pub(crate) timer: Option<Time>,
}

#[derive(Debug)]
enum Stage {
    Preparing,
    Waiting(Arc<OwnedFd>),
    Running,
    Sealing,
}

/// Who wants a compiled component.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// A load, for its module of this index.
    Load(Id<Load>, usize),
    /// A client, under this name.
    Examine(Id<Client>, u64, String),
}

impl Host {
    /// Compiles a component for `waiter`, who is told when it is done.
    pub(super) fn compile(&mut self, component: Bytes, waiter: Waiter) {
        let compile = self.compiles.insert(Compile {
            link: Link::default(),
            length: component.len() as u64,
            digest: None,
            stage: Stage::Preparing,
            waiters: vec![waiter],
            result: None,
            end: End::default(),
            timer: None,
        });
        self.emit(Effect::Prepare { compile, component });
    }

    /// The component is in a memory file, and its digest known.
    pub(super) fn prepared(
        &mut self,
        id: Id<Compile>,
        result: Result<(Digest, Arc<OwnedFd>), String>,
    ) {
        let (digest, component) = match result {
            Ok(prepared) => prepared,
            Err(why) => return self.deliver(id, Err(why)),
        };
        if !self.phase.is_serving() {
            return self.deliver(id, Err("the host is stopping".to_owned()));
        }
        if let Some(compiled) = self.compiled.get(&digest).and_then(Weak::upgrade) {
            return self.deliver(id, Ok(compiled));
        }
        let twin = self
            .compiles
            .iter()
            .find(|(_, other)| other.digest == Some(digest));
        if let Some(twin) = twin.map(|(twin, _)| twin) {
            let waiters = self.compiles.remove(id).map(|compile| compile.waiters);
            if let Some(twin) = self.compiles.get_mut(twin) {
                twin.waiters.extend(waiters.into_iter().flatten());
            }
            return;
        }
        if let Some(compile) = self.compiles.get_mut(id) {
            compile.digest = Some(digest);
            compile.stage = Stage::Waiting(component);
        }
        self.start_compilers();
    }

    /// Starts what waits, as far as there may be more compilers.
    fn start_compilers(&mut self) {
        let is_running = |compile: &Compile| matches!(compile.stage, Stage::Running);
        let mut running = self.compiles.iter().filter(|(_, c)| is_running(c)).count();
        for id in self.compiles.ids() {
            if running >= self.settings.bounds.compilers {
                return;
            }
            let due = self.now.time + self.settings.bounds.compile;
            let Some(compile) = self.compiles.get_mut(id) else {
                continue;
            };
            let Stage::Waiting(component) = &compile.stage else {
                continue;
            };
            let (component, input_len) = (component.clone(), compile.length);
            compile.stage = Stage::Running;
            compile.timer = Some(due);
            running += 1;
            self.timers.push(due, Alarm::Compile(id));
            self.emit(Effect::SpawnCompiler {
                compile: id,
                component,
            });
            let start = CompilerStart {
                input: 0,
                input_len,
                output: 1,
            };
            self.tell(
                super::Peer::Compiler(id),
                Message::Start(Start::Compiler(start)),
            );
        }
    }

    pub(super) fn compiler_said(&mut self, id: Id<Compile>, message: Message) {
        let Some(compile) = self.compiles.get_mut(id) else {
            return;
        };
        if compile.result.is_some() {
            return;
        }
        let result = match message {
            Message::Compiled {
                artifact_len,
                interface,
            } if interface.len() <= DESCRIPTOR => Interface::decode(&interface)
                .map(|interface| (artifact_len, interface))
                .map_err(|error| format!("its description cannot be used: {error}")),
            Message::Compiled { .. } => Err("its description is too large".to_owned()),
            Message::Failed { message, .. } => Err(message),
            _ => return self.compiler_broke(id, &ProtocolError::Unexpected(Kind::Compiled).into()),
        };
        compile.result = Some(result);
    }

    pub(super) fn compiler_broke(&mut self, id: Id<Compile>, breach: &Breach) {
        self.end_compiler(id, format!("the compiler broke the protocol: {breach}"));
    }

    /// Kills a compiler; `why` is its result.
    fn end_compiler(&mut self, id: Id<Compile>, why: String) {
        if let Some(compile) = self.compiles.get_mut(id) {
            compile.result = Some(Err(why));
            compile.timer = None;
            self.emit(Effect::Kill(Process::Compiler(id)));
        }
    }

    pub(super) fn compiler_not_spawned(&mut self, id: Id<Compile>, why: &str) {
        if self.compiles.contains(id) {
            self.emit(Effect::Forget(Process::Compiler(id)));
            self.deliver(id, Err(format!("the compiler could not be started: {why}")));
        }
    }

    pub(super) fn compile_due(&mut self, id: Id<Compile>) {
        let Some(compile) = self.compiles.get_mut(id) else {
            return;
        };
        compile.timer = None;
        if compile.end.death.is_some() {
            self.compiler_ended_life(id);
        } else if compile.end.hung_up {
            self.end_compiler(id, "the compiler hung up".to_owned());
        } else {
            let seconds = self.settings.bounds.compile.as_secs();
            self.end_compiler(id, format!("compiling it took longer than {seconds} s"));
        }
    }

    /// It is reaped, and has said all it will.
    pub(super) fn compiler_ended_life(&mut self, id: Id<Compile>) {
        let Some(compile) = self.compiles.get_mut(id) else {
            return;
        };
        if !matches!(compile.stage, Stage::Running) {
            return;
        }
        compile.timer = None;
        let death = compile.end.death.unwrap_or(Death::Exit(0));
        match &compile.result {
            Some(Ok((length, _))) => {
                let length = *length;
                compile.stage = Stage::Sealing;
                self.emit(Effect::Seal {
                    compile: id,
                    length,
                });
            }
            Some(Err(why)) => {
                let why = why.clone();
                self.emit(Effect::Forget(Process::Compiler(id)));
                self.deliver(id, Err(why));
            }
            None => {
                self.emit(Effect::Forget(Process::Compiler(id)));
                self.deliver(id, Err(format!("the compiler {death}")));
            }
        }
    }

    /// The artifact is sealed.
    pub(super) fn sealed(&mut self, id: Id<Compile>, result: Result<Arc<OwnedFd>, String>) {
        self.emit(Effect::Forget(Process::Compiler(id)));
        let Some(compile) = self.compiles.get_mut(id) else {
            return;
        };
        let (digest, said) = (compile.digest, compile.result.take());
        let (Some(digest), Some(Ok((length, interface)))) = (digest, said) else {
            return;
        };
        let compiled = result.map(|artifact| {
            let compiled = Arc::new(Compiled {
                digest,
                interface,
                artifact,
                length,
            });
            self.compiled.retain(|_, known| known.strong_count() > 0);
            self.compiled.insert(digest, Arc::downgrade(&compiled));
            compiled
        });
        self.deliver(id, compiled);
    }

    fn deliver(&mut self, id: Id<Compile>, result: Result<Arc<Compiled>, String>) {
        let Some(compile) = self.compiles.remove(id) else {
            return;
        };
        for waiter in compile.waiters {
            match waiter {
                Waiter::Load(load, index) => self.item_compiled(load, index, result.clone()),
                Waiter::Examine(client, request, name) => {
                    self.examined(client, request, name, result.clone());
                }
            }
        }
        self.start_compilers();
    }

    /// Ends every compilation: the host is stopping.
    pub(super) fn abandon_compiles(&mut self) {
        for id in self.compiles.ids() {
            let Some(compile) = self.compiles.get(id) else {
                continue;
            };
            match compile.stage {
                Stage::Running => self.end_compiler(id, "the host is stopping".to_owned()),
                Stage::Waiting(_) => self.deliver(id, Err("the host is stopping".to_owned())),
                // The shell's answer finds the host stopping.
                Stage::Preparing | Stage::Sealing => {}
            }
        }
    }

    /// Whether a compiler process is left.
    pub(super) fn is_compiling(&self) -> bool {
        self.compiles
            .iter()
            .any(|(_, compile)| matches!(compile.stage, Stage::Running))
    }
}
