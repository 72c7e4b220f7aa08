//! `proc:host/callback`: a guest asks its own caller.

use std::sync::Arc;

use bytes::Bytes;
use proc_host_wire::Message;
use proc_host_wire::cbor::{Limits, validate};
use proc_host_wire::message::Answer;
use wasmtime::component::{Accessor, ComponentType, Lift, LinkerInstance, Lower};
use wasmtime::{Result, StoreContextMut};

use crate::call::{Call, MAX_CALLBACKS};
use crate::module::Module;
use crate::store::{Data, running};

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "unheard")]
    Unheard,
    #[component(name = "failed")]
    Failed(String),
    #[component(name = "gone")]
    Gone,
    #[component(name = "malformed")]
    Malformed(String),
}

type Asked = std::result::Result<Vec<u8>, Error>;

pub(super) fn add(linker: &mut LinkerInstance<'_, Data>) -> Result<()> {
    linker.func_wrap_async(
        "ask",
        |mut store: StoreContextMut<'_, Data>, (payload,): (Vec<u8>,)| {
            let asker = (running(&mut store), store.data().module.clone());
            Box::new(async move { Ok((ask(asker, payload).await,)) })
        },
    )?;
    linker.func_wrap_concurrent(
        "ask-async",
        |accessor: &Accessor<Data>, (payload,): (Vec<u8>,)| {
            let asker = accessor.with(|mut access| {
                let mut store = wasmtime::AsContextMut::as_context_mut(&mut access);
                (running(&mut store), store.data().module.clone())
            });
            Box::pin(async move { Ok((ask(asker, payload).await,)) })
        },
    )
}

async fn ask((call, module): (Option<Arc<Call>>, Arc<Module>), payload: Vec<u8>) -> Asked {
    if let Err(error) = validate(&payload, Limits::default()) {
        return Err(Error::Malformed(error.to_string()));
    }
    let Some(call) = call.filter(|call| !call.is_ended()) else {
        return Err(Error::Gone);
    };
    if !call.listens {
        return Err(Error::Unheard);
    }
    module.link.room().await;
    let callback = module.next_callback();
    let Some(answer) = call.open_callback(callback) else {
        let why = format!("more than {MAX_CALLBACKS} callbacks of this call are open");
        return Err(Error::Failed(why));
    };
    let question = Message::Callback {
        call: call.id,
        callback,
        origin: None,
        payload: Bytes::from(payload),
    };
    if let Err(error) = module.link.send(question) {
        return Err(Error::Malformed(error.to_string()));
    }
    match answer.await {
        Ok(Answer::Value(value)) => Ok(value.to_vec()),
        Ok(Answer::Failed(message)) => Err(Error::Failed(message)),
        Ok(Answer::Unheard) => Err(Error::Unheard),
        Ok(Answer::Gone) | Err(_) => Err(Error::Gone),
    }
}
