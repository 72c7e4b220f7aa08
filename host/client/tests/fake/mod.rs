//! A host of a few lines: a real socket, and a peer whose every message the test writes itself.

#![allow(dead_code, reason = "no test needs all of it")]

use bytes::Bytes;
use proc_host_client::{Host, Pool};
use proc_host_wire::message::{Call, Ended, WorkerRef};
use proc_host_wire::outcome::{Outcome, Value};
use proc_host_wire::{Inbox, Link, Message, Outbox};
use serde::Serialize;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// The host's end of one connection.
pub(crate) struct Peer {
    socket: UnixStream,
    inbox: Inbox,
    _folder: Option<TempDir>,
}

pub(crate) const TOKEN: [u8; 32] = [7; 32];
pub(crate) const WORKER: WorkerRef = WorkerRef {
    slot: 1,
    generation: 3,
};

/// A client and the host it is connected to.
pub(crate) async fn connected() -> (Pool, Peer) {
    let (listener, folder) = listen();
    let path = folder.path().join("host.sock");
    let accept = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut peer = Peer {
            socket,
            inbox: Inbox::default(),
            _folder: Some(folder),
        };
        match peer.next().await {
            Some(Message::Hello { token, .. }) => assert_eq!(token, TOKEN),
            other => panic!("{other:?} instead of a hello"),
        }
        peer.send(Message::Welcome {
            features: 0,
            version: "fake".to_owned(),
            pid: 1,
        })
        .await;
        peer
    };
    let (host, peer) = tokio::join!(Host::connect(path), accept);
    (host.unwrap().pool("Workers"), peer)
}

pub(crate) fn listen() -> (UnixListener, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let token: String = TOKEN.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(folder.path().join("host.sock.token"), token).unwrap();
    (listener, folder)
}

impl Peer {
    pub(crate) fn new(socket: UnixStream) -> Peer {
        Peer {
            socket,
            inbox: Inbox::default(),
            _folder: None,
        }
    }

    /// The next message; `None` where the client has hung up.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(frame) = self.inbox.next_frame().unwrap() {
                return Some(Message::from_frame(Link::ClientToHost, frame).unwrap());
            }
            if self.socket.read_buf(self.inbox.space()).await.unwrap() == 0 {
                return None;
            }
        }
    }

    pub(crate) async fn call(&mut self) -> Call {
        match self.next().await {
            Some(Message::Call(call)) => call,
            other => panic!("{other:?} instead of a call"),
        }
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.send_all([message]).await;
    }

    pub(crate) async fn send_all(&mut self, messages: impl IntoIterator<Item = Message>) {
        let mut outbox = Outbox::default();
        for message in messages {
            outbox.push(message).unwrap();
        }
        let mut buffer = Vec::new();
        while outbox.fill(&mut buffer) {
            self.socket.write_all(&buffer).await.unwrap();
            buffer.clear();
        }
    }

    pub(crate) async fn end(&mut self, call: u64, outcome: Outcome) {
        self.send(ended(call, outcome)).await;
    }

    pub(crate) async fn returns<T: Serialize>(&mut self, call: u64, value: T) {
        self.end(call, Outcome::Returned(plain(value))).await;
    }
}

pub(crate) fn ended(call: u64, outcome: Outcome) -> Message {
    let outcome = outcome.into();
    Message::Outcome(Ended {
        call,
        worker: Some(WORKER),
        attempts: 1,
        outcome,
    })
}

pub(crate) fn plain<T: Serialize>(value: T) -> Value {
    Value {
        body: cbor(value),
        attachments: Vec::new(),
    }
}

pub(crate) fn cbor<T: Serialize>(value: T) -> Bytes {
    let mut body = Vec::new();
    ciborium::into_writer(&value, &mut body).unwrap();
    body.into()
}

pub(crate) fn items<T: Serialize>(call: u64, stream: u32, items: &[T]) -> Message {
    let count = u32::try_from(items.len()).unwrap();
    let body: Vec<u8> = items.iter().flat_map(|item| cbor(item).to_vec()).collect();
    let items = Value {
        body: body.into(),
        attachments: Vec::new(),
    };
    Message::Items {
        call,
        stream,
        count,
        items,
    }
}

/// A document that names an attachment.
pub(crate) fn tag(tag: u64, index: u64) -> ciborium::Value {
    ciborium::Value::Tag(tag, Box::new(ciborium::Value::Integer(index.into())))
}

pub(crate) fn end(call: u64, stream: u32) -> Message {
    Message::End {
        call,
        stream,
        failure: None,
    }
}
