//! What a frame means: the closed set of messages, each with the link it may cross.

use bytes::Bytes;

use crate::control::{Reply, Request};
use crate::frame::{Frame, Kind, ProtocolError};
use crate::log::{Level, LogEntry};
use crate::outcome::{OutcomeCode, Routed, Value, decode, encode};
use crate::routing::{Put, Take};
use crate::start::Start;

/// A direction of a socket. A message on a link it does not belong to is a protocol error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// What a client sends.
    ClientToHost,
    /// What a client receives.
    HostToClient,
    /// What a worker or compiler receives.
    HostToWorker,
    /// What a worker or compiler sends.
    WorkerToHost,
}

/// A worker of a pool: the slot, and which of the processes that have served it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkerRef {
    /// The slot, from 0.
    pub slot: u32,
    /// The generation in that slot, from 1.
    pub generation: u64,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deadline {
    /// What the module, pool or host says.
    #[default]
    Default,
    /// Without end.
    Never,
    /// This many microseconds from its arrival at the host.
    Micros(u64),
}

/// The credit a stream starts with, granted with the call whose result it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Items.
    pub items: u32,
    /// Bytes of items.
    pub bytes: u32,
}

/// A client's call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Chosen by the client; not in use on this connection.
    pub call: u64,
    /// The pool's name.
    pub pool: String,
    /// `module.function` or `module.interface.function`.
    pub target: String,
    /// This slot, or any.
    pub slot: Option<u32>,
    /// This very generation of the slot.
    pub generation: Option<u64>,
    /// How long it may take.
    pub deadline: Deadline,
    /// Whether the client answers callbacks of this call.
    pub listens: bool,
    /// The first credit of each stream of the result.
    pub window: Window,
    /// A CBOR array (positional) or map (by parameter name).
    pub arguments: Value,
}

/// The host's call to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Chosen by the host; not in use on this worker.
    pub call: u64,
    /// What people know the call by: log and guests show it.
    pub number: u64,
    /// Index of the module in the worker's start.
    pub module: u32,
    /// Index of the function in the module's interface.
    pub function: u32,
    /// Microseconds left.
    pub deadline: Option<u64>,
    /// Whether anybody answers callbacks of this call.
    pub listens: bool,
    /// The first credit of each stream of the result.
    pub window: Window,
    /// A CBOR array (positional) or map (by parameter name).
    pub arguments: Value,
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which call.
    pub call: u64,
    /// Where it ran.
    pub worker: Option<WorkerRef>,
    /// How many times it was tried.
    pub attempts: u32,
    /// How it ended.
    pub outcome: Routed,
}

/// Where a callback comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The pool.
    pub pool: String,
    /// The module.
    pub module: String,
    /// The worker.
    pub worker: WorkerRef,
    /// The call's id at the host, as the log shows it.
    pub host_call: u64,
}

/// What a caller answers to a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A CBOR document.
    Value(Bytes),
    /// The handler failed, with this message.
    Failed(String),
    /// Nobody listens.
    Unheard,
    /// The caller has gone.
    Gone,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// First frame of a client.
    Hello {
        /// Wire version; must equal [`crate::WIRE_MAJOR`].
        major: u16,
        /// What the client understands.
        features: u64,
        /// The secret from the file beside the socket.
        token: [u8; 32],
        /// What the client calls itself.
        name: String,
    },
    /// The host accepts a client.
    Welcome {
        /// What both understand.
        features: u64,
        /// The host's version.
        version: String,
        /// The host's process.
        pid: u32,
    },
    /// Why the host closes this connection.
    Refused(String),
    /// Anything but a call.
    Request {
        /// Chosen by the client.
        id: u64,
        /// What it asks.
        request: Request,
        /// Bytes that go with it (components).
        payload: Bytes,
    },
    /// The answer to a request.
    Response {
        /// Which request.
        id: u64,
        /// The answer, or why there is none.
        reply: Result<Reply, String>,
    },
    /// An entry of the log, to a client that follows it.
    Log(LogEntry),
    /// An entry of the log, from a worker.
    GuestLog {
        /// The call that wrote it; 0 where none did.
        call: u64,
        /// The module that wrote it.
        module: u32,
        /// Where from.
        level: Level,
        /// Entries of this call dropped just before this one.
        dropped: u32,
        /// One line.
        text: Bytes,
    },
    /// A client's call.
    Call(Call),
    /// The host's call to a worker.
    Dispatch(Dispatch),
    /// End this call.
    Cancel {
        /// Which call.
        call: u64,
    },
    /// How a call ended.
    Outcome(Ended),
    /// The worker holds nothing of this call any more.
    Ended {
        /// Which call.
        call: u64,
    },
    /// Items of a stream.
    Items {
        /// The call it belongs to.
        call: u64,
        /// The stream of that call.
        stream: u32,
        /// How many.
        count: u32,
        /// CBOR documents one after another, and what they name by index.
        items: Value,
    },
    /// The writer has ended a stream.
    End {
        /// The call it belongs to.
        call: u64,
        /// The stream of that call.
        stream: u32,
        /// Why it ended early, where it did.
        failure: Option<Routed>,
    },
    /// The reader grants more.
    Credit {
        /// The call it belongs to.
        call: u64,
        /// The stream of that call.
        stream: u32,
        /// So many items more.
        items: u32,
        /// So many bytes more.
        bytes: u32,
    },
    /// The reader has dropped a stream.
    Close {
        /// The call it belongs to.
        call: u64,
        /// The stream of that call.
        stream: u32,
    },
    /// A guest asks its caller.
    Callback {
        /// The asking call; 0 towards a pool's handler that did not make the call.
        call: u64,
        /// The question, unique on its connection while it is open.
        callback: u32,
        /// Where it comes from, as the host tells a client.
        origin: Option<Origin>,
        /// A CBOR document.
        payload: Bytes,
    },
    /// The answer to a callback.
    Answer {
        /// As in the question.
        call: u64,
        /// As in the question.
        callback: u32,
        /// The answer.
        answer: Answer,
    },
    /// A client drops a handle.
    Release {
        /// Which.
        handle: u64,
    },
    /// What to load.
    Start(Start),
    /// Loaded, locked, serving.
    Ready {
        /// Layers of the jail that hold, by bit.
        layers: u32,
    },
    /// What could not be loaded.
    Failed {
        /// Which module, where it is one's fault.
        module: Option<u32>,
        /// Why.
        message: String,
    },
    /// Let calls end, then exit.
    Drain,
    /// Are you alive?
    Ping {
        /// Comes back in the pong.
        nonce: u64,
    },
    /// Yes.
    Pong {
        /// As in the ping.
        nonce: u64,
    },
    /// A component is compiled.
    Compiled {
        /// Bytes of the artifact in the output descriptor.
        artifact_len: u64,
        /// The [`crate::interface::Interface`], encoded.
        interface: Bytes,
    },
}

const NO_WINDOW: Window = Window { items: 0, bytes: 0 };

impl Default for Window {
    fn default() -> Window {
        NO_WINDOW
    }
}

impl Kind {
    /// Small messages whose order among those of their call does not matter.
    pub(crate) fn passes_by(self) -> bool {
        matches!(
            self,
            Kind::Credit | Kind::Cancel | Kind::Ping | Kind::Pong | Kind::Release
        )
    }

    /// Whether a message of this kind opens its call at the peer: what names the call comes behind.
    pub(crate) fn opens_call(self) -> bool {
        matches!(self, Kind::Call | Kind::Dispatch)
    }

    /// Which numbers of the header mean something: call, stream, items. The others are zero.
    fn numbers(self, link: Link) -> (bool, bool, bool) {
        match self {
            Kind::Hello
            | Kind::Welcome
            | Kind::Refused
            | Kind::Release
            | Kind::Start
            | Kind::Ready
            | Kind::Failed
            | Kind::Drain
            | Kind::Compiled => (false, false, false),
            Kind::Log => (link != Link::HostToClient, false, false),
            Kind::Request
            | Kind::Response
            | Kind::Call
            | Kind::Dispatch
            | Kind::Cancel
            | Kind::Outcome
            | Kind::Ended
            | Kind::Ping
            | Kind::Pong => (true, false, false),
            Kind::End | Kind::Close | Kind::Callback | Kind::Answer => (true, true, false),
            Kind::Items | Kind::Credit => (true, true, true),
        }
    }

    fn crosses(self, link: Link) -> bool {
        use Link::{
            ClientToHost as Up, HostToClient as Down, HostToWorker as In, WorkerToHost as Out,
        };
        let links: &[Link] = match self {
            Kind::Hello | Kind::Request | Kind::Call => &[Up],
            Kind::Welcome | Kind::Refused | Kind::Response => &[Down],
            Kind::Log => &[Down, Out],
            Kind::Dispatch | Kind::Start | Kind::Drain | Kind::Ping => &[In],
            Kind::Ended | Kind::Ready | Kind::Failed | Kind::Pong | Kind::Compiled => &[Out],
            Kind::Cancel | Kind::Answer | Kind::Release => &[Up, In],
            Kind::Outcome | Kind::Callback => &[Down, Out],
            Kind::Items | Kind::End | Kind::Credit | Kind::Close => &[Up, Down, In, Out],
        };
        links.contains(&link)
    }
}

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

fn take_worker(take: &mut Take) -> Result<WorkerRef, ProtocolError> {
    Ok(WorkerRef {
        slot: take.u32()?,
        generation: take.u64()?,
    })
}

fn put_routed(put: Put, routed: &Routed) -> Put {
    put.u8(routed.code as u8).u8(u8::from(routed.dispatched))
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
