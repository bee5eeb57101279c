//! Finds, writes and drops the private changes of an array; knows nothing of file locks.

use std::{fs::File, io, iter, ops::Range, path::Path};

use ndarray::Dimension;

use crate::array::MmapArray;
use crate::element::{Element, needs_check};
use crate::error::{Error, ErrorKind, Result};
use crate::file::whole_write::{whole_elements, write_or_restore};
use crate::file::{self, FileEnd, allocate};
use crate::layout::check_part;
use crate::mapping::{Backing, Mapping};
use crate::sys::holes::FilledHoles;
use crate::sys::{self, FileSystem};

/// Selects what a commit does if the file has changed since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    Refuse,
    Overwrite,
}

/// The file that a commit writes to, opened for writing.
#[derive(Debug)]
pub(crate) struct CommitTarget<'a> {
    pub(crate) file: &'a File,
    pub(crate) path: &'a Path,
    pub(crate) conflict: Conflict,
    /// Whether the mapping shows bytes that are written to `file`.
    pub(crate) is_coherent: bool,
}

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Writes changed pages to the target; the array then shows the pages of the file.
    ///
    /// The file extends to the end of the array.
    pub(crate) fn write_to(&mut self, target: &CommitTarget<'_>) -> Result<()> {
        let &CommitTarget { file, path, .. } = target;
        let end = self.layout().end();
        let private = self.private_pages(target)?;
        let changed = self.changed_pages(&private, target)?;
        // Bytes that were lost during the comparison differ too.
        self.backing().intact()?;
        let offset = self.offset();
        let in_file = |range: &Range<usize>| file::bytes_of(range, offset);
        let last = changed.last().map_or(0, |last| in_file(last).end);
        let holes = sys::check_limit(last)
            .and_then(|()| FilledHoles::fill(file, changed.iter().map(in_file)));
        let holes = holes.map_err(allocate::refusal("commit to", end, path))?;
        let written = self.write_ranges(&changed, file);
        match &written {
            Ok(()) => holes.keep(),
            Err(_) => drop(holes),
        }
        let written = written.map_err(allocate::refusal("commit to", end, path));
        // After a failure the file shows bytes that the disk may not have. A second comparison
        // would find no difference, and a second commit would succeed.
        let synced = self.backing().write("commit to", || file.sync_all());
        written.and(synced)?;
        FileEnd::of(&file::regular(file, path)?).check(end)?;
        if target.shows_another_file() && !changed.is_empty() {
            return self.map_again(file, &changed);
        }
        let mapping = &mut self.backing_mut().mapping;
        // These pages now equal the file. Pages that are locked in memory stay as they are.
        private.iter().for_each(|range| drop(mapping.discard(range)));
        Ok(())
    }

    /// Returns the ranges of bytes whose pages are private, changed or not.
    fn private_pages(&self, target: &CommitTarget<'_>) -> Result<Vec<Range<usize>>> {
        let all = 0..self.layout().byte_len();
        match self.backing().mapping.private(&all) {
            // If the file has not changed, every byte that differs is a private change.
            Err(_) if target.conflict == Conflict::Refuse => {
                Ok(iter::once(all).collect())
            }
            private => private.map_err(Error::io("inspect pages of", target.path)),
        }
    }

    /// Returns the ranges of bytes that differ from the file.
    ///
    /// A page that is locked in memory is private, changed or not.
    fn changed_pages(
        &mut self,
        private: &[Range<usize>],
        target: &CommitTarget<'_>,
    ) -> Result<Vec<Range<usize>>> {
        let &CommitTarget { file, path, conflict, .. } = target;
        let (offset, mut changed) = (self.offset(), Vec::new());
        for range in private {
            if target.shows_another_file() {
                let found = self.backing_mut().mapping.changed(range, file, offset);
                let (mut found, is_same) = found.map_err(Error::io("compare", path))?;
                if !is_same && conflict == Conflict::Refuse {
                    return Err(ErrorKind::Conflict.at(path));
                }
                changed.append(&mut found);
            } else {
                let found = self.backing_mut().mapping.different(range, file, offset);
                changed.append(&mut found.map_err(Error::io("compare", path))?);
            }
        }
        Ok(changed)
    }

    /// Writes ranges of bytes to a file.
    fn write_ranges(&mut self, ranges: &[Range<usize>], file: &File) -> io::Result<()> {
        let offset = self.offset();
        let in_file = |range: &Range<usize>| file::bytes_of(range, offset);
        let mapping = &mut self.backing_mut().mapping;
        for range in ranges {
            if needs_check::<A>() {
                for piece in whole_elements(range, size_of::<A>()) {
                    let (bytes, at) = (mapping.bytes(&piece)?, in_file(&piece).start);
                    // The array still shows its private copy. A rollback checks the elements.
                    write_or_restore(file, bytes, at).map_err(|failed| failed.error)?;
                }
            } else {
                sys::write_all_at(file, mapping.bytes(range)?, in_file(range).start)?;
            }
        }
        Ok(())
    }

    /// Reopens the file that a private mapping may no longer show.
    ///
    /// Returns `None` if the path no longer refers to this file.
    pub(crate) fn stale_file(&self) -> Option<File> {
        let Backing { mapping, path, snapshot, .. } = self.backing();
        if mapping.map().is_none() || self.backing().is_locked() {
            return None;
        }
        let file = file::open_again(path, snapshot.id());
        file.filter(|file| !FileSystem::of(file).is_coherent)
    }

    /// Drops private changes, unless the file has invalid elements in the changed pages.
    pub(crate) fn drop_changes(&mut self) -> Result<()> {
        let path = self.backing().path.clone();
        let all = 0..self.layout().byte_len();
        let failed = |e| Error::io("roll back", &path)(e);
        if !needs_check::<A>() {
            return self.backing_mut().mapping.discard(&all).map_err(failed);
        }
        let private = self.backing().mapping.private(&all);
        let private = private.unwrap_or_else(|_| iter::once(all.clone()).collect());
        let layout = self.layout().clone();
        let mapping = &mut self.backing_mut().mapping;
        let saved = saved(mapping, &private).map_err(failed)?;
        let mut show = || {
            for range in &private {
                mapping
                    .discard(range)
                    .and_then(|()| mapping.populate(range))
                    .map_err(failed)?;
            }
            let bytes = mapping.bytes(&all).map_err(failed)?;
            private.iter().try_for_each(|range| check_part::<A, D>(&layout, bytes, range))
        };
        let shown = show();
        if shown.is_err() {
            restore(mapping, &private, &saved).map_err(failed)?;
        }
        shown
    }
}

impl CommitTarget<'_> {
    /// Returns whether the private mapping may show another file than the descriptor.
    ///
    /// The mapping can then be compared with the descriptor.
    fn shows_another_file(&self) -> bool {
        sys::RELOADS_DROPPED_PAGES && !self.is_coherent
    }
}

/// Copies ranges of bytes into one vector, in order.
fn saved(mapping: &mut Mapping, ranges: &[Range<usize>]) -> io::Result<Vec<u8>> {
    let mut saved = Vec::new();
    let len = ranges.iter().map(Range::len).fold(0, usize::saturating_add);
    saved.try_reserve_exact(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    for range in ranges {
        saved.extend_from_slice(mapping.bytes(range)?);
    }
    Ok(saved)
}

/// Restores the changes that [`saved`] has copied.
fn restore(
    mapping: &mut Mapping,
    ranges: &[Range<usize>],
    saved: &[u8],
) -> io::Result<()> {
    let mut rest = saved;
    for range in ranges {
        let (bytes, after) = rest.split_at_checked(range.len()).unwrap_or((rest, &[]));
        mapping.put(range, bytes)?;
        rest = after;
    }
    Ok(())
}
