//! Exchanging the root directory for an empty one.
//!
//! Owns the order of mounts. Needs a mount namespace of its own, else it would unroot the machine.

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use rustix::process::{chdir, pivot_root};

use crate::error::JailError;

/// Where the new root is mounted first; it is there wherever the launcher can work.
const STAGE: &str = "/proc";

/// Pivots to an empty read-only root and detaches the old one.
pub(crate) fn exchange() -> Result<(), JailError> {
    // Else the mounts made here could appear outside.
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(JailError::Propagation)?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(
        "none",
        STAGE,
        "tmpfs",
        flags,
        c"mode=0555,size=4k,nr_inodes=1",
    )
    .map_err(JailError::MountRoot)?;
    chdir(STAGE).map_err(JailError::Pivot)?;
    // The old root ends up on top of the new one, and is detached from there: no directory is
    // needed to hold it, so that the new root can be empty and read-only from the start.
    pivot_root(".", ".").map_err(JailError::Pivot)?;
    unmount(".", UnmountFlags::DETACH).map_err(JailError::DetachRoot)?;
    chdir("/").map_err(JailError::Pivot)
}

/// Whether nothing of the old root can be seen.
pub(crate) fn is_empty() -> bool {
    rustix::fs::accessat(
        CWD,
        STAGE,
        rustix::fs::Access::EXISTS,
        rustix::fs::AtFlags::empty(),
    ) == Err(Errno::NOENT)
}
