//! Resources: things that live in a worker and are used through a number.

use std::sync::Arc;

use proc_host_wire::Message;
use proc_host_wire::cbor::TAG_RESOURCE;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use crate::arguments::{Argument, Arguments};
use crate::attached::{self, Attached};
use crate::call::Call;
use crate::running::Place;

/// A resource in a worker. It may be an argument of calls of the same module, and is released when
/// its last copy is dropped.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Held>);

#[derive(Debug)]
struct Held {
    /// The call that returned it.
    place: Place,
    id: u64,
}

impl Handle {
    pub(crate) fn new(place: Place, id: u64) -> Handle {
        Handle(Arc::new(Held { place, id }))
    }

    /// Its number on this connection.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0.place
    }

    /// Calls a method, as `resource.method`: `counter.call("counter.add", (5,))`. The handle goes
    /// before the other arguments.
    pub fn call<T: DeserializeOwned>(&self, method: &str, arguments: impl Serialize) -> Call<T> {
        let arguments =
            Arguments::new(&arguments).and_then(|arguments| arguments.behind(self.clone()));
        let place = self.place();
        let target = match place.about.target.rsplit_once('.') {
            // Module, and interface where the first call named one, stay; the function goes.
            Some((before, _)) => sibling(before, method),
            None => method.to_owned(),
        };
        Call::new(
            place.link.clone(),
            Arc::clone(&place.about.pool),
            target,
            arguments,
        )
    }
}

/// The reference of `method` beside a function of `before`, which is `module`, `module.interface`
/// or `module.resource` (the last where a static or another method has returned the handle).
fn sibling(before: &str, method: &str) -> String {
    let resource = method.split('.').next().unwrap_or(method);
    let before = before
        .strip_suffix(resource)
        .and_then(|b| b.strip_suffix('.'))
        .unwrap_or(before);
    format!("{before}.{method}")
}

impl Drop for Held {
    fn drop(&mut self) {
        self.place.link.send(Message::Release { handle: self.id });
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attached::attach(serializer, Ok(Argument::Handle(self.clone())))
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Handle, D::Error> {
        match attached::detach::<D, TAG_RESOURCE>(deserializer)? {
            Attached::Handle(handle) => Ok(handle),
            _ => Err(D::Error::custom("the attachment is no resource")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sibling;

    #[test]
    fn a_method_is_called_beside_the_function_that_returned_the_handle() {
        assert_eq!(sibling("types", "counter.add"), "types.counter.add");
        assert_eq!(
            sibling("types.counters", "counter.add"),
            "types.counters.counter.add"
        );
        assert_eq!(sibling("types.counter", "counter.add"), "types.counter.add");
    }
}
