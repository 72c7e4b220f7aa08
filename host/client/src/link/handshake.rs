//! How a connection begins.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use proc_host_wire::{
    Inbox, Link as Way, Message, Outbox, ProtocolError, WIRE_FEATURES, WIRE_MAJOR,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::Notify;

use super::{Link, Shared, State, User, drive};
use crate::address::{parse_token, token_path};
use crate::error::ConnectError;

/// What the host says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Welcome {
    pub(crate) version: String,
    pub(crate) pid: u32,
}

impl Link {
    /// Connects to the host on `path`, with the token beside it.
    pub(crate) async fn open(path: &Path) -> Result<(Link, Welcome), ConnectError> {
        let socket = UnixStream::connect(path)
            .await
            .map_err(|source| ConnectError::NoHost {
                path: path.to_owned(),
                source,
            })?;
        let path = token_path(path);
        let text = std::fs::read(&path).map_err(|source| ConnectError::Token {
            path: path.clone(),
            source,
        })?;
        let token = parse_token(&text).ok_or(ConnectError::BadToken { path })?;
        Link::greet(socket, token).await
    }

    /// Speaks first on a connected socket, and starts to drive it once the host agrees.
    pub(crate) async fn greet(
        mut socket: UnixStream,
        token: [u8; 32],
    ) -> Result<(Link, Welcome), ConnectError> {
        let mut outbox = Outbox::default();
        outbox.push(Message::Hello {
            major: WIRE_MAJOR,
            features: WIRE_FEATURES,
            token,
            name: format!("proc-host-client {}", env!("CARGO_PKG_VERSION")),
        })?;
        let mut hello = Vec::new();
        outbox.fill(&mut hello);
        // A host that refuses may hang up before it has read; what it wrote is still there.
        let written = socket.write_all(&hello).await;
        let mut inbox = Inbox::default();
        let frame = loop {
            if let Some(frame) = inbox.next_frame()? {
                break frame;
            }
            match socket.read_buf(inbox.space()).await {
                Ok(0) => {
                    written.map_err(ConnectError::Io)?;
                    return Err(ConnectError::Closed);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(ConnectError::Closed);
                }
                Err(error) => return Err(ConnectError::Io(error)),
            }
        };
        let kind = frame.kind;
        let welcome = match Message::from_frame(Way::HostToClient, frame)? {
            Message::Welcome { version, pid, .. } => Welcome { version, pid },
            Message::Refused(why) => return Err(ConnectError::Refused(why)),
            _ => return Err(ProtocolError::Unexpected(kind).into()),
        };
        let state = Mutex::new(State::default());
        let shared = Arc::new(Shared {
            state,
            wake: Notify::new(),
        });
        tokio::spawn(drive::drive(Arc::clone(&shared), socket, inbox));
        Ok((Link(Arc::new(User { shared })), welcome))
    }
}
