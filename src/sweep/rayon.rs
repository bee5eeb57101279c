//! Sweeps and gathers as parallel iterators of rayon; leaves rows and pages to the parts.

use ndarray::{ArrayView, RemoveAxis};
use rayon::iter::plumbing::{
    Consumer, Producer, ProducerCallback, UnindexedConsumer, bridge,
};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::gather::Gather;
use super::zip::Split;
use crate::sweep::Blocks;

/// A parallel iterator over the blocks of a sweep or the rows of a gather.
#[derive(Debug)]
#[must_use = "a parallel iterator does nothing until it is consumed"]
pub struct Parallel<I>(I);

/// The least number of neighbours in the list for one thread.
const BATCH: usize = 128;

impl<'a, V: Split + Send> IntoParallelIterator for Blocks<'a, V> {
    type Item = V;
    type Iter = Parallel<Self>;

    fn into_par_iter(self) -> Self::Iter {
        Parallel(self)
    }
}

impl<'a, A: Sync, D: RemoveAxis> IntoParallelIterator for Gather<'a, A, D> {
    type Item = ArrayView<'a, A, D::Smaller>;
    type Iter = Parallel<Self>;

    fn into_par_iter(self) -> Self::Iter {
        Parallel(self)
    }
}

impl<V: Split + Send> ParallelIterator for Parallel<Blocks<'_, V>> {
    type Item = V;

    fn drive_unindexed<C: UnindexedConsumer<V>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn opt_len(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

impl<V: Split + Send> IndexedParallelIterator for Parallel<Blocks<'_, V>> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn drive<C: Consumer<V>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn with_producer<C: ProducerCallback<V>>(self, callback: C) -> C::Output {
        callback.callback(Stretch(self.0))
    }
}

impl<'a, A: Sync, D: RemoveAxis> ParallelIterator for Parallel<Gather<'a, A, D>> {
    type Item = ArrayView<'a, A, D::Smaller>;

    fn drive_unindexed<C: UnindexedConsumer<Self::Item>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn opt_len(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

impl<A: Sync, D: RemoveAxis> IndexedParallelIterator for Parallel<Gather<'_, A, D>> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn drive<C: Consumer<Self::Item>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn with_producer<C: ProducerCallback<Self::Item>>(self, callback: C) -> C::Output {
        callback.callback(Stretch(self.0))
    }
}

/// The blocks or rows of one thread.
struct Stretch<I>(I);

impl<'a, V: Split + Send> Producer for Stretch<Blocks<'a, V>> {
    type Item = V;
    type IntoIter = Blocks<'a, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let (first, second) = self.0.split_blocks(index);
        (Self(first), Self(second))
    }
}

impl<'a, A: Sync, D: RemoveAxis> Producer for Stretch<Gather<'a, A, D>> {
    type Item = ArrayView<'a, A, D::Smaller>;
    type IntoIter = Gather<'a, A, D>;

    fn into_iter(self) -> Self::IntoIter {
        self.0
    }

    fn min_len(&self) -> usize {
        BATCH
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let (first, second) = self.0.split_rows(index);
        (Self(first), Self(second))
    }
}
