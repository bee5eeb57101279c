//! Handles and threads: sending, sharing, and writing in parts.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::{Arc, MutexGuard};
use std::thread;

use ndarray::{Ix2, IxDyn, array};
use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{Error, Layout, MapOptions, MmapArray, MmapArray3, MmapArrayD};
use test_support::twelve::{numbers, open_twelve, twelve};

const fn is_send_and_sync<T: Send + Sync>() {}

const _: () = {
    is_send_and_sync::<MmapArray>();
    is_send_and_sync::<MmapArrayD<f64>>();
    is_send_and_sync::<MmapArray3<bool>>();
    is_send_and_sync::<MapOptions<Ix2>>();
    is_send_and_sync::<Layout<IxDyn>>();
    is_send_and_sync::<Error>();
};

/// An element that threads may share but not send.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
struct Bound(u8, PhantomData<MutexGuard<'static, ()>>);

/// An element that threads may send but not share.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
struct Lonely(u8, PhantomData<Cell<u8>>);

/// Types that implement `Trait` have two implementations of `is_not`, so that the call is
/// ambiguous for them and compiles only for other types.
macro_rules! is_not {
    ($Trait:ident: $T:ty) => {{
        trait Unless<Marker> {
            fn is_not() {}
        }
        impl<T: ?Sized> Unless<()> for T {}
        impl<T: ?Sized + $Trait> Unless<u8> for T {}
        <$T as Unless<_>>::is_not();
    }};
}

#[test]
fn a_handle_is_no_more_send_or_sync_than_its_elements() {
    is_not!(Send: MmapArray<Bound>);
    is_not!(Sync: MmapArray<Lonely>);
    let (a, b) =
        (MapOptions::scratch::<Bound, _>(3), MapOptions::scratch::<Lonely, _>(2));
    assert_eq!((a.unwrap()[2].0, b.unwrap()[1].0), (0, 0));
}

#[test]
fn many_threads_read_one_handle() {
    let place = twelve();
    let a = Arc::new(open_twelve(&place, ReadOnly));
    let threads: Vec<_> = (0..8)
        .map(|column| {
            let a = Arc::clone(&a);
            thread::spawn(move || {
                (0..1000).map(|_| a.column(column % 4).sum()).sum::<f64>()
            })
        })
        .collect();
    let sums = threads.into_iter().map(|thread| thread.join().unwrap());
    assert_eq!(sums.sum::<f64>(), 2.0 * 1000.0 * 78.0);
}

#[test]
fn a_handle_moves_to_another_thread_and_back_with_its_changes() {
    let place = twelve();
    for (mode, reaches) in [(CopyOnWrite, false), (ReadWrite, true)] {
        let before = numbers(&place);
        let mut a = open_twelve(&place, mode);
        a.view_mut().unwrap()[[0, 0]] = -1.0;
        let mut a = thread::spawn(move || {
            a.view_mut().unwrap().row_mut(2).fill(0.0);
            a
        })
        .join()
        .unwrap();
        a.view_mut().unwrap()[[1, 3]] = -8.0;
        let expected =
            array![[-1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, -8.0], [0.0, 0.0, 0.0, 0.0]];
        assert_eq!(*a, expected);
        drop(a);
        let file = if reaches { expected.into_raw_vec_and_offset().0 } else { before };
        assert_eq!(numbers(&place), file);
    }
}

#[test]
fn threads_write_disjoint_parts_of_one_view() {
    let place = twelve();
    let mut a = open_twelve(&place, ReadWrite);
    let mut view = a.view_mut().unwrap();
    thread::scope(|scope| {
        for (n, mut row) in (1..).zip(view.outer_iter_mut()) {
            scope.spawn(move || row.fill(f64::from(n)));
        }
    });
    assert_eq!(a.column(3), array![1.0, 2.0, 3.0]);
    drop(a);
    assert_eq!(numbers(&place), [[1.0; 4], [2.0; 4], [3.0; 4]].as_flattened());
}
