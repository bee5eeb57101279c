//! The calls of the operating system, and what its file systems guarantee.
//!
//! No other folder has code for one system, except `guard` and `doc`. `unix` and `windows` have the
//! same functions, and so have `linux` and `other`. The lists below are these functions. Other files hold
//! both versions of a function, for calls that Linux shares with Android or FreeBSD. A function that
//! the system lacks does nothing or returns `Unsupported`, as its documentation says.

pub(crate) mod descriptor;
pub(crate) mod file_system;
pub(crate) mod holes;
pub(crate) mod map;
pub(crate) mod mapped_atomic;
pub(crate) mod process;
pub(crate) mod space;
pub(crate) mod write_state;
pub(crate) mod zeros;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod linux;
#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
#[path = "windows.rs"]
mod unix;

use std::{fs::File, io, ops::Range};

use num_traits::{CheckedRem, PrimInt};

pub(crate) use file_system::FileSystem;
pub(crate) use process::process_number;

// Pages: advice, locks, residency, private copies, the page cache.
pub(crate) use linux::{
    CONTROLS_PAGE_CACHE, MAPS_BEYOND_END, RELOADS_DROPPED_PAGES, ReadAlias, cached_pages,
    drop_cached, is_locked, locks_new_pages, page_out, populate, private_pages,
    reports_residency_of, residency, unchanged_pages, whole_pages,
};
pub(crate) use unix::{
    advise, drop_pages, lock_pages, page_size, refuses_shared_mapping, request,
    unlock_pages,
};

// Files: reading, writing, writing back, locks, limits.
pub(crate) use linux::{
    SYNCS_RANGES, file_size_limit, locked_memory_limit, start_writeback,
    wait_for_writeback, write_start, writes_in_place,
};
pub(crate) use unix::{
    CONVERTS_LOCKS, EXTENDS_MAPPED_FILES, REPLACES_OPEN_FILES, TRUNCATES_MAPPED_FILES,
    change_time, file_id, file_type_name, read_at, set_open_flags, upgrade_lock,
    write_all_at,
};

// New files and their folders.
pub(crate) use unix::{Folder, copy_permissions, set_draft_permissions};

/// The largest piece of a file that the page cache of Linux holds as one folio.
pub(crate) const FOLIO: usize = 2 << 20;

/// Reads from `offset` until the buffer is full or the file ends; returns the number of bytes.
pub(crate) fn read_at_most(
    file: &File,
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut count: usize = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        match read_at(file, rest, at) {
            Ok(0) => break,
            Ok(read) => count = count.saturating_add(read),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(count)
}

/// Fails for a write beyond the limit of the process, to which the kernel responds with `SIGXFSZ`.
pub(crate) fn check_limit(end: u64) -> io::Result<()> {
    match file_size_limit() {
        Some(limit) if end > limit => Err(io::ErrorKind::FileTooLarge.into()),
        _ => Ok(()),
    }
}

/// Returns the largest multiple of `step` that is at most `value`.
pub(crate) fn round_down<T: PrimInt + CheckedRem>(value: T, step: T) -> T {
    value.saturating_sub(value.checked_rem(&step).unwrap_or(T::zero()))
}

/// Returns the smallest multiple of `step` that is at least `value`; `None` if there is none.
pub(crate) fn round_up<T: PrimInt + CheckedRem>(value: T, step: T) -> Option<T> {
    let down = round_down(value, step);
    if down == value { Some(value) } else { down.checked_add(&step) }
}

/// Divides a range into pieces that end at multiples of `len`.
pub(crate) fn pieces<T: PrimInt + CheckedRem>(
    range: &Range<T>,
    len: T,
) -> impl Iterator<Item = Range<T>> + use<T> {
    let mut rest = range.clone();
    std::iter::from_fn(move || {
        let next = round_up(rest.start.saturating_add(T::one()), len);
        let piece = rest.start..next.unwrap_or(rest.end).min(rest.end);
        rest.start = piece.end;
        Some(piece).filter(|piece| !piece.is_empty())
    })
}

/// Adds a range to a list; extends the last range if the new range begins at its end.
pub(crate) fn join(ranges: &mut Vec<Range<usize>>, next: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.end == next.start => last.end = next.end,
        _ => ranges.push(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_to_multiples() {
        for value in [0_u64, 1, 4095, 4096, 4097, u64::MAX - 4095] {
            assert_eq!(round_down(value, 4096), value / 4096 * 4096);
            assert_eq!(round_up(value, 4096), value.checked_next_multiple_of(4096));
        }
        assert_eq!(round_up(u64::MAX, 4096), None);
        assert_eq!((round_down(7, 0), round_up(7, 0)), (7, Some(7)));
    }

    #[test]
    fn pieces_end_at_multiples() {
        let found: Vec<_> = pieces(&(5..21), 8).collect();
        assert_eq!(found, [5..8, 8..16, 16..21]);
        assert_eq!(pieces(&(3..3), 8).count(), 0);
    }
}
