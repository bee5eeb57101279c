//! Guarded arrays: their contents after a bus error, and the calls refused afterwards.
#![cfg(all(feature = "sigbus-guard", target_os = "linux", target_pointer_width = "64"))]
#![expect(clippy::unwrap_used, unsafe_code, reason = "a panic is a failed test")]

mod halves;
mod npy;

use ndarray::{Array1, Array2, Axis, Ix2, s};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::guard::{self, FaultKind};
use ndarray_memmap::npy::Options;
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray1, MmapArray2, Mode, Result};
use test_support::{Place, command, in_own_process, npy_common, open};

const PAGE: usize = 4096;

fn guarded(mode: Mode) -> MapOptions {
    guard::install().unwrap();
    MapOptions::new(mode).guarded(true)
}

fn is_faulted<T>(result: Result<T>, expected: u64) -> bool {
    matches!(result.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Faulted { offset }) if *offset == expected)
}

#[test]
fn an_array_is_not_guarded_unless_the_application_says_so() {
    in_own_process(an_array_is_not_guarded_unless_the_application_says_so, || {
        let place = Place::of(&[1; 10]);
        let options = MapOptions::new(ReadOnly).guarded(true);
        assert!(!guard::is_active());
        let error = open::<u8, _>(&options, &place).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotGuarded), "{error}");
        guard::install().unwrap();
        guard::install().unwrap();
        assert!(guard::is_active());
        let a: MmapArray1<u8> = open(&options, &place).unwrap();
        assert_eq!((a.try_with(|a| a.len()).unwrap(), a.fault()), (10, None));
        // Other arrays still work.
        let a: MmapArray1<u8> = open(&MapOptions::new(ReadOnly), &place).unwrap();
        assert_eq!((a.try_with(|a| a.len()).unwrap(), a.fault()), (10, None));
    });
}

#[test]
fn what_the_file_has_lost_is_zeros_and_known_from_then_on() {
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let place = Place::of(&[7; 10 * PAGE]);
        let options = guarded(mode).offset(100).shape(10 * PAGE - 100);
        let a: MmapArray1<u8> = open(&options, &place).unwrap();
        let sum = |a: ndarray::ArrayView1<'_, u8>| a.iter().map(|x| u64::from(*x)).sum();
        let all: u64 = a.try_with(sum).unwrap();
        assert_eq!(all, 7 * (10 * PAGE as u64 - 100));
        place.file().set_len(3 * PAGE as u64 + 5).unwrap();
        // The remaining pages can be read.
        assert_eq!(a[2 * PAGE], 7);
        assert_eq!(a.fault(), None);
        let lost = 4 * PAGE as u64;
        assert!(is_faulted(a.try_with(sum), lost), "{mode}");
        let fault = a.fault().unwrap();
        assert_eq!(
            (fault.offset, fault.kind, fault.count),
            (lost, FaultKind::PastEnd, 1)
        );
        assert!(a.slice(s![4 * PAGE - 100..]).iter().all(|x| *x == 0));
        assert_eq!(a.fault().unwrap().count, 1, "the whole tail was replaced at once");
        // Extending the file again does not restore the data.
        place.file().set_len(10 * PAGE as u64).unwrap();
        assert!(is_faulted(a.try_with(|_| ()), lost));
    }
}

#[test]
fn nothing_is_written_after_a_fault() {
    let place = Place::of(&[7; 4 * PAGE]);
    let table = |mode| guarded(mode).rows_of(PAGE);
    let mut shared: MmapArray2<u8> = open(&table(ReadWrite), &place).unwrap();
    let mut private: MmapArray2<u8> = open(&table(CopyOnWrite), &place).unwrap();
    let mut reader: MmapArray2<u8> = open(&table(ReadOnly), &place).unwrap();
    place.file().set_len(PAGE as u64).unwrap();
    shared.view_mut().unwrap().fill(1);
    private.view_mut().unwrap().fill(2);
    assert_eq!(reader[[3, 0]], 0);
    let (first, fourth) = (PAGE as u64, 3 * PAGE as u64);
    assert_eq!(shared.slice(s![1.., ..]).iter().filter(|x| **x == 1).count(), 3 * PAGE);
    assert!(is_faulted(shared.sync(), first));
    assert!(is_faulted(shared.region(s![0, ..]).sync(), first));
    assert!(is_faulted(shared.region(s![0, ..]).start_sync(), first));
    assert!(is_faulted(shared.append(Axis(0), &Array2::zeros((1, PAGE))), first));
    assert!(is_faulted(shared.push(Axis(0), &Array1::zeros(PAGE)), first));
    assert!(is_faulted(shared.resize(Axis(0), 1), first));
    assert!(is_faulted(shared.scatter(Axis(0), &[0], &Array2::zeros((1, PAGE))), first));
    assert!(is_faulted(private.commit(), first));
    assert!(is_faulted(private.force_commit(), first));
    assert!(is_faulted(private.rollback(), first));
    assert!(is_faulted(reader.refresh(), fourth));
    assert!(is_faulted(reader.sync(), fourth));
    assert!(is_faulted(shared.close(), first));
    assert_eq!(place.len(), PAGE as u64);
}

#[test]
fn an_array_that_has_grown_is_guarded_as_a_whole() {
    for is_npy in [false, true] {
        let place = Place::missing();
        let mut a: MmapArray2<u64> = if is_npy {
            guard::install().unwrap();
            let options = Options::new(Create).guarded(true);
            npy_common::create(&options, &place, (0, 512)).unwrap()
        } else {
            open(&guarded(Create).shape((0, 512)), &place).unwrap()
        };
        let options = guarded(ReadOnly).offset(a.offset()).rows_of(512);
        let mut raw: MmapArray2<u64> =
            open(&options.clone().shape((0, 512)), &place).unwrap();
        assert!(matches!(
            raw.refresh().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::FixedShape)
        ));
        let block = Array2::from_elem((20_000, 512), 3);
        a.append(Axis(0), &block.slice(s![..1, ..])).unwrap();
        let mut reader: MmapArray2<u64> = if is_npy {
            let options = Options::new(ReadOnly).guarded(true);
            npy_common::open(&options, &place).unwrap()
        } else {
            open(&options, &place).unwrap()
        };
        // More than was reserved, so that both are mapped again.
        a.append(Axis(0), &block.slice(s![1.., ..])).unwrap();
        a.sync().unwrap();
        reader.refresh().unwrap();
        assert_eq!(reader.try_with(|a| a.sum()).unwrap(), 20_000 * 512 * 3);
        place.file().set_len(a.offset() + 10_000 * PAGE as u64).unwrap();
        assert!(reader.try_with(|a| a.sum()).is_err());
        assert_eq!(reader.fault().unwrap().kind, FaultKind::PastEnd);
        assert_eq!(a.fault(), None);
        a.view_mut().unwrap().fill(1);
        assert_eq!(a.fault().unwrap().kind, FaultKind::PastEnd);
        assert_eq!(a.nrows(), 20_000);
        assert!(a.sync().is_err());
    }
}

#[test]
fn a_file_that_is_cut_while_its_elements_are_checked_does_not_open() {
    in_own_process(
        a_file_that_is_cut_while_its_elements_are_checked_does_not_open,
        || {
            let mut opened = [0, 0];
            for _ in 0..60 {
                let place = Place::of(&[1; 100 * PAGE]);
                let file = place.file();
                std::thread::scope(|scope| {
                    let cut = scope.spawn(move || file.set_len(PAGE as u64).unwrap());
                    let found = open::<bool, _>(&guarded(ReadOnly), &place);
                    cut.join().unwrap();
                    match found.map_err(ndarray_memmap::Error::into_kind) {
                        // Zeros are valid: only a later read can take a lost element for `false`.
                        Ok(a) => opened[usize::from(a.len() > PAGE)] += 1,
                        Err(
                            ErrorKind::Faulted { .. } | ErrorKind::FileTooShort { .. },
                        ) => {}
                        Err(e) => panic!("{e}"),
                    }
                });
            }
            println!("{opened:?}");
        },
    );
}

#[test]
fn a_draft_that_has_lost_something_is_not_published() {
    use std::os::fd::AsRawFd;

    let place = Place::missing();
    let options = guarded(Create).shape(10 * PAGE);
    let mut draft = options.draft::<u8>(&place).unwrap();
    // Only code that tampers with this process can reach the file.
    let fds = std::fs::read_dir("/proc/self/fd").unwrap();
    let of_draft = fds.filter_map(|entry| {
        let path = entry.unwrap().path();
        let target = std::fs::read_link(&path).ok()?;
        target.starts_with(place.folder()).then_some(path)
    });
    let paths: Vec<_> = of_draft.collect();
    let file = std::fs::File::options().write(true).open(paths.first().unwrap()).unwrap();
    assert!(file.as_raw_fd() > 0);
    file.set_len(0).unwrap();
    draft.view_mut().fill(1);
    assert!(is_faulted(draft.publish(), 0));
    assert_eq!(place.bytes(), None);
}

#[test]
fn a_npy_array_is_guarded_beyond_its_header() {
    guard::install().unwrap();
    let place = Place::missing();
    let a: MmapArray2<u8> =
        npy_common::create(&Options::new(Create), &place, (3, PAGE)).unwrap();
    a.close().unwrap();
    let options = Options::new(ReadOnly).guarded(true);
    let a = npy_common::open::<u8, Ix2>(&options, &place).unwrap();
    place.file().set_len(128).unwrap();
    assert_eq!((a[[0, PAGE - 200]], a.fault()), (0, None));
    assert!(is_faulted(a.try_with(|a| a[[2, 7]]), 128 + 2 * PAGE as u64 + 7));
}

#[test]
fn threads_that_see_zeros_know_of_the_loss() {
    for _ in 0..300 {
        let place = Place::of(&[7; 64 * PAGE]);
        let a: MmapArray1<u8> = open(&guarded(ReadOnly), &place).unwrap();
        let ready = std::sync::Barrier::new(4);
        place.file().set_len(PAGE as u64).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    ready.wait();
                    // Use only the guard, because the file length would also show the loss.
                    let seen = std::hint::black_box(a[60 * PAGE]);
                    assert_eq!(
                        (seen, a.fault().map(|fault| fault.kind)),
                        (0, Some(FaultKind::PastEnd))
                    );
                });
            }
        });
    }
}

#[test]
fn arrays_come_and_go_while_others_fault() {
    let done = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(relaxed) {
                    let place = Place::of(&[7; 4 * PAGE]);
                    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
                        let a: MmapArray1<u8> = open(&guarded(mode), &place).unwrap();
                        assert_eq!((a[3 * PAGE], a.fault()), (7, None));
                    }
                }
            });
        }
        for _ in 0..300 {
            let place = Place::of(&[7; 4 * PAGE]);
            let a: MmapArray1<u8> = open(&guarded(ReadWrite), &place).unwrap();
            place.file().set_len(0).unwrap();
            assert!(is_faulted(a.try_with(|a| a[2 * PAGE]), 2 * PAGE as u64));
        }
        done.store(true, relaxed);
    });
}

#[test]
fn a_file_that_is_cut_within_its_last_page_is_known_by_its_length() {
    let place = Place::of(&[7; 2 * PAGE]);
    let a: MmapArray1<u8> = open(&guarded(ReadOnly), &place).unwrap();
    place.file().set_len(5000).unwrap();
    assert!(is_faulted(a.try_with(|a| a.len()), 5000));
    assert_eq!(a.fault(), None, "no fault occurred");
}

#[test]
fn rows_that_are_stored_into_what_was_lost_are_not_counted() {
    let place = Place::missing();
    guard::install().unwrap();
    let options = Options::new(Create).guarded(true);
    let mut a: MmapArray2<u8> = npy_common::create(&options, &place, (0, PAGE)).unwrap();
    for _ in 0..100 {
        a.push(Axis(0), &Array1::ones(PAGE)).unwrap();
    }
    place.file().set_len(128 + 50 * PAGE as u64).unwrap();
    let error = a.push(Axis(0), &Array1::ones(PAGE)).unwrap_err();
    let found = place.len();
    let is_short =
        matches!(error.kind(), ErrorKind::FileTooShort { found: n, .. } if *n == found);
    assert!(is_short, "{error}");
    assert_eq!(a.nrows(), 100);
    drop(a);
    let header = ndarray_memmap::npy::Header::read(&place.file()).unwrap();
    assert_eq!(header.shape(), [100, PAGE]);
    assert_eq!(place.len(), 128 + 50 * PAGE as u64, "the file stays truncated");
}

#[test]
fn signals_that_are_sent_are_answered_as_without_the_guard() {
    use std::os::unix::process::ExitStatusExt;

    const CASE: &str = "NDARRAY_MEMMAP_TEST_SIGNALS";
    if let Some(case) = std::env::var_os(CASE).and_then(|case| case.into_string().ok()) {
        if case.contains("ignored") {
            // SAFETY: ignoring a signal is a valid action.
            unsafe { libc::signal(libc::SIGBUS, libc::SIG_IGN) };
        }
        if case.contains("guarded") {
            guard::install().unwrap();
        }
        for _ in 0..if case.contains("twice") { 2 } else { 1 } {
            // SAFETY: sending a signal touches no memory.
            unsafe { libc::raise(libc::SIGBUS) };
        }
        if case.contains("guarded") {
            // The guard still works.
            let place = Place::of(&[7; 4 * PAGE]);
            let a: MmapArray1<u8> = open(&guarded(ReadOnly), &place).unwrap();
            place.file().set_len(0).unwrap();
            assert!(is_faulted(a.try_with(|a| a[2 * PAGE]), 2 * PAGE as u64));
        }
        return;
    }
    for case in ["", "twice", "ignored", "ignored twice"] {
        let end = |case: String| {
            let test = signals_that_are_sent_are_answered_as_without_the_guard;
            let status = command(test).env(CASE, case).output().unwrap().status;
            (status.signal(), status.code())
        };
        let (without, with) = (end(case.to_owned()), end(format!("{case} guarded")));
        assert_eq!(with, without, "{case}");
        let expected = if case == "twice" { Some(libc::SIGBUS) } else { None };
        assert_eq!(without.0, expected, "{case}");
    }
}
