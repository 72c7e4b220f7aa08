//! Conversations with a worker over a real socket, without the process and the lock around it.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use proc_host_jail::{JailError, Layers};
use proc_host_wire::message::{Dispatch, Window};
use proc_host_wire::outcome::OutcomeCode;
use proc_host_wire::start::{Instances, ModuleLimits, ModuleStart, Start, WorkerStart};
use proc_host_wire::{Inbox, Link, Message, Outbox, Outcome, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::serve::{Surroundings, serve};

/// Plain functions: one that adds, one that never returns, one that traps, one that counts.
const PLAIN: &str = r#"
(component
  (core module $m
    (global $count (mut i64) (i64.const 0))
    (func (export "add") (param i64 i64) (result i64)
      (i64.add (local.get 0) (local.get 1)))
    (func (export "spin") (loop (br 0)))
    (func (export "crash") unreachable)
    (func (export "count") (result i64)
      (global.set $count (i64.add (global.get $count) (i64.const 1)))
      (global.get $count)))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" s64) (param "b" s64) (result s64)
    (canon lift (core func $i "add")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "crash") (canon lift (core func $i "crash")))
  (func (export "count") (result s64) (canon lift (core func $i "count"))))
"#;
const ADD: u32 = 0;
const SPIN: u32 = 1;
const CRASH: u32 = 2;
const COUNT: u32 = 3;

struct Artifact(Vec<u8>);

impl Surroundings for Artifact {
    fn artifact(&self, _: u32) -> io::Result<OwnedFd> {
        let file = rustix::fs::memfd_create("artifact", rustix::fs::MemfdFlags::CLOEXEC)?;
        std::os::unix::fs::FileExt::write_all_at(
            &std::fs::File::from(file.try_clone()?),
            &self.0,
            0,
        )?;
        Ok(file)
    }

    fn lock(self) -> Result<Layers, JailError> {
        Ok(Layers::NONE)
    }
}

/// The host's end.
struct Host {
    socket: UnixStream,
    inbox: Inbox,
    calls: u64,
}

impl Host {
    async fn send(&mut self, message: Message) {
        let mut outbox = Outbox::default();
        outbox.push(message).unwrap();
        let mut bytes = Vec::new();
        while outbox.fill(&mut bytes) {
            self.socket.write_all(&bytes).await.unwrap();
            bytes.clear();
        }
    }

    async fn receive(&mut self) -> Message {
        loop {
            if let Some(frame) = self.inbox.next_frame().unwrap() {
                return Message::from_frame(Link::WorkerToHost, frame).unwrap();
            }
            let mut chunk = [0; 4096];
            let count = tokio::time::timeout(Duration::from_secs(30), self.socket.read(&mut chunk))
                .await
                .expect("the worker answers")
                .unwrap();
            assert!(count > 0, "the worker closed its socket");
            self.inbox.feed(&chunk[..count]);
        }
    }

    async fn begin(&mut self, function: u32, arguments: &[u8], deadline: Option<Duration>) -> u64 {
        self.calls += 1;
        self.send(Message::Dispatch(Dispatch {
            call: self.calls,
            number: self.calls,
            module: 0,
            function,
            deadline: deadline.map(|deadline| deadline.as_micros().try_into().unwrap()),
            listens: false,
            window: Window::default(),
            arguments: Value {
                body: Bytes::copy_from_slice(arguments),
                attachments: Vec::new(),
            },
        }))
        .await;
        self.calls
    }

    /// The outcome of `call`, and that the worker lets go of it next.
    async fn outcome(&mut self, call: u64) -> Outcome {
        let Message::Outcome(ended) = self.receive().await else {
            panic!("an outcome comes first")
        };
        assert_eq!(ended.call, call);
        assert_eq!(self.receive().await, Message::Ended { call });
        ended.outcome.open().unwrap()
    }

    async fn call(&mut self, function: u32, arguments: &[u8]) -> Outcome {
        let call = self.begin(function, arguments, None).await;
        self.outcome(call).await
    }
}

fn returned(body: &'static [u8]) -> Outcome {
    Outcome::Returned(Value {
        body: Bytes::from_static(body),
        attachments: Vec::new(),
    })
}

const NONE: &[u8] = &[0x80];
const SHORT: Duration = Duration::from_millis(30);

fn with_worker(instances: Instances, test: impl AsyncFnOnce(&mut Host)) {
    let engine = proc_host_engine::compiler().unwrap();
    let component =
        wasmtime::component::Component::from_binary(&engine, &wat::parse_str(PLAIN).unwrap())
            .unwrap();
    let artifact = component.serialize().unwrap();
    let start = Start::Worker(WorkerStart {
        pool: "Workers".to_owned(),
        slot: 0,
        generation: 1,
        modules: vec![ModuleStart {
            name: "plain".to_owned(),
            artifact: 0,
            artifact_len: artifact.len() as u64,
            instances,
            limits: ModuleLimits::default(),
        }],
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let worker = tokio::task::spawn_local(serve(theirs, Artifact(artifact)));
        let mut host = Host {
            socket: ours,
            inbox: Inbox::default(),
            calls: 0,
        };
        host.send(Message::Start(start)).await;
        assert_eq!(host.receive().await, Message::Ready { layers: 0 });
        test(&mut host).await;
        host.send(Message::Drain).await;
        worker.await.unwrap().unwrap();
    });
}

#[test]
fn a_call_returns() {
    with_worker(Instances::Shared, async |host| {
        assert_eq!(
            host.call(ADD, &[0x82, 0x18, 40, 2]).await,
            returned(&[0x18, 42])
        );
        assert_eq!(
            host.call(ADD, &[0xa2, 0x61, b'b', 1, 0x61, b'a', 2]).await,
            returned(&[3])
        );
    });
}

#[test]
fn bad_arguments_are_denied_and_harm_nobody() {
    with_worker(Instances::Shared, async |host| {
        assert_eq!(host.call(COUNT, NONE).await, returned(&[1]));
        let Outcome::Denied(denied) = host.call(ADD, &[0x82, 0x61, b'x', 2]).await else {
            panic!("denied")
        };
        assert!(
            denied.message.contains("expected s64, found text"),
            "{}",
            denied.message
        );
        assert!(
            denied.message.contains("add: func(a: s64, b: s64) -> s64"),
            "{}",
            denied.message
        );
        assert_eq!(
            host.call(COUNT, NONE).await,
            returned(&[2]),
            "the instance lives on"
        );
    });
}

#[test]
fn a_trap_costs_the_instance_and_says_where() {
    with_worker(Instances::Shared, async |host| {
        assert_eq!(host.call(COUNT, NONE).await, returned(&[1]));
        let Outcome::Trapped(trap) = host.call(CRASH, NONE).await else {
            panic!("trapped")
        };
        assert!(
            trap.own && trap.reason.contains("unreachable"),
            "{}",
            trap.reason
        );
        assert!(!trap.backtrace.is_empty());
        assert_eq!(
            host.call(COUNT, NONE).await,
            returned(&[1]),
            "a fresh instance"
        );
    });
}

#[test]
fn a_deadline_stops_a_spinning_guest_and_names_the_culprit() {
    with_worker(Instances::Shared, async |host| {
        let spin = host.begin(SPIN, NONE, Some(SHORT)).await;
        let waits = host.begin(ADD, &[0x82, 1, 2], None).await;
        let mut told = [None, None];
        for _ in 0..4 {
            match host.receive().await {
                Message::Outcome(ended) => {
                    told[usize::from(ended.call == waits)] = Some(ended.outcome.open().unwrap());
                }
                Message::Ended { call } => assert!(call == spin || call == waits),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(told[0], Some(Outcome::TimedOut { dispatched: true }));
        let Some(Outcome::Trapped(trap)) = &told[1] else {
            panic!("{:?}", told[1])
        };
        assert!(!trap.own);
        assert_eq!(host.call(ADD, &[0x82, 1, 2]).await, returned(&[3]));
    });
}

#[test]
fn a_cancel_stops_a_spinning_guest() {
    with_worker(Instances::PerCall, async |host| {
        let spin = host.begin(SPIN, NONE, None).await;
        assert_eq!(
            host.call(ADD, &[0x82, 1, 2]).await,
            returned(&[3]),
            "beside it"
        );
        host.send(Message::Cancel { call: spin }).await;
        assert_eq!(
            host.outcome(spin).await,
            Outcome::Cancelled { dispatched: true }
        );
    });
}

#[test]
fn instances_are_shared_kept_or_fresh_by_mode() {
    for (mode, second) in [
        (Instances::Shared, 2),
        (Instances::Exclusive, 2),
        (Instances::PerCall, 1),
    ] {
        with_worker(mode, async |host| {
            assert_eq!(host.call(COUNT, NONE).await, returned(&[1]));
            let Outcome::Returned(value) = host.call(COUNT, NONE).await else {
                panic!()
            };
            assert_eq!(value.body[..], [second], "{mode:?}");
        });
    }
}

#[test]
fn what_ends_a_call_is_told_with_its_code() {
    with_worker(Instances::Shared, async |host| {
        let call = host.begin(99, NONE, None).await;
        let Message::Outcome(ended) = host.receive().await else {
            panic!()
        };
        assert_eq!(
            (ended.call, ended.outcome.code),
            (call, OutcomeCode::Denied)
        );
        assert!(!ended.outcome.dispatched);
    });
}
