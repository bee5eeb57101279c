//! Private copies of mapped pages: found, compared, stored and dropped.
//!
//! All ranges count bytes from the first byte of the array.

use std::{fs::File, io, ops::Range};

use super::Mapping;
use crate::{file, sys};

impl Mapping {
    /// Returns the ranges of bytes whose pages are private copies.
    pub(crate) fn private(&self, range: &Range<usize>) -> io::Result<Vec<Range<usize>>> {
        let changed = sys::private_pages(self.addresses(range)?)?;
        Ok(changed.iter().map(|part| self.range_of(part)).collect())
    }

    /// Returns the ranges of bytes that differ from those of a file, compared page by page.
    pub(crate) fn different(
        &mut self,
        range: &Range<usize>,
        from: &File,
        offset: u64,
    ) -> io::Result<Vec<Range<usize>>> {
        let mut different = Vec::new();
        let mut buffer = vec![0; sys::page_size()];
        for part in sys::pieces(range, sys::page_size()) {
            let theirs = buffer.get_mut(..part.len()).unwrap_or_default();
            let at = file::bytes_of(&part, offset).start;
            if sys::read_at_most(from, theirs, at)? < part.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.bytes(&part)? == theirs {
                continue;
            }
            sys::join(&mut different, part);
        }
        Ok(different)
    }

    /// Returns the ranges of bytes, whole pages, that changed since they became private.
    ///
    /// For a file system where the mapping and `from`, a descriptor of the same path, may show
    /// different bytes. The second value is `false` if they do, in a page that was changed. A write
    /// of the page would revert what another process has written there.
    ///
    /// Drops private copies to see the pages that they were copied from, and restores those that
    /// differ.
    pub(crate) fn changed(
        &mut self,
        range: &Range<usize>,
        from: &File,
        offset: u64,
    ) -> io::Result<(Vec<Range<usize>>, bool)> {
        const PIECE: usize = 1 << 20;

        let (mut changed, mut is_same) = (Vec::new(), true);
        let addresses = self.addresses(range)?;
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        for piece in sys::pieces(&addresses, PIECE) {
            let piece = self.range_of(&piece);
            mine.clear();
            mine.extend_from_slice(self.bytes(&piece)?);
            theirs.resize(mine.len(), 0);
            let at = file::bytes_of(&piece, offset).start;
            if sys::read_at_most(from, &mut theirs, at)? < theirs.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // A page that cannot be read is an error here; a later access would be a bus error. If
            // the process has locked some of the pages, the kernel may drop others before the error.
            if let Err(e) = self.discard(&piece).and_then(|()| self.populate(&piece)) {
                self.put(&piece, &mine)?;
                return Err(e);
            }
            let here = self.addresses(&piece)?;
            for page in sys::pieces(&here, sys::page_size()) {
                let page = self.range_of(&page);
                let here = page.start.saturating_sub(piece.start)
                    ..page.end.saturating_sub(piece.start);
                let mine = mine.get(here.clone()).unwrap_or_default();
                let base = self.bytes_mut(&page)?;
                if base == mine {
                    continue;
                }
                is_same &= theirs.get(here).is_some_and(|theirs| base == theirs);
                base.copy_from_slice(mine);
                sys::join(&mut changed, page);
            }
        }
        Ok((changed, is_same))
    }

    /// Stores a slice into writable bytes of a mapping, of which no view exists.
    pub(crate) fn put(&mut self, range: &Range<usize>, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        for page in sys::pieces(range, sys::page_size()) {
            let (bytes, after) = rest.split_at_checked(page.len()).unwrap_or((rest, &[]));
            let here = self.bytes_mut(&page)?;
            // Even a store of equal bytes makes a private copy.
            if here != bytes {
                here.copy_from_slice(bytes);
            }
            rest = after;
        }
        Ok(())
    }
}
