//! The streams of one call: who writes each, what it may still send, whether anybody reads.
//!
//! ```text
//!            items within credit
//!                 ┌───┐
//! announced ──> Open ─┴──writer ends──> Ended
//!                 └──reader closes──> Closed ──writer ends──> Ended
//! ```
//!
//! Items for a closed stream were under way and are dropped. Items for an ended one break the
//! protocol. A writer may go on while its byte credit is positive: the items of one frame may
//! overdraw it.

use proc_host_wire::ProtocolError;
use proc_host_wire::message::Window;

use super::Breach;

/// Streams of one call at once, those that have ended and are still remembered included.
const MOST: usize = 4096;
/// Ended and closed streams remembered, to tell late items from wrong ones.
const REMEMBERED: usize = 64;

/// Which end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Writes streams with even numbers, among the arguments.
    Client,
    /// Writes streams with odd numbers, of the result.
    Worker,
}

impl Side {
    fn numbers(self, stream: u32) -> bool {
        stream != 0 && (stream % 2 == 1) == (self == Side::Worker)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Ended,
}

#[derive(Debug)]
struct Stream {
    number: u32,
    writer: Side,
    state: State,
    /// A value has named it.
    is_announced: bool,
    items: u64,
    bytes: i64,
}

/// What to do with a frame of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Forward,
    Drop,
}

#[derive(Debug, Default)]
pub(crate) struct Streams {
    list: Vec<Stream>,
    /// The highest number the worker has used.
    highest: u32,
}

impl Streams {
    /// A value names a stream that `writer` will write.
    pub(crate) fn announce(&mut self, writer: Side, id: u64, credit: Window) -> Result<(), Breach> {
        let number = u32::try_from(id)
            .ok()
            .filter(|&number| writer.numbers(number))
            .ok_or(Breach::Rule(
                "a stream with a number that is not its writer's to give",
            ))?;
        match self.list.iter_mut().find(|stream| stream.number == number) {
            Some(stream) if !stream.is_announced => stream.is_announced = true,
            Some(_) => return Err(Breach::Rule("a stream announced twice")),
            None => self.open(writer, number, credit, true)?,
        }
        Ok(())
    }

    fn open(
        &mut self,
        writer: Side,
        number: u32,
        credit: Window,
        is_announced: bool,
    ) -> Result<(), Breach> {
        if self.list.len() > REMEMBERED {
            // A client that has not heard of a close yet may still send items there.
            self.list.retain(|stream| match stream.state {
                State::Open => true,
                State::Closed => stream.writer == Side::Client,
                State::Ended => false,
            });
        }
        if self.list.len() >= MOST {
            return Err(Breach::Rule("more streams in one call than are allowed"));
        }
        if writer == Side::Worker {
            self.highest = self.highest.max(number);
        }
        self.list.push(Stream {
            number,
            writer,
            state: State::Open,
            is_announced,
            items: u64::from(credit.items),
            bytes: i64::from(credit.bytes),
        });
        Ok(())
    }

    fn find(&mut self, writer: Side, number: u32) -> Option<&mut Stream> {
        self.list
            .iter_mut()
            .find(|stream| stream.number == number && stream.writer == writer)
    }

    /// Before its outcome is there, what a worker sends of a stream may overtake the value that names
    /// it: the stream is open from now on.
    pub(crate) fn foresee(&mut self, number: u32, credit: Window) -> Result<(), Breach> {
        if number > self.highest && Side::Worker.numbers(number) {
            self.open(Side::Worker, number, credit, false)?;
        }
        Ok(())
    }

    /// The stream that `writer` sends something of; none where it is over and forgotten.
    fn sent(&mut self, writer: Side, number: u32) -> Result<Option<&mut Stream>, Breach> {
        let was_used = writer == Side::Worker && number <= self.highest;
        match self.find(writer, number) {
            Some(stream) => Ok(Some(stream)),
            None if was_used && writer.numbers(number) => Ok(None),
            None => {
                let id = u64::from(number);
                Err(ProtocolError::UnknownId { what: "stream", id }.into())
            }
        }
    }

    /// `writer` sends items.
    pub(crate) fn spend(
        &mut self,
        writer: Side,
        call: u64,
        number: u32,
        count: u32,
        bytes: usize,
    ) -> Result<Fate, Breach> {
        let Some(stream) = self.sent(writer, number)? else {
            return Ok(Fate::Drop);
        };
        match stream.state {
            State::Ended => return Err(Breach::Rule("items behind the end of their stream")),
            State::Closed => return Ok(Fate::Drop),
            State::Open => {}
        }
        if count == 0 || u64::from(count) > stream.items || stream.bytes <= 0 {
            return Err(ProtocolError::Credit {
                call,
                stream: number,
            }
            .into());
        }
        stream.items -= u64::from(count);
        stream.bytes -= i64::try_from(bytes).unwrap_or(i64::MAX);
        Ok(Fate::Forward)
    }

    /// The reader grants more to `writer`.
    pub(crate) fn grant(&mut self, writer: Side, number: u32, items: u32, bytes: u32) -> Fate {
        match self.find(writer, number) {
            Some(stream) if stream.state == State::Open => {
                stream.items = stream.items.saturating_add(u64::from(items));
                stream.bytes = stream.bytes.saturating_add(i64::from(bytes));
                Fate::Forward
            }
            _ => Fate::Drop,
        }
    }

    /// The reader has dropped the stream.
    pub(crate) fn close(&mut self, writer: Side, number: u32) -> Fate {
        match self.find(writer, number) {
            Some(stream) if stream.state == State::Open => {
                stream.state = State::Closed;
                Fate::Forward
            }
            _ => Fate::Drop,
        }
    }

    /// The writer has ended the stream.
    pub(crate) fn end(&mut self, writer: Side, number: u32) -> Result<Fate, Breach> {
        let Some(stream) = self.sent(writer, number)? else {
            return Ok(Fate::Drop);
        };
        match std::mem::replace(&mut stream.state, State::Ended) {
            State::Open => Ok(Fate::Forward),
            State::Closed => Ok(Fate::Drop),
            State::Ended => Err(Breach::Rule("a second end of a stream")),
        }
    }

    /// Whether any stream of `writer` is open.
    pub(crate) fn any_open(&self, writer: Side) -> bool {
        self.list
            .iter()
            .any(|stream| stream.writer == writer && stream.state == State::Open)
    }

    /// Closes what `writer` has open, and says which those were; of a worker's, those that a value
    /// has named: nobody knows of the others.
    pub(crate) fn close_all(&mut self, writer: Side) -> Vec<u32> {
        let mut closed = Vec::new();
        for stream in &mut self.list {
            if stream.writer == writer && stream.state == State::Open {
                stream.state = State::Closed;
                if stream.is_announced {
                    closed.push(stream.number);
                }
            }
        }
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window {
        items: 2,
        bytes: 10,
    };

    #[test]
    fn credit_is_kept_and_may_be_overdrawn_by_one_frame() {
        let mut streams = Streams::default();
        streams.announce(Side::Worker, 1, WINDOW).unwrap();
        let mut spend = |count, bytes| streams.spend(Side::Worker, 9, 1, count, bytes);
        assert_eq!(spend(1, 100).unwrap(), Fate::Forward);
        assert!(spend(1, 0).is_err(), "bytes are overdrawn");
        assert_eq!(streams.grant(Side::Worker, 1, 5, 91), Fate::Forward);
        assert_eq!(
            streams.spend(Side::Worker, 9, 1, 6, 1).unwrap(),
            Fate::Forward
        );
        assert!(
            streams.spend(Side::Worker, 9, 1, 1, 1).is_err(),
            "items are spent"
        );
    }

    #[test]
    fn late_items_are_dropped_and_wrong_ones_refused() {
        let mut streams = Streams::default();
        assert!(streams.announce(Side::Worker, 2, WINDOW).is_err());
        assert!(streams.announce(Side::Client, 1, WINDOW).is_err());
        assert!(streams.announce(Side::Client, 0, WINDOW).is_err());
        assert!(
            streams
                .announce(Side::Client, u64::MAX - 1, WINDOW)
                .is_err()
        );
        streams.announce(Side::Client, 2, WINDOW).unwrap();
        assert!(streams.announce(Side::Client, 2, WINDOW).is_err());
        assert!(streams.spend(Side::Client, 1, 4, 1, 1).is_err());
        assert_eq!(streams.close(Side::Client, 2), Fate::Forward);
        assert_eq!(streams.close(Side::Client, 2), Fate::Drop);
        assert_eq!(streams.spend(Side::Client, 1, 2, 9, 9).unwrap(), Fate::Drop);
        assert_eq!(streams.end(Side::Client, 2).unwrap(), Fate::Drop);
        assert!(streams.end(Side::Client, 2).is_err());
        assert!(streams.spend(Side::Client, 1, 2, 1, 1).is_err());
    }

    #[test]
    fn items_may_overtake_what_announces_them() {
        let mut streams = Streams::default();
        assert!(streams.spend(Side::Worker, 1, 1, 1, 1).is_err());
        streams.foresee(1, WINDOW).unwrap();
        assert_eq!(
            streams.spend(Side::Worker, 1, 1, 1, 1).unwrap(),
            Fate::Forward
        );
        streams.announce(Side::Worker, 1, WINDOW).unwrap();
        assert!(streams.announce(Side::Worker, 1, WINDOW).is_err());
        assert!(streams.any_open(Side::Worker));
        assert_eq!(streams.close_all(Side::Worker), [1]);
        assert!(!streams.any_open(Side::Worker));
    }

    #[test]
    fn ended_streams_do_not_pile_up() {
        let mut streams = Streams::default();
        for number in (1..20_000).step_by(2) {
            streams.announce(Side::Worker, number, WINDOW).unwrap();
            let number = u32::try_from(number).unwrap();
            assert_eq!(streams.end(Side::Worker, number).unwrap(), Fate::Forward);
        }
        assert!(streams.list.len() <= REMEMBERED + 1);
        assert_eq!(streams.spend(Side::Worker, 1, 1, 1, 1).unwrap(), Fate::Drop);
    }
}
