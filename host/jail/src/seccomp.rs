//! Making filters of the list of system calls, and installing them.
//!
//! Owns their number and order. Of several filters the strictest answer wins, and each has one
//! answer for what it matches: so calls refused with an error pass the list, and one small filter
//! for each error refuses them.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use rustix::process::getpid;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule, apply_filter_all_threads,
};

use crate::lock::Profile;
use crate::syscalls::{ROWS, Rule, Who};

/// Flags of `clone` that a thread must not have.
const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Installs the filters of the profile in every thread.
pub(crate) fn install(profile: Profile) -> Result<(), Error> {
    let mut allowed = BTreeMap::new();
    let mut refused: BTreeMap<i32, BTreeMap<i64, Vec<SeccompRule>>> = BTreeMap::new();
    for row in ROWS {
        if row.who == Who::Compiler && profile == Profile::Worker {
            continue;
        }
        if let Rule::Refused(errno) = row.rule {
            refused
                .entry(errno)
                .or_default()
                .insert(row.call, Vec::new());
        }
        allowed.insert(row.call, rules(row.rule)?);
    }
    // The list last: it does not allow installing more.
    for (errno, calls) in refused {
        let errno = SeccompAction::Errno(errno.unsigned_abs());
        apply_filter_all_threads(&program(calls, SeccompAction::Allow, errno)?)?;
    }
    apply_filter_all_threads(&program(
        allowed,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
    )?)
}

/// The filter checks the architecture, and with it the numbering of the calls, on its own.
fn program(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(calls, otherwise, matched, ARCH.try_into()?)?.try_into()
}

/// Any of the rules suffices; without one the call always matches.
fn rules(rule: Rule) -> Result<Vec<SeccompRule>, BackendError> {
    let one = |argument, operator, value| {
        let length = SeccompCmpArgLen::Dword;
        SeccompRule::new(vec![SeccompCondition::new(
            argument, length, operator, value,
        )?])
    };
    let bits = |flags: libc::c_int| u64::from(flags.unsigned_abs());
    Ok(match rule {
        Rule::Always | Rule::Refused(_) => Vec::new(),
        Rule::OnItself => {
            vec![one(
                0,
                SeccompCmpOp::Eq,
                bits(getpid().as_raw_nonzero().get()),
            )?]
        }
        Rule::First(value) => vec![one(0, SeccompCmpOp::Eq, u64::from(value))?],
        Rule::Second(values) => values
            .iter()
            .map(|value| one(1, SeccompCmpOp::Eq, u64::from(*value)))
            .collect::<Result<_, _>>()?,
        Rule::NotExecutable => {
            vec![one(2, SeccompCmpOp::MaskedEq(bits(libc::PROT_EXEC)), 0)?]
        }
        Rule::Thread => {
            let thread = bits(libc::CLONE_THREAD);
            vec![one(
                0,
                SeccompCmpOp::MaskedEq(thread | bits(NAMESPACES)),
                thread,
            )?]
        }
    })
}
