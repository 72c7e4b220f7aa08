//! The steps of a spawn that can fail, so that a host can say which one did.
//!
//! Owns their names and their numbers on the wire. Knows nothing of what a step does.

use std::fmt;

macro_rules! steps {
    ($($number:literal $variant:ident $words:literal;)*) => {
        /// A step of a spawn; reads as the end of "failed to …".
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Step {
            $(#[doc = concat!("To ", $words, ".")] $variant = $number,)*
        }

        impl Step {
            pub(crate) const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for Step {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $words,)*
                })
            }
        }
    };
}

steps! {
    1 Id "use the id: it is taken";
    2 Slot "find a free slot";
    3 Channel "connect to the new process";
    4 UserNamespace "make a user namespace";
    5 PidNamespace "make a pid namespace";
    6 MountNamespace "make a mount namespace";
    7 NetNamespace "make a network namespace";
    8 IpcNamespace "make an ipc namespace";
    9 UtsNamespace "make a uts namespace";
    10 CgroupNamespace "make a cgroup namespace";
    11 Clone "clone a process";
    12 IdMap "map the user into its namespace";
    13 Release "release the new process";
    14 Ids "take on the inner user";
    15 ParentDeath "arm the parent-death signal";
    16 Hostname "set the host name";
    17 Fork "fork inside the namespaces";
    18 Session "start a session";
    19 Limits "set the resource limits";
    20 Descriptors "place the descriptors";
    21 Exec "execute the binary";
    22 Init "live long enough to execute: the first process ended";
}
