//! Files that are truncated under arrays with a guard, and signals that do not concern the guard.
//!
//! Each test runs in its own process, because the guard is installed for a whole process.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use memmap2::{Mmap, MmapMut};
use ndarray::{Axis, arr0};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::guard::{self, FaultKind};
use ndarray_memmap::{Error, ErrorKind, MapOptions, MmapArray1, Mode, npy};

use crate::{child, open};
use test_support::kernel::numbers;
use test_support::{Place, npy_common, sampled};

const THREADS: usize = 8;
const ROUNDS: usize = 60;
/// Elements of 8 bytes: 256 KiB.
const LEN: usize = 1 << 15;
/// How long a thread waits for an event that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn install() {
    for _ in 0..2 {
        guard::install().unwrap();
        assert!(guard::is_active());
    }
}

/// Returns elements that are all nonzero.
fn elements() -> Vec<u8> {
    (1..=LEN as u64).flat_map(u64::to_ne_bytes).collect()
}

/// Makes another process truncate a file.
fn cut_elsewhere(file: &Path, len: usize) {
    let mut command = Command::new("truncate");
    let status = command.arg("-s").arg(len.to_string()).arg(file).status().unwrap();
    assert!(status.success());
}

fn cut(file: &Path, len: u64) {
    File::options().write(true).open(file).unwrap().set_len(len).unwrap();
}

/// Returns the length for a round: some pages before the end, at a page boundary or not.
fn cut_of(round: usize) -> usize {
    let most = 8 * LEN - 2 * rustix::param::page_size();
    round * 104_729 % most
}

fn assert_past_end(a: &MmapArray1<u64>, cut: usize) {
    let fault = a.fault().expect("a fault");
    assert!(matches!(fault.kind, FaultKind::PastEnd), "{fault:?}");
    assert!(fault.count > 0, "{fault:?}");
    assert!((cut as u64..8 * LEN as u64).contains(&fault.offset), "{cut}: {fault:?}");
}

#[track_caller]
fn assert_faulted<T>(result: Result<T, Error>) {
    match result.map_err(ndarray_memmap::Error::into_kind) {
        Err(ErrorKind::Faulted { .. }) => {}
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn a_file_that_another_process_cuts_under_eight_readers_is_an_error() {
    if let Some((_, file)) = child::part() {
        install();
        for round in 0..sampled(ROUNDS) {
            fs::write(&file, elements()).unwrap();
            let options = MapOptions::new(ReadOnly).guarded(true);
            let a: MmapArray1<u64> = open(&options, &file).unwrap();
            assert!(a.fault().is_none());
            let cut = cut_of(round);
            let scanning = AtomicUsize::new(0);
            let scan = || {
                let start = Instant::now();
                loop {
                    let scanned = a.try_with(|view| {
                        for (index, &x) in view.iter().enumerate() {
                            let is_lost = 8 * index + 8 > cut;
                            let is_right = x == index as u64 + 1;
                            let is_split = is_lost && 8 * index < cut;
                            assert!(is_right || is_lost && x == 0 || is_split);
                            if index == LEN / 16 {
                                let _ = scanning.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    });
                    match scanned.map_err(ndarray_memmap::Error::into_kind) {
                        Ok(()) => assert!(start.elapsed() < PATIENCE, "no fault"),
                        Err(ErrorKind::Faulted { offset }) => {
                            return assert!(offset >= cut as u64, "{offset} {cut}");
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
            };
            thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(scan)).collect();
                while scanning.load(Ordering::Relaxed) < THREADS {
                    assert!(!threads.iter().any(|thread| thread.is_finished()));
                    thread::yield_now();
                }
                cut_elsewhere(&file, cut);
            });
            // All threads may have noticed the new file length before one of them faulted.
            assert_eq!(a[LEN - 1], 0);
            assert_past_end(&a, cut);
            assert_faulted(a.try_with(|view| view.len()));
            assert!(a.file_changed().unwrap());
            drop(a);
            assert!(fs::read(&file).unwrap() == elements()[..cut]);
        }
        return child::done();
    }
    let place = Place::missing();
    let test = a_file_that_another_process_cuts_under_eight_readers_is_an_error;
    child::passes(test, "readers", place.path());
}

#[test]
fn a_file_that_another_process_cuts_under_eight_writers_is_an_error() {
    if let Some((_, file)) = child::part() {
        install();
        for round in 0..sampled(ROUNDS) {
            fs::write(&file, elements()).unwrap();
            let options = MapOptions::new(ReadWrite).guarded(true);
            let mut a: MmapArray1<u64> = open(&options, &file).unwrap();
            let cut = cut_of(round);
            let (storing, is_cut) = (AtomicUsize::new(0), AtomicBool::new(false));
            let mut view = a.view_mut().unwrap();
            thread::scope(|scope| {
                for mut chunk in view.axis_chunks_iter_mut(Axis(0), LEN / THREADS) {
                    let (storing, is_cut) = (&storing, &is_cut);
                    let _ = scope.spawn(move || {
                        loop {
                            // The last pass begins after the truncation.
                            let is_last = is_cut.load(Ordering::Acquire);
                            chunk.fill(u64::MAX);
                            let _ = storing.fetch_add(1, Ordering::Relaxed);
                            if is_last {
                                return;
                            }
                        }
                    });
                }
                while storing.load(Ordering::Relaxed) < THREADS {
                    thread::yield_now();
                }
                cut_elsewhere(&file, cut);
                is_cut.store(true, Ordering::Release);
            });
            assert_past_end(&a, cut);
            assert_faulted(a.sync());
            assert_faulted(a.try_with(|view| view.len()));
            drop(a);
            let bytes = fs::read(&file).unwrap();
            assert!(bytes.len() == cut && bytes.iter().all(|&x| x == 255));
        }
        return child::done();
    }
    let place = Place::missing();
    let test = a_file_that_another_process_cuts_under_eight_writers_is_an_error;
    child::passes(test, "writers", place.path());
}

#[test]
fn after_a_fault_nothing_is_synced_appended_or_committed() {
    if let Some((_, file)) = child::part() {
        install();
        const CUT: u64 = 8192;
        for mode in [ReadWrite, CopyOnWrite] {
            for offset in [0, 4096 + 8] {
                fs::write(&file, elements()).unwrap();
                let options = MapOptions::new(mode).guarded(true).offset(offset);
                let mut a: MmapArray1<u64> = open(&options, &file).unwrap();
                a.view_mut().unwrap()[0] = 5;
                assert_eq!(a.try_with(|view| view[0]).unwrap(), 5);
                cut(&file, CUT);
                let last = a.len() - 1;
                match a
                    .try_with(|view| assert_eq!(view[last], 0))
                    .map_err(ndarray_memmap::Error::into_kind)
                {
                    Err(ErrorKind::Faulted { offset }) => {
                        assert!((CUT..8 * LEN as u64).contains(&offset), "{offset}");
                    }
                    other => panic!("{other:?}"),
                }
                assert_past_end(&a, CUT as usize);
                let fault = a.fault().unwrap();
                assert_eq!(a[0], 5, "the rest can be read");
                a.view_mut().unwrap()[last] = 7;
                for _ in 0..2 {
                    match mode {
                        CopyOnWrite => {
                            assert_faulted(a.commit());
                            assert_faulted(a.force_commit());
                        }
                        _ => {
                            assert_faulted(a.sync());
                            assert_faulted(a.append(Axis(0), &a.to_owned()));
                            assert_faulted(a.push(Axis(0), &arr0(1)));
                        }
                    }
                }
                assert_eq!(
                    a.fault().unwrap().offset,
                    fault.offset,
                    "the first fault stays"
                );
                drop(a);
                assert_eq!(fs::metadata(&file).unwrap().len(), CUT);
                // The reopened file is an array like any other.
                let options = MapOptions::new(ReadWrite).guarded(true);
                let a: MmapArray1<u64> = open(&options, &file).unwrap();
                a.sync().unwrap();
                assert!(a.fault().is_none() && a.len() == 1024);
            }
        }
        return child::done();
    }
    let place = Place::missing();
    let test = after_a_fault_nothing_is_synced_appended_or_committed;
    child::passes(test, "sync", place.path());
}

#[test]
fn a_fault_is_that_of_its_array_however_calls_are_nested() {
    if let Some((_, file)) = child::part() {
        install();
        fs::write(&file, elements()).unwrap();
        let other = Place::of(&elements());
        let options = MapOptions::new(ReadOnly).guarded(true);
        let a: MmapArray1<u64> = open(&options, &file).unwrap();
        let b: MmapArray1<u64> = open(&options, &other).unwrap();
        let sum = (1..=LEN as u64).sum::<u64>();
        let sums =
            a.try_with(|x| b.try_with(|y| a.try_with(|z| (x.sum(), y.sum(), z.sum()))));
        assert_eq!(sums.unwrap().unwrap().unwrap(), (sum, sum, sum));
        cut(other.path(), 10);
        let nested = a.try_with(|x| {
            let inner = b.try_with(|y| a.try_with(|z| (y[LEN - 1], z[LEN - 1])).unwrap());
            assert_faulted(inner);
            x.sum()
        });
        assert_eq!(nested.unwrap(), sum, "only the other array has a fault");
        assert!(a.fault().is_none() && b.fault().is_some());
        cut(&file, 10);
        assert_faulted(a.try_with(|_| a.try_with(|z| z[LEN - 1])));
        assert!(a.fault().is_some());
        return child::done();
    }
    let place = Place::missing();
    let test = a_fault_is_that_of_its_array_however_calls_are_nested;
    child::passes(test, "nest", place.path());
}

#[test]
fn a_signal_that_no_guarded_array_raises_kills_as_ever() {
    if let Some((part, file)) = child::part() {
        install();
        let other = Place::of(&numbers());
        let options = MapOptions::new(ReadOnly).guarded(true);
        let guarded: MmapArray1<u8> = open(&options, &other).unwrap();
        cut(other.path(), 10);
        assert_faulted(guarded.try_with(|view| view[99_999]));
        match part.as_str() {
            "memmap2" => {
                let mapped = File::open(&file).unwrap();
                // SAFETY: the contract is broken on purpose; the bus error must kill this process.
                let map = unsafe { Mmap::map(&mapped) }.unwrap();
                cut(&file, 10);
                let _ = black_box(map[50_000]);
            }
            "store" => {
                let mapped = File::options().read(true).write(true).open(&file).unwrap();
                // SAFETY: as above.
                let mut map = unsafe { MmapMut::map_mut(&mapped) }.unwrap();
                cut(&file, 10);
                map[50_000] = 1;
                let _ = black_box(map[50_000]);
            }
            "array" => {
                let a = open::<u8, _>(&MapOptions::new(ReadOnly), &file).unwrap();
                cut(&file, 10);
                let _ = black_box(a[50_000]);
            }
            // The standard library treats the first signal as a fault that would recur.
            _ => {
                for _ in 0..2 {
                    // SAFETY: the call touches no memory.
                    assert_eq!(unsafe { libc::raise(libc::SIGBUS) }, 0);
                }
            }
        }
        return child::done();
    }
    for part in ["memmap2", "store", "array", "raised"] {
        let place = Place::of(&numbers());
        let test = a_signal_that_no_guarded_array_raises_kills_as_ever;
        let output = child::dies(test, part, place.path(), libc::SIGBUS);
        drop(output);
    }
}

/// Uses up the stack.
#[expect(unconditional_recursion, reason = "it must overflow the stack")]
fn recurse(depth: u64) -> u64 {
    let block = black_box([depth; 100]);
    recurse(depth + 1) + block[99]
}

#[test]
fn an_overflow_of_the_stack_is_reported_as_ever() {
    if let Some((part, file)) = child::part() {
        install();
        let options = MapOptions::new(ReadOnly).guarded(true);
        let a: MmapArray1<u8> = open(&options, &file).unwrap();
        let _ = match part.as_str() {
            "here" => recurse(0),
            "guarded" => a.try_with(|view| recurse(u64::from(view[0]))).unwrap(),
            _ => thread::spawn(|| recurse(0)).join().unwrap(),
        };
        return child::done();
    }
    for part in ["here", "guarded", "thread"] {
        let place = Place::of(&numbers());
        let test = an_overflow_of_the_stack_is_reported_as_ever;
        let output = child::dies(test, part, place.path(), libc::SIGABRT);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains("has overflowed its stack"), "{part}: {words}");
    }
}

static SEEN: AtomicUsize = AtomicUsize::new(0);

/// A handler of another library, which maps memory at the address of a fault.
extern "C" fn other_handler(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes the information of this signal.
    let info = unsafe { &*info };
    // SAFETY: a SIGBUS has an address.
    let address = unsafe { info.si_addr() }.addr();
    assert!(signal == libc::SIGBUS && !context.is_null());
    let page = 4096;
    let start = ptr::without_provenance_mut(address - address % page);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: the page belongs to the mapping of the test that waits for this.
    let mapped = unsafe { libc::mmap(start, page, access, flags, -1, 0) };
    assert_eq!(mapped, start);
    SEEN.store(address, Ordering::Relaxed);
}

#[test]
fn a_handler_that_was_there_before_gets_what_is_not_ours() {
    if let Some((_, file)) = child::part() {
        // SAFETY: zeros are a valid value of this struct of numbers and pointers.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        let handler: extern "C" fn(_, _, _) = other_handler;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: the handler makes one system call and stores one number.
        let failed =
            unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) };
        assert_eq!(failed, 0);
        install();
        let options = MapOptions::new(ReadOnly).guarded(true);
        let other = Place::of(&numbers());
        let ours: MmapArray1<u8> = open(&options, &other).unwrap();
        let mapped = File::open(&file).unwrap();
        // SAFETY: the test truncates the file on purpose; the handler above maps the lost page.
        let theirs = unsafe { Mmap::map(&mapped) }.unwrap();
        for (file, at) in [(other.path(), 60_000), (file.as_path(), 50_000)] {
            cut(file, 10);
            assert_eq!(SEEN.load(Ordering::Relaxed), 0);
            if at == 60_000 {
                assert_faulted(ours.try_with(|view| black_box(view[at])));
            } else {
                assert_eq!(black_box(theirs[at]), 0);
                assert_eq!(SEEN.load(Ordering::Relaxed), theirs[at..].as_ptr().addr());
            }
        }
        assert_eq!(
            ours.fault().unwrap().count,
            1,
            "the other mapping's fault is not counted"
        );
        return child::done();
    }
    let place = Place::of(&numbers());
    let test = a_handler_that_was_there_before_gets_what_is_not_ours;
    child::passes(test, "handler", place.path());
}

#[test]
fn without_a_guard_installed_none_is_promised() {
    if let Some((_, file)) = child::part() {
        assert!(!guard::is_active());
        let is_refused = |error: Error| {
            assert!(matches!(error.kind(), ErrorKind::NotGuarded), "{error:?}")
        };
        for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
            let options = MapOptions::new(mode).guarded(true).shape(10);
            is_refused(open::<u8, _>(&options, &file).map(drop).unwrap_err());
            assert!(fs::read(&file).unwrap() == numbers(), "{mode}");
        }
        let new = file.with_file_name("new.npy");
        let options = |mode: Mode| npy::Options::new(mode).guarded(true);
        let created = npy_common::create::<u8, _>(&options(Create), &new, 10);
        is_refused(created.map(drop).unwrap_err());
        assert!(!new.exists());
        drop(npy_common::create::<u8, _>(&npy::Options::new(Create), &new, 10).unwrap());
        let opened = npy_common::open::<u8, ndarray::Ix1>(&options(ReadOnly), &new);
        is_refused(opened.map(drop).unwrap_err());
        install();
        let a = npy_common::open::<u8, ndarray::Ix1>(&options(ReadOnly), &new).unwrap();
        assert_eq!(a.try_with(|view| view.sum()).unwrap(), 0);
        return child::done();
    }
    let place = Place::of(&numbers());
    let test = without_a_guard_installed_none_is_promised;
    child::passes(test, "open", place.path());
}
