//! What travels between host, launcher and init: one record of fixed size, and descriptors.
//!
//! Owns the encoding. Every packet is one record; anything else is a protocol error. Knows
//! nothing of sockets.

use crate::layers::Layers;
use crate::step::Step;

/// Bytes of a record.
pub(crate) const LEN: usize = 16;

/// Most descriptors a process is given, beside its standard output.
pub const MAX_FDS: usize = 64;

/// The hidden subcommand a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Runs guests.
    Worker,
    /// Compiles one component.
    Compile,
}

impl Role {
    /// The subcommand's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Compile => "compile",
        }
    }
}

/// One packet, less its descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Host to launcher, with standard output and the descriptors.
    Spawn { id: u64, role: Role, skip: Layers },
    /// Host to launcher.
    Kill { id: u64 },
    /// Launcher to init: the maps are written, go on.
    Release,
    /// Init to launcher to host, with a pidfd; the pid is the launcher's to fill in.
    Spawned { id: u64, pid: i32 },
    /// Process to init to launcher to host.
    Failed { id: u64, step: Step, errno: i32 },
    /// Init to launcher to host: the raw wait status.
    Exited { id: u64, status: i32 },
}

impl Record {
    pub(crate) fn encode(self) -> [u8; LEN] {
        let (tag, small, value, id) = match self {
            Self::Spawn { id, role, skip } => (1, role as u8, skip.bits().to_le_bytes(), id),
            Self::Kill { id } => (2, 0, [0; 4], id),
            Self::Release => (3, 0, [0; 4], 0),
            Self::Spawned { id, pid } => (4, 0, pid.to_le_bytes(), id),
            Self::Failed { id, step, errno } => (5, step as u8, errno.to_le_bytes(), id),
            Self::Exited { id, status } => (6, 0, status.to_le_bytes(), id),
        };
        let mut bytes = [0; LEN];
        bytes[0] = tag;
        bytes[1] = small;
        bytes[4..8].copy_from_slice(&value);
        bytes[8..].copy_from_slice(&id.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let &[tag, small, 0, 0, a, b, c, d, ref id @ ..] = bytes else {
            return None;
        };
        let value = [a, b, c, d];
        let id = u64::from_le_bytes(id.try_into().ok()?);
        let record = match tag {
            1 => Self::Spawn {
                id,
                role: match small {
                    0 => Role::Worker,
                    1 => Role::Compile,
                    _ => return None,
                },
                skip: Layers::from_bits(u32::from_le_bytes(value))?,
            },
            2 => Self::Kill { id },
            3 => Self::Release,
            4 => Self::Spawned {
                id,
                pid: i32::from_le_bytes(value),
            },
            5 => Self::Failed {
                id,
                step: Step::from_number(small)?,
                errno: i32::from_le_bytes(value),
            },
            6 => Self::Exited {
                id,
                status: i32::from_le_bytes(value),
            },
            _ => return None,
        };
        // One encoding per record: what encodes otherwise was not written by us.
        (record.encode() == bytes).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_survives_the_trip() {
        let id = 0x0102_0304_0506_0708;
        for record in [
            Record::Spawn {
                id,
                role: Role::Worker,
                skip: Layers::NONE,
            },
            Record::Spawn {
                id,
                role: Role::Compile,
                skip: Layers::ALL,
            },
            Record::Kill { id },
            Record::Release,
            Record::Spawned { id, pid: 42 },
            Record::Failed {
                id,
                step: Step::Exec,
                errno: 13,
            },
            Record::Exited { id, status: 0x1f },
        ] {
            assert_eq!(Record::decode(&record.encode()), Some(record));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Record::decode(&[]), None);
        assert_eq!(Record::decode(&[0; LEN]), None);
        assert_eq!(Record::decode(&[2; LEN]), None);
        let kill = Record::Kill { id: 1 }.encode();
        assert_eq!(Record::decode(&kill[..LEN - 1]), None);
        assert_eq!(Record::decode(&[&kill[..], &[0]].concat()), None);
        let mut spawn = Record::Spawn {
            id: 1,
            role: Role::Worker,
            skip: Layers::NONE,
        }
        .encode();
        spawn[6] = 1;
        assert_eq!(Record::decode(&spawn), None, "a layer without meaning");
        spawn[6] = 0;
        spawn[1] = 2;
        assert_eq!(Record::decode(&spawn), None, "a role without meaning");
    }
}
