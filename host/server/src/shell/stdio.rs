//! What processes print: a pipe each, read line by line.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

use super::Shell;
use crate::host::{Event, Process};

/// Bytes of a line; a longer one comes in pieces.
const LINE: usize = 4096;
/// Bytes one process may print; the rest is read and dropped.
const MOST: usize = 1 << 20;

impl Shell {
    /// Reads a pipe to its end.
    pub(super) async fn listen_to(self: Rc<Shell>, process: Process, pipe: OwnedFd) {
        let Ok(mut pipe) = Receiver::from_owned_fd(pipe) else {
            return;
        };
        let mut buffer = BytesMut::with_capacity(LINE);
        let mut total = 0;
        loop {
            match pipe.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => total += count,
            }
            while let Some(line) = take_line(&mut buffer) {
                if total <= MOST {
                    self.post(Event::Printed(process, line));
                }
            }
            buffer.reserve(LINE);
        }
        if total > MOST {
            let text = format!("{} bytes more were printed and dropped", total - MOST);
            self.post(Event::Printed(process, text.into()));
        } else if !buffer.is_empty() {
            self.post(Event::Printed(process, buffer.freeze()));
        }
    }
}

/// Cuts a line, or as much as a line may have, off the front.
fn take_line(buffer: &mut BytesMut) -> Option<Bytes> {
    let end = buffer.iter().take(LINE).position(|byte| *byte == b'\n');
    match end {
        Some(end) => {
            let line = buffer.split_to(end + 1).freeze();
            Some(line.slice(..end))
        }
        None if buffer.len() >= LINE => Some(buffer.split_to(LINE).freeze()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut buffer = BytesMut::from(&b"one\n\ntwo"[..]);
        assert_eq!(take_line(&mut buffer).as_deref(), Some(&b"one"[..]));
        assert_eq!(take_line(&mut buffer).as_deref(), Some(&b""[..]));
        assert_eq!(take_line(&mut buffer), None);
        buffer.extend_from_slice(&[b'x'; 5000]);
        assert_eq!(take_line(&mut buffer).map(|line| line.len()), Some(LINE));
    }
}
