//! Resources of guests that clients hold.
//!
//! A client knows a handle by an id of its own connection; its worker knows it by another. Neither
//! can name one that is not its own. A handle lives until its client releases it or goes; one whose
//! worker has died stays as a name that leads nowhere.

use proc_host_wire::{Attachment, AttachmentKind, Denied, DeniedReason, Message, ProtocolError};

use super::arena::Id;
use super::call::Call;
use super::client::Client;
use super::worker::Worker;
use super::{Breach, Host};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle {
    worker: Id<Worker>,
    /// What the worker calls it.
    theirs: u64,
}

/// A resource among the arguments of calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lent {
    /// How often.
    uses: u32,
    /// Its client has let go of it meanwhile.
    is_released: bool,
}

/// The ids of the resources among attachments.
pub(super) fn resources_of(attachments: &[Attachment]) -> Vec<u64> {
    let resources = attachments
        .iter()
        .filter(|attachment| attachment.kind == AttachmentKind::Resource);
    resources.map(|attachment| attachment.id).collect()
}

impl Host {
    /// Gives `client` the resources that `worker` names; false where it would hold too many, and
    /// then it is given none.
    pub(super) fn hand_out(
        &mut self,
        client: Id<Client>,
        worker: Id<Worker>,
        attachments: &mut [Attachment],
    ) -> bool {
        let most = self.settings.bounds.handles;
        let resources = || {
            attachments
                .iter()
                .filter(|a| a.kind == AttachmentKind::Resource)
        };
        let count = resources().count();
        if count == 0 {
            return true;
        }
        let Some(record) = self.clients.get_mut(client) else {
            return false;
        };
        if record.handles.len() + count > most {
            return false;
        }
        for attachment in attachments
            .iter_mut()
            .filter(|a| a.kind == AttachmentKind::Resource)
        {
            let handle = Handle {
                worker,
                theirs: attachment.id,
            };
            attachment.id = record.handles.insert(handle).raw();
        }
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.handles += count;
        }
        true
    }

    /// Turns the handles among a client's attachments into what their worker calls them, and says
    /// which worker that is; it must be the same for all, and `demanded` where that is given.
    pub(super) fn take_in(
        &self,
        client: Id<Client>,
        attachments: &mut [Attachment],
        demanded: Option<Id<Worker>>,
    ) -> Result<Option<Id<Worker>>, Denied> {
        let denied = |why: String| Denied::new(DeniedReason::UnknownHandle, why);
        let mut common = demanded;
        for attachment in attachments {
            if attachment.kind != AttachmentKind::Resource {
                continue;
            }
            let id = attachment.id;
            let held = self
                .clients
                .get(client)
                .and_then(|c| c.handles.get(Id::from_raw(id)));
            let Some(handle) = held else {
                return Err(denied(format!(
                    "handle {id} is not held by this connection"
                )));
            };
            if !self
                .workers
                .get(handle.worker)
                .is_some_and(|worker| worker.keeps_handles())
            {
                return Err(denied(format!("handle {id} is no more: its worker died")));
            }
            if common.is_some_and(|worker| worker != handle.worker) {
                let why = format!("handle {id} belongs to another worker than this call runs on");
                return Err(denied(why));
            }
            common = Some(handle.worker);
            attachment.id = handle.theirs;
        }
        Ok(common)
    }

    pub(super) fn client_release(&mut self, client: Id<Client>, handle: u64) -> Result<(), Breach> {
        let held = self
            .clients
            .get_mut(client)
            .map(|c| c.handles.remove(Id::from_raw(handle)));
        match held.flatten() {
            Some(handle) => {
                self.release(handle);
                Ok(())
            }
            None => Err(ProtocolError::UnknownId {
                what: "handle",
                id: handle,
            }
            .into()),
        }
    }

    /// Nobody holds it any more. Where a call has it as an argument the worker is told only once that
    /// call is gone: a short message could pass a long dispatch by.
    pub(super) fn release(&mut self, handle: Handle) {
        let Some(worker) = self.workers.get_mut(handle.worker) else {
            return;
        };
        if let Some(lent) = worker.lent.get_mut(&handle.theirs) {
            lent.is_released = true;
            return;
        }
        worker.handles = worker.handles.saturating_sub(1);
        if worker.is_alive() {
            let message = Message::Release {
                handle: handle.theirs,
            };
            self.tell_worker(handle.worker, message);
            self.leave_if_idle(handle.worker);
        }
    }

    /// A call has these resources of a worker among its arguments.
    pub(super) fn borrow(&mut self, call: Id<Call>, worker: Id<Worker>, resources: &[u64]) {
        let (Some(call), Some(record)) = (self.calls.get_mut(call), self.workers.get_mut(worker))
        else {
            return;
        };
        for &theirs in resources {
            record.lent.entry(theirs).or_default().uses += 1;
            call.borrowed.push((worker, theirs));
        }
    }

    /// A call is gone.
    pub(super) fn give_back(&mut self, borrowed: &[(Id<Worker>, u64)]) {
        for &(worker, theirs) in borrowed {
            let Some(record) = self.workers.get_mut(worker) else {
                continue;
            };
            let Some(lent) = record.lent.get_mut(&theirs) else {
                continue;
            };
            lent.uses -= 1;
            if lent.uses == 0 {
                let is_released = lent.is_released;
                record.lent.remove(&theirs);
                if is_released {
                    self.release(Handle { worker, theirs });
                }
            }
        }
    }

    /// Lets go of resources that nobody was given.
    pub(super) fn discard(&mut self, worker: Id<Worker>, attachments: &[Attachment]) {
        for attachment in attachments
            .iter()
            .filter(|a| a.kind == AttachmentKind::Resource)
        {
            self.tell_worker(
                worker,
                Message::Release {
                    handle: attachment.id,
                },
            );
        }
    }
}
