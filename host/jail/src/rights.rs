//! Giving up rights: capabilities, new privileges, and Landlock's.
//!
//! Owns how each is given up and read back. All of it holds for the calling thread and those it
//! starts later, which is why a process does it while it has one.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities,
    capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
};

use crate::error::JailError;

/// The newest rights known here; older kernels handle those they know.
const LANDLOCK: ABI = ABI::V9;

const NO_CAPABILITIES: CapabilitySets = CapabilitySets {
    effective: CapabilitySet::empty(),
    permitted: CapabilitySet::empty(),
    inheritable: CapabilitySet::empty(),
};

/// Empties every capability set.
///
/// The sets that decide what can come back need a capability to be emptied. A process that never
/// had it (an ordinary user without a user namespace) keeps them, and has nothing to regain by
/// them once `no_new_privs` is set.
pub(crate) fn drop_capabilities() -> Result<(), JailError> {
    let now = capabilities(None).map_err(JailError::Capabilities)?;
    if now.effective.contains(CapabilitySet::SETPCAP) {
        for capability in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
            match remove_capability_from_bounding_set(capability) {
                Ok(()) => {}
                // Beyond the last one this kernel knows.
                Err(Errno::INVAL) => break,
                Err(errno) => return Err(JailError::CapabilityBounds(errno)),
            }
        }
        let bits = CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_SETUID_FIXUP
            | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
            | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
        set_capabilities_secure_bits(bits).map_err(JailError::CapabilityBounds)?;
    }
    clear_ambient_capability_set().map_err(JailError::CapabilityBounds)?;
    set_capabilities(None, NO_CAPABILITIES).map_err(JailError::Capabilities)
}

/// Whether no capability is left, nor can be regained where it could be forbidden.
pub(crate) fn has_no_capability() -> bool {
    let bounded = capability_is_in_bounding_set(CapabilitySet::SYS_ADMIN) != Ok(true)
        || rustix::thread::no_new_privs() == Ok(true);
    bounded && capabilities(None) == Ok(NO_CAPABILITIES)
}

/// Handles every right of Landlock and grants none; false where the kernel has no Landlock.
pub(crate) fn restrict_by_landlock() -> Result<bool, RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}
