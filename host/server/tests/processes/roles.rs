//! A compiler and a worker without an engine: what a module's functions do is told by their names.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use bytes::Bytes;
use proc_host_jail::{Layers, inherited_fd};
use proc_host_wire::interface::{Function, Interface};
use proc_host_wire::log::Level;
use proc_host_wire::message::{Answer, Dispatch, Ended};
use proc_host_wire::start::Start;
use proc_host_wire::{Attachment, AttachmentKind, Link, Message, Outcome, Value};

use crate::peer::Peer;

const FUNCTIONS: [&str; 10] = [
    "echo", "hang", "abort", "lie", "deaf", "count", "ask", "log", "print", "never",
];

fn socket() -> Peer {
    Peer::new(
        UnixStream::from(inherited_fd(3).unwrap()),
        Link::HostToWorker,
    )
}

fn function(interface: Option<&str>, name: &str) -> Function {
    Function {
        interface: interface.map(str::to_owned),
        name: name.to_owned(),
        is_async: false,
        params: Vec::new(),
        result: None,
        unsupported: (name == "never").then(|| "for a reason".to_owned()),
    }
}

/// Does what the component's text behind its first eight bytes says.
pub(crate) fn compiler() -> ExitCode {
    let mut peer = socket();
    let Some(Message::Start(Start::Compiler(start))) = peer.receive() else {
        return ExitCode::FAILURE;
    };
    let input = File::from(inherited_fd(4).unwrap());
    let mut component = vec![0; usize::try_from(start.input_len).unwrap()];
    input.read_exact_at(&mut component, 0).unwrap();
    let answer = match &component[8..] {
        b"bad" => Message::Failed {
            module: None,
            message: "it is bad".to_owned(),
        },
        b"crash" => std::process::abort(),
        directive => {
            File::from(inherited_fd(5).unwrap())
                .write_all(directive)
                .unwrap();
            let mut functions: Vec<Function> =
                FUNCTIONS.iter().map(|name| function(None, name)).collect();
            functions.push(function(Some("x:y/a"), "twice"));
            functions.push(function(Some("x:y/b"), "twice"));
            let interface = Interface {
                functions,
                ..Interface::default()
            };
            Message::Compiled {
                artifact_len: directive.len() as u64,
                interface: interface.encode(),
            }
        }
    };
    peer.queue(answer);
    peer.flush().unwrap();
    ExitCode::SUCCESS
}

struct Stream {
    left: u32,
    credit: u32,
}

/// Serves until the host hangs up or lets it go.
pub(crate) fn worker() -> ExitCode {
    let mut peer = socket();
    let Some(Message::Start(Start::Worker(start))) = peer.receive() else {
        return ExitCode::FAILURE;
    };
    for (at, module) in (4..).zip(&start.modules) {
        let mut artifact = vec![0; usize::try_from(module.artifact_len).unwrap()];
        let file = File::from(inherited_fd(at).unwrap());
        file.read_exact_at(&mut artifact, 0).unwrap();
        if artifact == b"refused" {
            let module = start
                .modules
                .iter()
                .position(|other| other.name == module.name);
            let module = module.map(|module| u32::try_from(module).unwrap());
            peer.queue(Message::Failed {
                module,
                message: "it will not load".to_owned(),
            });
            peer.flush().unwrap();
            return ExitCode::FAILURE;
        }
    }
    peer.queue(Message::Ready {
        layers: Layers::ALL.bits(),
    });
    peer.flush().unwrap();
    let mut streams = HashMap::new();
    let mut deaf = None;
    while let Some(message) = peer.receive() {
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                Message::Dispatch(dispatch) => {
                    dispatched(&mut peer, dispatch, &mut streams, &mut deaf)
                }
                Message::Cancel { call } if deaf != Some(call) => {
                    end(&mut peer, call, Outcome::Cancelled { dispatched: true });
                }
                Message::Credit { call, items, .. } => {
                    if let Some(stream) = streams.get_mut(&call) {
                        stream.credit += items;
                    }
                    feed(&mut peer, call, &mut streams);
                }
                Message::Answer {
                    call,
                    answer: Answer::Value(body),
                    ..
                } => {
                    let attachments = Vec::new();
                    end(
                        &mut peer,
                        call,
                        Outcome::Returned(Value { body, attachments }),
                    );
                }
                Message::Drain => return ExitCode::SUCCESS,
                _ => {}
            }
            next = peer.at_hand();
        }
        if peer.flush().is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn outcome(peer: &mut Peer, call: u64, outcome: Outcome) {
    let outcome = outcome.into();
    peer.queue(Message::Outcome(Ended {
        call,
        worker: None,
        attempts: 1,
        outcome,
    }));
}

fn end(peer: &mut Peer, call: u64, how: Outcome) {
    outcome(peer, call, how);
    peer.queue(Message::Ended { call });
}

fn dispatched(
    peer: &mut Peer,
    dispatch: Dispatch,
    streams: &mut HashMap<u64, Stream>,
    deaf: &mut Option<u64>,
) {
    let Dispatch {
        call,
        module,
        function,
        arguments,
        window,
        ..
    } = dispatch;
    match FUNCTIONS[function as usize] {
        "echo" => end(peer, call, Outcome::Returned(arguments)),
        "hang" => {}
        "abort" => std::process::abort(),
        "lie" => end(peer, call + 1, Outcome::Returned(arguments)),
        "deaf" => *deaf = Some(call),
        "count" => {
            let attachments = vec![Attachment {
                kind: AttachmentKind::Stream,
                id: 1,
            }];
            outcome(
                peer,
                call,
                Outcome::Returned(Value {
                    body: arguments.body,
                    attachments,
                }),
            );
            streams.insert(
                call,
                Stream {
                    left: 1000,
                    credit: window.items,
                },
            );
            feed(peer, call, streams);
        }
        "ask" => {
            let payload = arguments.body;
            peer.queue(Message::Callback {
                call,
                callback: 7,
                origin: None,
                payload,
            });
        }
        "log" => {
            let text = Bytes::from_static(b"a line\n");
            let level = Level::Info;
            peer.queue(Message::GuestLog {
                call,
                module,
                level,
                dropped: 0,
                text,
            });
            end(peer, call, Outcome::Returned(arguments));
        }
        "print" => {
            let _ = std::io::stderr().write_all(b"printed\n");
            end(peer, call, Outcome::Returned(arguments));
        }
        other => panic!("{other}"),
    }
}

fn feed(peer: &mut Peer, call: u64, streams: &mut HashMap<u64, Stream>) {
    let Some(stream) = streams.get_mut(&call) else {
        return;
    };
    let count = stream.left.min(stream.credit);
    if count > 0 {
        let body = Bytes::from(vec![0; count as usize]);
        let items = Value {
            body,
            attachments: Vec::new(),
        };
        peer.queue(Message::Items {
            call,
            stream: 1,
            count,
            items,
        });
        stream.left -= count;
        stream.credit -= count;
    }
    if stream.left == 0 {
        streams.remove(&call);
        peer.queue(Message::End {
            call,
            stream: 1,
            failure: None,
        });
        peer.queue(Message::Ended { call });
    }
}
