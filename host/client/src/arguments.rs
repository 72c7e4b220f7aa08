//! The arguments of a call, ready to be sent.

use proc_host_wire::AttachmentKind;
use proc_host_wire::cbor::{Kind, Limits, Reader};
use serde::Serialize;

use crate::attached;
use crate::codec::{self, CodecError};
use crate::handle::Handle;
use crate::outgoing::Chunks;

/// The arguments of a call as they travel: an array (by position) or a map (by parameter name),
/// and the handles and streams that it names by index.
#[derive(Debug)]
pub struct Arguments {
    pub(crate) body: Vec<u8>,
    pub(crate) attached: Vec<Argument>,
}

/// Something an argument names.
#[derive(Debug)]
pub(crate) enum Argument {
    Handle(Handle),
    Stream(Chunks),
    Future(Chunks),
}

impl Argument {
    pub(crate) fn kind(&self) -> AttachmentKind {
        match self {
            Argument::Handle(_) => AttachmentKind::Resource,
            Argument::Stream(_) => AttachmentKind::Stream,
            Argument::Future(_) => AttachmentKind::Future,
        }
    }
}

impl Arguments {
    /// From a tuple, array or sequence (positional arguments), or from a map or struct (named
    /// ones). `()` is no arguments. One argument is given as `(x,)`.
    pub fn new<T: Serialize + ?Sized>(arguments: &T) -> Result<Arguments, CodecError> {
        let (body, attached) = attached::while_encoding(|| codec::encode(arguments));
        let mut body = body?;
        match Reader::new(&body, Limits::DEFAULT).peek() {
            Ok(Kind::Array | Kind::Map) => {}
            Ok(Kind::Null) => body = vec![0x80],
            _ => {
                return Err(CodecError(
                    "arguments are a tuple or a struct; one argument is given as `(x,)`".to_owned(),
                ));
            }
        }
        Ok(Arguments { body, attached })
    }

    /// From a document that is CBOR already, with the streams it names, in the order of their
    /// indices.
    pub(crate) fn encoded(body: Vec<u8>, attached: Vec<Argument>) -> Arguments {
        Arguments { body, attached }
    }

    /// The same, with `first` before the others. Named arguments have no order, so it is refused.
    pub(crate) fn behind(self, first: Handle) -> Result<Arguments, CodecError> {
        let mut reader = Reader::new(&self.body, Limits::DEFAULT);
        let Ok(count) = reader.array() else {
            return Err(CodecError("a method's arguments are positional".to_owned()));
        };
        let rest = &self.body[reader.position()..];
        let mut attached = self.attached;
        attached.push(Argument::Handle(first));
        let mut body = Vec::with_capacity(self.body.len() + 16);
        let mut writer = proc_host_wire::cbor::Writer::new(&mut body);
        writer.array(count + 1);
        writer.tag(proc_host_wire::cbor::TAG_RESOURCE);
        // Last in the table, so that the indices of the others stay.
        writer.uint(attached.len() as u64 - 1);
        writer.raw(rest);
        Ok(Arguments { body, attached })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_are_positional_and_structs_named() {
        #[derive(Serialize)]
        struct Named {
            a: u8,
        }
        assert_eq!(Arguments::new(&(1, 2)).unwrap().body, [0x82, 1, 2]);
        assert_eq!(
            Arguments::new(&Named { a: 1 }).unwrap().body,
            [0xa1, 0x61, b'a', 1]
        );
        assert_eq!(Arguments::new(&()).unwrap().body, [0x80]);
        assert!(Arguments::new(&7).is_err());
        assert!(Arguments::new("text").is_err());
    }
}
