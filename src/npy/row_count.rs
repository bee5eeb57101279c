//! The row count in the header of a growing `.npy` file: reads and writes it; knows no mapping of
//! the array.

use std::{fs::File, io, ops::RangeInclusive, path::Path};

use ndarray::Order;

use super::header::{self, Header};
use crate::array::RowHeader;
use crate::error::{Error, ErrorKind, NpyErrorKind, Result};
use crate::file::whole_write;
use crate::sys;
use crate::sys::mapped_atomic::{self, MappedAtomicU64, WORD, WriteBy};

/// Two counts with the same quotient by this number differ only in the digits of one word.
const PER_WORD: usize = 100_000_000;

/// The number of bytes that a disk writes atomically, whatever its own sector size.
pub(super) const SECTOR: usize = 512;

/// The header of a file, in which only the row count changes.
#[derive(Debug)]
pub(crate) struct HeaderCount {
    header: Header,
    cap: u64,
    whole_rows: bool,
    /// The position of the last digits of the count, known after this handle has written a header.
    word: Option<MappedAtomicU64>,
}

impl HeaderCount {
    pub(crate) fn new(header: Header, cap: u64, whole_rows: bool) -> Self {
        Self { header, cap, whole_rows, word: None }
    }

    fn with(&self, count: usize) -> Header {
        let mut header = self.header.clone();
        header.set_count(count);
        header
    }

    /// Returns the bytes of a header that differs from the old one only in the count.
    fn bytes_with(&self, count: usize) -> Result<(Vec<u8>, Option<usize>)> {
        let header = self.with(count);
        let (bytes, word) = header.to_bytes_in_place()?;
        match Header::parse_with_limit(&bytes, self.cap) {
            Ok(read) if read == header => Ok((bytes, word)),
            _ => Err(NpyErrorKind::NoRoom { count }.into()),
        }
    }

    /// Returns whether `count` differs from the last count in one word only.
    fn is_near(&self, count: usize) -> bool {
        count / PER_WORD == self.count() / PER_WORD
    }
}

impl RowHeader for HeaderCount {
    fn order(&self) -> Order {
        self.header.order()
    }

    fn count(&self) -> usize {
        self.header.count().unwrap_or(0)
    }

    fn takes_whole_rows(&self) -> bool {
        self.whole_rows
    }

    fn check(&self, file: &File, path: &Path, count: usize) -> Result<()> {
        if self.word.is_some() && self.is_near(count) {
            return Ok(());
        }
        let (new, _) = self.bytes_with(count)?;
        let mut old = vec![0; new.len()];
        sys::read_at_most(file, &mut old, 0).map_err(Error::io("read", path))?;
        if changes_one_sector(&old, &new) {
            return Ok(());
        }
        Err(NpyErrorKind::NoRoom { count }.into())
    }

    fn confirm(&self, file: &File, path: &Path) -> Result<()> {
        if header::read(file, path, self.cap)? != self.header {
            return Err(ErrorKind::Replaced.at(path));
        }
        Ok(())
    }

    fn write(&mut self, file: &File, count: usize, by: WriteBy) -> io::Result<()> {
        let is_near = self.is_near(count);
        match &mut self.word {
            Some(word) if is_near => {
                let last = count.checked_rem(PER_WORD).unwrap_or(0);
                let digits = match count < PER_WORD {
                    true => format!("{last:>WORD$}"),
                    false => format!("{last:0WORD$}"),
                };
                let digits = digits.as_bytes().try_into().map_err(io::Error::other)?;
                word.write(file, digits, by)?;
            }
            _ => {
                let (bytes, word) = self.bytes_with(count).map_err(io::Error::other)?;
                overwrite(file, &bytes)?;
                let at = word.and_then(|end| u64::try_from(end.checked_sub(WORD)?).ok());
                self.word = at.map(MappedAtomicU64::at);
            }
        }
        self.header.set_count(count);
        Ok(())
    }

    fn read(&self, file: &File, path: &Path) -> Result<usize> {
        let found = header::read(file, path, self.cap)?;
        match found.count() {
            Some(count) if found == self.with(count) => Ok(count),
            _ => Err(ErrorKind::Replaced.at(path)),
        }
    }
}

/// Returns whether all differing bytes lie in one sector, which the disk writes atomically.
///
/// After a power failure a file may have some sectors of the old header and some of the new one.
pub(super) fn changes_one_sector(old: &[u8], new: &[u8]) -> bool {
    difference(old, new).is_none_or(|at| at.start() / SECTOR == at.end() / SECTOR)
}

/// Returns the range from the first differing byte to the last.
fn difference(old: &[u8], new: &[u8]) -> Option<RangeInclusive<usize>> {
    let differs = |(old, new): (&u8, &u8)| old != new;
    let mut pairs = old.iter().zip(new);
    let last = pairs.clone().rposition(differs)?;
    Some(pairs.position(differs)?..=last)
}

/// Writes `bytes` to the beginning of a file, from the first differing byte to the last.
fn overwrite(file: &File, bytes: &[u8]) -> io::Result<()> {
    sys::check_limit(u64::try_from(bytes.len()).map_err(io::Error::other)?)?;
    let mut old = vec![0; bytes.len()];
    let _ = sys::read_at_most(file, &mut old, 0)?;
    let Some(range) = difference(&old, bytes) else { return Ok(()) };
    let at = u64::try_from(*range.start()).map_err(io::Error::other)?;
    let before = old.get(range.clone()).unwrap_or_default();
    let changed = bytes.get(range).unwrap_or_default();
    // A reader cannot parse a partly written header.
    whole_write::write_or_restore(file, changed, at).map_err(|failed| failed.error)?;
    mapped_atomic::show(file, at, changed).inspect_err(|_| {
        // The caller removes the rows that the new header counts.
        let _ = sys::write_all_at(file, before, at);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(fortran: bool) -> Order {
        if fortran { Order::F } else { Order::C }
    }

    /// Writes each count into the header of a file, and reads each one back.
    fn assert_counts(descr: &str, shape: &[usize], fortran: bool, counts: &[usize]) {
        let header = Header::new(descr.parse().unwrap(), shape, order(fortran)).unwrap();
        let bytes = header.to_bytes_of(header.version).unwrap();
        let file = tempfile::tempfile().unwrap();
        sys::write_all_at(&file, &bytes, 0).unwrap();
        let path = Path::new("");
        let follower = HeaderCount::new(header.clone(), header::DEFAULT_CAP, false);
        let mut writer = HeaderCount::new(header, header::DEFAULT_CAP, false);
        for count in counts {
            writer.check(&file, path, *count).unwrap();
            writer
                .write(
                    &file,
                    *count,
                    if *count % 2 == 0 { WriteBy::Store } else { WriteBy::Call },
                )
                .unwrap();
            assert_eq!(follower.read(&file, path).unwrap(), *count, "{descr} {shape:?}");
            writer.confirm(&file, path).unwrap();
            assert_eq!(
                file.metadata().unwrap().len(),
                u64::try_from(bytes.len()).unwrap()
            );
        }
    }

    #[test]
    fn every_count_is_read_as_it_was_written() {
        let counts = [
            0,
            1,
            9,
            10,
            99_999_999,
            100_000_000,
            100_000_001,
            100_000_000,
            199_999_999,
            200_000_000,
            123_456_789_012_345,
            7,
            usize::MAX,
            usize::MAX - 1,
            0,
        ];
        let record = "[('a', '<f8'), ('\u{3bb}', '|S3', (2, 3))]";
        for descr in ["|u1", "<f4", ">c16", "<U30", record] {
            for shape in [&[0_usize][..], &[0, 3], &[0, 1, 12_345, 6], &[3, 1, 0]] {
                for fortran in [false, true] {
                    assert_counts(descr, shape, fortran, &counts);
                }
            }
        }
    }

    #[test]
    fn a_header_without_room_for_a_word_takes_any_number_that_fits() {
        let text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }    \n";
        let bytes = [&b"\x93NUMPY\x01\x00\x3e\x00"[..], text].concat();
        let header = Header::parse(&bytes).unwrap();
        let file = tempfile::tempfile().unwrap();
        sys::write_all_at(&file, &bytes, 0).unwrap();
        let mut writer = HeaderCount::new(header, header::DEFAULT_CAP, false);
        for count in [1, 12, 123, 12_345, 1] {
            writer.check(&file, Path::new(""), count).unwrap();
            writer.write(&file, count, WriteBy::Store).unwrap();
            assert_eq!(writer.read(&file, Path::new("")).unwrap(), count);
        }
        assert!(writer.word.is_none());
        let error = writer.check(&file, Path::new(""), 123_456).unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::Npy(NpyErrorKind::NoRoom { count: 123_456 })
        ));
    }

    /// Reads the first `len` bytes.
    fn start_of(file: &File, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        sys::read_at_most(file, &mut bytes, 0).unwrap();
        bytes
    }

    /// Returns new headers whose growing length lies near the end of a sector.
    fn headers() -> impl Iterator<Item = Header> {
        let lengths = [(390, 530), (4020, 4110)];
        lengths.into_iter().flat_map(|(from, to)| from..to).step_by(5).flat_map(|len| {
            let descr = format!("[('{}', '<f4')]", "x".repeat(len));
            [(vec![0], false), (vec![0, 3], false), (vec![3, 1, 0], true)].map(
                |(shape, fortran)| {
                    Header::new(descr.parse().unwrap(), &shape, order(fortran)).unwrap()
                },
            )
        })
    }

    #[test]
    fn a_header_of_any_length_changes_in_one_sector_at_a_time() {
        let counts = [1, 9, 10, 99_999_999, 100_000_000, 7, usize::MAX, 0];
        for mut header in headers() {
            let bytes = header.align_data(1, header::DEFAULT_CAP).unwrap();
            assert!(bytes.len().is_multiple_of(64));
            assert_eq!(Header::parse(&bytes).unwrap(), header);
            let file = tempfile::tempfile().unwrap();
            sys::write_all_at(&file, &bytes, 0).unwrap();
            let path = Path::new("");
            let mut writer = HeaderCount::new(header, header::DEFAULT_CAP, false);
            let mut old = bytes;
            for count in counts {
                writer.check(&file, path, count).unwrap();
                writer.write(&file, count, WriteBy::Call).unwrap();
                let new = start_of(&file, old.len());
                assert!(changes_one_sector(&old, &new), "{count} in {}", old.len());
                assert_eq!(Header::parse(&new).unwrap().count(), Some(count));
                old = new;
            }
        }
    }

    #[test]
    fn a_header_that_would_change_in_two_sectors_has_no_room() {
        let mut refused = 0;
        for header in headers() {
            let bytes = header.to_bytes_of(header.version).unwrap();
            let file = tempfile::tempfile().unwrap();
            sys::write_all_at(&file, &bytes, 0).unwrap();
            let mut writer = HeaderCount::new(header, header::DEFAULT_CAP, false);
            match writer.check(&file, Path::new(""), 5).map_err(Error::into_kind) {
                Ok(()) => {
                    writer.write(&file, 5, WriteBy::Call).unwrap();
                    assert!(changes_one_sector(&bytes, &start_of(&file, bytes.len())));
                }
                Err(ErrorKind::Npy(NpyErrorKind::NoRoom { count: 5 })) => refused += 1,
                Err(e) => panic!("{e}"),
            }
        }
        assert!(refused > 3, "{refused}");
    }
}
