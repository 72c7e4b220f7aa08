//! The log: the last entries, and who follows it.
//!
//! Nothing waits for the log. A follower that does not keep up misses entries, and is told how many.

use std::collections::VecDeque;

use bytes::Bytes;
use proc_host_wire::Message;
use proc_host_wire::log::{Level, LogEntry};

use super::arena::Id;
use super::client::Client;
use super::pool::Pool;
use super::worker::Worker;
use super::{Breach, Host};

/// Bytes of one line.
const LINE: usize = 16 << 10;
/// Bytes waiting to be written to a follower above which it misses entries.
const BACKLOG: usize = 1 << 20;
/// What an entry costs besides its text.
const OVERHEAD: usize = 128;

#[derive(Debug)]
pub(crate) struct Log {
    kept: VecDeque<LogEntry>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
    followers: Vec<Follower>,
}

#[derive(Debug)]
struct Follower {
    client: Id<Client>,
    /// Entries it has missed and does not know of.
    missed: u64,
}

impl Log {
    pub(super) fn new(most: usize, most_bytes: usize) -> Log {
        Log {
            kept: VecDeque::new(),
            bytes: 0,
            most,
            most_bytes,
            followers: Vec::new(),
        }
    }

    pub(super) fn unfollow(&mut self, client: Id<Client>) {
        self.followers.retain(|follower| follower.client != client);
    }

    fn keep(&mut self, entry: LogEntry) {
        self.bytes += entry.text.len() + OVERHEAD;
        self.kept.push_back(entry);
        while self.kept.len() > self.most || self.bytes > self.most_bytes {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.bytes -= oldest.text.len() + OVERHEAD;
        }
    }
}

/// One line of text, whatever bytes it was.
fn line(bytes: &[u8]) -> String {
    let end = bytes.len().min(LINE);
    let text = String::from_utf8_lossy(&bytes[..end]);
    text.trim_end_matches(['\n', '\r']).to_owned()
}

impl Host {
    /// Sends a client what is kept, and from then on what comes.
    pub(super) fn send_log(&mut self, client: Id<Client>, follow: bool) {
        let kept: Vec<LogEntry> = self.log.kept.iter().cloned().collect();
        for entry in kept {
            self.tell_client(client, Message::Log(entry));
        }
        self.log.unfollow(client);
        if follow {
            self.log.followers.push(Follower { client, missed: 0 });
        }
    }

    pub(super) fn log(&mut self, entry: LogEntry) {
        let mut followers = std::mem::take(&mut self.log.followers);
        for follower in &mut followers {
            let Some(client) = self.clients.get(follower.client) else {
                continue;
            };
            if client.link.outbox.len() > BACKLOG {
                follower.missed += 1;
                continue;
            }
            if follower.missed > 0 {
                let text = format!("{} entries dropped", std::mem::take(&mut follower.missed));
                let notice = LogEntry {
                    text,
                    ..self.blank(Level::Warn)
                };
                self.tell_client(follower.client, Message::Log(notice));
            }
            self.tell_client(follower.client, Message::Log(entry.clone()));
        }
        self.log.followers = followers;
        self.log.keep(entry);
    }

    fn blank(&self, level: Level) -> LogEntry {
        LogEntry {
            time_ms: self.now.wall_ms,
            level,
            pool: None,
            worker: None,
            module: None,
            function: None,
            call: None,
            text: String::new(),
        }
    }

    /// What the host says of itself.
    pub(super) fn note(&mut self, level: Level, text: String) {
        let entry = LogEntry {
            text,
            ..self.blank(level)
        };
        self.log(entry);
    }

    /// What the host says of a pool.
    pub(super) fn note_pool(&mut self, pool: Id<Pool>, level: Level, text: String) {
        let pool = self.pools.get(pool).map(|pool| pool.name.clone());
        let entry = LogEntry {
            pool,
            text,
            ..self.blank(level)
        };
        self.log(entry);
    }

    /// What the host says of a worker, or what the worker printed outside of any module.
    pub(super) fn note_worker(&mut self, worker: Id<Worker>, level: Level, text: &[u8]) {
        let Some(record) = self.workers.get(worker) else {
            return;
        };
        let pool = self.pools.get(record.pool).map(|pool| pool.name.clone());
        let entry = LogEntry {
            pool,
            worker: Some(record.at.slot),
            text: line(text),
            ..self.blank(level)
        };
        self.log(entry);
    }

    /// What a guest logged or printed.
    pub(super) fn guest_log(
        &mut self,
        worker: Id<Worker>,
        call: u64,
        module: u32,
        level: Level,
        dropped: u32,
        text: &Bytes,
    ) -> Result<(), Breach> {
        let Some(record) = self.workers.get(worker) else {
            return Ok(());
        };
        let Some(hosted) = record.hosted.get(module as usize) else {
            return Err(Breach::Rule(
                "a log entry of a module the worker does not have",
            ));
        };
        // What a guest prints may arrive behind the end of its call.
        let call = self
            .calls
            .get(Id::from_raw(call))
            .filter(|call| call.runs_on(worker));
        let function = call.and_then(|call| {
            let interface = &call.module.compiled.interface;
            interface
                .functions
                .get(call.function as usize)
                .map(|function| function.qualified())
        });
        let entry = LogEntry {
            pool: self.pools.get(record.pool).map(|pool| pool.name.clone()),
            worker: Some(record.at.slot),
            module: Some(hosted.module.name.clone()),
            function,
            call: call.map(|call| call.number),
            text: line(text),
            ..self.blank(level)
        };
        if dropped > 0 {
            let text = format!("{dropped} entries dropped");
            self.log(LogEntry {
                level: Level::Warn,
                text,
                ..entry.clone()
            });
        }
        self.log(entry);
        Ok(())
    }
}
