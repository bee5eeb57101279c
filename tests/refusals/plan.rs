//! Selects the calls to refuse, and their errors.

use std::collections::BTreeMap;

use crate::calls::row;
use crate::supervisor::{Kind, name_of};

/// A refusal of one call, or of one call and the calls after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: Kind,
    /// The number of the call, counted from 1.
    pub(crate) number: usize,
    pub(crate) errno: i32,
    pub(crate) how: How,
}

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Only the call.
    Once,
    /// The call and all later calls of its kind.
    From,
    /// The call transfers half of its bytes, and the next of its kind fails.
    Half,
}

impl Refusal {
    pub(crate) fn described(&self) -> String {
        let name = name_of(self.kind.0);
        let thread = if self.kind.1 { "" } else { " of a thread" };
        let errno = rustix::io::Errno::from_raw_os_error(self.errno);
        let how = match self.how {
            How::Once => "",
            How::From => " and later",
            How::Half => " half done",
        };
        format!("{name}{thread} #{}{how}: {errno:?}", self.number)
    }
}

/// Returns all refusals for the calls that an operation makes.
pub(crate) fn all(counts: &BTreeMap<Kind, usize>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (&kind, &count) in counts {
        for &errno in row(kind.0).map_or(&[][..], |row| row.errors) {
            for number in 1..=count {
                let mut add = |how| refusals.push(Refusal { kind, number, errno, how });
                add(How::Once);
                if lasts(kind.0, errno, number) {
                    add(How::From);
                }
                if has_halves(kind.0) {
                    add(How::Half);
                }
            }
        }
    }
    refusals
}

/// Returns whether an error may recur for every call: a sandbox, a full disk, a failing disk, a
/// limit, or signals.
fn lasts(number: i64, errno: i32, count: usize) -> bool {
    const WRITES: &[i64] = &[
        libc::SYS_pwrite64,
        libc::SYS_write,
        libc::SYS_fallocate,
        libc::SYS_fsync,
        libc::SYS_fdatasync,
        libc::SYS_msync,
        libc::SYS_sync_file_range,
        libc::SYS_linkat,
    ];
    const LIMITED: &[i64] = &[
        libc::SYS_mmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_openat,
        libc::SYS_fcntl,
        libc::SYS_clone3,
    ];
    // The crate can remove the files of a failed call only if it can inspect them.
    if number == libc::SYS_statx {
        return false;
    }
    match errno {
        libc::EPERM | libc::ENOSYS => count == 1,
        libc::ENOSPC | libc::EDQUOT | libc::EIO => WRITES.contains(&number),
        libc::ENOMEM | libc::EMFILE | libc::EAGAIN => LIMITED.contains(&number),
        libc::EINTR => true,
        _ => false,
    }
}

fn has_halves(number: i64) -> bool {
    [libc::SYS_pread64, libc::SYS_pwrite64].contains(&number)
}

/// Chooses some of all refusals, at least one for each call and error; deterministic.
pub(crate) fn sample(all: &[Refusal], seed: usize) -> Vec<Refusal> {
    /// One in this many refusals of one call and error is chosen.
    const ONE_OF: usize = 8;

    let mut groups: BTreeMap<(Kind, i32), Vec<Refusal>> = BTreeMap::new();
    for refusal in all {
        groups.entry((refusal.kind, refusal.errno)).or_default().push(*refusal);
    }
    let mut chosen = Vec::new();
    for (number, group) in groups.into_values().enumerate() {
        let first = (seed + number) % group.len().min(ONE_OF);
        chosen.extend(group.into_iter().skip(first).step_by(ONE_OF));
    }
    chosen
}
