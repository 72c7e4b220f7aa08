//! Every message comes out as it went in, on its own links and no other.

use proc_host_wire::limits::MAX_TEXT;
use proc_host_wire::{Inbox, Link, Message, Outbox, ProtocolError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::raw::{LINKS, drain, frame, write};
use crate::samples::samples;
use crate::strategies::message;

/// Where a message belongs, told a second time.
fn links(message: &Message) -> &'static [Link] {
    use Link::{ClientToHost as Up, HostToClient as Down, HostToWorker as In, WorkerToHost as Out};
    match message {
        Message::Hello { .. } | Message::Request { .. } | Message::Call(_) => &[Up],
        Message::Welcome { .. }
        | Message::Refused(_)
        | Message::Response { .. }
        | Message::Log(_) => &[Down],
        Message::Dispatch(_) | Message::Start(_) | Message::Drain | Message::Ping { .. } => &[In],
        Message::GuestLog { .. }
        | Message::Ended { .. }
        | Message::Ready { .. }
        | Message::Failed { .. }
        | Message::Pong { .. }
        | Message::Compiled { .. } => &[Out],
        Message::Cancel { .. } | Message::Answer { .. } | Message::Release { .. } => &[Up, In],
        Message::Outcome(_) | Message::Callback { .. } => &[Down, Out],
        Message::Items { .. }
        | Message::End { .. }
        | Message::Credit { .. }
        | Message::Close { .. } => &LINKS,
    }
}

/// Feeds bytes in these pieces, and reads what comes out on the first link of what went in.
fn read_in_pieces(bytes: &[u8], cuts: &[Index], sent: &[Message]) -> Vec<Message> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let mut inbox = Inbox::default();
    let mut seen = Vec::new();
    for piece in cuts.windows(2) {
        inbox.feed(&bytes[piece[0]..piece[1]]);
        while let Some(frame) = inbox.next_frame().unwrap() {
            let link = links(&sent[seen.len()])[0];
            seen.push(Message::from_frame(link, frame).unwrap());
        }
    }
    assert!(!inbox.is_midway());
    seen
}

proptest! {
    #[test]
    fn messages_come_out_as_they_went_in(
        sent in vec(message(), 1..6),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let mut outbox = Outbox::default();
        for message in &sent {
            outbox.push(message.clone()).unwrap();
        }
        let bytes = drain(&mut outbox);
        prop_assert_eq!(read_in_pieces(&bytes, &cuts, &sent), sent);
    }

    #[test]
    fn messages_cross_their_own_links_alone(message in message()) {
        let frame = frame(message.clone());
        for link in LINKS {
            let read = Message::from_frame(link, frame.clone());
            if links(&message).contains(&link) {
                prop_assert_eq!(read.as_ref(), Ok(&message));
            } else {
                prop_assert!(read.is_err(), "{:?} over {:?}", message, link);
            }
        }
    }
}

#[test]
fn each_byte_may_come_alone() {
    let sent: Vec<Message> = samples()
        .into_iter()
        .map(|(_, _, message)| message)
        .collect();
    let mut inbox = Inbox::default();
    let mut seen = 0;
    for message in &sent {
        for byte in write(message.clone()) {
            assert_eq!(inbox.next_frame(), Ok(None));
            inbox.feed(&[byte]);
        }
        let frame = inbox.next_frame().unwrap().unwrap();
        let read = Message::from_frame(links(message)[0], frame);
        assert_eq!(read.as_ref(), Ok(message));
        assert!(!inbox.is_midway());
        seen += 1;
    }
    assert_eq!(seen, sent.len());
}

#[test]
fn each_sample_is_refused_where_it_does_not_belong() {
    for (name, link, message) in samples() {
        assert!(links(&message).contains(&link), "{name}");
        let frame = frame(message.clone());
        for link in LINKS {
            let read = Message::from_frame(link, frame.clone());
            if links(&message).contains(&link) {
                assert_eq!(read.as_ref(), Ok(&message), "{name}");
            } else if name == "log" || name == "guest-log" {
                // Two messages share the kind, so its sections tell that it is the wrong one.
                assert!(read.is_err(), "{name} over {link:?}");
            } else {
                assert_eq!(read, Err(ProtocolError::Unexpected(frame.kind)), "{name}");
            }
        }
    }
}

#[test]
fn a_long_text_is_cut_at_a_character() {
    let long = "é".repeat(MAX_TEXT);
    let read = Message::from_frame(Link::HostToClient, frame(Message::Refused(long.clone())));
    assert_eq!(read, Ok(Message::Refused(long[..MAX_TEXT].to_owned())));
    let odd = format!("x{long}");
    let read = Message::from_frame(Link::HostToClient, frame(Message::Refused(odd.clone())));
    assert_eq!(read, Ok(Message::Refused(odd[..MAX_TEXT - 1].to_owned())));
}
