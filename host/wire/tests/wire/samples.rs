//! One message of each kind, fixed: the golden bytes and the hostile variations start from these.

use bytes::Bytes;
use proc_host_wire::control::{FunctionInfo, PoolSpec, Reply, Request};
use proc_host_wire::interface::{Function, Interface, Type};
use proc_host_wire::log::{Level, LogEntry};
use proc_host_wire::message::{Answer, Call, Deadline, Dispatch, Ended, Origin, Window, WorkerRef};
use proc_host_wire::outcome::Routed;
use proc_host_wire::start::{
    CompilerStart, Instances, ModuleLimits, ModuleStart, Start, WorkerStart,
};
use proc_host_wire::{
    Attachment, AttachmentKind, Denied, DeniedReason, Fault, FaultCause, Link, Message, Outcome,
    Trap, TrapFrame, Value,
};

const WINDOW: Window = Window {
    items: 64,
    bytes: 65_536,
};

fn value(body: &'static [u8]) -> Value {
    let attachment = |kind, id| Attachment { kind, id };
    Value {
        body: Bytes::from_static(body),
        attachments: vec![
            attachment(AttachmentKind::Resource, 0x0102_0304_0506_0708),
            attachment(AttachmentKind::Stream, 2),
            attachment(AttachmentKind::Future, 3),
        ],
    }
}

fn ended(outcome: Outcome) -> Message {
    Message::Outcome(Ended {
        call: 7,
        worker: Some(WorkerRef {
            slot: 1,
            generation: 2,
        }),
        attempts: 1,
        outcome: outcome.into(),
    })
}

/// A name, a link the message crosses, and the message.
pub(crate) fn samples() -> Vec<(&'static str, Link, Message)> {
    use Link::{ClientToHost as Up, HostToClient as Down, HostToWorker as In, WorkerToHost as Out};
    let text = str::to_owned;
    let trap = Trap {
        reason: text("unreachable"),
        own: true,
        backtrace: vec![TrapFrame {
            function: text("math::div"),
            module: Some(text("math")),
            offset: Some(0x1234),
        }],
    };
    let fault = Fault {
        cause: FaultCause::Signal(9),
        message: text("killed"),
    };
    let worker = WorkerStart {
        pool: text("default"),
        slot: 0,
        generation: 1,
        modules: vec![ModuleStart {
            name: text("math"),
            artifact: 0,
            artifact_len: 4096,
            instances: Instances::PerCall,
            limits: ModuleLimits::default(),
        }],
    };
    let interface = Interface {
        types: vec![Type::S64, Type::List(0)],
        functions: vec![Function {
            interface: Some(text("a:b/c@1.0.0")),
            name: text("sum"),
            is_async: false,
            params: vec![(text("of"), 1)],
            result: Some(0),
            unsupported: None,
        }],
        imports: Vec::new(),
    };
    vec![
        (
            "hello",
            Up,
            Message::Hello {
                major: 1,
                features: 2,
                token: [0xab; 32],
                name: text("shell"),
            },
        ),
        (
            "welcome",
            Down,
            Message::Welcome {
                features: 2,
                version: text("0.1.0"),
                pid: 4711,
            },
        ),
        ("refused", Down, Message::Refused(text("wrong token"))),
        (
            "request",
            Up,
            Message::Request {
                id: 5,
                request: Request::CreatePool(PoolSpec {
                    name: text("default"),
                    slots: 2,
                    callbacks: false,
                }),
                payload: Bytes::from_static(b"payload"),
            },
        ),
        (
            "response",
            Down,
            Message::Response {
                id: 5,
                reply: Ok(Reply::Function(FunctionInfo {
                    module: text("math"),
                    function: 0,
                    interface: interface.clone(),
                })),
            },
        ),
        (
            "response-error",
            Down,
            Message::Response {
                id: 5,
                reply: Err(text("no such pool")),
            },
        ),
        (
            "log",
            Down,
            Message::Log(LogEntry {
                time_ms: 1_700_000_000_000,
                level: Level::Info,
                pool: Some(text("default")),
                worker: Some(0),
                module: None,
                function: None,
                call: Some(7),
                text: text("hi"),
            }),
        ),
        (
            "guest-log",
            Out,
            Message::GuestLog {
                call: 7,
                module: 1,
                level: Level::Stderr,
                dropped: 3,
                text: Bytes::from_static(b"line"),
            },
        ),
        (
            "call",
            Up,
            Message::Call(Call {
                call: 7,
                pool: text("default"),
                target: text("math.add"),
                slot: Some(1),
                generation: Some(2),
                deadline: Deadline::Micros(30_000_000),
                listens: true,
                window: WINDOW,
                arguments: value(b"\x82\x01\x02"),
            }),
        ),
        (
            "call-plain",
            Up,
            Message::Call(Call {
                call: 8,
                pool: String::new(),
                target: text("m.f"),
                slot: None,
                generation: None,
                deadline: Deadline::Default,
                listens: false,
                window: Window::default(),
                arguments: Value::default(),
            }),
        ),
        (
            "dispatch",
            In,
            Message::Dispatch(Dispatch {
                call: 7,
                number: 3,
                module: 1,
                function: 2,
                deadline: Some(29_999_999),
                listens: true,
                window: WINDOW,
                arguments: value(b"\x80"),
            }),
        ),
        ("cancel", Up, Message::Cancel { call: 7 }),
        (
            "outcome-returned",
            Out,
            ended(Outcome::Returned(value(b"\x03"))),
        ),
        (
            "outcome-raised",
            Down,
            ended(Outcome::Raised(value(b"\x61e"))),
        ),
        (
            "outcome-trapped",
            Out,
            ended(Outcome::Trapped(trap.clone())),
        ),
        ("outcome-faulted", Down, ended(Outcome::Faulted(fault))),
        (
            "outcome-denied",
            Down,
            Message::Outcome(Ended {
                call: 7,
                worker: None,
                attempts: 0,
                outcome: Outcome::Denied(Denied::new(DeniedReason::UnknownPool, "no pool")).into(),
            }),
        ),
        (
            "outcome-cancelled",
            Down,
            ended(Outcome::Cancelled { dispatched: false }),
        ),
        (
            "outcome-timed-out",
            Down,
            ended(Outcome::TimedOut { dispatched: true }),
        ),
        ("ended", Out, Message::Ended { call: 7 }),
        (
            "items",
            Out,
            Message::Items {
                call: 7,
                stream: 2,
                count: 3,
                items: value(b"\x01\x02\x03"),
            },
        ),
        (
            "end",
            Out,
            Message::End {
                call: 7,
                stream: 2,
                failure: None,
            },
        ),
        (
            "end-failed",
            Down,
            Message::End {
                call: 7,
                stream: 2,
                failure: Some(Routed::from(Outcome::Trapped(trap))),
            },
        ),
        (
            "credit",
            Up,
            Message::Credit {
                call: 7,
                stream: 2,
                items: 16,
                bytes: 1024,
            },
        ),
        ("close", Up, Message::Close { call: 7, stream: 2 }),
        (
            "callback",
            Down,
            Message::Callback {
                call: 7,
                callback: 1,
                origin: Some(Origin {
                    pool: text("default"),
                    module: text("math"),
                    worker: WorkerRef {
                        slot: 1,
                        generation: 2,
                    },
                    host_call: 99,
                }),
                payload: Bytes::from_static(b"\x63ask"),
            },
        ),
        (
            "callback-plain",
            Out,
            Message::Callback {
                call: 7,
                callback: 1,
                origin: None,
                payload: Bytes::new(),
            },
        ),
        (
            "answer",
            Up,
            answer(Answer::Value(Bytes::from_static(b"\xf5"))),
        ),
        ("answer-failed", Up, answer(Answer::Failed(text("raised")))),
        ("answer-unheard", In, answer(Answer::Unheard)),
        ("answer-gone", In, answer(Answer::Gone)),
        ("release", Up, Message::Release { handle: 12 }),
        ("start-worker", In, Message::Start(Start::Worker(worker))),
        (
            "start-compiler",
            In,
            Message::Start(Start::Compiler(CompilerStart {
                input: 0,
                input_len: 100,
                output: 1,
            })),
        ),
        ("ready", Out, Message::Ready { layers: 0b1011 }),
        (
            "failed",
            Out,
            Message::Failed {
                module: Some(1),
                message: text("no memory"),
            },
        ),
        ("drain", In, Message::Drain),
        ("ping", In, Message::Ping { nonce: 77 }),
        ("pong", Out, Message::Pong { nonce: 77 }),
        (
            "compiled",
            Out,
            Message::Compiled {
                artifact_len: 4096,
                interface: interface.encode(),
            },
        ),
    ]
}

fn answer(answer: Answer) -> Message {
    Message::Answer {
        call: 7,
        callback: 1,
        answer,
    }
}
