//! The worker's dispatcher: what the host says goes to the call or instance it is for.
//!
//! Owns: which instance takes a call, by its module's mode. Queues nothing: the host sends what
//! may run. May not know: how an instance runs it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proc_host_wire::message::{Dispatch, Ended};
use proc_host_wire::start::Instances;
use proc_host_wire::{AttachmentKind, Denied, DeniedReason, Message, Outcome};

use crate::call::{Call, CallSpec, Calls, lock};
use crate::incoming;
use crate::instance::{Instance, Maker, Pending};
use crate::link::Link;
use crate::module::Module;
use crate::turn::kinds;

/// The modules of this worker and what runs of them.
#[derive(Debug)]
pub(crate) struct Worker {
    modules: Vec<Arc<Module>>,
    /// The instances of each module.
    instances: RefCell<Vec<Vec<Rc<Instance>>>>,
    calls: Arc<Calls>,
    link: Arc<Link>,
    maker: Rc<Maker>,
}

impl Worker {
    pub(crate) fn new(modules: Vec<Module>, link: Arc<Link>, maker: Rc<Maker>) -> Worker {
        let instances = RefCell::new(modules.iter().map(|_| Vec::new()).collect());
        let modules = modules.into_iter().map(Arc::new).collect();
        Worker {
            modules,
            instances,
            calls: Arc::default(),
            link,
            maker,
        }
    }

    /// Does what a message says. What names a call or stream that has ended is late, not wrong.
    pub(crate) fn handle(&self, message: Message) {
        let call = |id| lock(&self.calls).get(&id).cloned();
        match message {
            Message::Dispatch(dispatch) => self.dispatch(dispatch),
            Message::Cancel { call: id } => {
                if let Some(call) = call(id) {
                    call.cancel();
                }
            }
            Message::Items {
                call: id,
                stream,
                count,
                items,
            } => {
                if let Some(stream) = call(id).and_then(|call| call.incoming(stream)) {
                    stream.receive(count, items.body);
                }
            }
            Message::End {
                call: id,
                stream,
                failure,
            } => {
                if let Some(call) = call(id) {
                    match failure {
                        None => call.end_incoming(stream),
                        Some(failure) => call.abandon(incoming::failed(stream, failure)),
                    }
                }
            }
            Message::Credit {
                call: id,
                stream,
                items,
                bytes,
            } => {
                if let Some(stream) = call(id).and_then(|call| call.outgoing(stream)) {
                    stream.grant(items, bytes);
                }
            }
            Message::Close { call: id, stream } => {
                if let Some(stream) = call(id).and_then(|call| call.outgoing(stream)) {
                    stream.close();
                }
            }
            Message::Answer {
                call: id,
                callback,
                answer,
            } => {
                if let Some(call) = call(id) {
                    call.answer_callback(callback, answer);
                }
            }
            Message::Release { handle } => {
                for instance in self.instances.borrow().iter().flatten() {
                    if instance.handles.holds(handle) {
                        instance.handles.release(handle);
                        self.link.quieter.notify_one();
                    }
                }
            }
            Message::Ping { nonce } => {
                let _ = self.link.send(Message::Pong { nonce });
            }
            _ => {}
        }
    }

    /// Waits until no call runs and nobody holds a handle.
    pub(crate) async fn idle(&self) {
        while !self.is_idle() {
            self.link.quieter.notified().await;
        }
    }

    fn is_idle(&self) -> bool {
        lock(&self.calls).is_empty()
            && self
                .instances
                .borrow()
                .iter()
                .flatten()
                .all(|instance| instance.handles.is_empty())
    }

    fn dispatch(&self, dispatch: Dispatch) {
        let Dispatch {
            call,
            number,
            module,
            function,
            deadline,
            listens,
            window,
            arguments,
        } = dispatch;
        let deadline = deadline.map(|micros| Instant::now() + Duration::from_micros(micros));
        let known = self
            .modules
            .get(module as usize)
            .and_then(|module| Some((module, module.functions.get(function as usize)?)));
        let Some((held, function_held)) = known else {
            let denied = Denied::new(
                DeniedReason::UnknownFunction,
                "this worker has no such function",
            );
            return self.refuse(call, denied);
        };
        let spec = CallSpec {
            id: call,
            number,
            module,
            function,
            deadline,
            listens,
            window,
        };
        let text = &function_held.text;
        let signature = match &function_held.signature {
            Ok(signature) => signature,
            Err(why) => {
                let message = format!("`{text}` cannot be called: {why}");
                return self.refuse(call, Denied::new(DeniedReason::Unsupported, message));
            }
        };
        let checked = signature.arguments(arguments.body, &kinds(&arguments.attachments));
        let arguments_checked = match checked {
            Ok(checked) => checked,
            Err(error) => {
                let message = format!("{error}; the function is `{text}`");
                return self.refuse(call, Denied::new(DeniedReason::BadArguments, message));
            }
        };
        if arguments_checked.wanted().count() != arguments.attachments.len() {
            let message = format!("an attachment that no argument names; the function is `{text}`");
            return self.refuse(call, Denied::new(DeniedReason::BadArguments, message));
        }
        let call = Call::new(spec, self.link.clone(), &self.calls);
        let attachments = arguments.attachments;
        self.place(
            held,
            Pending {
                call,
                arguments: arguments_checked,
                attachments,
            },
        );
    }

    /// Finds or makes the instance for a call.
    pub(crate) fn place(&self, module: &Arc<Module>, mut pending: Pending) {
        let holder = pending
            .attachments
            .iter()
            .find(|attachment| attachment.kind == AttachmentKind::Resource)
            .map(|attachment| attachment.id);
        loop {
            let instance = match holder {
                None => self.instance(module),
                Some(handle) => {
                    let instances = self.instances.borrow();
                    let held = instances[module.index as usize]
                        .iter()
                        .find(|instance| instance.handles.holds(handle));
                    let Some(instance) = held else {
                        drop(instances);
                        let message = format!("handle {handle} is not open in this worker");
                        let denied = Denied::new(DeniedReason::UnknownHandle, message);
                        return pending.call.abandon(Outcome::Denied(denied));
                    };
                    instance.clone()
                }
            };
            match instance.give(pending) {
                Ok(()) => return,
                Err(unsent) => pending = unsent,
            }
            self.instances.borrow_mut()[module.index as usize]
                .retain(|known| !Rc::ptr_eq(known, &instance));
        }
    }

    /// Places a call anew that its instance could not begin.
    pub(crate) fn replace(&self, pending: Pending) {
        let module = self.modules[pending.call.module as usize].clone();
        self.place(&module, pending);
    }

    fn instance(&self, module: &Arc<Module>) -> Rc<Instance> {
        let mut instances = self.instances.borrow_mut();
        let row = &mut instances[module.index as usize];
        row.retain(|instance| instance.is_open() || !instance.is_idle());
        let found = match module.instances {
            Instances::Shared => row.iter().find(|instance| instance.is_open()),
            Instances::Exclusive => row
                .iter()
                .find(|instance| instance.is_open() && instance.is_idle()),
            Instances::PerCall => None,
        };
        if let Some(instance) = found {
            if module.instances == Instances::Exclusive
                && instance.uses.get() + 1 >= module.limits.max_uses
            {
                instance.retired.set(true);
            }
            return instance.clone();
        }
        let instance = Instance::spawn(&self.maker, module);
        if module.instances == Instances::PerCall {
            instance.retired.set(true);
        }
        row.push(instance.clone());
        instance
    }

    fn refuse(&self, call: u64, denied: Denied) {
        let outcome = Outcome::Denied(denied).into();
        let ended = Ended {
            call,
            worker: None,
            attempts: 1,
            outcome,
        };
        let _ = self.link.send(Message::Outcome(ended));
        let _ = self.link.send(Message::Ended { call });
    }
}
