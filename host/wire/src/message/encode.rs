//! From a message to the frame that carries it.

use bytes::Bytes;

use super::{Answer, Deadline, Message, WorkerRef};
use crate::frame::{Frame, Kind};
use crate::outcome::{Routed, Value, encode};
use crate::routing::Put;

impl Message {
    /// The frame that carries this message.
    pub(crate) fn into_frame(self) -> Frame {
        let frame = |kind, call| Frame::new(kind, call);
        let with = |kind, call, put: Put| Frame {
            routing: put.done(),
            ..Frame::new(kind, call)
        };
        let put = Put::new;
        match self {
            Message::Hello {
                major,
                features,
                token,
                name,
            } => with(
                Kind::Hello,
                0,
                put()
                    .bytes(&major.to_le_bytes())
                    .u64(features)
                    .bytes(&token)
                    .text(&name),
            ),
            Message::Welcome {
                features,
                version,
                pid,
            } => with(
                Kind::Welcome,
                0,
                put().u64(features).text(&version).u32(pid),
            ),
            Message::Refused(reason) => with(Kind::Refused, 0, put().text(&reason)),
            Message::Request {
                id,
                request,
                payload,
            } => Frame {
                routing: encode(&request),
                body: payload,
                ..Frame::new(Kind::Request, id)
            },
            Message::Response { id, reply } => Frame {
                body: match &reply {
                    Ok(reply) => encode(reply),
                    Err(message) => encode(message),
                },
                ..with(Kind::Response, id, put().u8(u8::from(reply.is_ok())))
            },
            Message::Log(entry) => Frame {
                body: encode(&entry),
                ..frame(Kind::Log, 0)
            },
            Message::GuestLog {
                call,
                module,
                level,
                dropped,
                text,
            } => Frame {
                body: text,
                ..with(
                    Kind::Log,
                    call,
                    put().u32(module).u8(level as u8).u32(dropped),
                )
            },
            Message::Call(call) => {
                let (deadline, micros) = match call.deadline {
                    Deadline::Default => (0, 0),
                    Deadline::Never => (1, 0),
                    Deadline::Micros(micros) => (2, micros),
                };
                let routing = put()
                    .text(&call.pool)
                    .text(&call.target)
                    .option_u64(call.slot.map(u64::from))
                    .option_u64(call.generation)
                    .u8(deadline)
                    .u64(micros)
                    .u8(u8::from(call.listens))
                    .u32(call.window.items)
                    .u32(call.window.bytes);
                with(Kind::Call, call.call, routing).with_value(call.arguments)
            }
            Message::Dispatch(call) => {
                let routing = put()
                    .u64(call.number)
                    .u32(call.module)
                    .u32(call.function)
                    .option_u64(call.deadline)
                    .u8(u8::from(call.listens))
                    .u32(call.window.items)
                    .u32(call.window.bytes);
                with(Kind::Dispatch, call.call, routing).with_value(call.arguments)
            }
            Message::Cancel { call } => frame(Kind::Cancel, call),
            Message::Outcome(ended) => {
                let routing = match ended.worker {
                    Some(worker) => put_worker(put().u8(1), worker),
                    None => put().u8(0),
                };
                let routing = put_routed(routing.u32(ended.attempts), &ended.outcome);
                with(Kind::Outcome, ended.call, routing).with_value(ended.outcome.value)
            }
            Message::Ended { call } => frame(Kind::Ended, call),
            Message::Items {
                call,
                stream,
                count,
                items,
            } => Frame {
                stream,
                items: count,
                ..frame(Kind::Items, call)
            }
            .with_value(items),
            Message::End {
                call,
                stream,
                failure: None,
            } => Frame {
                stream,
                ..with(Kind::End, call, put().u8(0))
            },
            Message::End {
                call,
                stream,
                failure: Some(routed),
            } => {
                let routing = put_routed(put().u8(1), &routed);
                Frame {
                    stream,
                    ..with(Kind::End, call, routing)
                }
                .with_value(routed.value)
            }
            Message::Credit {
                call,
                stream,
                items,
                bytes,
            } => Frame {
                stream,
                items,
                ..with(Kind::Credit, call, put().u32(bytes))
            },
            Message::Close { call, stream } => Frame {
                stream,
                ..frame(Kind::Close, call)
            },
            Message::Callback {
                call,
                callback,
                origin,
                payload,
            } => {
                let routing = match origin {
                    None => put().u8(0),
                    Some(origin) => put_worker(
                        put().u8(1).text(&origin.pool).text(&origin.module),
                        origin.worker,
                    )
                    .u64(origin.host_call),
                };
                Frame {
                    stream: callback,
                    body: payload,
                    ..with(Kind::Callback, call, routing)
                }
            }
            Message::Answer {
                call,
                callback,
                answer,
            } => {
                let (routing, body) = match answer {
                    Answer::Value(value) => (put().u8(0), value),
                    Answer::Failed(message) => (put().u8(1).text(&message), Bytes::new()),
                    Answer::Unheard => (put().u8(2), Bytes::new()),
                    Answer::Gone => (put().u8(3), Bytes::new()),
                };
                Frame {
                    stream: callback,
                    body,
                    ..with(Kind::Answer, call, routing)
                }
            }
            Message::Release { handle } => with(Kind::Release, 0, put().u64(handle)),
            Message::Start(start) => Frame {
                body: encode(&start),
                ..frame(Kind::Start, 0)
            },
            Message::Ready { layers } => with(Kind::Ready, 0, put().u32(layers)),
            Message::Failed { module, message } => with(
                Kind::Failed,
                0,
                put().option_u64(module.map(u64::from)).text(&message),
            ),
            Message::Drain => frame(Kind::Drain, 0),
            Message::Ping { nonce } => frame(Kind::Ping, nonce),
            Message::Pong { nonce } => frame(Kind::Pong, nonce),
            Message::Compiled {
                artifact_len,
                interface,
            } => Frame {
                body: interface,
                ..with(Kind::Compiled, 0, put().u64(artifact_len))
            },
        }
    }
}

impl Frame {
    fn with_value(self, value: Value) -> Frame {
        Frame {
            attachments: value.attachments,
            body: value.body,
            ..self
        }
    }
}

fn put_worker(put: Put, worker: WorkerRef) -> Put {
    put.u32(worker.slot).u64(worker.generation)
}

fn put_routed(put: Put, routed: &Routed) -> Put {
    put.u8(routed.code as u8).u8(u8::from(routed.dispatched))
}
