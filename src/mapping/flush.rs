//! Writing changes to disk, and noting failures.

use std::{fs::File, io, ops::Range};

use memmap2::MmapRaw;

use super::Backing;
use crate::error::{ErrorKind, Result};
use crate::file::FileEnd;
use crate::sys;
use crate::sys::write_state::{Failure, WriteState};

impl Backing {
    /// Sets where failures of writes are noted, in this process and in the processes that it forks.
    pub(crate) fn note_failures(&mut self, writes: Option<WriteState>) {
        self.state.writes = writes;
    }

    /// Writes changes in some ranges, and the length of the file, to disk.
    ///
    /// The kernel reports a failed write once and drops the data, so a second attempt may succeed
    /// although data is lost. A failure is therefore final. A file that is shorter than the array
    /// counts as a failure: bytes that were stored beyond its end are lost.
    pub(crate) fn sync(&self, ranges: &[Range<usize>]) -> Result<()> {
        let flush =
            |map: &MmapRaw| ranges.iter().try_for_each(|range| flush_range(map, range));
        let len = ranges.iter().map(Range::len).fold(0, usize::saturating_add);
        let is_part = len < self.mapping.len() && !self.preallocation.needs_whole_sync();
        let map = self.mapping.map();
        let sync = || {
            let Some(file) = &self.file else { return map.map_or(Ok(()), flush) };
            // On Linux, `msync` of a part writes the metadata that is needed to find the part, and
            // the header.
            let suffices =
                is_part && sys::SYNCS_RANGES && self.preallocation.write_header(file)?;
            map.map_or(Ok(()), flush)?;
            if suffices {
                return Ok(());
            }
            self.preallocation.truncate(file, |write| write())?;
            file.sync_all().inspect(|()| self.preallocation.note_synced())
        };
        self.attempt("sync", || {
            sync().map_err(self.io("sync"))?;
            self.check_len()
        })
    }

    /// Fails if the file ends before the array.
    fn check_len(&self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let found = FileEnd::of(&file.metadata().map_err(self.io("inspect"))?);
        let len = u64::try_from(self.mapping.len()).unwrap_or(u64::MAX);
        found.check(self.offset.saturating_add(len)).map_err(|short| {
            if self.mapping.is_guarded() {
                return ErrorKind::Faulted { offset: found.byte() }.at(&self.path);
            }
            let lost =
                "another process has truncated it: changes beyond its end are lost";
            short.at(&self.path).with_way_out(lost)
        })
    }

    /// Returns whether a write has failed, so that the array makes no other write.
    pub(crate) fn has_failed(&self) -> bool {
        self.write("sync", || Ok(())).is_err()
    }

    /// Writes the contents of the file, and its length, to disk.
    pub(crate) fn sync_data(&self) -> Result<()> {
        self.write("sync", || self.file.as_ref().map_or(Ok(()), File::sync_data))
    }

    /// Writes to disk unless an earlier write has failed; notes whether this write fails.
    pub(crate) fn write(
        &self,
        action: &'static str,
        write: impl FnOnce() -> io::Result<()>,
    ) -> Result<()> {
        self.attempt(action, || write().map_err(self.io(action)))
    }

    /// Does the same as [`write`](Self::write), for a write with errors of its own.
    fn attempt(
        &self,
        action: &'static str,
        write: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.intact()?;
        let Some(writes) = &self.state.writes else { return write() };
        writes.attempt(write).map_err(|failure| match failure {
            Failure::Now(error) => error,
            Failure::Noted(error) => self.io(action)(error),
            Failure::Earlier => ErrorKind::Poisoned.at(&self.path),
        })
    }

    /// Makes a call that may report once that changes are lost, and keeps the report for the next
    /// sync.
    pub(crate) fn note_loss(
        &self,
        call: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        use io::ErrorKind::{Interrupted, InvalidInput, PermissionDenied, Unsupported};

        call().inspect_err(|e| {
            // A call that the kernel or a sandbox refuses loses nothing.
            let refusals = [Interrupted, InvalidInput, PermissionDenied, Unsupported];
            if let Some(writes) =
                self.state.writes.as_ref().filter(|_| !refusals.contains(&e.kind()))
            {
                writes.note(e);
            }
        })
    }

    /// Makes a call while no process that shares the open file syncs it.
    pub(crate) fn between_syncs<T>(&self, call: impl FnOnce() -> T) -> T {
        match &self.state.writes {
            Some(writes) => writes.between(call),
            None => call(),
        }
    }
}

/// Writes changed pages to disk, again if a signal interrupts the call, which loses nothing.
fn flush_range(map: &MmapRaw, range: &Range<usize>) -> io::Result<()> {
    loop {
        match map.flush_range(range.start, range.len()) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            flushed => return flushed,
        }
    }
}
