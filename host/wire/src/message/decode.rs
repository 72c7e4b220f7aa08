//! From a frame to the message it carries.

use super::{Answer, Call, Deadline, Dispatch, Ended, Link, Message, Origin, Window, WorkerRef};
use crate::frame::{Frame, Kind, ProtocolError};
use crate::log::Level;
use crate::outcome::{OutcomeCode, Routed, Value, decode};
use crate::routing::Take;

impl Message {
    /// The message of a whole frame that came over `link`.
    pub fn from_frame(link: Link, frame: Frame) -> Result<Message, ProtocolError> {
        let Frame {
            kind,
            call,
            stream,
            items,
            routing,
            attachments,
            body,
            ..
        } = frame;
        if !kind.crosses(link) {
            return Err(ProtocolError::Unexpected(kind));
        }
        let carries_value = matches!(
            kind,
            Kind::Call | Kind::Dispatch | Kind::Outcome | Kind::Items | Kind::End
        );
        let carries_body = carries_value
            || matches!(
                kind,
                Kind::Request
                    | Kind::Response
                    | Kind::Log
                    | Kind::Callback
                    | Kind::Answer
                    | Kind::Start
                    | Kind::Compiled
            );
        let mut take = Take::new(kind, routing);
        if (!attachments.is_empty() && !carries_value) || (!body.is_empty() && !carries_body) {
            return Err(take.wrong("body or attachments where none belong"));
        }
        let (has_call, has_stream, has_items) = kind.numbers(link);
        if (call != 0 && !has_call) || (stream != 0 && !has_stream) || (items != 0 && !has_items) {
            return Err(take.wrong("a number where none belongs"));
        }
        let value = Value { body, attachments };
        let message = match kind {
            Kind::Hello => Message::Hello {
                major: u16::from_le_bytes(take.array()?),
                features: take.u64()?,
                token: take.array()?,
                name: take.text()?,
            },
            Kind::Welcome => Message::Welcome {
                features: take.u64()?,
                version: take.text()?,
                pid: take.u32()?,
            },
            Kind::Refused => Message::Refused(take.text()?),
            Kind::Request => Message::Request {
                id: call,
                request: decode(kind, &take.rest())?,
                payload: value.body,
            },
            Kind::Response => Message::Response {
                id: call,
                reply: if take.flag()? {
                    Ok(decode(kind, &value.body)?)
                } else {
                    Err(decode(kind, &value.body)?)
                },
            },
            Kind::Log if link == Link::HostToClient => Message::Log(decode(kind, &value.body)?),
            Kind::Log => Message::GuestLog {
                call,
                module: take.u32()?,
                level: Level::from_byte(take.u8()?).ok_or_else(|| take.wrong("unknown level"))?,
                dropped: take.u32()?,
                text: value.body,
            },
            Kind::Call => Message::Call(Call {
                call,
                pool: take.text()?,
                target: take.text()?,
                slot: match take.option_u64()? {
                    None => None,
                    Some(slot) => {
                        Some(u32::try_from(slot).map_err(|_| take.wrong("slot out of range"))?)
                    }
                },
                generation: take.option_u64()?,
                deadline: match (take.u8()?, take.u64()?) {
                    (0, 0) => Deadline::Default,
                    (1, 0) => Deadline::Never,
                    (2, micros) => Deadline::Micros(micros),
                    _ => return Err(take.wrong("unknown kind of deadline")),
                },
                listens: take.flag()?,
                window: Window {
                    items: take.u32()?,
                    bytes: take.u32()?,
                },
                arguments: value,
            }),
            Kind::Dispatch => Message::Dispatch(Dispatch {
                call,
                number: take.u64()?,
                module: take.u32()?,
                function: take.u32()?,
                deadline: take.option_u64()?,
                listens: take.flag()?,
                window: Window {
                    items: take.u32()?,
                    bytes: take.u32()?,
                },
                arguments: value,
            }),
            Kind::Cancel => Message::Cancel { call },
            Kind::Outcome => Message::Outcome(Ended {
                call,
                worker: if take.flag()? {
                    Some(take_worker(&mut take)?)
                } else {
                    None
                },
                attempts: take.u32()?,
                outcome: take_routed(&mut take, value)?,
            }),
            Kind::Ended => Message::Ended { call },
            Kind::Items => Message::Items {
                call,
                stream,
                count: items,
                items: value,
            },
            Kind::End => Message::End {
                call,
                stream,
                failure: if take.flag()? {
                    Some(take_routed(&mut take, value)?)
                } else {
                    take.nothing(&value)?;
                    None
                },
            },
            Kind::Credit => Message::Credit {
                call,
                stream,
                items,
                bytes: take.u32()?,
            },
            Kind::Close => Message::Close { call, stream },
            Kind::Callback => Message::Callback {
                call,
                callback: stream,
                origin: if take.flag()? {
                    Some(Origin {
                        pool: take.text()?,
                        module: take.text()?,
                        worker: take_worker(&mut take)?,
                        host_call: take.u64()?,
                    })
                } else {
                    None
                },
                payload: value.body,
            },
            Kind::Answer => Message::Answer {
                call,
                callback: stream,
                answer: match take.u8()? {
                    0 => Answer::Value(value.body),
                    other => {
                        take.nothing(&value)?;
                        match other {
                            1 => Answer::Failed(take.text()?),
                            2 => Answer::Unheard,
                            3 => Answer::Gone,
                            _ => return Err(take.wrong("unknown kind of answer")),
                        }
                    }
                },
            },
            Kind::Release => Message::Release {
                handle: take.u64()?,
            },
            Kind::Start => Message::Start(decode(kind, &value.body)?),
            Kind::Ready => Message::Ready {
                layers: take.u32()?,
            },
            Kind::Failed => Message::Failed {
                module: match take.option_u64()? {
                    None => None,
                    Some(module) => {
                        Some(u32::try_from(module).map_err(|_| take.wrong("module out of range"))?)
                    }
                },
                message: take.text()?,
            },
            Kind::Drain => Message::Drain,
            Kind::Ping => Message::Ping { nonce: call },
            Kind::Pong => Message::Pong { nonce: call },
            Kind::Compiled => Message::Compiled {
                artifact_len: take.u64()?,
                interface: value.body,
            },
        };
        take.end()?;
        Ok(message)
    }
}

impl Take {
    /// The routing section says that there is no value.
    fn nothing(&self, value: &Value) -> Result<(), ProtocolError> {
        if value.body.is_empty() {
            self.no_attachments(value)
        } else {
            Err(self.wrong("a body where none belongs"))
        }
    }

    /// The routing section says that the body names nothing.
    fn no_attachments(&self, value: &Value) -> Result<(), ProtocolError> {
        if value.attachments.is_empty() {
            Ok(())
        } else {
            Err(self.wrong("attachments where none belong"))
        }
    }
}

fn take_worker(take: &mut Take) -> Result<WorkerRef, ProtocolError> {
    Ok(WorkerRef {
        slot: take.u32()?,
        generation: take.u64()?,
    })
}

fn take_routed(take: &mut Take, value: Value) -> Result<Routed, ProtocolError> {
    let code = OutcomeCode::from_byte(take.u8()?).ok_or_else(|| take.wrong("unknown outcome"))?;
    match code {
        OutcomeCode::Returned | OutcomeCode::Raised => {}
        OutcomeCode::Trapped | OutcomeCode::Faulted | OutcomeCode::Denied => {
            take.no_attachments(&value)?;
        }
        OutcomeCode::Cancelled | OutcomeCode::TimedOut => take.nothing(&value)?,
    }
    Ok(Routed {
        code,
        dispatched: take.flag()?,
        value,
    })
}
