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

/// The blocks or rows of one thread.
struct Stretch<I>(I);

/// Implements rayon's traits for an iterator that `$split` divides.
macro_rules! parallel {
    ([$($Bounds:tt)*] $Iter:ty, $Item:ty, $split:ident, $least:expr) => {
        impl<'a, $($Bounds)*> IntoParallelIterator for $Iter {
            type Item = $Item;
            type Iter = Parallel<Self>;

            fn into_par_iter(self) -> Self::Iter {
                Parallel(self)
            }
        }

        impl<'a, $($Bounds)*> ParallelIterator for Parallel<$Iter> {
            type Item = $Item;

            fn drive_unindexed<C: UnindexedConsumer<$Item>>(self, consumer: C) -> C::Result {
                bridge(self, consumer)
            }

            fn opt_len(&self) -> Option<usize> {
                Some(self.0.len())
            }
        }

        impl<'a, $($Bounds)*> IndexedParallelIterator for Parallel<$Iter> {
            fn len(&self) -> usize {
                self.0.len()
            }

            fn drive<C: Consumer<$Item>>(self, consumer: C) -> C::Result {
                bridge(self, consumer)
            }

            fn with_producer<C: ProducerCallback<$Item>>(self, callback: C) -> C::Output {
                callback.callback(Stretch(self.0))
            }
        }

        impl<'a, $($Bounds)*> Producer for Stretch<$Iter> {
            type Item = $Item;
            type IntoIter = $Iter;

            fn into_iter(self) -> Self::IntoIter {
                self.0
            }

            fn min_len(&self) -> usize {
                $least
            }

            fn split_at(self, index: usize) -> (Self, Self) {
                let (first, second) = self.0.$split(index);
                (Self(first), Self(second))
            }
        }
    };
}

parallel!([V: Split + Send] Blocks<'a, V>, V, split_blocks, 1);
parallel!(
    [A: Sync, D: RemoveAxis] Gather<'a, A, D>, ArrayView<'a, A, D::Smaller>, split_rows, BATCH
);
