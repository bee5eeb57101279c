//! Arrays whose bus errors are repaired: whether there was one.

use ndarray::{ArrayView, Dimension};

use crate::array::MmapArray;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::guard::Fault;

impl<A, D: Dimension> MmapArray<A, D> {
    /// Returns what was lost of a guarded array, from then on always.
    ///
    /// Of an array that is not guarded nothing is known: there a bus error ends the process.
    pub fn fault(&self) -> Option<Fault> {
        self.backing().mapping.fault()
    }
}

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Runs a closure on the array, and returns its result if nothing of the array was lost.
    ///
    /// If something was lost before, the closure is not run. For an array that is changed, look
    /// at [`fault`](Self::fault) after the changes, or at the result of `sync`.
    ///
    /// It is bus errors that tell of losses, and the length of the file afterwards. A file that
    /// is cut and grows again before anybody looks has zeros without either; the time of its
    /// last change tells, see [`file_changed`](Self::file_changed). What the kernel itself reads
    /// from the array, as in `File::write_all`, is an error of that call (`EFAULT`) instead.
    ///
    /// # Errors
    ///
    /// [`Error::Faulted`] if something was lost, be it by this closure or another thread.
    pub fn guarded<R>(&self, run: impl FnOnce(ArrayView<'_, A, D>) -> R) -> Result<R> {
        self.backing().intact()?;
        let result = run(self.view());
        self.backing().intact()?;
        // Of its last page a file that was cut has zeros, without a fault.
        let found =
            self.backing().file.as_ref().filter(|_| self.backing().mapping.is_guarded());
        let found = found.and_then(|file| file.metadata().ok());
        match found
            .map(|metadata| metadata.len())
            .filter(|len| *len < self.layout().end())
        {
            Some(offset) => Err(Error::Faulted { offset }),
            None => Ok(result),
        }
    }
}
