//! What handles, streams and futures are called where a value is printed.

use proc_host_wire::cbor::Reader;
use proc_host_wire::interface::{Interface, Type, TypeId};

use crate::attached::Attached;
use crate::codec::CodecError;
use crate::outcome::Encoded;

/// A stream or future inside a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Its index among what the value names.
    pub index: usize,
    /// What it is called where the value is printed.
    pub label: String,
    /// What its items are; `None` where they are nothing.
    pub item: Option<TypeId>,
}

/// Reads a tag, and what its index is called.
pub(super) fn label(
    reader: &mut Reader<'_>,
    ty: &Type,
    attached: &[Option<Attached>],
) -> Result<Flow, CodecError> {
    reader.tag().map_err(wrong)?;
    let index = usize::try_from(reader.uint().map_err(wrong)?).unwrap_or(usize::MAX);
    let named = attached.get(index).and_then(Option::as_ref);
    let (name, item) = match ty {
        Type::Own(name) | Type::Borrow(name) => (name.as_str(), None),
        Type::Future(item) => ("future", *item),
        Type::Stream(item) => ("stream", *item),
        _ => return Err(CodecError("a tag where none belongs".to_owned())),
    };
    let number = match named {
        Some(Attached::Handle(handle)) => handle.id(),
        Some(Attached::Stream(incoming) | Attached::Future(incoming)) => {
            u64::from(incoming.number())
        }
        None => index as u64,
    };
    Ok(Flow {
        index,
        label: format!("{name}#{number}"),
        item,
    })
}

/// The streams and futures of a value of type `id`, in the order they are printed.
pub fn flows(interface: &Interface, id: TypeId, value: &Encoded) -> Vec<Flow> {
    let mut flows = Vec::new();
    // A value that does not fit its type fails when it is printed.
    let _ = super::wave_write::print(interface, id, value, &mut |flow| flows.push(flow));
    flows
}

pub(super) fn wrong(error: proc_host_wire::cbor::CborError) -> CodecError {
    CodecError(error.to_string())
}
