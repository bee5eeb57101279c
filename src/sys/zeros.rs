//! Finds holes and zeros in a file; changes nothing.

use std::{fs::File, io, ops::Range};

use crate::sys::{self, pieces, round_up};

/// Returns whether a range of a file is a hole.
///
/// From the first page that begins in the range on, the file was never written to. The bytes before
/// that page are zeros. Returns `false` if the file system does not report holes.
pub(crate) fn is_hole(file: &File, bytes: Range<u64>) -> io::Result<bool> {
    const PAGE: u64 = 4096;

    let Some(start) = round_up(bytes.start, PAGE) else { return Ok(false) };
    if start >= bytes.end || !has_zeros(file, bytes.start..start)? {
        return Ok(false);
    }
    let data = next_data(file, start);
    Ok(data.is_some_and(|data| data.is_none_or(|data| data >= bytes.end)))
}

/// Returns whether all bytes of a range of a file are zeros; does not read its holes.
pub(crate) fn is_zero(file: &File, bytes: Range<u64>) -> io::Result<bool> {
    /// How many bytes are read between two searches for the next hole.
    const STEP: u64 = 1 << 20;

    let mut at = bytes.start;
    while at < bytes.end {
        let end = at.saturating_add(STEP).min(bytes.end);
        if !has_zeros(file, at..end)? {
            return Ok(false);
        }
        at = match next_data(file, end) {
            Some(Some(data)) => data.max(end),
            Some(None) => return Ok(true),
            None => end,
        };
    }
    Ok(true)
}

/// Reads a range that the file has, and returns whether it is zeros.
pub(super) fn has_zeros(file: &File, bytes: Range<u64>) -> io::Result<bool> {
    let (zeros, mut buffer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    for piece in pieces(&bytes, 1 << 16) {
        let len = usize::try_from(piece.end.saturating_sub(piece.start));
        let here = buffer.get_mut(..len.map_err(io::Error::other)?).unwrap_or_default();
        let count = sys::read_at_most(file, here, piece.start)?;
        match here.get(..count) == zeros.get(..count) {
            true if count < here.len() => break,
            true => {}
            false => return Ok(false),
        }
    }
    Ok(true)
}

/// Returns where the next data of a file begin from a byte on, or `Some(None)` if no data follow.
///
/// Returns `None` if the file system does not report holes.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn next_data(file: &File, at: u64) -> Option<Option<u64>> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;

    use crate::sys::{FileSystem, descriptor};

    // FUSE drops the page cache at each opening.
    if !FileSystem::of(file).opens_without_loss() {
        return None;
    }
    // Seeking moves the position, which the caller of the crate may use. This file has its own
    // position.
    let file = descriptor::reopen(file, false).ok()?;
    match seek(&file, SeekFrom::Data(at)) {
        Ok(data) => Some(Some(data)),
        Err(Errno::NXIO) => Some(None),
        Err(_) => None,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn next_data(_: &File, _: u64) -> Option<Option<u64>> {
    None
}
