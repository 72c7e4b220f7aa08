//! Sending and receiving one record with its descriptors over a sequenced-packet socket.
//!
//! Owns the bounds on what is received. Knows records only as bytes in and out.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

use crate::message::{LEN, MAX_FDS, Record};

/// The descriptors of a spawn, and its standard output.
const MAX_PACKET_FDS: usize = MAX_FDS + 1;

/// What one packet brought.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) record: Record,
    pub(crate) fds: Vec<OwnedFd>,
    /// The kernel dropped descriptors: this process may not have more of them.
    pub(crate) truncated: bool,
}

/// A connected pair.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
}

/// Sends one record; `EAGAIN` where the socket is full and `wait` is false.
pub(crate) fn send(
    socket: impl AsFd,
    record: Record,
    fds: &[BorrowedFd<'_>],
    wait: bool,
) -> Result<(), Errno> {
    if fds.len() > MAX_PACKET_FDS {
        return Err(Errno::INVAL);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_PACKET_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    let mut flags = SendFlags::NOSIGNAL;
    flags.set(SendFlags::DONTWAIT, !wait);
    let bytes = record.encode();
    loop {
        match sendmsg(&socket, &[IoSlice::new(&bytes)], &mut control, flags) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Receives one record: none at end of file, `EAGAIN` where there is none yet and `wait` is
/// false, `EPROTO` where the packet is not one record.
pub(crate) fn receive(socket: impl AsFd, wait: bool) -> Result<Option<Packet>, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_PACKET_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    // One byte more than a record, so that a longer packet shows.
    let mut bytes = [0; LEN + 1];
    let mut flags = RecvFlags::CMSG_CLOEXEC;
    flags.set(RecvFlags::DONTWAIT, !wait);
    let received = loop {
        match recvmsg(
            &socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            flags,
        ) {
            Ok(received) => break received,
            Err(Errno::INTR) => {}
            // The peer died with packets of ours unread: as final as end of file.
            Err(Errno::CONNRESET) => return Ok(None),
            Err(errno) => return Err(errno),
        }
    };
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            fds.extend(more);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    let truncated = received.flags.contains(ReturnFlags::CTRUNC);
    let record = bytes
        .get(..received.bytes)
        .and_then(Record::decode)
        .ok_or(Errno::PROTO)?;
    Ok(Some(Packet {
        record,
        fds,
        truncated,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_travel_and_end_of_file_shows() {
        let (ours, theirs) = pair().expect("a socket pair");
        let record = Record::Kill { id: 7 };
        send(&ours, record, &vec![theirs.as_fd(); MAX_PACKET_FDS], false).expect("sent");
        let packet = receive(&theirs, false)
            .expect("received")
            .expect("a record");
        assert_eq!((packet.record, packet.fds.len()), (record, MAX_PACKET_FDS));
        assert!(!packet.truncated);
        assert_eq!(
            send(
                &ours,
                record,
                &vec![theirs.as_fd(); MAX_PACKET_FDS + 1],
                false
            ),
            Err(Errno::INVAL)
        );
        assert_eq!(receive(&theirs, false).map(|_| ()), Err(Errno::AGAIN));
        rustix::io::write(&ours, &[2; LEN + 4]).expect("written");
        assert_eq!(receive(&theirs, false).map(|_| ()), Err(Errno::PROTO));
        drop(ours);
        assert!(receive(&theirs, false).expect("end of file").is_none());
    }
}
