//! Lays out a header in bytes: as NumPy does, or so that one write can change its row count.
//!
//! Knows no file.

use super::dtype::tuple;
use super::header::{Header, MAGIC};
use super::row_count::{SECTOR, changes_one_sector};
use super::version::Version;
use crate::error::{ErrorKind, NpyErrorKind, Result};
use crate::sys::mapped_atomic::WORD;

/// The alignment of the data in files that NumPy writes.
const ALIGN: usize = 64;
/// The bytes added to a header that needs more space.
const PAD: u64 = 64;
/// The digits that NumPy reserves for the length of the growing axis.
const GROWTH_DIGITS: usize = 21;
/// The digits of the largest length.
const DIGITS: usize = 20;

impl Header {
    /// Lays the header out as NumPy does: space for the length of the growing axis, then padding.
    pub(crate) fn to_bytes_of(&self, version: Version) -> Result<Vec<u8>> {
        let [before, number, after] = self.dictionary();
        let room = match number.len() {
            0 => 0,
            digits => GROWTH_DIGITS.saturating_sub(digits),
        };
        let text = encode(&[before, number, after].concat(), version)?;
        let used = version.prefix().saturating_add(text.len()).saturating_add(room);
        let padding = used.saturating_add(1).checked_rem(ALIGN).unwrap_or(0);
        let end = used.saturating_add(1).saturating_add(ALIGN.saturating_sub(padding));
        frame(&text, version, end)
    }

    /// Moves the data to a multiple of `align` bytes and lays the header out before the data.
    ///
    /// A header that must become longer has at most `cap` bytes. The layout is NumPy's if one
    /// sector of the disk can then hold any length of the growing axis. Otherwise this function
    /// chooses a layout in which one sector can.
    pub(crate) fn align_data(&mut self, align: u64, cap: u64) -> Result<Vec<u8>> {
        let aligned = |at: u64| at.checked_next_multiple_of(align.max(1));
        let first = aligned(self.data_offset).ok_or(ErrorKind::TooLarge)?;
        let as_numpy = match first == self.data_offset {
            true => Some(self.to_bytes_of(self.version)?),
            false => None,
        };
        if let Some(bytes) = as_numpy.as_ref().filter(|b| self.grows_in_one_sector(b)) {
            return Ok(bytes.clone());
        }
        let prefix = u64::try_from(self.version.prefix()).unwrap_or(u64::MAX);
        let len = first.saturating_sub(prefix);
        if as_numpy.is_none() && len > cap {
            return Err(NpyErrorKind::HeaderTooLarge { len, limit: cap }.into());
        }
        // With `PAD` more bytes, the header has the space.
        let second = first.checked_add(PAD).and_then(aligned);
        for end in [Some(first), second].into_iter().flatten() {
            let longer = Self { data_offset: end, ..self.clone() };
            match longer.to_bytes_in_place() {
                Ok((bytes, _))
                    if end.saturating_sub(prefix) <= cap
                        && longer.grows_in_one_sector(&bytes) =>
                {
                    *self = longer;
                    return Ok(bytes);
                }
                _ => {}
            }
        }
        // Neither layout qualifies: the array grows only as far as this header allows.
        self.data_offset = first;
        as_numpy.map_or_else(|| Ok(self.to_bytes_in_place()?.0), Ok)
    }

    /// Returns whether any length of the growing axis can replace the one in `bytes` in one write.
    pub(crate) fn grows_in_one_sector(&self, bytes: &[u8]) -> bool {
        let mut longest = self.clone();
        longest.set_count(usize::MAX);
        self.shape.is_empty()
            || longest
                .to_bytes_in_place()
                .is_ok_and(|(longest, _)| changes_one_sector(bytes, &longest))
    }

    /// Lays the header out in as many bytes as it has in its file.
    ///
    /// If space permits, the length of the growing axis ends at the end of a word. One store can
    /// then change the length. The function returns the end of this word too. If space permits,
    /// one sector holds all digits of any length.
    pub(crate) fn to_bytes_in_place(&self) -> Result<(Vec<u8>, Option<usize>)> {
        let end = usize::try_from(self.data_offset).map_err(|_| ErrorKind::TooLarge)?;
        let [before, number, after] = self.dictionary();
        let mut before = encode(&before, self.version)?;
        let start = self.version.prefix().saturating_add(before.len());
        let ends = [end_in_sector(start), end_of_word(start, number.len().max(WORD))];
        let fits = |word: &usize| word.saturating_add(after.len()) < end;
        let word = ends.into_iter().flatten().find(fits).filter(|_| !number.is_empty());
        if let Some(word) = word {
            let spaces = word.saturating_sub(start).saturating_sub(number.len());
            before.extend(std::iter::repeat_n(b' ', spaces));
        }
        let text = [before, number.into_bytes(), after.into_bytes()].concat();
        if self.version.prefix().saturating_add(text.len()) >= end {
            return Err(NpyErrorKind::NoRoom { count: self.count().unwrap_or(0) }.into());
        }
        Ok((frame(&text, self.version, end)?, word))
    }

    /// Returns the dictionary in three parts: before the length of the growing axis, that length,
    /// and the rest.
    fn dictionary(&self) -> [String; 3] {
        let order = if self.fortran_order { "True" } else { "False" };
        let descr = self.dtype.literal();
        let before = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': ");
        let lengths = tuple(&self.shape);
        let number = self.count().as_ref().map(usize::to_string).unwrap_or_default();
        let at = if self.fortran_order { lengths.rfind(&number) } else { None };
        let (first, rest) = lengths.split_at_checked(at.unwrap_or(1)).unwrap_or_default();
        let rest = rest.get(number.len()..).unwrap_or_default();
        [before + first, number, format!("{rest}, }}")]
    }
}

/// Returns the first end of a word that leaves space for `digits` bytes after `start`.
fn end_of_word(start: usize, digits: usize) -> Option<usize> {
    start.saturating_add(digits).checked_next_multiple_of(WORD)
}

/// Returns the end of the first word that leaves space for `DIGITS` digits after `start`, all of them
/// in one sector.
fn end_in_sector(start: usize) -> Option<usize> {
    let end = end_of_word(start, DIGITS)?;
    let into = end.saturating_sub(1).checked_rem(SECTOR)?;
    match into < DIGITS.saturating_sub(1) {
        true => end_of_word(end.saturating_sub(1).saturating_sub(into), DIGITS),
        false => Some(end),
    }
}

/// Frames the text of a header in `end` bytes: magic string, version, length, text, spaces.
fn frame(text: &[u8], version: Version, end: usize) -> Result<Vec<u8>> {
    let len = end.saturating_sub(version.prefix());
    let too_long = || NpyErrorKind::HeaderTooLong { len, major: version.major() };
    let mut bytes = Vec::with_capacity(end);
    bytes.extend(MAGIC);
    bytes.extend([version.major(), 0]);
    if version == Version::V1 {
        bytes.extend(u16::try_from(len).map_err(|_| too_long())?.to_le_bytes());
    } else {
        bytes.extend(u32::try_from(len).map_err(|_| too_long())?.to_le_bytes());
    }
    bytes.extend(text);
    bytes.resize(end.saturating_sub(1), b' ');
    bytes.push(b'\n');
    Ok(bytes)
}

fn encode(text: &str, version: Version) -> Result<Vec<u8>> {
    if version == Version::V3 {
        return Ok(text.as_bytes().to_vec());
    }
    let latin_1: std::result::Result<Vec<u8>, _> =
        text.chars().map(u8::try_from).collect();
    Ok(latin_1.map_err(|_| NpyErrorKind::Encoding { encoding: "latin-1" })?)
}
