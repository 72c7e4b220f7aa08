//! An outcome as it is routed, and back.

use bytes::Bytes;
use proc_host_wire::outcome::{OutcomeCode, Routed};
use proc_host_wire::{
    Attachment, AttachmentKind, Fault, FaultCause, Outcome, ProtocolError, Value,
};
use proptest::prelude::*;

use crate::strategies::outcome;

proptest! {
    #[test]
    fn an_outcome_is_the_same_once_opened(outcome in outcome()) {
        let routed = Routed::from(outcome.clone());
        let dispatched = match &outcome {
            Outcome::Denied(_) => false,
            Outcome::Cancelled { dispatched } | Outcome::TimedOut { dispatched } => *dispatched,
            _ => true,
        };
        prop_assert_eq!(routed.dispatched, dispatched);
        prop_assert_eq!(routed.open(), Ok(outcome));
    }

    #[test]
    fn a_description_of_any_bytes_is_read_or_refused(
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        for code in [OutcomeCode::Trapped, OutcomeCode::Faulted, OutcomeCode::Denied] {
            let routed = routed(code, Bytes::from(body.clone()));
            if let Err(error) = routed.open() {
                let is_of_body = matches!(error, ProtocolError::Body { .. });
                prop_assert!(is_of_body);
            }
        }
    }
}

fn routed(code: OutcomeCode, body: Bytes) -> Routed {
    Routed {
        code,
        dispatched: true,
        value: Value {
            body,
            attachments: Vec::new(),
        },
    }
}

#[test]
fn what_a_client_does_not_know_travels_as_a_fault() {
    let routed = Routed::from(Outcome::Unknown("connection lost".to_owned()));
    assert_eq!(routed.code, OutcomeCode::Faulted);
    let fault = Fault {
        cause: FaultCause::Lost,
        message: "connection lost".to_owned(),
    };
    assert_eq!(routed.open(), Ok(Outcome::Faulted(fault)));
}

#[test]
fn a_value_keeps_what_it_names() {
    let value = Value {
        body: Bytes::from_static(b"\x01"),
        attachments: vec![Attachment {
            kind: AttachmentKind::Future,
            id: 9,
        }],
    };
    for outcome in [Outcome::Returned(value.clone()), Outcome::Raised(value)] {
        assert_eq!(Routed::from(outcome.clone()).open(), Ok(outcome));
    }
}

#[test]
fn a_description_is_one_document() {
    for code in [
        OutcomeCode::Trapped,
        OutcomeCode::Faulted,
        OutcomeCode::Denied,
    ] {
        for body in [&b""[..], b"\x80", b"\xa0", b"\xa0\xa0", b"\xff"] {
            assert!(
                routed(code, Bytes::from_static(body)).open().is_err(),
                "{code:?} {body:x?}"
            );
        }
    }
}
