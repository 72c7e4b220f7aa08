//! The blocking end of a socket, and a client made of it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use proc_host_wire::control::{Reply, Request};
use proc_host_wire::log::LogEntry;
use proc_host_wire::message::{Call, Deadline, Ended, Window};
use proc_host_wire::{Inbox, Link, Message, Outbox, Outcome, Value};

/// One end of a socket.
pub(crate) struct Peer {
    socket: UnixStream,
    link: Link,
    inbox: Inbox,
    outbox: Outbox,
}

impl Peer {
    pub(crate) fn new(socket: UnixStream, link: Link) -> Peer {
        Peer {
            socket,
            link,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
        }
    }

    pub(crate) fn queue(&mut self, message: Message) {
        self.outbox.push(message).unwrap();
    }

    pub(crate) fn flush(&mut self) -> std::io::Result<()> {
        let mut buffer = Vec::new();
        while self.outbox.fill(&mut buffer) {
            self.socket.write_all(&buffer)?;
            buffer.clear();
        }
        Ok(())
    }

    /// What has been read already.
    pub(crate) fn at_hand(&mut self) -> Option<Message> {
        let frame = self.inbox.next_frame().unwrap()?;
        Some(Message::from_frame(self.link, frame).unwrap())
    }

    pub(crate) fn receive(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.at_hand() {
                return Some(message);
            }
            let mut chunk = [0; 65536];
            match self.socket.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.inbox.feed(&chunk[..count]),
            }
        }
    }
}

/// A client that has said hello.
pub(crate) struct Client {
    peer: Peer,
    last: u64,
    outcomes: HashMap<u64, Ended>,
}

/// A value whose document is a number's bytes.
pub(crate) fn value(n: u64) -> Value {
    Value {
        body: Bytes::copy_from_slice(&n.to_le_bytes()),
        attachments: Vec::new(),
    }
}

impl Client {
    pub(crate) fn raw(path: &Path) -> Client {
        let socket = UnixStream::connect(path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let peer = Peer::new(socket, Link::HostToClient);
        Client {
            peer,
            last: 1000,
            outcomes: HashMap::new(),
        }
    }

    pub(crate) fn connect(path: &Path) -> Client {
        let text = std::fs::read_to_string(path.with_extension("sock.token")).unwrap();
        let digit = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
        let token = std::array::from_fn(digit);
        let mut client = Client::raw(path);
        client.send(Message::Hello {
            major: 1,
            features: 0,
            token,
            name: "test".into(),
        });
        assert!(matches!(client.receive(), Message::Welcome { .. }));
        client
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.peer.queue(message);
        self.peer.flush().unwrap();
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.peer.socket.write_all(bytes).unwrap();
    }

    pub(crate) fn receive(&mut self) -> Message {
        self.peer.receive().expect("the host has hung up")
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        self.peer.receive().is_none()
    }

    fn message(id: u64, target: &str, body: &[u8], timeout: Option<Duration>) -> Message {
        let micros = |timeout: Duration| u64::try_from(timeout.as_micros()).unwrap();
        Message::Call(Call {
            call: id,
            pool: "Workers".into(),
            target: target.into(),
            slot: None,
            generation: None,
            deadline: timeout.map_or(Deadline::Default, |t| Deadline::Micros(micros(t))),
            listens: true,
            window: Window {
                items: 10,
                bytes: 1000,
            },
            arguments: Value {
                body: Bytes::copy_from_slice(body),
                attachments: Vec::new(),
            },
        })
    }

    pub(crate) fn send_call(
        &mut self,
        id: u64,
        target: &str,
        body: &[u8],
        timeout: Option<Duration>,
    ) {
        self.send(Client::message(id, target, body, timeout));
    }

    pub(crate) fn call(&mut self, target: &str, n: u64) -> Outcome {
        self.last += 1;
        let id = self.last;
        self.send_call(id, target, &n.to_le_bytes(), None);
        self.outcome(id)
    }

    pub(crate) fn outcome(&mut self, id: u64) -> Outcome {
        while !self.outcomes.contains_key(&id) {
            match self.receive() {
                Message::Outcome(ended) => {
                    let known = self.outcomes.insert(ended.call, ended);
                    assert!(
                        known.is_none_or(|known| known.call > 1000),
                        "one outcome each"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        self.outcomes[&id].outcome.clone().open().unwrap()
    }

    /// How the last [`Client::call`] ended.
    pub(crate) fn last_ended(&self) -> &Ended {
        &self.outcomes[&self.last]
    }

    pub(crate) fn request(&mut self, request: Request) -> Result<Reply, String> {
        self.request_with(request, &[])
    }

    pub(crate) fn request_with(&mut self, request: Request, bytes: &[u8]) -> Result<Reply, String> {
        self.last += 1;
        let (id, payload) = (self.last, Bytes::copy_from_slice(bytes));
        self.send(Message::Request {
            id,
            request,
            payload,
        });
        match self.receive() {
            Message::Response {
                id: answered,
                reply,
            } => {
                assert_eq!(answered, id);
                reply
            }
            other => panic!("{other:?}"),
        }
    }

    /// What is kept of the log, and follows it.
    pub(crate) fn logs(&mut self) -> Vec<LogEntry> {
        let request = Request::Logs { follow: true };
        self.send(Message::Request {
            id: 1,
            request,
            payload: Bytes::new(),
        });
        let mut entries = Vec::new();
        loop {
            match self.receive() {
                Message::Log(entry) => entries.push(entry),
                Message::Response { reply, .. } => {
                    reply.unwrap();
                    return entries;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Makes `calls` calls, `window` at a time.
    pub(crate) fn pipeline(&mut self, target: &str, window: usize, calls: usize) {
        let (mut sent, mut done) = (0, 0);
        while done < calls {
            while sent < calls && sent - done < window {
                sent += 1;
                let id = u64::try_from(sent).unwrap();
                self.peer
                    .queue(Client::message(id, target, &[0x82, 0x18, 0x28, 2], None));
            }
            self.peer.flush().unwrap();
            let mut next = Some(self.receive());
            while let Some(message) = next {
                assert!(matches!(message, Message::Outcome(_)));
                done += 1;
                next = self.peer.at_hand();
            }
        }
    }
}
