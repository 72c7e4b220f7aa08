//! Items, credit and closes on their way between a client and a worker.
//!
//! Bodies pass untouched; ids and handles are translated. What arrives behind the end of what it
//! belongs to is dropped without a word: it was under way.

use proc_host_wire::outcome::Routed;
use proc_host_wire::{AttachmentKind, Message, Outcome, Value};

use super::arena::Id;
use super::call::Call;
use super::client::Client;
use super::handle::resources_of;
use super::report::{checked, streams_of};
use super::stream::{Fate, Side};
use super::worker::Worker;
use super::{Breach, Host};

impl Host {
    /// A call of a client, if it is still of interest, and the worker it runs on.
    fn running(&mut self, client: Id<Client>, call: u64) -> Option<(Id<Call>, Id<Worker>)> {
        let id = *self.clients.get(client)?.calls.get(&call)?;
        Some((id, self.calls.get(id)?.run()?.worker))
    }

    pub(super) fn client_items(
        &mut self,
        client: Id<Client>,
        theirs: u64,
        stream: u32,
        count: u32,
        mut items: Value,
    ) -> Result<(), Breach> {
        let Some(id) = self
            .clients
            .get(client)
            .and_then(|c| c.calls.get(&theirs).copied())
        else {
            return Ok(());
        };
        let Some(call) = self.calls.get_mut(id) else {
            return Ok(());
        };
        let size = items.body.len();
        let fate = call
            .streams
            .spend(Side::Client, theirs, stream, count, size)?;
        // A call that waits has granted nothing, so it never comes to this.
        let Some(run) = call.run().copied() else {
            return Ok(());
        };
        if fate == Fate::Drop {
            return Ok(());
        }
        for attachment in streams_of(&items.attachments) {
            call.streams
                .announce(Side::Client, attachment.id, Default::default())?;
        }
        let handles = self.take_in(client, &mut items.attachments, Some(run.worker));
        if let Err(denied) = handles {
            // The stream would have a gap: it ends here, for both.
            if let Some(call) = self.calls.get_mut(id) {
                call.streams.close(Side::Client, stream);
            }
            let failure = Some(Outcome::Denied(denied).into());
            self.tell_worker(
                run.worker,
                Message::End {
                    call: id.raw(),
                    stream,
                    failure,
                },
            );
            self.tell_client(
                client,
                Message::Close {
                    call: theirs,
                    stream,
                },
            );
            self.over_if_done(id);
            return Ok(());
        }
        self.borrow(id, run.worker, &resources_of(&items.attachments));
        self.tell_worker(
            run.worker,
            Message::Items {
                call: id.raw(),
                stream,
                count,
                items,
            },
        );
        Ok(())
    }

    pub(super) fn client_end(
        &mut self,
        client: Id<Client>,
        theirs: u64,
        stream: u32,
        failure: Option<Routed>,
    ) -> Result<(), Breach> {
        let Some(id) = self
            .clients
            .get(client)
            .and_then(|c| c.calls.get(&theirs).copied())
        else {
            return Ok(());
        };
        if failure
            .as_ref()
            .is_some_and(|failure| !failure.value.attachments.is_empty())
        {
            return Err(Breach::Rule("attachments at the end of a stream"));
        }
        let Some(call) = self.calls.get_mut(id) else {
            return Ok(());
        };
        if call.streams.end(Side::Client, stream)? == Fate::Drop {
            return Ok(());
        }
        match call.run().copied() {
            Some(run) => {
                self.tell_worker(
                    run.worker,
                    Message::End {
                        call: id.raw(),
                        stream,
                        failure,
                    },
                );
                self.over_if_done(id);
            }
            None => call.early_ends.push((stream, failure)),
        }
        Ok(())
    }

    pub(super) fn client_credit(
        &mut self,
        client: Id<Client>,
        theirs: u64,
        stream: u32,
        items: u32,
        bytes: u32,
    ) {
        let Some((id, worker)) = self.running(client, theirs) else {
            return;
        };
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if call.streams.grant(Side::Worker, stream, items, bytes) == Fate::Forward {
            let call = id.raw();
            self.tell_worker(
                worker,
                Message::Credit {
                    call,
                    stream,
                    items,
                    bytes,
                },
            );
        }
    }

    pub(super) fn client_close(&mut self, client: Id<Client>, theirs: u64, stream: u32) {
        let Some((id, worker)) = self.running(client, theirs) else {
            return;
        };
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if call.streams.close(Side::Worker, stream) == Fate::Forward {
            self.tell_worker(
                worker,
                Message::Close {
                    call: id.raw(),
                    stream,
                },
            );
            self.over_if_done(id);
        }
    }

    pub(super) fn worker_items(
        &mut self,
        worker: Id<Worker>,
        call: u64,
        stream: u32,
        count: u32,
        mut items: Value,
    ) -> Result<(), Breach> {
        let id = Id::from_raw(call);
        let record = self.call_on(worker, call)?;
        let (size, window) = (items.body.len(), record.window);
        if !record.run().is_some_and(|run| run.is_reported) {
            record.streams.foresee(stream, window)?;
        }
        let fate = record
            .streams
            .spend(Side::Worker, call, stream, count, size)?;
        for attachment in streams_of(&items.attachments) {
            record
                .streams
                .announce(Side::Worker, attachment.id, window)?;
        }
        let (theirs, listener) = (record.theirs, record.listener());
        let (Some(client), Fate::Forward) = (listener, fate) else {
            self.drop_items(worker, id, &items);
            return Ok(());
        };
        if !self.hand_out(client, worker, &mut items.attachments) {
            self.drop_items(worker, id, &items);
            let most = self.settings.bounds.handles;
            let reason = format!("its reader holds {most} handles, which is as many as it may");
            let trap = proc_host_wire::Trap {
                reason,
                own: true,
                backtrace: Vec::new(),
            };
            self.give_up(id, |_| Outcome::Trapped(trap.clone()));
            return Ok(());
        }
        self.tell_client(
            client,
            Message::Items {
                call: theirs,
                stream,
                count,
                items,
            },
        );
        Ok(())
    }

    /// Lets go of what items named that nobody will read.
    fn drop_items(&mut self, worker: Id<Worker>, id: Id<Call>, items: &Value) {
        self.discard(worker, &items.attachments);
        for attachment in &items.attachments {
            let stream = u32::try_from(attachment.id).unwrap_or_default();
            if attachment.kind == AttachmentKind::Resource {
                continue;
            }
            if let Some(call) = self.calls.get_mut(id)
                && call.streams.close(Side::Worker, stream) == Fate::Forward
            {
                self.tell_worker(
                    worker,
                    Message::Close {
                        call: id.raw(),
                        stream,
                    },
                );
            }
        }
    }

    pub(super) fn worker_credit(
        &mut self,
        worker: Id<Worker>,
        call: u64,
        stream: u32,
        items: u32,
        bytes: u32,
    ) -> Result<(), Breach> {
        let record = self.call_on(worker, call)?;
        if record.streams.grant(Side::Client, stream, items, bytes) == Fate::Forward
            && let (Some(client), call) = (record.listener(), record.theirs)
        {
            self.tell_client(
                client,
                Message::Credit {
                    call,
                    stream,
                    items,
                    bytes,
                },
            );
        }
        Ok(())
    }

    pub(super) fn worker_close(
        &mut self,
        worker: Id<Worker>,
        call: u64,
        stream: u32,
    ) -> Result<(), Breach> {
        let record = self.call_on(worker, call)?;
        let (theirs, listener) = (record.theirs, record.listener());
        if record.streams.close(Side::Client, stream) == Fate::Forward {
            if let Some(client) = listener {
                self.tell_client(
                    client,
                    Message::Close {
                        call: theirs,
                        stream,
                    },
                );
            }
            self.over_if_done(Id::from_raw(call));
        }
        Ok(())
    }

    /// Forwards the end of a stream of a result, with why.
    pub(super) fn worker_end(
        &mut self,
        worker: Id<Worker>,
        call: u64,
        stream: u32,
        failure: Option<Routed>,
    ) -> Result<(), Breach> {
        let failure = failure.map(checked).transpose()?;
        if failure
            .as_ref()
            .is_some_and(|failure| !failure.value.attachments.is_empty())
        {
            return Err(Breach::Rule("attachments at the end of a stream"));
        }
        let record = self.call_on(worker, call)?;
        let window = record.window;
        if !record.run().is_some_and(|run| run.is_reported) {
            record.streams.foresee(stream, window)?;
        }
        let fate = record.streams.end(Side::Worker, stream)?;
        if fate == Fate::Forward {
            let theirs = record.theirs;
            if let Some(client) = record.listener() {
                self.tell_client(
                    client,
                    Message::End {
                        call: theirs,
                        stream,
                        failure,
                    },
                );
            }
            self.over_if_done(Id::from_raw(call));
        }
        Ok(())
    }
}
