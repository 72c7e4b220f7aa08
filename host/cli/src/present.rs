//! A function's values as they are printed: in WAVE, or in JSON.

use proc_host_client::interface::TypeId;
use proc_host_client::text::{self, Flow};
use proc_host_client::{Attached, Encoded, FunctionInfo, Incoming};

use crate::failure::Failed;
use crate::output;

/// How the values of one call are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer<'a> {
    pub(crate) info: &'a FunctionInfo,
    pub(crate) as_json: bool,
}

impl Printer<'_> {
    /// A value of type `id`; `None` is a value that is nothing.
    pub(crate) fn text(&self, id: Option<TypeId>, value: &Encoded) -> Result<String, Failed> {
        let interface = &self.info.interface;
        let text = match (id, self.as_json) {
            (None, true) => Ok("null".to_owned()),
            (None, false) => Ok(String::new()),
            (Some(id), true) => text::to_json(interface, id, value),
            (Some(id), false) => text::to_wave(interface, id, value),
        };
        text.map_err(|error| Failed::general(&error))
    }

    /// A value on a line, and then the items of the streams that it names, each with its label.
    pub(crate) async fn value(&self, id: Option<TypeId>, value: Encoded) -> Result<(), Failed> {
        let text = self.text(id, &value)?;
        if !text.is_empty() {
            output::line(&text)?;
        }
        let flows = id.map(|id| text::flows(&self.info.interface, id, &value));
        let (_, mut attached) = value.into_parts();
        // Held to the end: letting go of a handle may end what a stream beside it is fed by.
        for flow in flows.into_iter().flatten() {
            let taken = attached.get_mut(flow.index).and_then(Option::take);
            if let Some(Attached::Stream(incoming) | Attached::Future(incoming)) = taken {
                self.items(&flow, incoming).await?;
            }
        }
        Ok(())
    }

    async fn items(&self, flow: &Flow, mut incoming: Incoming) -> Result<(), Failed> {
        while let Some(item) = std::future::poll_fn(|cx| incoming.poll_encoded(cx)).await {
            let text = self.text(flow.item, &item?)?;
            output::line(&match self.as_json {
                true => format!("{{\"{}\":{text}}}", flow.label),
                false => format!("{}: {text}", flow.label),
            })?;
        }
        Ok(())
    }
}
