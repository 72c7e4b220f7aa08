//! What an inbox holds, looked at from inside: never more than its bounds, whatever comes.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::Inbox;
use crate::frame::{Attachment, AttachmentKind, CONTINUED, ENTRY, Frame, HEADER, Kind, MORE};
use crate::limits::{
    MAX_ATTACHMENTS, MAX_PIECE, MAX_ROUTING, MAX_UNFINISHED, MAX_UNFINISHED_COUNT,
};

/// The largest frame there is.
const LARGEST: usize = HEADER + MAX_ROUTING + MAX_ATTACHMENTS * ENTRY + MAX_PIECE;

impl Inbox {
    /// Feeds and takes all there is; true where the peer broke the protocol.
    fn swallow(&mut self, bytes: &[u8]) -> bool {
        self.feed(bytes);
        loop {
            match self.next_frame() {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }

    fn check(&self) {
        let frames = self.unfinished.values();
        let held: usize = frames.map(|u| u.frame.weight() + u.body.len()).sum();
        assert_eq!(self.held, held);
        assert!(self.held <= MAX_UNFINISHED);
        assert!(self.unfinished.len() <= MAX_UNFINISHED_COUNT);
        for unfinished in self.unfinished.values() {
            assert!(unfinished.body.capacity() <= 2 * unfinished.body.len().max(64));
        }
    }
}

fn frame(kind: Kind, call: u64, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Frame::new(kind, call).put(flags, body, &mut out);
    out
}

#[test]
fn an_announced_frame_makes_room_for_itself_and_no_more() {
    let mut largest = Frame::new(Kind::Call, 1);
    largest.routing = Bytes::from(vec![0; MAX_ROUTING]);
    let attachment = Attachment {
        kind: AttachmentKind::Stream,
        id: 1,
    };
    largest.attachments = vec![attachment; MAX_ATTACHMENTS];
    let mut bytes = Vec::new();
    largest.put(0, &vec![0; MAX_PIECE], &mut bytes);
    assert_eq!(bytes.len(), LARGEST);

    let mut inbox = Inbox::default();
    assert!(!inbox.swallow(&bytes[..HEADER]));
    assert!(inbox.buffer.capacity() <= 2 * LARGEST);
    assert!(!inbox.swallow(&bytes[HEADER..]));
    assert!(!inbox.is_midway());
}

#[test]
fn what_is_unfinished_does_not_hold_the_read_buffer() {
    let mut inbox = Inbox::default();
    let mut begun = Frame::new(Kind::Items, 1);
    begun.routing = Bytes::from_static(b"r");
    let mut bytes = Vec::new();
    begun.put(MORE, b"body", &mut bytes);
    assert!(!inbox.swallow(&bytes));
    // Nobody else refers to what was read, so the buffer can be had whole.
    let read = std::mem::replace(&mut inbox.buffer, BytesMut::new());
    assert!(read.freeze().is_unique());
    assert_eq!(inbox.unfinished.len(), 1);
    inbox.check();
}

#[test]
fn routing_and_attachments_of_what_is_unfinished_count() {
    let mut begun = Frame::new(Kind::Call, 1);
    begun.routing = Bytes::from(vec![0; MAX_ROUTING]);
    let mut inbox = Inbox::default();
    let mut bytes = Vec::new();
    begun.put(MORE, b"", &mut bytes);
    assert!(!inbox.swallow(&bytes));
    assert_eq!(inbox.held, HEADER + MAX_ROUTING);
    assert!(!inbox.swallow(&frame(Kind::Call, 1, CONTINUED, b"end")));
    assert_eq!(inbox.held, 0);
    assert!(!inbox.is_midway());
}

/// Frames that mostly fit each other: few keys, small bodies, any flags.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![Just(Kind::Items), Just(Kind::Call), Just(Kind::Log)];
    let body = prop::collection::vec(any::<u8>(), 0..60);
    (kind, 0u64..3, 0u8..4, body)
        .prop_map(|(kind, call, flags, body)| frame(kind, call, flags, &body))
}

proptest! {
    #[test]
    fn frames_in_any_order_keep_the_bounds(frames in prop::collection::vec(any_frame(), 0..40)) {
        let mut inbox = Inbox::default();
        for frame in frames {
            if inbox.swallow(&frame) {
                break;
            }
            inbox.check();
        }
    }

    #[test]
    fn random_bytes_keep_the_bounds(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
    ) {
        let mut inbox = Inbox::default();
        for chunk in chunks {
            if inbox.swallow(&chunk) {
                break;
            }
            inbox.check();
            prop_assert!(inbox.buffer.capacity() <= 2 * LARGEST);
        }
    }
}
