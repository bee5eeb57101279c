//! System calls that are interrupted by signals.

use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{Array1, Array2, Axis};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{MapOptions, MmapArray1, MmapArray2, npy};

use crate::disk::disk;
use crate::{child, open};
use test_support::{Place, npy_common};

static SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: libc::c_int) {
    let _ = SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Sends this thread a signal at an interval until the process ends.
///
/// The handler does not restart system calls.
fn be_interrupted(microseconds: i64) {
    // SAFETY: zeros are a valid value of this struct of numbers and pointers.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    let handler: extern "C" fn(libc::c_int) = count;
    action.sa_sigaction = handler as libc::sighandler_t;
    // SAFETY: the handler touches an atomic number and nothing else.
    let failed =
        unsafe { libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut()) };
    assert_eq!(failed, 0);

    // SAFETY: as above.
    let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
    event.sigev_notify = libc::SIGEV_THREAD_ID;
    event.sigev_signo = libc::SIGALRM;
    // SAFETY: the call touches no memory.
    event.sigev_notify_thread_id = unsafe { libc::gettid() };
    let mut timer = ptr::null_mut();
    let clock = libc::CLOCK_MONOTONIC;
    // SAFETY: both pointers are to variables that live during the call.
    let failed = unsafe { libc::timer_create(clock, &raw mut event, &raw mut timer) };
    assert_eq!(failed, 0);
    let every = libc::timespec { tv_sec: 0, tv_nsec: microseconds * 1000 };
    let times = libc::itimerspec { it_interval: every, it_value: every };
    // SAFETY: the timer exists, and the times live during the call.
    let failed =
        unsafe { libc::timer_settime(timer, 0, &raw const times, ptr::null_mut()) };
    assert_eq!(failed, 0);
}

/// Opens, writes and reads files in every way, and checks their contents.
fn do_everything(path: &Path, rows: usize) {
    let numbers = Array2::from_shape_fn((rows, 1000), |(i, j)| (1000 * i + j) as u32);
    let created = |mode| MapOptions::new(mode).lock(true).shape((rows, 1000));
    for mode in [CreateNew, Create] {
        let mut a = open::<u32, _>(&created(mode), path).unwrap();
        assert!(a.iter().all(|&x| x == 0));
        a.view_mut().unwrap().assign(&numbers);
        a.sync().unwrap();
    }
    let table = |mode| MapOptions::new(mode).rows_of(1000);
    let a: MmapArray2<u32> = open(&table(ReadOnly).populate(true), path).unwrap();
    assert!(a == numbers && table(ReadOnly).load::<u32>(path).unwrap() == numbers);
    drop(a);

    let mut a: MmapArray2<u32> = open(&table(ReadWrite), path).unwrap();
    for row in numbers.outer_iter().take(50) {
        a.push(Axis(0), &row).unwrap();
    }
    a.append(Axis(0), &numbers).unwrap();
    assert_eq!(a.nrows(), 2 * rows + 50);
    for mut block in a.sweep_mut(Axis(0), 300_000).unwrap() {
        block += 1;
    }
    a.sync().unwrap();
    a.resize(Axis(0), 3 * rows).unwrap();
    a.resize(Axis(0), rows).unwrap();
    a.close().unwrap();
    let more = &numbers + 1;
    let mut a: MmapArray2<u32> = open(&table(CopyOnWrite), path).unwrap();
    let mut at = 0;
    for block in a.sweep(Axis(0), 300_000).unwrap() {
        assert_eq!(block, more.slice(ndarray::s![at..at + block.nrows(), ..]));
        at += block.nrows();
    }
    assert_eq!(at, rows);
    let indices: Vec<_> = (0..rows).rev().collect();
    for (row, index) in a.gather(Axis(0), &indices).unwrap().zip(&indices) {
        assert_eq!(row, more.row(*index));
    }
    a.view_mut().unwrap().fill(8);
    a.commit().unwrap();
    let eights = Array2::from_elem((rows, 1000), 8);
    assert!(table(ReadOnly).load::<u32>(path).unwrap() == eights);
    drop(a);

    let draft = created(Create).draft::<u32>(path);
    let mut draft = draft.unwrap();
    draft.view_mut().assign(&numbers);
    draft.publish().unwrap();
    assert!(table(ReadOnly).load::<u32>(path).unwrap() == numbers);
    fs::remove_file(path).unwrap();

    let options = npy::Options::new(Create);
    let mut a: MmapArray1<u32> = npy_common::create(&options, path, 0).unwrap();
    for piece in 0..100 {
        a.append(Axis(0), &Array1::from_elem(5000, piece)).unwrap();
    }
    a.close().unwrap();
    let a: MmapArray1<u32> = npy_common::read(path).unwrap();
    assert!(a.iter().enumerate().all(|(i, &x)| x as usize == i / 5000));
    assert_eq!(a.len(), 500_000);
    fs::remove_file(path).unwrap();
}

#[test]
fn system_calls_that_are_interrupted_are_made_again() {
    if let Some((_, file)) = child::part() {
        be_interrupted(200);
        let mut rounds = 0;
        while rounds < 2 || SIGNALS.load(Ordering::Relaxed) < 1000 {
            do_everything(&file, 300);
            rounds += 1;
        }
        return child::done();
    }
    // On a disk, calls take long enough to be interrupted.
    let place = Place::cold(&[0]);
    fs::remove_file(&place).unwrap();
    let test = system_calls_that_are_interrupted_are_made_again;
    child::passes(test, "all", place.path());
}

#[test]
#[ignore = "needs a disk in memory; run by .ci/steps/faults"]
fn a_reservation_in_memory_that_is_interrupted_finishes() {
    if let Some((_, file)) = child::part() {
        be_interrupted(1000);
        // The call takes the kernel some milliseconds.
        let mut a: MmapArray1<u8> =
            open(&MapOptions::new(Create).shape(100 << 20), &file).unwrap();
        a.view_mut().unwrap()[99 << 20] = 1;
        return child::done();
    }
    let disk = disk();
    let test = a_reservation_in_memory_that_is_interrupted_finishes;
    child::passes(test, "create", &disk.join("new"));
}
