//! Writes that leave whole elements, even if they stop halfway; knows only the size of elements.

use std::{fs::File, io, ops::Range};

use crate::sys;

/// How many bytes are written at a time.
const PIECE: usize = 1 << 20;

/// A write that failed.
#[derive(Debug)]
pub(crate) struct FailedWrite {
    pub(crate) error: io::Error,
    /// The previous bytes of the file, if they could not be written back.
    pub(crate) lost: Option<Vec<u8>>,
}

/// Divides a range into parts of about 1 MiB, none of which ends within an element.
///
/// Elements begin at multiples of their size.
pub(crate) fn whole_elements(
    range: &Range<usize>,
    size: usize,
) -> impl Iterator<Item = Range<usize>> + use<> {
    sys::pieces(range, sys::round_up(PIECE, size).unwrap_or(usize::MAX))
}

/// Writes bytes at byte `at` of a file; if that fails, writes the previous bytes back.
///
/// The kernel may write a part of the bytes before it fails, and half an element may not be a value
/// of its type.
pub(crate) fn write_or_restore(
    file: &File,
    bytes: &[u8],
    at: u64,
) -> Result<(), FailedWrite> {
    let read = || {
        let mut found = vec![0; bytes.len()];
        match sys::read_at_most(file, &mut found, at)? {
            read if read < found.len() => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(found),
        }
    };
    let before: Vec<u8> = read().map_err(|error| FailedWrite { error, lost: None })?;
    let Err(error) = sys::write_all_at(file, bytes, at) else { return Ok(()) };
    // This write may stop at the same byte; the first write changed nothing beyond that byte.
    let _ = sys::write_all_at(file, &before, at);
    let is_restored = read().is_ok_and(|found| found == before);
    Err(FailedWrite { error, lost: Some(before).filter(|_| !is_restored) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_end_with_an_element_or_the_range() {
        for (range, size) in [
            (0..0, 5),
            (0..3 * PIECE, 1),
            (4093..3 * PIECE + 7, 5),
            (7..8 * PIECE, 3 * PIECE + 1),
        ] {
            let parts: Vec<_> = whole_elements(&range, size).collect();
            let mut next = range.start;
            for part in &parts {
                assert_eq!(part.start, next, "{range:?} {size}");
                assert!(part.end.is_multiple_of(size) || part.end == range.end);
                assert!(!part.is_empty() && part.len() <= PIECE + size);
                next = part.end;
            }
            assert_eq!(next, range.end.max(range.start), "{range:?} {size}");
        }
    }
}
