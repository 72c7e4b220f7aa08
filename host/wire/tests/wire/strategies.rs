//! Any message of any kind.

use bytes::Bytes;
use proc_host_wire::control::{
    FunctionInfo, ModuleInfo, ModuleSpec, PoolInfo, PoolSpec, Reply, Request, WorkerInfo,
    WorkerState,
};
use proc_host_wire::interface::{Function, Grant, Import, Interface, Type};
use proc_host_wire::log::{Level, LogEntry};
use proc_host_wire::message::{Answer, Call, Deadline, Dispatch, Ended, Origin, Window, WorkerRef};
use proc_host_wire::outcome::Routed;
use proc_host_wire::start::{
    CompilerStart, Instances, ModuleLimits, ModuleStart, Start, WorkerStart,
};
use proc_host_wire::{
    Attachment, AttachmentKind, Denied, DeniedReason, Fault, FaultCause, Message, Outcome, Trap,
    TrapFrame, Value,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn text() -> BoxedStrategy<String> {
    prop_oneof![4 => "[a-z@:/.-]{0,12}", 1 => "\\PC{0,12}", 1 => Just("\0\n".to_owned())].boxed()
}

pub(crate) fn bytes() -> BoxedStrategy<Bytes> {
    vec(any::<u8>(), 0..80).prop_map(Bytes::from).boxed()
}

fn attachment() -> BoxedStrategy<Attachment> {
    let kind = select(vec![
        AttachmentKind::Resource,
        AttachmentKind::Stream,
        AttachmentKind::Future,
    ]);
    (kind, any::<u64>())
        .prop_map(|(kind, id)| Attachment { kind, id })
        .boxed()
}

pub(crate) fn value() -> BoxedStrategy<Value> {
    (bytes(), vec(attachment(), 0..5))
        .prop_map(|(body, attachments)| Value { body, attachments })
        .boxed()
}

fn window() -> BoxedStrategy<Window> {
    any::<(u32, u32)>()
        .prop_map(|(items, bytes)| Window { items, bytes })
        .boxed()
}

fn worker() -> BoxedStrategy<WorkerRef> {
    any::<(u32, u64)>()
        .prop_map(|(slot, generation)| WorkerRef { slot, generation })
        .boxed()
}

fn instances() -> BoxedStrategy<Instances> {
    select(vec![
        Instances::Shared,
        Instances::Exclusive,
        Instances::PerCall,
    ])
    .boxed()
}

fn limits() -> BoxedStrategy<ModuleLimits> {
    any::<(u64, u32, u32, u32, u32, u64)>()
        .prop_map(
            |(memory, table, max_uses, exclusive, concurrency, log_bytes)| ModuleLimits {
                memory,
                table,
                max_uses,
                exclusive,
                concurrency,
                log_bytes,
            },
        )
        .boxed()
}

pub(crate) fn level() -> BoxedStrategy<Level> {
    use Level::{Debug, Error, Info, Stderr, Stdout, Trace, Warn};
    select(vec![Trace, Debug, Info, Warn, Error, Stdout, Stderr]).boxed()
}

fn trap() -> BoxedStrategy<Trap> {
    let frame = (text(), option::of(text()), any::<Option<u64>>()).prop_map(
        |(function, module, offset)| TrapFrame {
            function,
            module,
            offset,
        },
    );
    (text(), any::<bool>(), vec(frame, 0..4))
        .prop_map(|(reason, own, backtrace)| Trap {
            reason,
            own,
            backtrace,
        })
        .boxed()
}

fn fault() -> BoxedStrategy<Fault> {
    let cause = prop_oneof![
        any::<i32>().prop_map(FaultCause::Signal),
        any::<i32>().prop_map(FaultCause::Exit),
        Just(FaultCause::Protocol),
        Just(FaultCause::Unresponsive),
        Just(FaultCause::Lost),
    ];
    (cause, text())
        .prop_map(|(cause, message)| Fault { cause, message })
        .boxed()
}

fn denied() -> BoxedStrategy<Denied> {
    use DeniedReason::{
        Ambiguous, BadArguments, QueueFull, Stopping, TooLarge, Unavailable, UnknownFunction,
        UnknownHandle, UnknownModule, UnknownPool, UnknownWorker, Unsupported,
    };
    let reason = select(vec![
        Ambiguous,
        BadArguments,
        QueueFull,
        Stopping,
        TooLarge,
        Unavailable,
        UnknownFunction,
        UnknownHandle,
        UnknownModule,
        UnknownPool,
        UnknownWorker,
        Unsupported,
    ]);
    (reason, text())
        .prop_map(|(reason, message)| Denied { reason, message })
        .boxed()
}

/// Any outcome but `Unknown`, which has no place on the wire.
pub(crate) fn outcome() -> BoxedStrategy<Outcome> {
    prop_oneof![
        value().prop_map(Outcome::Returned),
        value().prop_map(Outcome::Raised),
        trap().prop_map(Outcome::Trapped),
        fault().prop_map(Outcome::Faulted),
        denied().prop_map(Outcome::Denied),
        any::<bool>().prop_map(|dispatched| Outcome::Cancelled { dispatched }),
        any::<bool>().prop_map(|dispatched| Outcome::TimedOut { dispatched }),
    ]
    .boxed()
}

fn routed() -> BoxedStrategy<Routed> {
    outcome().prop_map(Routed::from).boxed()
}

fn ty(before: u32) -> BoxedStrategy<Type> {
    use Type::{Bool, Char, ErrorContext, F32, F64, S8, S16, S32, S64, String, U8, U16, U32, U64};
    let plain = select(vec![
        Bool,
        S8,
        U8,
        S16,
        U16,
        S32,
        U32,
        S64,
        U64,
        F32,
        F64,
        Char,
        String,
        ErrorContext,
    ]);
    let words = || vec(text(), 0..4);
    let leaf = prop_oneof![
        plain,
        (option::of(text()), words()).prop_map(|(name, cases)| Type::Enum { name, cases }),
        (option::of(text()), words()).prop_map(|(name, flags)| Type::Flags { name, flags }),
        text().prop_map(Type::Own),
        text().prop_map(Type::Borrow),
        Just(Type::Stream(None)),
        Just(Type::Future(None)),
    ];
    if before == 0 {
        return leaf.boxed();
    }
    let id = || 0..before;
    let named = || option::of(text());
    prop_oneof![
        leaf,
        id().prop_map(Type::List),
        (id(), any::<u32>()).prop_map(|(id, length)| Type::FixedList(id, length)),
        (id(), id()).prop_map(|(key, value)| Type::Map(key, value)),
        id().prop_map(Type::Option),
        (option::of(id()), option::of(id())).prop_map(|(ok, err)| Type::Result { ok, err }),
        vec(id(), 0..4).prop_map(Type::Tuple),
        (named(), vec((text(), id()), 0..4))
            .prop_map(|(name, fields)| Type::Record { name, fields }),
        (named(), vec((text(), option::of(id())), 0..4))
            .prop_map(|(name, cases)| Type::Variant { name, cases }),
        id().prop_map(|id| Type::Stream(Some(id))),
        id().prop_map(|id| Type::Future(Some(id))),
    ]
    .boxed()
}

/// A descriptor whose every index holds.
pub(crate) fn interface() -> BoxedStrategy<Interface> {
    let types = (0u32..10).prop_flat_map(|count| (0..count).map(ty).collect::<Vec<_>>());
    let grant = select(vec![Grant::Granted, Grant::Empty, Grant::Unknown]);
    let import = (text(), vec(text(), 0..3), grant).prop_map(|(name, functions, grant)| Import {
        name,
        functions,
        grant,
    });
    (types, vec(import, 0..3))
        .prop_flat_map(|(types, imports)| {
            let count = u32::try_from(types.len()).unwrap();
            let function = if count == 0 {
                (Just(Vec::new()).boxed(), Just(None).boxed())
            } else {
                let params = vec((text(), 0..count), 0..4);
                (params.boxed(), option::of(0..count).boxed())
            };
            let (params, result) = function;
            let named = (
                option::of(text()),
                text(),
                any::<bool>(),
                option::of(text()),
            );
            let function = (named, params, result).prop_map(
                |((interface, name, is_async, unsupported), params, result)| Function {
                    interface,
                    name,
                    is_async,
                    params,
                    result,
                    unsupported,
                },
            );
            vec(function, 0..4).prop_map(move |functions| Interface {
                types: types.clone(),
                functions,
                imports: imports.clone(),
            })
        })
        .boxed()
}

fn request() -> BoxedStrategy<Request> {
    let spec = (
        text(),
        any::<u64>(),
        option::of(instances()),
        option::of(limits()),
    )
        .prop_map(|(name, size, instances, limits)| ModuleSpec {
            name,
            size,
            instances,
            limits,
        });
    prop_oneof![
        Just(Request::Ping),
        Just(Request::Ps),
        (text(), text()).prop_map(|(pool, module)| Request::Inspect { pool, module }),
        text().prop_map(|name| Request::Examine { name }),
        (text(), text()).prop_map(|(pool, target)| Request::Describe { pool, target }),
        (text(), any::<u32>(), any::<bool>()).prop_map(|(name, slots, callbacks)| {
            Request::CreatePool(PoolSpec {
                name,
                slots,
                callbacks,
            })
        }),
        (text(), vec(spec, 0..4)).prop_map(|(pool, modules)| Request::Load { pool, modules }),
        (text(), text()).prop_map(|(pool, module)| Request::Unload { pool, module }),
        any::<bool>().prop_map(|follow| Request::Logs { follow }),
        any::<bool>().prop_map(|now| Request::Stop { now }),
    ]
    .boxed()
}

fn reply() -> BoxedStrategy<Reply> {
    let state = select(vec![
        WorkerState::Starting,
        WorkerState::Ready,
        WorkerState::Draining,
    ]);
    let worker = (
        any::<(u32, u64, u32, u64, u64, u64)>(),
        state,
        vec(text(), 0..3),
    )
        .prop_map(
            |((slot, generation, pid, in_flight, done, memory), state, modules)| WorkerInfo {
                slot,
                generation,
                pid,
                state,
                modules,
                in_flight,
                done,
                memory,
            },
        );
    let pool = (
        text(),
        any::<(u32, u64)>(),
        vec(text(), 0..3),
        vec(worker, 0..3),
    )
        .prop_map(|(name, (slots, queued), modules, workers)| PoolInfo {
            name,
            slots,
            modules,
            queued,
            workers,
        });
    prop_oneof![
        Just(Reply::Done),
        vec(pool, 0..3).prop_map(Reply::Pools),
        (text(), text(), instances(), interface()).prop_map(
            |(name, digest, instances, interface)| {
                Reply::Module(ModuleInfo {
                    name,
                    digest,
                    instances,
                    interface,
                })
            }
        ),
        (text(), any::<u32>(), interface()).prop_map(|(module, function, interface)| {
            Reply::Function(FunctionInfo {
                module,
                function,
                interface,
            })
        }),
    ]
    .boxed()
}

fn entry() -> BoxedStrategy<LogEntry> {
    let names = (
        option::of(text()),
        option::of(text()),
        option::of(text()),
        text(),
    );
    (any::<(u64, Option<u32>, Option<u64>)>(), level(), names)
        .prop_map(
            |((time_ms, worker, call), level, (pool, module, function, text))| LogEntry {
                time_ms,
                level,
                pool,
                worker,
                module,
                function,
                call,
                text,
            },
        )
        .boxed()
}

fn call() -> BoxedStrategy<Call> {
    let deadline = prop_oneof![
        Just(Deadline::Default),
        Just(Deadline::Never),
        any::<u64>().prop_map(Deadline::Micros),
    ];
    let place = any::<(u64, Option<u32>, Option<u64>, bool)>();
    (place, text(), text(), deadline, window(), value())
        .prop_map(
            |((call, slot, generation, listens), pool, target, deadline, window, arguments)| Call {
                call,
                pool,
                target,
                slot,
                generation,
                deadline,
                listens,
                window,
                arguments,
            },
        )
        .boxed()
}

fn dispatch() -> BoxedStrategy<Dispatch> {
    let place = any::<(u64, u64, u32, u32, Option<u64>, bool)>();
    (place, window(), value())
        .prop_map(
            |((call, number, module, function, deadline, listens), window, arguments)| Dispatch {
                call,
                number,
                module,
                function,
                deadline,
                listens,
                window,
                arguments,
            },
        )
        .boxed()
}

fn start() -> BoxedStrategy<Start> {
    let module = (text(), any::<(u32, u64)>(), instances(), limits()).prop_map(
        |(name, (artifact, artifact_len), instances, limits)| ModuleStart {
            name,
            artifact,
            artifact_len,
            instances,
            limits,
        },
    );
    prop_oneof![
        (text(), any::<(u32, u64)>(), vec(module, 0..4)).prop_map(
            |(pool, (slot, generation), modules)| {
                Start::Worker(WorkerStart {
                    pool,
                    slot,
                    generation,
                    modules,
                })
            }
        ),
        any::<(u32, u64, u32)>().prop_map(|(input, input_len, output)| {
            Start::Compiler(CompilerStart {
                input,
                input_len,
                output,
            })
        }),
    ]
    .boxed()
}

fn answer() -> BoxedStrategy<Answer> {
    prop_oneof![
        bytes().prop_map(Answer::Value),
        text().prop_map(Answer::Failed),
        Just(Answer::Unheard),
        Just(Answer::Gone),
    ]
    .boxed()
}

fn origin() -> BoxedStrategy<Origin> {
    (text(), text(), worker(), any::<u64>())
        .prop_map(|(pool, module, worker, host_call)| Origin {
            pool,
            module,
            worker,
            host_call,
        })
        .boxed()
}

/// Any message.
pub(crate) fn message() -> BoxedStrategy<Message> {
    let of_clients = prop_oneof![
        (any::<(u16, u64, [u8; 32])>(), text()).prop_map(|((major, features, token), name)| {
            Message::Hello {
                major,
                features,
                token,
                name,
            }
        }),
        (any::<(u64, u32)>(), text()).prop_map(|((features, pid), version)| Message::Welcome {
            features,
            version,
            pid,
        }),
        text().prop_map(Message::Refused),
        (any::<u64>(), request(), bytes()).prop_map(|(id, request, payload)| Message::Request {
            id,
            request,
            payload,
        }),
        (
            any::<u64>(),
            prop_oneof![reply().prop_map(Ok), text().prop_map(Err)]
        )
            .prop_map(|(id, reply)| Message::Response { id, reply }),
        entry().prop_map(Message::Log),
        call().prop_map(Message::Call),
        any::<u64>().prop_map(|handle| Message::Release { handle }),
    ];
    let of_processes = prop_oneof![
        (any::<(u64, u32, u32)>(), level(), bytes()).prop_map(
            |((call, module, dropped), level, text)| Message::GuestLog {
                call,
                module,
                level,
                dropped,
                text,
            }
        ),
        dispatch().prop_map(Message::Dispatch),
        any::<u64>().prop_map(|call| Message::Ended { call }),
        start().prop_map(Message::Start),
        any::<u32>().prop_map(|layers| Message::Ready { layers }),
        (any::<Option<u32>>(), text())
            .prop_map(|(module, message)| Message::Failed { module, message }),
        Just(Message::Drain),
        any::<u64>().prop_map(|nonce| Message::Ping { nonce }),
        any::<u64>().prop_map(|nonce| Message::Pong { nonce }),
        (any::<u64>(), bytes()).prop_map(|(artifact_len, interface)| Message::Compiled {
            artifact_len,
            interface,
        }),
    ];
    let of_both = prop_oneof![
        any::<u64>().prop_map(|call| Message::Cancel { call }),
        (any::<(u64, u32)>(), option::of(worker()), routed()).prop_map(
            |((call, attempts), worker, outcome)| {
                Message::Outcome(Ended {
                    call,
                    worker,
                    attempts,
                    outcome,
                })
            }
        ),
        (any::<(u64, u32, u32)>(), value()).prop_map(|((call, stream, count), items)| {
            Message::Items {
                call,
                stream,
                count,
                items,
            }
        }),
        (any::<(u64, u32)>(), option::of(routed())).prop_map(|((call, stream), failure)| {
            Message::End {
                call,
                stream,
                failure,
            }
        }),
        any::<(u64, u32, u32, u32)>().prop_map(|(call, stream, items, bytes)| Message::Credit {
            call,
            stream,
            items,
            bytes,
        }),
        any::<(u64, u32)>().prop_map(|(call, stream)| Message::Close { call, stream }),
        (any::<(u64, u32)>(), option::of(origin()), bytes()).prop_map(
            |((call, callback), origin, payload)| Message::Callback {
                call,
                callback,
                origin,
                payload,
            }
        ),
        (any::<(u64, u32)>(), answer()).prop_map(|((call, callback), answer)| Message::Answer {
            call,
            callback,
            answer,
        }),
    ];
    prop_oneof![of_clients.boxed(), of_processes.boxed(), of_both.boxed()].boxed()
}
