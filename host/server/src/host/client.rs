//! A client's connection: greeting, what it may say, and letting go of all it holds.

use std::collections::HashMap;

use proc_host_wire::{Kind, Message, ProtocolError, WIRE_FEATURES, WIRE_MAJOR};

use super::arena::{Arena, Id};
use super::call::Call;
use super::callback::Question;
use super::handle::Handle;
use super::link::Link;
use super::time::{Alarm, Time};
use super::{Breach, Effect, Host};

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) link: Link,
    /// It has said hello.
    pub(crate) is_known: bool,
    /// Calls it still hears of, by its ids.
    pub(crate) calls: HashMap<u64, Id<Call>>,
    /// Resources it holds; the ids are what it calls them.
    pub(crate) handles: Arena<Handle>,
    /// Callbacks it has not answered, by the numbers it knows.
    pub(crate) questions: HashMap<u32, Question>,
    pub(crate) last_question: u32,
    /// When it is given up where it has not said hello.
    pub(crate) timer: Option<Time>,
}

impl Host {
    /// Somebody has connected.
    pub(crate) fn connect(&mut self, now: super::Now) -> Id<Client> {
        self.now = now;
        let due = now.time + self.settings.bounds.hello;
        let client = self.clients.insert(Client {
            link: Link::default(),
            is_known: false,
            calls: HashMap::new(),
            handles: Arena::default(),
            questions: HashMap::new(),
            last_question: 0,
            timer: Some(due),
        });
        self.timers.push(due, Alarm::Client(client));
        let most = self.settings.bounds.clients;
        if self.clients.len() > most {
            self.refuse(
                client,
                &format!("{most} clients are connected, which is as many as may be"),
            );
        }
        client
    }

    pub(super) fn client_said(&mut self, client: Id<Client>, message: Message) {
        let heard = match self.clients.get(client) {
            // Refused a moment ago; what it had sent by then is of no interest.
            None => return,
            Some(record) if record.is_known => self.hear(client, message),
            Some(_) => self.greet(client, message),
        };
        if let Err(breach) = heard {
            self.refuse(client, &breach.to_string());
        }
    }

    fn greet(&mut self, client: Id<Client>, message: Message) -> Result<(), Breach> {
        let Message::Hello {
            major,
            features,
            token,
            ..
        } = message
        else {
            return Err(Breach::Rule("the first message must be a hello"));
        };
        if major != WIRE_MAJOR {
            let why = format!("this host speaks version {WIRE_MAJOR} of the wire, not {major}");
            self.refuse(client, &why);
            return Ok(());
        }
        // This comparison of hashes takes the same time wherever they differ.
        let shown = blake3::Hash::from_bytes(token);
        if shown != blake3::Hash::from_bytes(self.settings.token) {
            return Err(Breach::Rule("wrong token"));
        }
        if let Some(record) = self.clients.get_mut(client) {
            record.is_known = true;
            record.timer = None;
        }
        let welcome = Message::Welcome {
            features: features & WIRE_FEATURES,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: self.settings.pid,
        };
        self.tell_client(client, welcome);
        Ok(())
    }

    fn hear(&mut self, client: Id<Client>, message: Message) -> Result<(), Breach> {
        match message {
            Message::Call(call) => self.client_call(client, call),
            Message::Cancel { call } => {
                self.client_cancel(client, call);
                Ok(())
            }
            Message::Items {
                call,
                stream,
                count,
                items,
            } => self.client_items(client, call, stream, count, items),
            Message::End {
                call,
                stream,
                failure,
            } => self.client_end(client, call, stream, failure),
            Message::Credit {
                call,
                stream,
                items,
                bytes,
            } => {
                self.client_credit(client, call, stream, items, bytes);
                Ok(())
            }
            Message::Close { call, stream } => {
                self.client_close(client, call, stream);
                Ok(())
            }
            Message::Answer {
                call,
                callback,
                answer,
            } => self.client_answer(client, call, callback, answer),
            Message::Release { handle } => self.client_release(client, handle),
            Message::Request {
                id,
                request,
                payload,
            } => {
                self.client_request(client, id, request, payload);
                Ok(())
            }
            Message::Hello { .. } => Err(Breach::Rule("a second hello")),
            // No other kind crosses this link.
            _ => Err(ProtocolError::Unexpected(Kind::Refused).into()),
        }
    }

    /// Tells a client why, and closes it.
    pub(super) fn refuse(&mut self, client: Id<Client>, why: &str) {
        if !self.clients.contains(client) {
            return;
        }
        self.tell_client(client, Message::Refused(why.to_owned()));
        if let Some(record) = self.drop_client(client) {
            self.emit(Effect::CloseClient {
                client,
                outbox: record.link.outbox,
            });
        }
    }

    /// A client has closed its end.
    pub(super) fn client_gone(&mut self, client: Id<Client>) {
        if let Some(record) = self.drop_client(client) {
            self.emit(Effect::CloseClient {
                client,
                outbox: record.link.outbox,
            });
        }
    }

    /// Closes every client that is left, politely.
    pub(super) fn close_clients(&mut self) {
        for client in self.clients.ids() {
            self.client_gone(client);
        }
    }

    /// Ends its calls, releases what it holds, forgets that it listens.
    fn drop_client(&mut self, client: Id<Client>) -> Option<Client> {
        let mut record = self.clients.remove(client)?;
        self.log.unfollow(client);
        let pools = self.pools.ids();
        for pool in pools {
            if let Some(pool) = self.pools.get_mut(pool)
                && pool.handler == Some(client)
            {
                pool.handler = None;
            }
        }
        for call in std::mem::take(&mut record.calls).into_values() {
            self.lose_caller(call);
        }
        for question in std::mem::take(&mut record.questions).into_values() {
            self.lose_listener(question);
        }
        for (_, handle) in record.handles.iter() {
            self.release(*handle);
        }
        Some(record)
    }
}
