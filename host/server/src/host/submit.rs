//! From a client's call to a call that waits or runs, or to a denial that says why not.

use std::sync::Arc;

use proc_host_wire::message::{self, Deadline, Window};
use proc_host_wire::{AttachmentKind, Denied, DeniedReason, Outcome};

use super::arena::Id;
use super::call::{Call, Place};
use super::client::Client;
use super::handle::resources_of;
use super::module::Module;
use super::names::find_function;
use super::pool::{Entry, Pool, Target};
use super::queue::Want;
use super::stream::{Side, Streams};
use super::time::Alarm;
use super::{Breach, Host};

/// Where an admitted call goes.
#[derive(Debug)]
struct Ticket {
    pool: Id<Pool>,
    entry: Id<Entry>,
    module: Arc<Module>,
    function: u32,
    path_at: usize,
    want: Want,
}

impl Host {
    pub(super) fn client_call(
        &mut self,
        client: Id<Client>,
        mut call: message::Call,
    ) -> Result<(), Breach> {
        let Some(record) = self.clients.get(client) else {
            return Ok(());
        };
        if call.call == 0 {
            return Err(Breach::Rule("a call needs an id that is not 0"));
        }
        if record.calls.contains_key(&call.call) {
            return Err(Breach::CallInUse(call.call));
        }
        let mut streams = Streams::default();
        for attachment in &call.arguments.attachments {
            if attachment.kind != AttachmentKind::Resource {
                // The worker grants the first credit.
                streams.announce(Side::Client, attachment.id, Window::default())?;
            }
        }
        let id = call.call;
        let admitted = self.admit(client, &mut call);
        if let Err(denied) = admitted.and_then(|ticket| self.enter(client, call, streams, ticket)) {
            self.answer_client(client, id, None, 0, Outcome::Denied(denied).into());
        }
        Ok(())
    }

    fn admit(&mut self, client: Id<Client>, call: &mut message::Call) -> Result<Ticket, Denied> {
        if !self.phase.is_serving() {
            return Err(Denied::new(DeniedReason::Stopping, "the host is stopping"));
        }
        let most = self.settings.bounds.client_calls;
        if self
            .clients
            .get(client)
            .is_some_and(|client| client.calls.len() >= most)
        {
            let message = format!("{most} calls of this connection have not ended");
            return Err(Denied::new(DeniedReason::QueueFull, message));
        }
        let pool = self.find_pool(&call.pool)?;
        let Target {
            entry,
            module,
            function,
            path_at,
        } = self.find_target(pool, &call.target)?;
        let wanted = self.wanted(pool, &module, call)?;
        let demanded = match wanted {
            Want::Worker(worker) => Some(worker),
            Want::Any | Want::Slot(_) => None,
        };
        let holder = self.take_in(client, &mut call.arguments.attachments, demanded)?;
        let ticket = Ticket {
            pool,
            entry,
            module,
            function,
            path_at,
            want: wanted,
        };
        let Some(worker) = holder.or(demanded) else {
            return Ok(ticket);
        };
        self.bind(ticket, call, worker)
    }

    /// The slot or worker that the call names.
    fn wanted(
        &self,
        pool: Id<Pool>,
        module: &Arc<Module>,
        call: &message::Call,
    ) -> Result<Want, Denied> {
        let denied = |why: String| Err(Denied::new(DeniedReason::UnknownWorker, why));
        let (slot, generation) = match (call.slot, call.generation) {
            (None, None) => return Ok(Want::Any),
            (None, Some(_)) => return denied("a generation needs a slot".to_owned()),
            (Some(slot), generation) => (slot, generation),
        };
        let Some(record) = self.pools.get(pool) else {
            return Ok(Want::Any);
        };
        let Some(row) = record.slots.get(slot as usize) else {
            let (name, last) = (&record.name, record.slots.len() - 1);
            return denied(format!(
                "pool {name} has no worker {slot}: its workers are 0 to {last}"
            ));
        };
        let Some(generation) = generation else {
            return Ok(Want::Slot(slot));
        };
        let serves = |worker: &super::Worker| {
            worker.at.generation == generation
                && worker.keeps_handles()
                && worker
                    .hosted
                    .iter()
                    .any(|hosted| hosted.module.name == module.name)
        };
        match row
            .workers
            .iter()
            .find(|id| self.workers.get(**id).is_some_and(serves))
        {
            Some(worker) => Ok(Want::Worker(*worker)),
            None => denied(format!(
                "worker {slot} of pool {} has no generation {generation} with module {}",
                record.name, module.name
            )),
        }
    }

    /// Binds a call to one worker, and to the version of the module that this worker has.
    fn bind(
        &self,
        ticket: Ticket,
        call: &message::Call,
        worker: Id<super::Worker>,
    ) -> Result<Ticket, Denied> {
        let name = &ticket.module.name;
        let denied = |why: String| Denied::new(DeniedReason::UnknownHandle, why);
        let Some(record) = self.workers.get(worker) else {
            return Err(denied("the handle's worker died".to_owned()));
        };
        let elsewhere = call.slot.is_some_and(|slot| slot != record.at.slot);
        let hosted = record
            .hosted
            .iter()
            .find(|hosted| hosted.module.name == *name);
        let (Some(hosted), true, false) = (hosted, record.pool == ticket.pool, elsewhere) else {
            return Err(denied(format!(
                "the handle's worker does not serve module {name} here"
            )));
        };
        let module = hosted.module.clone();
        let function = if Arc::ptr_eq(&module, &ticket.module) {
            ticket.function
        } else {
            find_function(
                &module.compiled.interface,
                name,
                &call.target[ticket.path_at..],
            )?
        };
        Ok(Ticket {
            module,
            function,
            want: Want::Worker(worker),
            ..ticket
        })
    }

    /// Enters an admitted call in the tables, and gives it to a worker where one has room.
    fn enter(
        &mut self,
        client: Id<Client>,
        call: message::Call,
        streams: Streams,
        ticket: Ticket,
    ) -> Result<(), Denied> {
        let room = self.room(ticket.entry, &ticket.module, ticket.want);
        if room.is_none() {
            self.may_wait(&ticket, call.arguments.body.len())?;
        }
        let (patience, covers_streams) = match call.deadline {
            Deadline::Default => (ticket.module.deadline, false),
            Deadline::Never => (None, false),
            Deadline::Micros(micros) => (Some(std::time::Duration::from_micros(micros)), true),
        };
        let deadline = patience.map(|patience| self.now.time + patience);
        self.call_numbers += 1;
        let size = call.arguments.body.len();
        let resources = resources_of(&call.arguments.attachments);
        let id = self.calls.insert(Call {
            number: self.call_numbers,
            client: Some(client),
            theirs: call.call,
            pool: ticket.pool,
            entry: ticket.entry,
            module: ticket.module,
            function: ticket.function,
            path: call.target[ticket.path_at..].into(),
            want: ticket.want,
            listens: call.listens,
            window: call.window,
            deadline,
            covers_streams,
            timer: None,
            place: Place::Queued(call.arguments),
            streams,
            early_ends: Vec::new(),
            borrowed: Vec::new(),
            asked: Vec::new(),
        });
        if let Some(client) = self.clients.get_mut(client) {
            client.calls.insert(call.call, id);
        }
        if let Want::Worker(worker) = ticket.want {
            self.borrow(id, worker, &resources);
        }
        match room {
            Some((worker, module)) => self.start(id, worker, module),
            None => {
                if let Some(pool) = self.pools.get_mut(ticket.pool) {
                    pool.queued += 1;
                    pool.queued_bytes += size;
                }
                if let Some(entry) = self.entries.get_mut(ticket.entry) {
                    entry.waiting.push(ticket.want, client, id);
                }
                self.arm_call(id, deadline);
            }
        }
        Ok(())
    }

    /// Whether a call that finds no room may wait for some.
    fn may_wait(&self, ticket: &Ticket, size: usize) -> Result<(), Denied> {
        if let Some(why) = self.unavailable(ticket.entry) {
            return Err(Denied::new(DeniedReason::Unavailable, why));
        }
        let bounds = &self.settings.bounds;
        let Some(pool) = self.pools.get(ticket.pool) else {
            return Ok(());
        };
        let full = |what: String| {
            let message = format!("{what} wait in pool {} already", pool.name);
            Err(Denied::new(DeniedReason::QueueFull, message))
        };
        if pool.queued >= bounds.queue {
            return full(format!("{} calls", pool.queued));
        }
        if pool.queued > 0 && pool.queued_bytes + size > bounds.queue_bytes {
            return full(format!("{} bytes of arguments", pool.queued_bytes));
        }
        Ok(())
    }

    pub(super) fn arm_call(&mut self, id: Id<Call>, at: Option<super::Time>) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.timer = at;
        if let Some(at) = at {
            self.timers.push(at, Alarm::Call(id));
        }
    }
}
