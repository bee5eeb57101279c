//! Arrays whose bus errors are repaired: whether there was one.

use ndarray::{ArrayView, Dimension};

#[cfg(doc)]
use crate::Error;
use crate::guard::Fault;
use crate::{Element, MmapArray, Result};

impl<A, D: Dimension> MmapArray<A, D> {
    /// Returns what was lost of a guarded array, from then on always.
    ///
    /// Of an array that is not guarded nothing is known: there a bus error ends the process.
    pub fn fault(&self) -> Option<Fault> {
        self.place().pages.fault()
    }
}

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Runs a closure on the array, and returns its result if nothing of the array was lost.
    ///
    /// Also if nothing of it was lost before; then the closure is not run.
    ///
    /// # Errors
    ///
    /// [`Error::Faulted`] if something was, be it by this closure or another thread.
    pub fn guarded<R>(&self, run: impl FnOnce(ArrayView<'_, A, D>) -> R) -> Result<R> {
        self.place().pages.intact()?;
        let result = run(self.view());
        self.place().pages.intact()?;
        Ok(result)
    }
}
