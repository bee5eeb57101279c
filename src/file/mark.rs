//! The mark at the end of a preallocated file, which says whose bytes follow the array.

use std::{fs::File, io};

use crate::sys::zeros::{is_hole, is_zero};
use crate::sys::{self, FileSystem};

/// The last bytes of a file that was extended for rows to come; the length of the file follows
/// them.
const MARK: &[u8; 45] = b"\nspace that ndarray-memmap has preallocated.\n";
/// The number of bytes of mark and length: unusual, so that zeros of just this number after an
/// array rarely belong to a user; see [`is_left_over`].
pub(crate) const MARK_LEN: u64 = 53;

/// A file whose length is `MARKED` modulo `MODULUS`, and which ends with a hole, needs no mark.
const MODULUS: u64 = 1 << 20;
const MARKED: u64 = 0x9_a3c7;
/// The length of that hole, which rows do not fill.
pub(crate) const LAST_HOLE: u64 = 1 << 16;

/// Returns the next length that is a mark by itself.
pub(crate) fn marked_length(len: u64) -> u64 {
    let into = len.checked_rem(MODULUS).unwrap_or(0);
    let further = if into > MARKED { MODULUS } else { 0 };
    len.saturating_sub(into).saturating_add(MARKED).saturating_add(further)
}

/// Marks a file as preallocated up to a length: by the length alone, or by a mark that is written.
///
/// Returns whether a mark was written.
///
/// The mark takes a block of the disk, which must be written before rows are counted.
pub(crate) fn mark(file: &File, reach: u64) -> io::Result<bool> {
    let needs_no_mark =
        reach.checked_rem(MODULUS) == Some(MARKED) && FileSystem::of(file).keeps_holes();
    if needs_no_mark && reach > file.metadata()?.len() {
        file.set_len(reach)?;
        if is_hole(file, reach.saturating_sub(LAST_HOLE)..reach)? {
            return Ok(false);
        }
    }
    sys::write_all_at(file, &mark_of(reach), reach.saturating_sub(MARK_LEN))?;
    Ok(true)
}

/// Returns the last bytes of a file of `reach` bytes that has a mark.
fn mark_of(reach: u64) -> Vec<u8> {
    [&MARK[..], &reach.to_le_bytes()].concat()
}

/// Overwrites the mark of a file that had `reach` bytes with zeros, as far as it lies before `end`.
pub(crate) fn clear_mark(file: &File, reach: u64, end: u64) -> io::Result<()> {
    let start = reach.saturating_sub(MARK_LEN);
    let len = reach.min(end).saturating_sub(start);
    let zeros = [0; MARK.len() + size_of::<u64>()];
    let len = usize::try_from(len).map_err(io::Error::other)?;
    sys::write_all_at(file, zeros.get(..len).unwrap_or_default(), start)
}

/// Returns whether the bytes of a file beyond its array were left by an array that grew.
///
/// Returns `true` in these cases:
///
/// - The file of `found` bytes ends with the mark, or with a hole at a marked length.
/// - All bytes from the end of the array on are a hole, which was never written to.
/// - The array is followed by exactly as many zeros as the mark has bytes. A power cut may remove
///   the mark, but not the length, of a file that is being truncated.
///
/// All other bytes belong to the user.
pub(crate) fn is_left_over(file: &File, end: u64, found: u64) -> io::Result<bool> {
    if found >= end.saturating_add(MARK_LEN) {
        let expected = mark_of(found);
        let mut last = vec![0; expected.len()];
        let at = found.saturating_sub(MARK_LEN);
        if sys::read_at_most(file, &mut last, at)? == last.len() && last == expected {
            return Ok(true);
        }
    }
    if found.checked_sub(end) == Some(MARK_LEN) && is_zero(file, end..found)? {
        return Ok(true);
    }
    let hole = found.saturating_sub(LAST_HOLE);
    let is_marked = found.checked_rem(MODULUS) == Some(MARKED) && hole >= end;
    Ok(is_marked && is_hole(file, hole..found)? || is_hole(file, end..found)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_marked_length_is_less_than_a_step_away() {
        let near = [MARKED - 1, MARKED, MARKED + 1, MODULUS - 1, MODULUS, MODULUS + 1];
        for len in [0, 1, 5 * MODULUS + MARKED].into_iter().chain(near) {
            let marked = marked_length(len);
            assert_eq!(marked % MODULUS, 631_751, "{len}");
            assert!((len..len + (1 << 20)).contains(&marked), "{len}: {marked}");
        }
    }

    #[test]
    fn a_marked_length_takes_no_block_where_holes_are_reported() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        let reports_holes = is_hole(&file, 0..1 << 20).unwrap();
        let needs_mark = !reports_holes || !FileSystem::of(&file).keeps_holes();
        let reach = marked_length(1 << 21);
        assert_eq!(mark(&file, reach).unwrap(), needs_mark);
        assert!(mark(&file, reach + 1).unwrap(), "another length is marked by bytes");
        let mut last = vec![0; 53];
        assert_eq!(sys::read_at_most(&file, &mut last, reach + 1 - 53).unwrap(), 53);
        assert_eq!(last, mark_of(reach + 1));
    }

    #[test]
    fn a_mark_is_cleared_as_far_as_rows_may_follow() {
        let file = tempfile::tempfile().unwrap();
        sys::write_all_at(&file, &[1; 100], 0).unwrap();
        mark(&file, 200).unwrap();
        for (end, cleared) in [(180, 180), (200, 200), (500, 200)] {
            clear_mark(&file, 200, end).unwrap();
            let expected = [&[1; 100][..], &[0; 47], &mark_of(200)].concat();
            let mut found = vec![9; 300];
            let count = sys::read_at_most(&file, &mut found, 0).unwrap();
            found.truncate(count);
            assert_eq!(found[..147], expected[..147]);
            assert!(found[147..cleared].iter().all(|byte| *byte == 0));
            assert_eq!(found[cleared..], expected[cleared..]);
        }
    }

    #[test]
    fn what_was_written_behind_an_array_is_not_left_over() {
        let file = tempfile::tempfile().unwrap();
        for (bytes, at) in [(&[0_u8; 80][..], 100), (&[0; 80], 9000), (&[7], 100)] {
            file.set_len(0).unwrap();
            sys::write_all_at(&file, &[1; 100], 0).unwrap();
            sys::write_all_at(&file, bytes, at).unwrap();
            let found = file.metadata().unwrap().len();
            assert!(!is_left_over(&file, 100, found).unwrap(), "{at}");
        }
        // Bytes of the user, then a hole up to a length that is no mark.
        file.set_len(1 << 20).unwrap();
        assert!(!is_left_over(&file, 100, 1 << 20).unwrap());
        file.set_len(0).unwrap();
        sys::write_all_at(&file, &[1; 100], 0).unwrap();
        sys::write_all_at(&file, &[0; MARK.len() + 8], 100).unwrap();
        assert!(is_left_over(&file, 100, 153).unwrap(), "a mark that was lost");
        for reach in [(1 << 20) + 5, marked_length(1 << 20)] {
            file.set_len(100).unwrap();
            sys::write_all_at(&file, &[7; 5000], 100).unwrap();
            mark(&file, reach).unwrap();
            assert!(is_left_over(&file, 100, reach).unwrap());
            // A byte after the mark belongs to the user.
            sys::write_all_at(&file, b"x", reach).unwrap();
            assert!(!is_left_over(&file, 100, reach + 1).unwrap());
        }
        // A file of a marked length that was written to its end.
        let len = marked_length(0);
        file.set_len(100).unwrap();
        let zeros = vec![0; usize::try_from(len).unwrap() - 100];
        sys::write_all_at(&file, &zeros, 100).unwrap();
        assert!(!is_left_over(&file, 100, len).unwrap());
    }
}
