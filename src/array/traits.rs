//! The traits by which ndarray and the standard library accept arrays; knows nothing of files.

use std::fmt;

use ndarray::iter::Iter;
#[cfg(feature = "rayon")]
use ndarray::parallel::prelude::IntoParallelIterator;
use ndarray::{ArrayBase, ArrayView, Data, Dimension, IntoNdProducer, LayoutRef};

use super::{MmapArray, SyncToDisk};
use crate::element::Element;
use crate::error::Result;

impl<'a, A, D: Dimension> From<&'a MmapArray<A, D>> for ArrayView<'a, A, D> {
    fn from(array: &'a MmapArray<A, D>) -> Self {
        array.view()
    }
}

impl<A, D: Dimension> AsRef<LayoutRef<A, D>> for MmapArray<A, D> {
    fn as_ref(&self) -> &LayoutRef<A, D> {
        (**self).as_ref()
    }
}

impl<'a, A, D: Dimension> IntoIterator for &'a MmapArray<A, D> {
    type Item = &'a A;
    type IntoIter = Iter<'a, A, D>;

    fn into_iter(self) -> Iter<'a, A, D> {
        self.iter()
    }
}

impl<'a, A, D: Dimension> IntoNdProducer for &'a MmapArray<A, D> {
    type Item = &'a A;
    type Dim = D;
    type Output = ArrayView<'a, A, D>;

    fn into_producer(self) -> ArrayView<'a, A, D> {
        self.view()
    }
}

#[cfg(feature = "rayon")]
impl<'a, A: Sync, D: Dimension> IntoParallelIterator for &'a MmapArray<A, D> {
    type Item = &'a A;
    type Iter = <ArrayView<'a, A, D> as IntoParallelIterator>::Iter;

    fn into_par_iter(self) -> Self::Iter {
        self.view().into_par_iter()
    }
}

impl<A: PartialEq<B>, B, D: Dimension> PartialEq<MmapArray<B, D>> for MmapArray<A, D> {
    fn eq(&self, other: &MmapArray<B, D>) -> bool {
        self.view() == other.view()
    }
}

impl<A, S, D> PartialEq<ArrayBase<S, D>> for MmapArray<A, D>
where
    A: PartialEq<S::Elem>,
    S: Data,
    D: Dimension,
{
    fn eq(&self, other: &ArrayBase<S, D>) -> bool {
        self.view() == *other
    }
}

impl<A, S, D> PartialEq<MmapArray<A, D>> for ArrayBase<S, D>
where
    S: Data<Elem: PartialEq<A>>,
    D: Dimension,
{
    fn eq(&self, other: &MmapArray<A, D>) -> bool {
        *self == other.view()
    }
}

impl<A: Element, D: Dimension> SyncToDisk for MmapArray<A, D> {
    fn sync(&self) -> Result<()> {
        self.sync()
    }
}

impl<A, D: Dimension> fmt::Debug for MmapArray<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmapArray")
            .field("path", &self.path())
            .field("shape", &self.shape())
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}
