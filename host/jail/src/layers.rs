//! The set of walls around a process, as a bitset with names.
//!
//! Owns the words that the launcher, the jailed process and the host use for what holds. Knows
//! nothing of how a layer is made.

use std::fmt;

/// A set of layers of the jail.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Layers(u32);

macro_rules! layers {
    ($($bit:literal $constant:ident $name:literal $doc:literal;)*) => {
        impl Layers {
            $(#[doc = $doc] pub const $constant: Self = Self(1 << $bit);)*
            const NAMED: &[(Self, &'static str)] = &[$((Self::$constant, $name),)*];
        }
    };
}

layers! {
    0 USERNS "userns" "Own user namespace; root there is nobody outside.";
    1 PIDNS "pidns" "Own pid namespace: no other process has a number.";
    2 MOUNTNS "mountns" "Own mount namespace.";
    3 NETNS "netns" "Own, empty network namespace.";
    4 IPCNS "ipcns" "Own System V and message queue namespace.";
    5 UTSNS "utsns" "Own host name.";
    6 CGROUPNS "cgroupns" "Own view of the control groups.";
    7 ROOT "root" "The root directory is empty and read-only, the old one detached.";
    8 CAPS "caps" "No capability in any set.";
    9 NO_NEW_PRIVS "no_new_privs" "No execution can gain privileges.";
    10 LANDLOCK "landlock" "Landlock with every right handled and none granted.";
    11 MDWE "mdwe" "Memory can never become executable.";
    12 RLIMITS "rlimits" "Resource limits of the profile.";
    13 SECCOMP "seccomp" "System calls limited to the profile's list, in every thread.";
    14 DUMPABLE "dumpable" "Not dumpable: neither core files nor tracing by the same user.";
    15 PDEATHSIG "pdeathsig" "Killed by the kernel when its parent ends.";
}

impl Layers {
    /// No layer.
    pub const NONE: Self = Self(0);

    /// Every layer.
    pub const ALL: Self = Self(0xffff);

    /// The namespaces: what the launcher makes, before the process exists.
    pub const NAMESPACES: Self = Self(0x7f);

    /// What a host demands of a process before it trusts it with a guest.
    ///
    /// All but `mdwe`, which Linux has only since 6.3 and whose promise the seccomp rule on
    /// `PROT_EXEC` gives too.
    pub const fn required() -> Self {
        Self(Self::ALL.0 & !Self::MDWE.0)
    }

    /// The set with these bits; none where a bit has no meaning.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The bits, as they travel.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The layer of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(layer, _)| *layer)
    }

    /// Whether every layer of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is no layer in this set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set less the layers of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The names of the layers in this set, outermost first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED
            .iter()
            .filter(move |(layer, _)| self.contains(*layer))
            .map(|(_, name)| *name)
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Layers({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits_agree() {
        assert_eq!(Layers::ALL.names().count(), 16);
        for name in Layers::ALL.names() {
            let layer = Layers::from_name(name).expect("a named layer");
            assert_eq!(layer.to_string(), name);
            assert_eq!(Layers::from_bits(layer.bits()), Some(layer));
        }
        assert_eq!(Layers::from_bits(1 << 16), None);
        assert_eq!(Layers::from_name("net"), None);
        assert_eq!(
            Layers::USERNS.with(Layers::PDEATHSIG).to_string(),
            "userns,pdeathsig"
        );
        assert_eq!(Layers::ALL.without(Layers::required()), Layers::MDWE);
    }
}
