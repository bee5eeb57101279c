//! Files whose header has no room: the same array behind one that has.

use std::cmp::Ordering;
use std::fs::File;
use std::io;
use std::path::Path;

use super::header::{self, Header};
use super::row_count::HeaderCount;
use crate::array::row_count::Count;
use crate::error::{Error, Result};
use crate::file;
use crate::file::allocate;
use crate::mode::Mode;
use crate::open::options::MapOptions;

/// How much is copied at a time.
const PIECE: usize = 8 << 20;
/// Gives the header of a `.npy` file room for any length of its array.
///
/// The headers of old versions of NumPy (before 1.23), and of other writers, may have none,
/// which is [`NpyError::NoRoom`](crate::NpyError::NoRoom) when the array is to grow. Then the
/// file is written anew beside the old one, which it replaces in one step: see
/// [`Draft`](crate::Draft), also for what becomes of permissions. Arrays that are open keep
/// the old file; none may change it meanwhile. The elements begin at a multiple of 64 bytes
/// then, so that files of odd headers can be mapped too. Of a file that has all that, nothing
/// is changed.
///
/// # Errors
///
/// - [`Error::Npy`] if it is not a `.npy` file, or its header has more than 10,000 bytes; use
///   [`Options::make_growable`](crate::npy::Options::make_growable) for such a header.
/// - [`Error::FileTooShort`] if it ends before its array does.
/// - [`Error::TrailingBytes`] if it goes on beyond its array.
/// - [`Error::Locked`] if another handle has locked it, be it for reading.
/// - [`Error::Replaced`] if the path names another file now, or header or length have changed.
/// - [`Error::NoSpace`] and [`Error::Io`] if the file cannot be read, or not written anew.
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
    make_growable_capped(path.as_ref(), header::DEFAULT_CAP)
}

/// Reads headers of at most `cap` bytes.
pub(super) fn make_growable_capped(path: &Path, cap: u64) -> Result<()> {
    let file = file::open_to_replace(path)?;
    let old = header::read(&file, path, cap)?;
    // Only now: a file that grows has its rows before they are counted.
    let found = file::regular_len(&file, path)?;
    let (len, end) = (old.len()?, old.end()?);
    match found.cmp(&end) {
        Ordering::Less => return Err(Error::FileTooShort { needed: end, found }),
        Ordering::Greater => return Err(Error::TrailingBytes { end, found }),
        Ordering::Equal => {}
    }
    let count = HeaderCount::new(old.clone(), cap, false);
    let has_room = old.shape.is_empty() || count.check(&file, path, usize::MAX).is_ok();
    if has_room && old.data_offset.is_multiple_of(64) {
        return Ok(());
    }

    let new = Header::new(old.dtype.clone(), &old.shape, old.fortran_order)?;
    let mut new = new.with_version(old.version)?;
    let bytes = new.align_data(1, u64::MAX)?;
    let whole = new.data_offset.checked_add(len).ok_or(Error::TooLarge)?;
    let whole = usize::try_from(whole).map_err(|_| Error::TooLarge)?;
    let copy = |to: &File| {
        allocate::write_all_at(to, &bytes, 0)?;
        copy(&file, old.data_offset, to, new.data_offset, len)
    };
    let options = MapOptions::new(Mode::Create).shape(whole);
    let draft = options.draft_then::<u8>(path, copy)?;
    count.confirm(&file, path)?;
    if file::regular_len(&file, path)? != found {
        return Err(Error::Replaced { path: path.to_owned() });
    }
    draft.publish_over(Some(&file))
}

/// Copies bytes from a place of one file to a place of another.
fn copy(from: &File, start: u64, to: &File, at: u64, len: u64) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut done = 0_u64;
    while done < len {
        let rest = usize::try_from(len.saturating_sub(done)).unwrap_or(PIECE);
        let wanted = piece.get_mut(..rest.min(PIECE)).unwrap_or_default();
        let count = file::read_at_most(from, wanted, start.saturating_add(done))?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let read = piece.get(..count).unwrap_or_default();
        allocate::write_all_at(to, read, at.saturating_add(done))?;
        done = done.saturating_add(u64::try_from(count).map_err(io::Error::other)?);
    }
    Ok(())
}
