//! Whether a guarded array had a bus error; does not know how the guard repairs it.

use ndarray::{ArrayView, Dimension};

use crate::array::MmapArray;
use crate::element::Element;
use crate::error::{ErrorKind, Result};
use crate::guard::Fault;
use crate::mapping::Backing;

impl<A, D: Dimension> MmapArray<A, D> {
    /// Returns the fault that the guard has recorded for the array; the record is permanent.
    ///
    /// Returns `None` for an array that is not guarded: there a bus error ends the process.
    pub fn fault(&self) -> Option<Fault> {
        self.backing().mapping.fault()
    }
}

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Runs a closure on the array, and returns its result if no bytes of the array were lost.
    ///
    /// If bytes were lost before, the closure does not run. After changes to an array, call
    /// [`fault`](Self::fault) or check the result of `sync`.
    ///
    /// This function detects losses by bus errors, and by the length of the file after the closure.
    /// A file that is truncated and extended again before the next access has zeros, but the same
    /// length and no bus error. [`file_changed`](Self::file_changed) detects this case by the time
    /// of the last change. If the kernel itself reads from the array, as in `File::write_all`, that
    /// call returns an error (`EFAULT`) instead.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Faulted`] if bytes were lost, by this closure or another thread.
    pub fn try_with<R>(&self, run: impl FnOnce(ArrayView<'_, A, D>) -> R) -> Result<R> {
        self.backing().intact()?;
        let result = run(self.view());
        self.backing().intact()?;
        // After a truncation the last page of the file reads as zeros, without a fault.
        let Backing { file, mapping, .. } = self.backing();
        let file = file.as_ref().filter(|_| mapping.is_guarded());
        let len = file.and_then(|file| file.metadata().ok()).map(|found| found.len());
        match len.filter(|len| *len < self.layout().end()) {
            Some(offset) => Err(ErrorKind::Faulted { offset }.at(&self.backing().path)),
            None => Ok(result),
        }
    }
}
