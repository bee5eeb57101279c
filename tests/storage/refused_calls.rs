//! Optional system calls that a sandbox refuses.
//!
//! `tests/refusals` refuses all calls of all operations; these calls were once fatal.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::fs;
use std::path::Path;
use std::thread;

use ndarray::{Axis, Ix2, array, s};
use ndarray_memmap::{MapOptions, MmapArray2, Mode, npy};
use rustix::io::Errno;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use test_support::{file_system, kernel, text_at};

/// Runs `work` in a thread in which the kernel refuses a system call.
fn refusing<T: Send>(call: i64, errno: i32, work: impl FnOnce() -> T + Send) -> T {
    let filter = SeccompFilter::new(
        [(call, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    thread::scope(|scope| {
        let work = scope.spawn(move || {
            seccompiler::apply_filter(&program).unwrap();
            work()
        });
        work.join().unwrap()
    })
}

fn open(options: &MapOptions<Ix2>, path: &Path) -> MmapArray2<u32> {
    // SAFETY: the file is in the test's own folder.
    unsafe { options.open(path) }.unwrap()
}

/// Calls `check` for both error numbers of a sandbox.
fn for_each_refusal(call: i64, check: impl Fn(&Path) + Sync) {
    for errno in [libc::EPERM, libc::ENOSYS] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        refusing(call, errno, || check(&path));
    }
}

fn bytes(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

#[test]
fn a_file_grows_where_its_largest_size_is_not_known() {
    for_each_refusal(libc::SYS_prlimit64, |path| {
        fs::write(path, bytes(&[1, 2])).unwrap();
        let mut a = open(&MapOptions::new(Mode::ReadWrite).rows_of(2), path);
        a.push(Axis(0), &array![3, 4]).unwrap();
        a.resize(Axis(0), 3).unwrap();
        assert_eq!(a, array![[1, 2], [3, 4], [0, 0]]);
        a.close().unwrap();
        assert_eq!(fs::read(path).unwrap(), bytes(&[1, 2, 3, 4, 0, 0]));
    });
}

#[test]
fn pages_that_cannot_be_locked_are_an_error_where_the_limit_is_not_known() {
    for_each_refusal(libc::SYS_prlimit64, |path| {
        fs::write(path, bytes(&[1, 2])).unwrap();
        let a = open(&MapOptions::new(Mode::ReadWrite).rows_of(2), path);
        for errno in [libc::EPERM, libc::ENOMEM, libc::EAGAIN] {
            let refused =
                refusing(libc::SYS_mlock, errno, || a.region(s![.., ..]).lock());
            let text = text_at(&refused.unwrap_err(), path);
            assert!(text.starts_with("cannot lock pages of the file: "), "{text}");
        }
        assert_eq!(a, array![[1, 2]]);
    });
}

#[test]
fn a_large_array_is_read_where_the_kernel_does_not_say_its_version() {
    const ROWS: usize = 1000;

    for_each_refusal(libc::SYS_uname, |path| {
        fs::write(path, vec![1; ROWS * 4096]).unwrap();
        for mode in [Mode::ReadOnly, Mode::CopyOnWrite, Mode::ReadWrite] {
            let a = open(&MapOptions::new(mode).rows_of(1024).populate(true), path);
            a.region(s![.., ..]).prefetch().unwrap();
            let rows: usize =
                a.sweep(Axis(0), 1 << 20).unwrap().map(|block| block.nrows()).sum();
            assert_eq!(rows, ROWS);
            assert!(a.as_slice().unwrap().iter().all(|number| *number == 0x0101_0101));
        }
        assert_eq!(fs::read(path).unwrap(), vec![1; ROWS * 4096]);
    });
}

#[test]
fn a_refused_start_of_a_sync_is_no_loss() {
    for_each_refusal(libc::SYS_sync_file_range, |path| {
        fs::write(path, vec![0; 9 * 4096]).unwrap();
        let mut a = open(&MapOptions::new(Mode::ReadWrite).rows_of(1024), path);
        a.view_mut().unwrap().fill(7);
        let parts = a.region(s![..;2, ..]);
        parts.start_sync().unwrap();
        parts.sync().unwrap();
        for mut block in a.sweep_mut(Axis(0), 4096).unwrap() {
            block += 1;
        }
        a.sync().unwrap();
        a.close().unwrap();
        assert_eq!(fs::read(path).unwrap(), bytes(&[8; 9 * 1024]));
    });
}

#[test]
fn files_are_extended_where_space_cannot_be_reserved() {
    for call in [libc::SYS_fallocate, libc::SYS_fstatfs] {
        for_each_refusal(call, |path| {
            let options = MapOptions::new(Mode::CreateNew).shape((1, 2));
            let mut a = open(&options, path);
            a.view_mut().unwrap().fill(1);
            a.append(Axis(0), &array![[2, 3]]).unwrap();
            a.resize(Axis(0), 3).unwrap();
            a.close().unwrap();
            assert_eq!(fs::read(path).unwrap(), bytes(&[1, 1, 2, 3, 0, 0]));
            let grows = MapOptions::new(Mode::ReadWrite).grow(true).shape((4, 2));
            open(&grows, path).close().unwrap();
            let mut a = open(&MapOptions::new(Mode::CopyOnWrite).rows_of(2), path);
            a.view_mut().unwrap()[[3, 1]] = 9;
            a.commit().unwrap();
            assert_eq!(fs::read(path).unwrap(), bytes(&[1, 1, 2, 3, 0, 0, 0, 9]));
            // The file is replaced.
            drop(open(&MapOptions::new(Mode::Create).shape((1, 2)), path));
            assert_eq!(fs::read(path).unwrap(), bytes(&[0, 0]));
        });
    }
}

#[test]
fn pages_are_read_where_advice_is_refused() {
    for_each_refusal(libc::SYS_madvise, |path| {
        fs::write(path, vec![1; 1000 * 4096]).unwrap();
        for mode in [Mode::ReadOnly, Mode::CopyOnWrite, Mode::ReadWrite] {
            let a = open(&MapOptions::new(mode).rows_of(1024).populate(true), path);
            a.region(s![.., ..]).prefetch().unwrap();
            a.region(s![..;3, ..]).prefetch().unwrap();
            assert!(a.as_slice().unwrap().iter().all(|number| *number == 0x0101_0101));
        }
        assert_eq!(fs::read(path).unwrap(), vec![1; 1000 * 4096]);
    });
}

/// Rows that a header counts are on disk first, by the length of the file or by themselves.
#[test]
fn rows_that_a_header_counts_are_synced_first_where_the_file_cannot_be_longer() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    /// Returns whether each of two growths succeeds while the disk takes nothing.
    fn grown(open: impl Fn() -> MmapArray2<u32>) -> [bool; 2] {
        let row = array![[1, 2, 3]];
        let refused = |work: &(dyn Fn(&mut MmapArray2<u32>) -> bool + Sync)| {
            let mut a = open();
            refusing(libc::SYS_fdatasync, libc::EIO, || work(&mut a))
        };
        [
            refused(&|a| a.append(Axis(0), &row).is_ok()),
            refused(&|a| a.resize(Axis(0), a.nrows() + 1).is_ok()),
        ]
    }

    test_support::in_own_process(
        rows_that_a_header_counts_are_synced_first_where_the_file_cannot_be_longer,
        || {
            let dir = tempfile::tempdir().unwrap();
            let (npy, raw) = (dir.path().join("a.npy"), dir.path().join("a.raw"));
            // SAFETY: the file is in the test's own folder.
            drop(unsafe { npy::create::<u32, _>(&npy, (1, 3)) }.unwrap());
            fs::write(&raw, bytes(&[0; 3])).unwrap();
            // SAFETY: as above.
            let open_npy = || unsafe { npy::open(&npy, Mode::ReadWrite) }.unwrap();
            let open_raw = || open(&MapOptions::new(Mode::ReadWrite).rows_of(3), &raw);

            // Room for rows, not for the mark behind them.
            let current = Some(fs::metadata(&npy).unwrap().len() + 48);
            let limit = Rlimit { current, maximum: current };
            setrlimit(Resource::Fsize, limit).unwrap();
            assert_eq!(grown(open_npy), [false, false]);
            assert_eq!(open_npy().nrows(), 1, "no row is counted that may be lost");
            assert_eq!(grown(open_raw), [true, true], "a raw file is not synced");
            let mut a = open_npy();
            a.push(Axis(0), &array![1, 2, 3]).unwrap();
            a.close().unwrap();
            assert_eq!(open_npy(), array![[0, 0, 0], [1, 2, 3]]);
        },
    );
}

#[test]
fn rows_within_an_extended_file_are_not_synced_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    // SAFETY: the file is in the test's own folder.
    let mut a = unsafe { npy::create::<u32, _>(&path, (0, 3)) }.unwrap();
    a.push(Axis(0), &array![1, 2, 3]).unwrap();
    refusing(libc::SYS_fdatasync, libc::EIO, || {
        for _ in 0..3 {
            a.push(Axis(0), &array![1, 2, 3]).unwrap();
        }
    });
    a.close().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), 128 + 4 * 12);
}

/// A store into a page needs all blocks of the page, also of an array that was synced before.
#[test]
fn an_array_that_grows_on_a_full_disk_is_followed_by_no_hole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    // SAFETY: the file is in the test's own folder.
    let mut a = unsafe { npy::create::<u32, _>(&path, (1, 3)) }.unwrap();
    a.sync().unwrap();
    // Space that is allocated without changing the length stays available.
    let with_length = &[(1, u64::MAX, 0)];
    for rows in 2..5 {
        kernel::refusing(kernel::call::FALLOCATE, with_length, Errno::NOSPC, || {
            a.push(Axis(0), &array![1, 2, 3]).unwrap();
        });
        let len = fs::metadata(&path).unwrap().len();
        let never_allocates = ["btrfs", "overlay", "fuse"];
        if !never_allocates.contains(&file_system(dir.path())) {
            assert_eq!(len, 128 + 12 * rows + 53, "rows and a mark");
        }
        // SAFETY: as above.
        let b = unsafe { npy::open::<u32, Ix2>(&path, Mode::ReadOnly) }.unwrap();
        assert_eq!(b, a);
    }
}

#[test]
fn a_header_counts_the_rows_of_the_array_if_its_page_cannot_be_mapped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    // SAFETY: the file is in the test's own folder.
    unsafe { npy::create::<u32, _>(&path, (1, 3)) }.unwrap().close().unwrap();
    // SAFETY: as above.
    let mut a = unsafe { npy::open::<u32, Ix2>(&path, Mode::ReadWrite) }.unwrap();
    // The bits of a length of 1024 bytes or more are not set; the mapping can be written.
    let of_header = &[(1, !1023, 0), (2, u64::MAX, 3)];
    let pushed = kernel::refusing(kernel::call::MMAP, of_header, Errno::NOMEM, || {
        a.push(Axis(0), &array![1, 2, 3])
    });
    assert_eq!(a.nrows(), if pushed.is_ok() { 2 } else { 1 });
    // SAFETY: as above.
    let b = unsafe { npy::open::<u32, Ix2>(&path, Mode::ReadOnly) }.unwrap();
    assert_eq!(b, a);
    drop(b);
    a.push(Axis(0), &array![4, 5, 6]).unwrap();
    let rows = a.nrows();
    a.close().unwrap();
    // SAFETY: as above.
    let b = unsafe { npy::open::<u32, Ix2>(&path, Mode::ReadOnly) }.unwrap();
    assert_eq!((b.nrows(), b[[rows - 1, 2]]), (rows, 6));
}

#[test]
fn a_limit_of_file_sizes_within_the_header_is_an_error_of_each_growth() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    test_support::in_own_process(
        a_limit_of_file_sizes_within_the_header_is_an_error_of_each_growth,
        || {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.npy");
            // SAFETY: the file is in the test's own folder.
            let mut a = unsafe { npy::create::<u32, _>(&path, (2, 3)) }.unwrap();
            a.push(Axis(0), &array![1, 2, 3]).unwrap();
            a.sync().unwrap();
            let before = fs::read(&path).unwrap();
            let maximum = getrlimit(Resource::Fsize).maximum;
            setrlimit(Resource::Fsize, Rlimit { current: Some(10), maximum }).unwrap();
            for rows in [0, 1, 4] {
                let error = a.resize(Axis(0), rows).unwrap_err().to_string();
                assert!(error.contains("file too large"), "{error}");
            }
            let error = a.push(Axis(0), &array![1, 2, 3]).unwrap_err().to_string();
            assert!(error.contains("file too large"), "{error}");
            assert_eq!(a.nrows(), 3);
            assert_eq!(fs::read(&path).unwrap(), before);
        },
    );
}

#[test]
fn a_limit_of_file_sizes_makes_a_file_grow_by_less_at_a_time() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    test_support::in_own_process(
        a_limit_of_file_sizes_makes_a_file_grow_by_less_at_a_time,
        || {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.npy");
            // SAFETY: the file is in the test's own folder.
            let mut a = unsafe { npy::create::<u32, _>(&path, (0, 3)) }.unwrap();
            let maximum = getrlimit(Resource::Fsize).maximum;
            let limit = |bytes| Rlimit { current: Some(bytes), maximum };
            // The extension with a hole has 1 GiB, the one with zeros 1 MiB.
            setrlimit(Resource::Fsize, limit(200_000)).unwrap();
            for rows in 1..=3 {
                a.push(Axis(0), &array![1, 2, 3]).unwrap();
                let len = fs::metadata(&path).unwrap().len();
                assert!((128 + 12 * rows + 53..1000).contains(&len), "{len}");
            }
            setrlimit(Resource::Fsize, limit(2_000_000)).unwrap();
            a.append(Axis(0), &ndarray::Array2::zeros((100, 3))).unwrap();
            let len = fs::metadata(&path).unwrap().len();
            assert_eq!(len, 128 + 12 * 103 + (1 << 20), "zeros");
            a.close().unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), 128 + 12 * 103);
        },
    );
}
