//! Rewrites a file whose header has no space for a longer array; maps nothing.

use std::{cmp::Ordering, fs::File, io, path::Path};

use super::header::{self, Header};
use super::row_count::HeaderCount;
use crate::array::RowHeader;
use crate::error::{AtPath, Error, ErrorKind, Result};
use crate::mode::Mode;
use crate::open::MapOptions;
use crate::{file, sys};

/// The number of bytes that are copied at a time.
const PIECE: u64 = 8 << 20;
/// Reserves space in the header of a `.npy` file for any length of its array.
///
/// Headers by NumPy before 1.23, and by other writers, may lack this space. Growing such an array
/// returns [`NpyErrorKind::NoRoom`](crate::NpyErrorKind::NoRoom). This function writes a new file next to
/// the old file, which the new file replaces in one step. See [`Draft`](crate::Draft), also for
/// the permissions. Open arrays keep the old file, and must not change it during this call.
///
/// In the new file the elements begin at a multiple of 64 bytes. A file whose elements were not
/// aligned can therefore be mapped afterwards. A file that has both the space and the alignment
/// stays unchanged.
///
/// # Errors
///
/// - [`ErrorKind::Npy`] if the file is not a `.npy` file, or its header has more than 10,000 bytes.
///   Use [`Options::make_growable`](crate::npy::Options::make_growable) for a longer header.
/// - [`ErrorKind::FileTooShort`] if the file ends before its array.
/// - [`ErrorKind::TrailingBytes`] if the file continues after its array.
/// - [`ErrorKind::Locked`] if another handle has locked the file, even with a shared lock.
/// - [`ErrorKind::Replaced`] if the path now names another file, or header or length have changed.
/// - [`ErrorKind::NoSpace`] and [`ErrorKind::Io`] if the file cannot be read, or the new file cannot be
///   written.
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("old.npy");
/// use ndarray::Ix1;
/// use ndarray_memmap::npy;
///
/// let header = b"\x93NUMPY\x01\x00\x46\x00\
///     {'descr': '|u1', 'fortran_order': False, 'shape': (3,), }            \n";
/// std::fs::write(&path, [&header[..], b"abc"].concat())?;
/// npy::make_growable(&path)?;
/// let a = npy::load::<u8, Ix1>(&path)?;
/// assert_eq!((a.as_slice(), a.offset()), (Some(&b"abc"[..]), 128));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn make_growable(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    make_growable_capped(path, header::DEFAULT_CAP).at(path)
}

/// Implements [`make_growable`] for headers of at most `cap` bytes.
pub(super) fn make_growable_capped(path: &Path, cap: u64) -> Result<()> {
    let file = file::open_to_replace(path)?;
    let old = header::read(&file, path, cap)?;
    // After the header: a growing file contains its new rows before the header counts them.
    let found = file::regular_len(&file, path)?;
    let (len, end) = (old.len()?, old.end()?);
    match found.cmp(&end) {
        Ordering::Less => {
            return Err(Error::from(ErrorKind::FileTooShort { expected: end, found })
                .with_way_out("it is incomplete: copy it again"));
        }
        Ordering::Greater => return Err(ErrorKind::TrailingBytes { end, found }.into()),
        Ordering::Equal => {}
    }
    let count = HeaderCount::new(old.clone(), cap, false);
    let has_room = old.shape.is_empty() || count.check(&file, path, usize::MAX).is_ok();
    if has_room && old.data_offset.is_multiple_of(64) {
        return Ok(());
    }

    let new = Header::new(old.dtype.clone(), &old.shape, old.order())?;
    let mut new = new.with_version(old.version)?;
    let bytes = new.align_data(1, u64::MAX)?;
    let whole = new.data_offset.checked_add(len).ok_or(ErrorKind::TooLarge)?;
    let whole = usize::try_from(whole).map_err(|_| ErrorKind::TooLarge)?;
    let copy = |to: &File| {
        sys::write_all_at(to, &bytes, 0)?;
        copy(&file, old.data_offset, to, new.data_offset, len)
    };
    let options = MapOptions::new(Mode::Create).shape(whole);
    let draft = options.draft_then::<u8>(path, copy)?;
    count.confirm(&file, path)?;
    if file::regular_len(&file, path)? != found {
        return Err(ErrorKind::Replaced.at(path));
    }
    draft.publish_over(Some(&file))
}

/// Copies `len` bytes from offset `start` of one file to offset `at` of another.
fn copy(from: &File, start: u64, to: &File, at: u64, len: u64) -> io::Result<()> {
    let mut buffer = Vec::new();
    for piece in sys::pieces(&(0..len), PIECE) {
        let len = piece.end.saturating_sub(piece.start);
        buffer.resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        let count =
            sys::read_at_most(from, &mut buffer, start.saturating_add(piece.start))?;
        if count < buffer.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sys::write_all_at(to, &buffer, at.saturating_add(piece.start))?;
    }
    Ok(())
}
