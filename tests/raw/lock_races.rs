//! Locks when other processes replace or lock the file between two steps.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ndarray::{Axis, Ix2, arr0, array};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::partition::Partition;
use ndarray_memmap::{
    Element, ErrorKind, MapOptions, MmapArray, MmapArray1, Mode, Result, npy,
};
use tempfile::TempDir;

fn open<A: Element>(mode: Mode, path: &Path) -> Result<MmapArray1<A>> {
    // SAFETY: no test stores to a file while it is borrowed from another array, or shortens it.
    unsafe { MapOptions::new(mode).lock(true).shape(4).open(path) }
}

fn map(options: &MapOptions, file: &File) -> Result<MmapArray1<u8>> {
    // SAFETY: as in `open`.
    unsafe { options.map(file) }
}

fn opened(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

/// Returns whether a new file description can lock the path.
fn is_free(path: &Path) -> bool {
    opened(path).try_lock().is_ok()
}

/// Waits until the path can be locked.
///
/// A process forked by another test holds the locks of this process until it calls `exec` or ends.
fn becomes_free(path: &Path) -> bool {
    let start = std::time::Instant::now();
    while !is_free(path) {
        if start.elapsed() > Duration::from_secs(20) {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

fn file_of(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// A file with a lease: the kernel makes every opening of the file wait until the lease ends.
struct Leased {
    _folder: TempDir,
    path: PathBuf,
    file: File,
}

impl Leased {
    fn new() -> Self {
        // SAFETY: ignoring the signal that the kernel sends for a lease changes nothing else.
        unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
        let folders = [std::env::temp_dir(), PathBuf::from("/dev/shm")];
        // Not all file systems support leases.
        let leased = folders.iter().find_map(|parent| {
            let folder = tempfile::tempdir_in(parent).unwrap();
            let path = folder.path().join("array");
            fs::write(&path, [1, 2, 3, 4]).unwrap();
            let file = opened(&path);
            // SAFETY: the descriptor is open.
            let set =
                unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) };
            (set == 0).then_some(Self { _folder: folder, path, file })
        });
        leased.expect("a file system with leases")
    }

    /// Begins to open the path in a thread, which finds the file and then waits for the lease.
    fn begin<T: Send + 'static>(
        &self,
        open: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let path = self.path.clone();
        let thread = thread::spawn(move || open(&path));
        // The kernel reports another lease type when another thread waits for the lease.
        for _ in 0..1000 {
            // SAFETY: the descriptor is open.
            let lease = unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_GETLEASE) };
            if lease != libc::F_WRLCK {
                thread::sleep(Duration::from_millis(100));
                return thread;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("no thread opens the file");
    }

    /// Ends the lease, so that waiting threads continue.
    fn end(&self) {
        // SAFETY: the descriptor is open.
        let set = unsafe {
            libc::fcntl(self.file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK)
        };
        assert_eq!(set, 0);
    }

    fn replace(&self, bytes: &[u8]) {
        let new = self.path.with_file_name("new");
        fs::write(&new, bytes).unwrap();
        fs::rename(&new, &self.path).unwrap();
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
fn a_path_that_is_replaced_before_it_is_locked_is_opened_again() {
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
        let leased = Leased::new();
        let opening = leased.begin(move |path| open::<u8>(mode, path));
        leased.replace(&[5, 6, 7, 8]);
        leased.end();
        let mut a = opening.join().unwrap().unwrap();
        assert!(a.is_same_file(&leased.path).unwrap(), "{mode}");
        assert!(!is_free(&leased.path), "{mode}");
        let expected = if mode == Create { [0; 4] } else { [5, 6, 7, 8] };
        assert_eq!(a.as_slice().unwrap(), expected, "{mode}");
        if mode != ReadOnly {
            a.view_mut().unwrap()[0] = 9;
        }
        drop(a);
        assert!(becomes_free(&leased.path), "{mode}");
        let found = fs::read(&leased.path).unwrap();
        match mode {
            ReadWrite => assert_eq!(found, [9, 6, 7, 8]),
            Create => assert_eq!(found, [9, 0, 0, 0]),
            _ => assert_eq!(found, [5, 6, 7, 8]),
        }
    }
}

#[test]
fn a_path_that_is_removed_before_it_is_locked_is_missing_or_created_again() {
    for mode in [ReadOnly, ReadWrite, Create] {
        let leased = Leased::new();
        let opening = leased.begin(move |path| open::<u8>(mode, path));
        fs::remove_file(&leased.path).unwrap();
        leased.end();
        match opening.join().unwrap().map_err(ndarray_memmap::Error::into_kind) {
            Ok(a) => {
                assert!(mode == Create && a.is_same_file(&leased.path).unwrap());
                assert!(!is_free(&leased.path));
                assert_eq!(fs::read(&leased.path).unwrap(), [0; 4]);
            }
            Err(ErrorKind::Io { action: "open", source, .. }) => {
                assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
                assert!(mode != Create && !leased.path.exists());
            }
            Err(error) => panic!("{mode}: {error:?}"),
        }
    }
}

/// Returns the bytes of a `.npy` file of one row.
fn npy_of(x: u8) -> Vec<u8> {
    let (_folder, path) = file_of(b"");
    let mut draft = npy::draft::<u8, _>(&path, (1, 3)).unwrap();
    draft.view_mut().fill(x);
    draft.publish().unwrap();
    fs::read(path).unwrap()
}

#[test]
fn all_that_locks_looks_at_the_path_again() {
    type Opening = fn(&Path) -> Vec<u8>;
    let openings: [Opening; 5] = [
        |path| {
            let options = MapOptions::new(ReadOnly).lock(true).offset(128);
            options.load::<u8>(path).unwrap().to_vec()
        },
        |path| {
            let options = npy::Options::new(ReadOnly).lock(true);
            options.load::<u8, Ix2>(path).unwrap().iter().copied().collect()
        },
        |path| {
            let options = npy::Options::new(ReadWrite).lock(true);
            // SAFETY: as in `open`.
            let a: MmapArray<u8, Ix2> = unsafe { options.open(path) }.unwrap();
            a.iter().copied().collect()
        },
        |path| {
            let header = npy::Header::parse(&npy_of(0)).unwrap();
            let windows = Partition::new(&header, Axis(0), 1).unwrap().windows(path);
            let options = MapOptions::new(ReadOnly).lock(true);
            // SAFETY: as in `open`.
            let a: MmapArray<u8, Ix2> =
                unsafe { windows.first().unwrap().open_with(&options) }.unwrap();
            a.iter().copied().collect()
        },
        |path| {
            let options = MapOptions::new(ReadOnly).lock(true).offset(128);
            // SAFETY: as in `open`.
            let a: MmapArray1<u8> = unsafe { options.open(path) }.unwrap();
            a.to_vec()
        },
    ];
    for (number, opening) in openings.into_iter().enumerate() {
        let leased = Leased::new();
        let opening = leased.begin(opening);
        leased.replace(&npy_of(7));
        leased.end();
        assert_eq!(opening.join().unwrap(), [7, 7, 7], "{number}");
    }
}

#[test]
fn a_draft_does_not_replace_a_file_that_is_locked_to_write() {
    for locks in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.npy");
        let options = npy::Options::new(Create).lock(true);
        // SAFETY: as in `open`.
        let mut log = unsafe { options.create::<u64, _>(&path, 0) }.unwrap();
        log.push(Axis(0), &arr0(1)).unwrap();
        let mut draft =
            npy::Options::new(Create).lock(locks).draft::<u64, _>(&path, 3).unwrap();
        draft.view_mut().fill(9);
        let error = draft.publish().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Locked) && error.path() == Some(&path),
            "{error:?}"
        );
        log.push(Axis(0), &arr0(2)).unwrap();
        assert_eq!(*log, array![1, 2]);
        log.close().unwrap();
        assert_eq!(npy::load::<u64, ndarray::Ix1>(&path).unwrap(), array![1, 2]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left");
        let draft = npy::Options::new(Create).lock(locks).draft::<u64, _>(&path, 3);
        draft.unwrap().publish().unwrap();
        assert_eq!(npy::load::<u64, ndarray::Ix1>(&path).unwrap(), array![0, 0, 0]);
    }
}

#[test]
fn a_draft_replaces_a_file_that_is_read_unless_it_locks_too() {
    let (_folder, path) = file_of(&[1, 2, 3, 4]);
    let reader = open::<u8>(ReadOnly, &path).unwrap();
    let draft = MapOptions::new(Create).lock(true).shape(2).draft::<u8>(&path).unwrap();
    assert!(matches!(
        draft.publish().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Locked)
    ));
    assert_eq!(fs::read(&path).unwrap(), [1, 2, 3, 4]);
    let draft = MapOptions::new(Create).shape(2).draft::<u8>(&path).unwrap();
    draft.publish().unwrap();
    assert_eq!((&*reader, fs::read(&path).unwrap()), (&*array![1, 2, 3, 4], vec![0, 0]));
}

#[test]
fn the_holder_of_a_lock_has_the_file_that_drafts_replace() {
    let (_folder, path) = file_of(&[0; 4]);
    let (is_done, published) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        let _done = Done(&is_done);
        let publisher = scope.spawn(|| {
            let mut refused = 0;
            while !is_done.load(Ordering::Relaxed) {
                let draft = MapOptions::new(Create).shape(4).draft::<u8>(&path).unwrap();
                match draft.publish().map_err(ndarray_memmap::Error::into_kind) {
                    Ok(()) => drop(published.fetch_add(1, Ordering::Relaxed)),
                    Err(ErrorKind::Locked) => refused += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            refused
        });
        // On a slow disk many rounds may pass before the first draft is published.
        for number in 1..=20_000_u32 {
            let (round, count) =
                ((number % 250) as u8, published.load(Ordering::Relaxed));
            if number > 200 && count > 0 {
                break;
            }
            let mut a = loop {
                match open::<u8>(ReadWrite, &path)
                    .map_err(ndarray_memmap::Error::into_kind)
                {
                    Err(ErrorKind::Locked) => thread::yield_now(),
                    a => break a.unwrap(),
                }
            };
            a.view_mut().unwrap()[0] = round;
            thread::yield_now();
            assert!(a.is_same_file(&path).unwrap(), "round {round}");
            assert_eq!(fs::read(&path).unwrap(), [round, 0, 0, 0]);
        }
        is_done.store(true, Ordering::Relaxed);
        let refused = publisher.join().unwrap();
        let published = published.load(Ordering::Relaxed);
        assert!(published > 0, "{published} published, {refused} refused");
    });
}

#[test]
fn a_lock_that_the_caller_holds_stays_as_it_is() {
    let (_folder, path) = file_of(&[1, 2]);
    #[rustfmt::skip]
    let rows = [
        // the caller's lock is exclusive, mode, elements, works
        (true,  ReadOnly,    2, true),
        (true,  CopyOnWrite, 2, true),
        (true,  ReadWrite,   2, true),
        (true,  ReadOnly,    9, false),
        (true,  CopyOnWrite, 9, false),
        (true,  ReadWrite,   9, false),
        (false, ReadOnly,    2, true),
        (false, ReadOnly,    9, false),
        (false, CopyOnWrite, 9, false),
        (false, ReadWrite,   2, false),
        (false, ReadWrite,   9, false),
    ];
    for (is_exclusive, mode, len, works) in rows {
        let case = format!("{is_exclusive} {mode} {len}");
        let file = opened(&path);
        if is_exclusive { file.try_lock() } else { file.try_lock_shared() }.unwrap();
        let is_held = || {
            let other = opened(&path);
            let is_shared = other.try_lock_shared().is_ok();
            drop(other);
            !is_free(&path) && is_shared != is_exclusive
        };
        let a = map(&MapOptions::new(mode).lock(true).shape(len), &file);
        assert_eq!(a.is_ok(), works, "{case}");
        assert!(is_held(), "{case}");
        drop(a);
        assert!(is_held(), "{case}");
        if works {
            let a = map(&MapOptions::new(mode).lock(true).shape(len), &file).unwrap();
            drop(file);
            assert!(!is_free(&path), "{case}");
            assert_eq!(*a, array![1, 2]);
        } else {
            drop(file);
        }
        assert!(becomes_free(&path), "{case}");
    }
    assert_eq!(fs::read(&path).unwrap(), [1, 2]);
}

#[test]
fn a_failed_map_gives_its_own_lock_up_and_another_handle_keeps_its_own() {
    let (_folder, path) = file_of(&[1, 2]);
    let file = opened(&path);
    let options = MapOptions::new(ReadWrite).lock(true);
    assert!(map(&options.clone().shape(9), &file).is_err());
    assert!(becomes_free(&path));
    let first = map(&options, &file).unwrap();
    // Each array has its own file description, and so its own lock.
    assert!(matches!(
        map(&options, &file).as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Locked)
    ));
    drop(file);
    assert!(!is_free(&path));
    drop(first);
    assert!(becomes_free(&path));
    let file = opened(&path);
    let readers: Vec<_> = (0..2)
        .map(|_| map(&MapOptions::new(ReadOnly).lock(true), &file).unwrap())
        .collect();
    drop(file);
    for reader in readers {
        assert!(!is_free(&path));
        assert_eq!(*reader, array![1, 2]);
    }
    assert!(becomes_free(&path));
}

#[test]
fn a_descriptor_for_reading_is_not_made_one_for_writing() {
    let (_folder, path) = file_of(&[1, 2]);
    let file = File::open(&path).unwrap();
    for locks in [false, true] {
        let error = map(&MapOptions::new(ReadWrite).lock(locks), &file).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io { action: "map", .. }), "{error:?}");
        assert!(becomes_free(&path));
    }
}

#[test]
fn a_leaked_sweep_keeps_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    fs::write(&path, vec![1; 24 << 20]).unwrap();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        // SAFETY: as in `open`.
        let mut a = unsafe {
            MapOptions::new(mode).lock(true).rows_of(4096).open::<u8>(&path).unwrap()
        };
        let mut sweep = a.sweep(Axis(0), 1 << 20).unwrap();
        assert_eq!(
            sweep.by_ref().take(3).map(|block| block.len()).sum::<usize>(),
            3 << 20
        );
        assert!(!is_free(&path), "{mode}");
        std::mem::forget(sweep);
        if mode == ReadWrite {
            let mut sweep = a.sweep_mut(Axis(0), 1 << 20).unwrap();
            sweep.by_ref().take(3).for_each(|mut block| block.fill(2));
            std::mem::forget(sweep);
        }
        drop(a);
        assert!(becomes_free(&path), "{mode}");
    }
    assert!(fs::read(&path).unwrap().iter().take(3 << 20).all(|x| *x == 2));
}
