//! Bytes from a peer that means harm: refused, early, without a panic.

use bytes::{Bytes, BytesMut};
use proc_host_wire::frame::{CONTINUED, HEADER, MORE};
use proc_host_wire::limits::{
    MAX_ATTACHMENTS, MAX_BODY, MAX_PIECE, MAX_ROUTING, MAX_TEXT, MAX_UNFINISHED,
    MAX_UNFINISHED_COUNT,
};
use proc_host_wire::{Frame, Inbox, Kind, Link, Message, ProtocolError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::raw::{LINKS, Raw, frame, rerouted, take, write};
use crate::samples::samples;

const ITEMS: u8 = Kind::Items as u8;

fn is_routing<T>(result: &Result<T, ProtocolError>) -> bool {
    matches!(result, Err(ProtocolError::Routing { .. }))
}

/// An entry of the attachment table.
fn entry(head: [u8; 8]) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[..8].copy_from_slice(&head);
    entry
}

#[test]
fn lengths_are_checked_with_the_header_alone() {
    let body = |body| Raw {
        body,
        ..Raw::new(ITEMS)
    };
    let routing = |routing| Raw {
        routing,
        ..Raw::new(ITEMS)
    };
    let table = |attachments| Raw {
        attachments,
        ..Raw::new(ITEMS)
    };
    let (piece, route, count) = (
        u32::try_from(MAX_PIECE).unwrap(),
        u16::try_from(MAX_ROUTING).unwrap(),
        u16::try_from(MAX_ATTACHMENTS).unwrap(),
    );
    for (raw, section) in [
        (body(piece + 1), "body"),
        (body(u32::MAX), "body"),
        (routing(route + 1), "routing section"),
        (routing(u16::MAX), "routing section"),
        (table(count + 1), "attachment table"),
        (table(u16::MAX), "attachment table"),
    ] {
        let mut buffer = BytesMut::from(&raw.bytes()[..]);
        let before = buffer.capacity();
        match Frame::take(&mut buffer) {
            Err(ProtocolError::TooLong {
                what,
                length,
                limit,
            }) => {
                assert_eq!(what, section);
                assert!(length > limit);
            }
            other => panic!("{raw:?}: {other:?}"),
        }
        assert_eq!(buffer.capacity(), before);
    }
    // The limits themselves wait for the rest, and nothing is a whole frame.
    for raw in [
        body(piece),
        body(1),
        routing(route),
        routing(1),
        table(count),
        table(1),
    ] {
        assert_eq!(raw.take(), Ok(None));
    }
    assert_eq!(body(0).take(), Ok(Some(Frame::new(Kind::Items, 0))));
}

#[test]
fn a_frame_at_every_limit_is_taken() {
    let raw = Raw::new(ITEMS).with(
        &vec![1; MAX_ROUTING],
        &vec![entry([3, 0, 0, 0, 0, 0, 0, 0]); MAX_ATTACHMENTS],
        &vec![2; MAX_PIECE],
    );
    let bytes = raw.bytes();
    for cut in [HEADER, HEADER + 1, HEADER + MAX_ROUTING, bytes.len() - 1] {
        assert_eq!(take(&bytes[..cut]), Ok(None));
    }
    let frame = take(&bytes).unwrap().unwrap();
    assert_eq!(frame.routing, vec![1; MAX_ROUTING]);
    assert_eq!(frame.attachments.len(), MAX_ATTACHMENTS);
    assert_eq!(frame.body, vec![2; MAX_PIECE]);
}

#[test]
fn part_of_a_header_is_waited_for() {
    let bytes = Raw::new(0).bytes();
    assert_eq!(bytes.len(), HEADER);
    assert_eq!(take(&bytes[..HEADER - 1]), Ok(None));
    assert_eq!(take(&bytes), Err(ProtocolError::UnknownKind(0)));
}

#[test]
fn unknown_kinds_are_refused() {
    let known: Vec<u8> = (0..=u8::MAX)
        .filter(|kind| Raw::new(*kind).take().is_ok())
        .collect();
    let named = [1..=6, 10..=14, 20..=23, 30..=32, 40..=46];
    assert_eq!(known, named.into_iter().flatten().collect::<Vec<u8>>());
    assert_eq!(Raw::new(255).take(), Err(ProtocolError::UnknownKind(255)));
}

#[test]
fn reserved_bits_are_zero() {
    let reserved = Err(ProtocolError::Reserved(Kind::Items));
    for bit in 2..8 {
        let raw = Raw {
            flags: 1 << bit,
            ..Raw::new(ITEMS)
        };
        assert_eq!(raw.take(), reserved);
    }
    for byte in 0..6 {
        for bit in 0..8 {
            let mut raw = Raw::new(ITEMS);
            raw.reserved[byte] = 1 << bit;
            assert_eq!(raw.take(), reserved);
        }
    }
    let routed = Raw {
        flags: CONTINUED,
        ..Raw::new(ITEMS).with(b"r", &[], b"")
    };
    let attached = Raw {
        flags: CONTINUED | MORE,
        ..Raw::new(ITEMS).with(b"", &[entry([1, 0, 0, 0, 0, 0, 0, 0])], b"")
    };
    assert_eq!(routed.take(), reserved);
    assert_eq!(attached.take(), reserved);
}

#[test]
fn attachments_are_of_a_known_kind() {
    for kind in 0..=u8::MAX {
        let raw = Raw::new(ITEMS).with(b"", &[entry([kind, 0, 0, 0, 0, 0, 0, 0])], b"");
        assert_eq!(raw.take().is_ok(), (1..=3).contains(&kind), "kind {kind}");
    }
    for byte in 1..8 {
        let mut head = [1, 0, 0, 0, 0, 0, 0, 0];
        head[byte] = 1;
        assert!(is_routing(
            &Raw::new(ITEMS).with(b"", &[entry(head)], b"").take()
        ));
    }
}

/// Feeds these frames; the first error, or how many whole messages there were.
fn feed(frames: &[Raw]) -> Result<usize, ProtocolError> {
    let mut inbox = Inbox::default();
    let mut whole = 0;
    for raw in frames {
        inbox.feed(&raw.bytes());
        while inbox.next_frame()?.is_some() {
            whole += 1;
        }
    }
    Ok(whole)
}

#[test]
fn continuations_fit_what_they_continue() {
    let part = |flags, call, stream, items| {
        let raw = Raw {
            flags,
            call,
            stream,
            items,
            ..Raw::new(ITEMS)
        };
        raw.with(b"", &[], b"x")
    };
    let begun = part(MORE, 1, 1, 5);
    let middle = part(MORE | CONTINUED, 1, 1, 5);
    let last = part(CONTINUED, 1, 1, 5);
    let other_kind = Raw {
        kind: Kind::Callback as u8,
        ..last.clone()
    };
    let refused = Err(ProtocolError::Continuation(Kind::Items));
    let three = [begun.clone(), middle.clone(), last.clone()];
    assert_eq!(feed(&three), Ok(1));
    // Nothing was begun, or no more is.
    assert_eq!(feed(std::slice::from_ref(&last)), refused);
    assert_eq!(feed(&[middle]), refused);
    assert_eq!(feed(&[begun.clone(), last.clone(), last.clone()]), refused);
    // Another call, stream or kind.
    assert_eq!(feed(&[begun.clone(), part(CONTINUED, 2, 1, 5)]), refused);
    assert_eq!(feed(&[begun.clone(), part(CONTINUED, 1, 2, 5)]), refused);
    // What else its header says does not count.
    assert_eq!(feed(&[begun.clone(), part(CONTINUED, 1, 1, 0)]), Ok(1));
    let wrong_kind = feed(&[begun.clone(), other_kind]);
    assert_eq!(wrong_kind, Err(ProtocolError::Continuation(Kind::Callback)));
    // Begun twice, or passed by a whole one of the same key.
    assert_eq!(feed(&[begun.clone(), begun.clone()]), refused);
    assert_eq!(feed(&[begun.clone(), part(0, 1, 1, 5)]), refused);
    // Others in between are none of its business.
    let between = [begun.clone(), part(0, 2, 1, 5), part(MORE, 1, 2, 5), last];
    assert_eq!(feed(&between), Ok(2));
}

#[test]
fn unfinished_messages_are_counted() {
    let mut inbox = Inbox::default();
    let begun = |call| Raw {
        flags: MORE,
        call,
        ..Raw::new(ITEMS)
    };
    for call in 0..MAX_UNFINISHED_COUNT as u64 {
        inbox.feed(&begun(call).bytes());
        assert_eq!(inbox.next_frame(), Ok(None));
    }
    inbox.feed(&begun(u64::MAX).bytes());
    let error = ProtocolError::TooLong {
        what: "count of unfinished messages",
        length: MAX_UNFINISHED_COUNT + 1,
        limit: MAX_UNFINISHED_COUNT,
    };
    assert_eq!(inbox.next_frame(), Err(error));
}

/// Feeds frames of which none is whole until one is refused; how many were not.
fn until_refused(frames: impl Iterator<Item = Vec<u8>>) -> (usize, ProtocolError) {
    let mut inbox = Inbox::default();
    for (taken, bytes) in frames.enumerate() {
        inbox.feed(&bytes);
        match inbox.next_frame() {
            Ok(whole) => assert_eq!(whole, None),
            Err(error) => return (taken, error),
        }
    }
    panic!("all were taken");
}

#[test]
fn unfinished_bytes_are_bounded() {
    let body = vec![0; MAX_PIECE];
    let bytes = |call, flags| {
        let raw = Raw {
            flags,
            call,
            ..Raw::new(ITEMS)
        };
        raw.with(b"", &[], &body).bytes()
    };
    // Begun ones alone.
    let (taken, error) = until_refused((0..1000).map(|call| bytes(call, MORE)));
    assert_eq!(taken, MAX_UNFINISHED / (MAX_PIECE + HEADER));
    assert!(matches!(
        error,
        ProtocolError::TooLong {
            what: "unfinished messages",
            ..
        }
    ));
    // Two begun ones, continued up to the bound, and a third.
    let two = (0u64..).map(|at| bytes(at % 3, if at < 3 { MORE } else { MORE | CONTINUED }));
    let (taken, error) = until_refused(two);
    assert_eq!(taken, (MAX_UNFINISHED - 3 * HEADER) / MAX_PIECE);
    assert!(matches!(
        error,
        ProtocolError::TooLong {
            what: "unfinished messages",
            ..
        }
    ));
    // Routing sections alone.
    let routed = |call| {
        let raw = Raw {
            flags: MORE,
            call,
            ..Raw::new(ITEMS)
        };
        let table = vec![entry([1, 0, 0, 0, 0, 0, 0, 0]); MAX_ATTACHMENTS];
        raw.with(&vec![0; MAX_ROUTING], &table, &body).bytes()
    };
    let (taken, error) = until_refused((0..1000).map(routed));
    let weight = HEADER + MAX_ROUTING + 16 * MAX_ATTACHMENTS + MAX_PIECE;
    assert_eq!(taken, MAX_UNFINISHED / weight);
    assert!(matches!(
        error,
        ProtocolError::TooLong {
            what: "unfinished messages",
            ..
        }
    ));
}

#[test]
fn a_body_in_pieces_is_bounded() {
    let piece = |flags, body: &[u8]| {
        let raw = Raw {
            flags,
            ..Raw::new(ITEMS)
        };
        raw.with(b"", &[], body).bytes()
    };
    let full = vec![1; MAX_PIECE];
    let mut inbox = Inbox::default();
    for at in 0..MAX_BODY / MAX_PIECE {
        inbox.feed(&piece(if at == 0 { MORE } else { MORE | CONTINUED }, &full));
        assert_eq!(inbox.next_frame(), Ok(None));
    }
    // At the limit: nothing more is a whole message, one byte more is too much.
    inbox.feed(&piece(MORE | CONTINUED, b""));
    assert_eq!(inbox.next_frame(), Ok(None));
    inbox.feed(&piece(CONTINUED, b""));
    assert_eq!(inbox.next_frame().unwrap().unwrap().body.len(), MAX_BODY);
    assert!(!inbox.is_midway());
    let over = (0..).map(|at| piece(if at == 0 { MORE } else { MORE | CONTINUED }, &full));
    let (taken, error) = until_refused(over);
    assert_eq!(taken, MAX_BODY / MAX_PIECE);
    let limit = ProtocolError::TooLong {
        what: "body",
        length: MAX_BODY + MAX_PIECE,
        limit: MAX_BODY,
    };
    assert_eq!(error, limit);
}

#[test]
fn a_routing_section_is_whole_and_no_more() {
    for (name, link, message) in samples() {
        let frame = frame(message);
        for end in 0..frame.routing.len() {
            let cut = Message::from_frame(link, rerouted(&frame, &frame.routing[..end]));
            assert!(cut.is_err(), "{name} cut to {end}: {cut:?}");
        }
        for extra in [0, 1, 0xff] {
            let long = [&frame.routing[..], &[extra]].concat();
            let read = Message::from_frame(link, rerouted(&frame, &long));
            assert!(read.is_err(), "{name} and {extra}: {read:?}");
        }
    }
}

/// Whatever byte of a routing section is changed, what is still understood is said one way only.
#[test]
fn a_routing_section_has_one_form() {
    for (name, link, message) in samples() {
        let frame = frame(message);
        if frame.kind == Kind::Request {
            continue; // A document, of which other forms are read.
        }
        for at in 0..frame.routing.len() {
            for byte in 0..=u8::MAX {
                let mut routing = frame.routing.to_vec();
                routing[at] = byte;
                let changed = rerouted(&frame, &routing);
                if let Ok(message) = Message::from_frame(link, changed.clone()) {
                    let again = take(&write(message)).unwrap().unwrap();
                    assert_eq!(again, changed, "{name}: byte {at} is {byte}");
                }
            }
        }
    }
}

/// A raw frame of a kind, with this routing section, read on a link.
fn read(kind: Kind, link: Link, routing: &[u8]) -> Result<Message, ProtocolError> {
    Raw::new(kind as u8).with(routing, &[], b"").read(link)
}

#[test]
fn fields_out_of_range_are_refused() {
    use Link::{ClientToHost as Up, HostToClient as Down, WorkerToHost as Out};
    let text = |text: &[u8]| {
        let length = u16::try_from(text.len()).unwrap();
        [&length.to_le_bytes()[..], text].concat()
    };
    // Texts.
    assert!(read(Kind::Refused, Down, &text(b"why")).is_ok());
    assert!(read(Kind::Refused, Down, &text(&vec![b'x'; MAX_TEXT])).is_ok());
    assert!(is_routing(&read(
        Kind::Refused,
        Down,
        &text(&vec![b'x'; MAX_TEXT + 1])
    )));
    for bad in [
        &b"\xff"[..],
        b"\xc3",
        b"\xed\xa0\x80",
        b"a\x80",
        b"\xf4\x90\x80\x80",
    ] {
        assert!(is_routing(&read(Kind::Refused, Down, &text(bad))));
    }
    // Flags.
    assert!(read(Kind::End, Down, &[0]).is_ok());
    for flag in 2..=u8::MAX {
        assert!(is_routing(&read(Kind::End, Down, &[flag])));
    }
    // Outcomes.
    for code in [0, 8, 255] {
        assert!(is_routing(&read(Kind::End, Down, &[1, code, 1])));
    }
    // Answers.
    for answer in 4..=u8::MAX {
        assert!(is_routing(&read(Kind::Answer, Up, &[answer])));
    }
    // Levels.
    for level in [0, 8, 255] {
        assert!(is_routing(&read(
            Kind::Log,
            Out,
            &[0, 0, 0, 0, level, 0, 0, 0, 0]
        )));
    }
    // A module's number in eight bytes.
    let failed = |module: u64| {
        let routing = [&[1][..], &module.to_le_bytes(), &[0, 0]].concat();
        read(Kind::Failed, Out, &routing)
    };
    assert!(failed(u64::from(u32::MAX)).is_ok());
    assert!(is_routing(&failed(1 << 32)));
    // A call's slot and deadline.
    let call = |slot: u64, deadline: u8, micros: u64| {
        let routing = [
            &[0, 0, 0, 0, 1][..],
            &slot.to_le_bytes(),
            &[0, deadline],
            &micros.to_le_bytes(),
            &[0; 9],
        ];
        read(Kind::Call, Up, &routing.concat())
    };
    assert!(call(u64::from(u32::MAX), 0, 0).is_ok());
    assert!(call(0, 2, 0).is_ok());
    assert!(is_routing(&call(1 << 32, 0, 0)));
    for (deadline, micros) in [(0, 1), (1, 1), (3, 0), (255, 0)] {
        assert!(
            is_routing(&call(0, deadline, micros)),
            "{deadline} {micros}"
        );
    }
}

#[test]
fn what_a_message_does_not_carry_is_refused() {
    let attachment = proc_host_wire::Attachment {
        kind: proc_host_wire::AttachmentKind::Resource,
        id: 1,
    };
    let bare = [
        "hello",
        "welcome",
        "refused",
        "cancel",
        "outcome-cancelled",
        "outcome-timed-out",
        "ended",
        "end",
        "credit",
        "close",
        "answer-failed",
        "answer-unheard",
        "answer-gone",
        "release",
        "ready",
        "failed",
        "drain",
        "ping",
        "pong",
    ];
    let valued = [
        "call",
        "call-plain",
        "dispatch",
        "outcome-returned",
        "outcome-raised",
        "items",
    ];
    for (name, link, message) in samples() {
        let frame = frame(message);
        let with_body = Frame {
            body: Bytes::from_static(b"\x01"),
            ..frame.clone()
        };
        let mut attached = frame.clone();
        attached.attachments.push(attachment);
        let refused = is_routing(&Message::from_frame(link, with_body));
        assert_eq!(refused, bare.contains(&name), "{name} with a body");
        let refused = is_routing(&Message::from_frame(link, attached));
        assert_eq!(refused, !valued.contains(&name), "{name} with attachments");
    }
}

#[test]
fn numbers_where_none_belong_are_refused() {
    for (name, link, message) in samples() {
        let frame = frame(message.clone());
        let changed = |change: fn(&mut Frame)| {
            let mut frame = frame.clone();
            change(&mut frame);
            Message::from_frame(link, frame)
        };
        for read in [
            changed(|frame| frame.call ^= 1 << 63),
            changed(|frame| frame.stream ^= 1 << 31),
            changed(|frame| frame.items ^= 1 << 31),
        ] {
            // Either the number means something, or it must not be there.
            assert!(
                is_routing(&read) || read.is_ok_and(|read| read != message),
                "{name}"
            );
        }
    }
}

#[test]
fn documents_are_checked_for_form() {
    let request = |routing: &[u8]| read(Kind::Request, Link::ClientToHost, routing);
    assert!(request(b"\x64ping").is_ok());
    for bad in [
        &b""[..],
        b"\x64ping\x00",                                 // trailing
        b"\x64pong",                                     // unknown
        b"\x7f\x64ping\xff",                             // indefinite
        b"\xa1\x64logs\xa1\x66follow\x01",               // of another type
        b"\xa1\x64logs\xa2\x66follow\xf5\x66follow\xf5", // duplicate key
        b"\xa1\x64logs\xa2\x66follow\xf5\x61x\xf5",      // unknown field
        b"\xa1\x64logs\xa0",                             // missing field
        b"\xa2\x64ping\xf6\x62ps\xf6",                   // two at once
    ] {
        assert!(
            matches!(request(bad), Err(ProtocolError::Body { .. })),
            "{bad:x?}"
        );
    }
    let deep = [vec![0x81; MAX_ROUTING - 1], vec![0]].concat();
    assert!(matches!(request(&deep), Err(ProtocolError::Body { .. })));
    for (kind, link) in [
        (Kind::Log, Link::HostToClient),
        (Kind::Start, Link::HostToWorker),
        (Kind::Response, Link::HostToClient),
    ] {
        let routing: &[u8] = if kind == Kind::Response { &[1] } else { &[] };
        let raw = Raw::new(kind as u8).with(routing, &[], b"\xff");
        assert!(matches!(raw.read(link), Err(ProtocolError::Body { .. })));
    }
}

/// All frames of some bytes, fed in these pieces, and the error they end in.
fn frames(bytes: &[u8], cuts: &[usize]) -> (Vec<Frame>, Option<ProtocolError>) {
    let mut inbox = Inbox::default();
    let mut seen = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        inbox.feed(&bytes[from..cut]);
        from = cut;
        loop {
            match inbox.next_frame() {
                Ok(Some(frame)) => seen.push(frame),
                Ok(None) => break,
                Err(error) => return (seen, Some(error)),
            }
        }
    }
    (seen, None)
}

fn understand(frames: &[Frame]) {
    for frame in frames {
        for link in LINKS {
            if let Ok(message) = Message::from_frame(link, frame.clone()) {
                // What is understood can be said again.
                let _ = write(message);
            }
        }
    }
}

/// A frame with most of its header sound.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let kinds: Vec<u8> = (0..=u8::MAX)
        .filter(|kind| Raw::new(*kind).take().is_ok())
        .collect();
    let flags = prop_oneof![6 => Just(0u8), 3 => 1u8..4, 1 => any::<u8>()];
    let byte = || prop_oneof![3 => 0u8..3, 1 => any::<u8>()];
    let table = vec(
        (1u8..4).prop_map(|kind| entry([kind, 0, 0, 0, 0, 0, 0, 0])),
        0..3,
    );
    let number = || prop_oneof![3 => Just(0u32), 1 => 0u32..3, 1 => any::<u32>()];
    (
        proptest::sample::select(kinds),
        flags,
        (number(), number(), number()),
        vec(byte(), 0..60),
        table,
        vec(byte(), 0..60),
    )
        .prop_map(
            |(kind, flags, (call, stream, items), routing, table, body)| {
                let raw = Raw {
                    flags,
                    call: call.into(),
                    stream,
                    items,
                    ..Raw::new(kind)
                };
                let is_continued = flags & CONTINUED != 0;
                if is_continued {
                    raw.with(b"", &[], &body).bytes()
                } else {
                    raw.with(&routing, &table, &body).bytes()
                }
            },
        )
}

proptest! {
    #[test]
    fn random_bytes_are_read_alike_however_they_come(
        bytes in vec(any::<u8>(), 0..400),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        split(&bytes, &cuts)?;
    }

    #[test]
    fn likely_frames_are_read_alike_however_they_come(
        frames in vec(likely(), 0..12),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        split(&frames.concat(), &cuts)?;
    }

    #[test]
    fn changed_messages_are_read_or_refused(
        picks in vec(any::<Index>(), 1..5),
        changes in vec((any::<Index>(), any::<u8>()), 1..5),
    ) {
        let samples = samples();
        let mut bytes = Vec::new();
        for pick in &picks {
            bytes.extend(write(pick.get(&samples).2.clone()));
        }
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        split(&bytes, &picks)?;
    }
}

/// The same frames and the same error come of bytes at once and in pieces; no one panics.
fn split(bytes: &[u8], cuts: &[Index]) -> Result<(), TestCaseError> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let whole = frames(bytes, &[]);
    prop_assert_eq!(&frames(bytes, &cuts), &whole);
    understand(&whole.0);
    Ok(())
}
