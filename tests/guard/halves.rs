//! Which arrays can be guarded, and guards in forked children.
#![cfg(all(feature = "sigbus-guard", target_os = "linux", target_pointer_width = "64"))]

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytemuck::{CheckedBitPattern, NoUninit, Zeroable};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::{Element, ErrorKind, MapOptions, MmapArray1, Mode, Result, guard};

/// Five bytes, four of them a `char`: about every fifth page ends inside an element's `char`.
#[derive(Clone, Copy, Debug, PartialEq, CheckedBitPattern, NoUninit, Zeroable)]
#[repr(C, packed)]
struct Packed {
    kind: u8,
    letter: char,
}

/// Eight bytes: a page has a whole number of them.
#[derive(Clone, Copy, Debug, PartialEq, CheckedBitPattern, NoUninit, Zeroable)]
#[repr(C)]
struct Pair {
    one: char,
    other: char,
}

fn open<A: Element>(options: &MapOptions, path: &Path) -> Result<MmapArray1<A>> {
    // SAFETY: when a test truncates a file, only pages that the guard replaces are borrowed.
    unsafe { options.open(path) }
}

fn guarded(mode: Mode, len: usize) -> MapOptions {
    guard::install().unwrap();
    MapOptions::new(mode).guarded(true).shape(len)
}

fn is_refused<T>(result: Result<T>) -> bool {
    match result.map_err(ndarray_memmap::Error::into_kind) {
        Err(ErrorKind::Io { action: "guard", source, .. }) => {
            source.kind() == std::io::ErrorKind::Unsupported
        }
        _ => false,
    }
}

/// Ends the loops of other threads, also when a test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn elements_that_a_lost_page_would_cut_to_an_invalid_half_are_not_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    fs::write(&path, [0; 8000]).unwrap();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
        assert!(is_refused(open::<Packed>(&guarded(mode, 1000), &path)), "{mode}");
        let shifted = guarded(mode, 900).offset(4);
        assert!(is_refused(open::<Pair>(&shifted, &path)), "{mode}");
        assert_eq!(fs::read(&path).unwrap(), [0; 8000], "{mode}");
    }
    let new = folder.path().join("new");
    assert!(is_refused(open::<Packed>(&guarded(Create, 1000), &new)));
    assert!(is_refused(guarded(Create, 1000).draft::<Packed>(&new)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // An array without elements could get elements later.
    for mode in [ReadOnly, ReadWrite, Create] {
        assert!(is_refused(open::<Packed>(&guarded(mode, 0), &path)), "{mode}");
        let rows = MapOptions::new(mode).guarded(true).offset(8000);
        assert!(mode == Create || is_refused(open::<Packed>(&rows, &path)), "{mode}");
    }
    assert_eq!(fs::read(&path).unwrap(), [0; 8000]);
    // Other arrays open as before.
    assert_eq!(open::<Packed>(&MapOptions::new(ReadOnly), &path).unwrap().len(), 1600);
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let a = open::<Pair>(&guarded(mode, 1000), &path).unwrap();
        assert_eq!(a[999], Pair::zeroed());
        // Every byte pattern is valid for these elements, so partial elements are valid too.
        let a = open::<[u8; 5]>(&guarded(mode, 1600), &path).unwrap();
        assert_eq!(a[1599], [0; 5]);
    }
}

#[test]
fn a_child_registers_while_threads_of_its_parent_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    fs::write(&path, [7; 8192]).unwrap();
    let options = guarded(ReadOnly, 8192);
    let before = open::<u8>(&options, &path).unwrap();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = Done(&is_done);
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    drop(open::<u8>(&options, &path).unwrap());
                }
            });
        }
        for _ in 0..200 {
            // SAFETY: the child opens and drops arrays, and ends by `_exit`.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                // SAFETY: the call takes a number of seconds.
                unsafe { libc::alarm(20) };
                let a = open::<u8>(&options, &path);
                let is_whole = a.is_ok_and(|a| a[8191] == 7) && before[0] == 7;
                // SAFETY: this process has nothing to clean up.
                unsafe { libc::_exit(i32::from(!is_whole)) };
            }
            let mut status = 0;
            // SAFETY: `status` is valid for the write of the kernel.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert_eq!(status, 0, "14 is a child that waits for a thread of its parent");
        }
    });
}

#[test]
fn a_fault_in_a_child_is_repaired_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    fs::write(&path, [7; 8192]).unwrap();
    let a = open::<u8>(&guarded(ReadOnly, 8192), &path).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(4096).unwrap();
    // SAFETY: as above.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: the call takes a number of seconds.
        unsafe { libc::alarm(20) };
        let is_repaired = a[8191] == 0 && a.fault().is_some();
        // SAFETY: this process has nothing to clean up.
        unsafe { libc::_exit(i32::from(!is_repaired)) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for the write of the kernel.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!((status, a.fault()), (0, None));
    assert!(matches!(
        a.try_with(|a| a[8191]).as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Faulted { offset: 8191 })
    ));
}
