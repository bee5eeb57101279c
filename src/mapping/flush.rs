//! How changes in a mapping reach the disk, and what is known if they do not.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use memmap2::MmapRaw;

use super::Pages;
use crate::error::{Error, Result};
use crate::sys::write_state::{Failure, WriteState};

impl Pages {
    /// Has failures of writes noted, in this process and those that it forks.
    pub(crate) fn note_failures(&mut self, writes: Option<WriteState>) {
        self.state.writes = writes;
    }

    /// Brings changes in some ranges, and the length of the file, to disk.
    ///
    /// The kernel reports a failed write once and drops the data, so that a second try may
    /// succeed over a loss. Therefore a failure is final. So is it to find the file shorter than
    /// the array, whose first byte is `offset` of it: what was stored beyond is lost.
    pub(crate) fn sync(
        &self,
        ranges: &[Range<usize>],
        offset: u64,
        path: &Path,
    ) -> Result<()> {
        let flush =
            |map: &MmapRaw| ranges.iter().try_for_each(|range| flush_range(map, range));
        let len = ranges.iter().map(Range::len).fold(0, usize::saturating_add);
        let is_part = len < self.len && !self.tail.needs_whole_sync();
        // Of a part, Linux has written what it takes to find it when `msync` returns.
        let file = self.file.as_ref().filter(|_| !is_part || !cfg!(target_os = "linux"));
        self.attempt("sync", path, || {
            let written = self.mapping().map_or(Ok(()), flush).and_then(|()| {
                let Some(file) = file else { return Ok(()) };
                self.tail.trim(file, |write| write())?;
                file.sync_all().inspect(|()| self.tail.note_synced())
            });
            written.map_err(Error::io("sync", path))?;
            self.check_len(offset, path)
        })
    }

    /// Makes sure that the file still reaches to the end of the array.
    fn check_len(&self, offset: u64, path: &Path) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let found = file.metadata().map_err(Error::io("inspect", path))?.len();
        let needed = offset.saturating_add(u64::try_from(self.len).unwrap_or(u64::MAX));
        #[cfg(feature = "sigbus-guard")]
        if found < needed && self.guard.is_some() {
            return Err(Error::Faulted { offset: found });
        }
        if found < needed { Err(Error::FileTooShort { needed, found }) } else { Ok(()) }
    }

    /// Returns whether a write has failed, so that no other is made.
    pub(crate) fn has_failed(&self) -> bool {
        self.write("sync", Path::new(""), || Ok(())).is_err()
    }

    /// Brings the contents of the file, and its length, to disk as they are.
    pub(crate) fn sync_data(&self, path: &Path) -> Result<()> {
        self.write("sync", path, || self.file.as_ref().map_or(Ok(()), File::sync_data))
    }

    /// Writes to disk, unless an earlier write has failed; notes if this one does.
    pub(crate) fn write(
        &self,
        action: &'static str,
        path: &Path,
        write: impl FnOnce() -> io::Result<()>,
    ) -> Result<()> {
        self.attempt(action, path, || write().map_err(Error::io(action, path)))
    }

    /// Does what [`write`](Self::write) does, for a write with errors of its own.
    fn attempt(
        &self,
        action: &'static str,
        path: &Path,
        write: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.intact()?;
        let Some(writes) = &self.state.writes else { return write() };
        writes.attempt(write).map_err(|failure| match failure {
            Failure::Now(error) => error,
            Failure::Noted(error) => Error::io(action, path)(error),
            Failure::Earlier => Error::Poisoned,
        })
    }

    /// Makes a call that may say once that changes are lost, and keeps that for the next sync.
    pub(crate) fn note_loss(
        &self,
        call: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        use io::ErrorKind::{Interrupted, InvalidInput, PermissionDenied, Unsupported};

        call().inspect_err(|e| {
            // That the call is refused, as by seccomp, is no loss.
            let refusals = [Interrupted, InvalidInput, PermissionDenied, Unsupported];
            if let Some(writes) =
                self.state.writes.as_ref().filter(|_| !refusals.contains(&e.kind()))
            {
                writes.note(e);
            }
        })
    }

    /// Makes a call while nothing is synced, also by a child that shares the open file.
    #[cfg(target_os = "linux")]
    pub(crate) fn between_syncs<T>(&self, call: impl FnOnce() -> T) -> T {
        match &self.state.writes {
            Some(writes) => writes.between(call),
            None => call(),
        }
    }
}

/// Writes changed pages to disk, again if a signal interrupts that, which loses nothing.
fn flush_range(map: &MmapRaw, range: &Range<usize>) -> io::Result<()> {
    loop {
        match map.flush_range(range.start, range.len()) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            flushed => return flushed,
        }
    }
}
