//! Cloning into namespaces, and finding out which one the kernel refused.
//!
//! Owns the list of namespaces. Knows nothing of what the new process does.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::layers::Layers;
use crate::step::Step;
use crate::sys::{self, Side};

/// The user namespace first: it is what allows an ordinary user all the others.
const NAMESPACES: [(Layers, libc::c_int, Step); 7] = [
    (Layers::USERNS, libc::CLONE_NEWUSER, Step::UserNamespace),
    (Layers::PIDNS, libc::CLONE_NEWPID, Step::PidNamespace),
    (Layers::MOUNTNS, libc::CLONE_NEWNS, Step::MountNamespace),
    (Layers::NETNS, libc::CLONE_NEWNET, Step::NetNamespace),
    (Layers::IPCNS, libc::CLONE_NEWIPC, Step::IpcNamespace),
    (Layers::UTSNS, libc::CLONE_NEWUTS, Step::UtsNamespace),
    (
        Layers::CGROUPNS,
        libc::CLONE_NEWCGROUP,
        Step::CgroupNamespace,
    ),
];

/// Clones into the namespaces of `layers`.
pub(crate) fn clone_into(layers: Layers) -> Result<Side, (Step, Errno)> {
    sys::clone(flags(layers)).map_err(|errno| (culprit(layers), errno))
}

fn flags(layers: Layers) -> libc::c_int {
    NAMESPACES
        .iter()
        .filter(|(layer, ..)| layers.contains(*layer))
        .fold(0, |flags, (_, flag, _)| flags | flag)
}

/// The kernel says no to all namespaces together; asked for them one by one, it says to which.
fn culprit(layers: Layers) -> Step {
    let user = layers.contains(Layers::USERNS);
    for (layer, _, step) in NAMESPACES {
        if !layers.contains(layer) {
            continue;
        }
        match sys::clone(flags(if user {
            layer.with(Layers::USERNS)
        } else {
            layer
        })) {
            Ok(Side::Child) => sys::exit_now(0),
            Ok(Side::Parent { pidfd, .. }) => {
                // It ends at once. Were it not reaped, it would only stay as a zombie.
                let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            }
            Err(_) => return step,
        }
    }
    Step::Clone
}
