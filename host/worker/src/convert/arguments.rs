//! Checked arguments.
//!
//! Owns: the proof that a body fits a signature, with where each argument starts. May not know:
//! how it is lowered.

use bytes::Bytes;

use super::check::Wants;
use super::element::Element;

/// A body that fits its signature. Made by [`Signature::arguments`] alone.
///
/// [`Signature::arguments`]: super::Signature::arguments
#[derive(Debug)]
pub struct Arguments {
    pub(crate) body: Bytes,
    /// Where each parameter's value starts; none for an option left out.
    pub(crate) starts: Vec<Option<usize>>,
    /// What each attachment is used for; empty if none is used.
    pub(crate) uses: Vec<Option<Wants>>,
}

/// What a call wants of one attachment.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// A resource, which the call consumes.
    Own,
    /// A resource, lent for the call.
    Borrow,
    /// A stream of these items.
    Stream(Element),
    /// A future of this value.
    Future(Element),
}

impl Arguments {
    /// The attachments the body uses, by index.
    pub fn wanted(&self) -> impl Iterator<Item = (usize, Wanted)> + '_ {
        self.uses.iter().enumerate().filter_map(|(index, wants)| {
            let wanted = match wants.as_ref()? {
                Wants::Own(_) => Wanted::Own,
                Wants::Borrow(_) => Wanted::Borrow,
                Wants::Stream(item) => Wanted::Stream(Element::of_stream(item.clone())),
                Wants::Future(item) => Wanted::Future(Element::of_future(item.clone())),
            };
            Some((index, wanted))
        })
    }
}
