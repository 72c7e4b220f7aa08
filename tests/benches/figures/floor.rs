//! The floor: this program twice more, one that passes bytes on and one that sends them back, with
//! sockets of the same kind between them and nothing to do.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Bytes of a call of `math.add`, and of its outcome, on the wire.
const CALL: usize = 92;

const PASS: &str = "floor-pass";
const BACK: &str = "floor-back";
const PASS_ITEMS: &str = "floor-pass-items";
const GIVE: &str = "floor-give";

/// Items granted at once, bytes of one of them, and bytes of a grant, on the wire.
const GRANT: usize = 8 << 10;
const ITEM: usize = 5;
const CREDIT: usize = 36;

/// Where this program was started as a part of the floor, plays it to the end.
pub(crate) fn play_a_part() -> bool {
    match std::env::args().nth(1).as_deref() {
        Some(PASS) => pass(BACK),
        Some(BACK) => back(),
        Some(PASS_ITEMS) => pass(GIVE),
        Some(GIVE) => give(),
        _ => return false,
    }
    true
}

/// What a part holds: its socket to the one who started it.
fn upstream() -> UnixStream {
    let stdin = std::io::stdin();
    UnixStream::from(
        std::os::fd::AsFd::as_fd(&stdin)
            .try_clone_to_owned()
            .unwrap(),
    )
}

fn back() {
    let mut socket = upstream();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => socket.write_all(&buffer[..count]).unwrap(),
        }
    }
}

/// Gives items for each grant.
fn give() {
    let mut socket = upstream();
    let mut credit = [0; CREDIT];
    let items = vec![1; GRANT * ITEM];
    while socket.read_exact(&mut credit).is_ok() && socket.write_all(&items).is_ok() {}
}

fn pass(below: &str) {
    let (socket, _child) = start(below);
    let above = upstream();
    let (mut up_read, mut up_write) = (above.try_clone().unwrap(), above);
    let (mut down_read, mut down_write) = (socket.try_clone().unwrap(), socket);
    let down = std::thread::spawn(move || copy(&mut up_read, &mut down_write));
    copy(&mut down_read, &mut up_write);
    let _ = down.join();
}

fn copy(from: &mut UnixStream, to: &mut UnixStream) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn start(part: &str) -> (UnixStream, Part) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .arg(part)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    (ours, Part(child))
}

/// A part that ends with its owner.
#[derive(Debug)]
struct Part(Child);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The running floor.
#[derive(Debug)]
pub(crate) struct Floor {
    socket: UnixStream,
    _part: Part,
}

impl Floor {
    pub(crate) fn start() -> Floor {
        let (socket, part) = start(PASS);
        let mut floor = Floor {
            socket,
            _part: part,
        };
        // Both parts are up once a first message is back.
        floor.trip(CALL);
        floor
    }

    fn trip(&mut self, size: usize) {
        let mut buffer = vec![1; size];
        self.socket.write_all(&buffer).unwrap();
        self.socket.read_exact(&mut buffer).unwrap();
    }

    /// The median of as many trips of one call each.
    pub(crate) fn round_trip(&mut self, trips: usize) -> Duration {
        let mut taken = Vec::with_capacity(trips);
        for _ in 0..trips {
            let start = Instant::now();
            self.trip(CALL);
            taken.push(start.elapsed());
        }
        median(taken)
    }

    /// As many calls with `window` of them under way.
    pub(crate) fn pipelined(&mut self, calls: usize, window: usize) -> Duration {
        let start = Instant::now();
        let mut buffer = vec![1; CALL * window];
        self.socket.write_all(&buffer).unwrap();
        let mut sent = window;
        let mut back = 0;
        while back < calls * CALL {
            let count = self.socket.read(&mut buffer).unwrap();
            back += count;
            // A call goes out for each that has come back whole.
            let due = (back / CALL + window).min(calls) - sent;
            self.socket.write_all(&vec![1; CALL * due]).unwrap();
            sent += due;
        }
        start.elapsed()
    }

    /// As many items, with two grants under way, renewed as they are used up.
    pub(crate) fn items(items: usize) -> Duration {
        let (mut socket, _part) = start(PASS_ITEMS);
        let mut buffer = vec![0; GRANT * ITEM];
        // Both parts are up once a first grant is used up.
        socket.write_all(&[1; CREDIT]).unwrap();
        socket.read_exact(&mut buffer).unwrap();
        let grants = items.div_ceil(GRANT);
        let start = Instant::now();
        socket.write_all(&[1; 2 * CREDIT]).unwrap();
        for used in 1..=grants {
            socket.read_exact(&mut buffer).unwrap();
            if used + 2 <= grants {
                socket.write_all(&[1; CREDIT]).unwrap();
            }
        }
        start.elapsed()
    }

    /// The median of 15 trips of `size` bytes.
    pub(crate) fn echo(&mut self, size: usize) -> Duration {
        let mut taken = Vec::new();
        for _ in 0..15 {
            let body = vec![1; size];
            let mut back = vec![0; size];
            let start = Instant::now();
            let mut write = self.socket.try_clone().unwrap();
            std::thread::scope(|scope| {
                scope.spawn(move || write.write_all(&body).unwrap());
                self.socket.read_exact(&mut back).unwrap();
            });
            taken.push(start.elapsed());
        }
        median(taken)
    }
}

pub(crate) fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}
