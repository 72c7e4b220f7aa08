//! Long bodies: cut, joined, passed by, in order within their call, and never more at once than
//! the other end holds.

use std::collections::HashMap;

use bytes::Bytes;
use proc_host_wire::control::Request;
use proc_host_wire::limits::{MAX_ATTACHMENTS, MAX_BODY, MAX_PIECE, MAX_ROUTING};
use proc_host_wire::message::{Call, Deadline, Window};
use proc_host_wire::{
    Attachment, AttachmentKind, Inbox, Link, Message, Outbox, ProtocolError, Value,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn value(body: Bytes) -> Value {
    Value {
        body,
        attachments: Vec::new(),
    }
}

/// The item `number` of a stream of `call`.
fn item(call: u64, number: u32, body: Bytes) -> Message {
    Message::Items {
        call,
        stream: 1,
        count: number,
        items: value(body),
    }
}

fn opening(call: u64, body: Bytes) -> Message {
    Message::Call(Call {
        call,
        pool: "p".to_owned(),
        target: "m.f".to_owned(),
        slot: None,
        generation: None,
        deadline: Deadline::Never,
        listens: false,
        window: Window::default(),
        arguments: value(body),
    })
}

fn body(length: usize) -> Bytes {
    Bytes::from(vec![7; length])
}

/// All that one filling of the outbox brings the other end.
fn cross(outbox: &mut Outbox, inbox: &mut Inbox) -> Vec<Message> {
    let mut buffer = Vec::new();
    assert_eq!(outbox.fill(&mut buffer), !buffer.is_empty());
    inbox.feed(&buffer);
    let mut seen = Vec::new();
    while let Some(frame) = inbox.next_frame().unwrap() {
        seen.push(Message::from_frame(Link::ClientToHost, frame).unwrap());
    }
    seen
}

fn cross_all(outbox: &mut Outbox, inbox: &mut Inbox) -> Vec<Message> {
    let mut seen = Vec::new();
    while !outbox.is_empty() {
        assert_ne!(outbox.len(), 0);
        seen.extend(cross(outbox, inbox));
    }
    assert_eq!(outbox.len(), 0);
    assert!(!inbox.is_midway());
    seen
}

/// What a sender may do next.
#[derive(Clone, Debug)]
enum Step {
    Push { call: u64, length: usize, fill: u8 },
    Fill,
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![
        4 => 0usize..200,
        2 => MAX_PIECE - 1..MAX_PIECE + 2,
        2 => 0usize..3 << 20,
        1 => (1usize..5).prop_map(|pieces| pieces * MAX_PIECE),
    ];
    prop_oneof![
        3 => (0u64..4, length, any::<u8>())
            .prop_map(|(call, length, fill)| Step::Push { call, length, fill }),
        1 => Just(Step::Fill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn bodies_of_any_length_arrive_in_the_order_of_their_call(
        steps in vec(step(), 1..30),
        chunk in prop_oneof![1usize..2000, 1usize..1 << 20],
    ) {
        let mut outbox = Outbox::default();
        let mut sent: HashMap<u64, Vec<Message>> = HashMap::new();
        let mut bytes = Vec::new();
        for (number, step) in (0u32..).zip(steps) {
            match step {
                Step::Push { call, length, fill } => {
                    let message = item(call, number, Bytes::from(vec![fill; length]));
                    sent.entry(call).or_default().push(message.clone());
                    outbox.push(message).unwrap();
                }
                Step::Fill => {
                    outbox.fill(&mut bytes);
                }
            }
        }
        while outbox.fill(&mut bytes) {}
        prop_assert!(outbox.is_empty());
        prop_assert_eq!(outbox.len(), 0);
        let mut inbox = Inbox::default();
        let mut seen: HashMap<u64, Vec<Message>> = HashMap::new();
        for piece in bytes.chunks(chunk) {
            inbox.feed(piece);
            while let Some(frame) = inbox.next_frame().unwrap() {
                let call = frame.call;
                let message = Message::from_frame(Link::WorkerToHost, frame).unwrap();
                seen.entry(call).or_default().push(message);
            }
        }
        prop_assert!(!inbox.is_midway());
        prop_assert!(seen == sent, "not what was sent, or not in its order");
    }
}

#[test]
fn what_is_short_passes_what_is_long() {
    let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
    outbox.push(item(1, 1, body(4 << 20))).unwrap();
    assert_eq!(cross(&mut outbox, &mut inbox), []);
    assert!(inbox.is_midway());
    let behind = item(1, 2, body(3));
    let other = item(2, 1, body(3));
    outbox.push(behind.clone()).unwrap();
    outbox.push(other.clone()).unwrap();
    assert_eq!(cross(&mut outbox, &mut inbox), [other]);
    let rest = cross_all(&mut outbox, &mut inbox);
    assert_eq!(rest, [item(1, 1, body(4 << 20)), behind]);
}

#[test]
fn long_ones_take_turns() {
    let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
    outbox.push(item(1, 1, body(8 << 20))).unwrap();
    outbox.push(item(2, 1, body(MAX_PIECE + 1))).unwrap();
    let first = cross(&mut outbox, &mut inbox);
    let second = cross(&mut outbox, &mut inbox);
    assert_eq!([first, second].concat(), [item(2, 1, body(MAX_PIECE + 1))]);
    assert_eq!(cross_all(&mut outbox, &mut inbox).len(), 1);
}

/// However much is short, a long message gets on.
#[test]
fn what_is_long_does_not_starve() {
    let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
    outbox.push(item(1, 1, body(3 * MAX_PIECE))).unwrap();
    let mut seen = Vec::new();
    for number in 0..3 {
        for call in 2..8 {
            outbox.push(item(call, number, body(MAX_PIECE))).unwrap();
        }
        seen.extend(cross(&mut outbox, &mut inbox));
    }
    assert!(seen.contains(&item(1, 1, body(3 * MAX_PIECE))));
}

/// A queue behind a long message goes out in turns too.
#[test]
fn what_waits_behind_does_not_go_out_at_once() {
    let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
    outbox.push(item(1, 0, body(MAX_PIECE + 1))).unwrap();
    for number in 1..40 {
        outbox.push(item(1, number, body(MAX_PIECE - 100))).unwrap();
    }
    let mut seen = Vec::new();
    let mut buffer = Vec::new();
    while outbox.fill(&mut buffer) {
        assert!(buffer.len() <= 2 * MAX_PIECE);
        inbox.feed(&std::mem::take(&mut buffer));
        while let Some(frame) = inbox.next_frame().unwrap() {
            seen.push(frame.items);
        }
    }
    assert_eq!(seen, (0..40).collect::<Vec<_>>());
}

#[test]
fn control_passes_its_own_call() {
    let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
    outbox.push(item(1, 1, body(4 << 20))).unwrap();
    let credit = Message::Credit {
        call: 1,
        stream: 2,
        items: 1,
        bytes: 1,
    };
    let cancel = Message::Cancel { call: 1 };
    outbox.push(credit.clone()).unwrap();
    outbox.push(cancel.clone()).unwrap();
    assert_eq!(cross(&mut outbox, &mut inbox), [credit, cancel]);
    assert_eq!(cross_all(&mut outbox, &mut inbox).len(), 1);
}

/// The other end would not know what to cancel, and then run the call.
#[test]
fn a_cancel_does_not_pass_the_call_it_is_for() {
    let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
    outbox.push(opening(1, body(2 << 20))).unwrap();
    outbox.push(opening(2, body(2 << 20))).unwrap();
    assert_eq!(cross(&mut outbox, &mut inbox), []);
    outbox.push(Message::Cancel { call: 2 }).unwrap();
    outbox.push(Message::Cancel { call: 3 }).unwrap();
    assert_eq!(
        cross(&mut outbox, &mut inbox),
        [Message::Cancel { call: 3 }]
    );
    let seen = cross_all(&mut outbox, &mut inbox);
    let at = |wanted: &Message| seen.iter().position(|message| message == wanted).unwrap();
    assert!(at(&opening(2, body(2 << 20))) < at(&Message::Cancel { call: 2 }));
}

/// Three of the largest bodies are more than a peer holds unfinished: they wait for each other.
#[test]
fn the_largest_bodies_at_once_stay_within_what_the_peer_holds() {
    let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
    let large = body(MAX_BODY);
    for call in 1..=3 {
        outbox.push(item(call, 1, large.clone())).unwrap();
    }
    assert!(outbox.len() >= 3 * MAX_BODY);
    let mut done = 0;
    while !outbox.is_empty() {
        for message in cross(&mut outbox, &mut inbox) {
            assert!(matches!(message, Message::Items { items, .. } if items.body == large));
            done += 1;
        }
    }
    assert_eq!(done, 3);
}

#[test]
fn many_long_bodies_at_once_stay_within_what_the_peer_holds() {
    let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
    let long = body(MAX_PIECE + 1);
    for call in 1..=600 {
        outbox.push(item(call, 1, long.clone())).unwrap();
    }
    let mut calls = Vec::new();
    while !outbox.is_empty() {
        for message in cross(&mut outbox, &mut inbox) {
            if let Message::Items { call, .. } = message {
                calls.push(call);
            }
        }
    }
    calls.sort_unstable();
    assert_eq!(calls, (1..=600).collect::<Vec<_>>());
}

#[test]
fn what_is_over_a_limit_is_not_queued() {
    let mut outbox = Outbox::default();
    let attachment = Attachment {
        kind: AttachmentKind::Resource,
        id: 1,
    };
    let table = |length| Value {
        body: Bytes::new(),
        attachments: vec![attachment; length],
    };
    let items = |items| Message::Items {
        call: 1,
        stream: 1,
        count: 1,
        items,
    };
    let request = |length| Message::Request {
        id: 1,
        request: Request::Examine {
            name: "n".repeat(length),
        },
        payload: Bytes::new(),
    };
    for message in [
        items(table(MAX_ATTACHMENTS + 1)),
        item(1, 1, body(MAX_BODY + 1)),
        request(MAX_ROUTING),
    ] {
        let refused = outbox.push(message);
        assert!(matches!(refused, Err(ProtocolError::TooLong { .. })));
        assert!(outbox.is_empty());
        assert_eq!(outbox.len(), 0);
    }
    let mut inbox = Inbox::default();
    outbox.push(items(table(MAX_ATTACHMENTS))).unwrap();
    outbox.push(request(MAX_ROUTING - 100)).unwrap();
    let seen = cross_all(&mut outbox, &mut inbox);
    assert_eq!(
        seen,
        [items(table(MAX_ATTACHMENTS)), request(MAX_ROUTING - 100)]
    );
}

/// A buffer that is not empty is appended to.
#[test]
fn filling_appends() {
    let mut outbox = Outbox::default();
    let mut buffer = Vec::new();
    assert!(!outbox.fill(&mut buffer));
    for nonce in [1, 2] {
        outbox.push(Message::Ping { nonce }).unwrap();
        assert!(!outbox.is_empty());
        assert!(outbox.fill(&mut buffer));
        assert!(!outbox.fill(&mut buffer));
    }
    let mut inbox = Inbox::default();
    inbox.space().extend_from_slice(&buffer);
    for nonce in [1, 2] {
        assert_eq!(inbox.next_frame().unwrap().unwrap().call, nonce);
    }
    assert!(!inbox.is_midway());
}
