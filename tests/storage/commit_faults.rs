//! Commits on file systems where a mapping and a descriptor differ, together with other
//! processes, and on full disks; rollbacks after a failed commit.
#![cfg(target_os = "linux")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the numbers are small; helpers of tests"
)]

use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::mounted::{self, Mark, Mounted, assert_marks, open, with_mounts};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray1};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use test_support::kernel;
use test_support::{file_system, wait_for_tick};

const LEN: usize = 40_000;

fn private(path: &Path) -> MmapArray1<u8> {
    open(&MapOptions::new(CopyOnWrite), path).unwrap()
}

fn writer(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

fn numbers(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

fn set(a: &mut MmapArray1<u8>, at: usize, value: u8) {
    a.view_mut().unwrap()[at] = value;
}

/// Commits twice, rolls back, and commits again, all in one page and in others.
fn commit_and_roll_back(path: &Path) {
    let mut expected = fs::read(path).unwrap();
    let mut a = private(path);
    for (round, at) in [(200, 10), (201, 11), (202, 20_000), (203, LEN - 1)] {
        set(&mut a, at, round);
        expected[at] = round;
        a.commit().unwrap();
        assert_eq!(fs::read(path).unwrap(), expected, "round {round}");
        assert_eq!(a.as_slice().unwrap(), expected, "round {round}");
        assert!(!a.file_changed().unwrap());
        set(&mut a, 30, 7);
        a.rollback().unwrap();
        assert_eq!(
            a.as_slice().unwrap(),
            expected,
            "after the rollback of round {round}"
        );
    }
    set(&mut a, 12, 99);
    expected[12] = 99;
    a.force_commit().unwrap();
    assert_eq!(fs::read(path).unwrap(), expected);
    let again = private(path);
    assert_eq!(again.as_slice().unwrap(), expected);
}

#[test]
fn commits_add_up_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, numbers(LEN)).unwrap();
    commit_and_roll_back(&path);
}

#[test]
#[ignore = "needs root, ext4 and overlayfs; run by .ci/steps/file-systems"]
fn commits_add_up_on_overlayfs() {
    with_mounts(commits_add_up_on_overlayfs, |folder| {
        let overlay = mounted::overlay(folder, "file", &numbers(LEN));
        commit_and_roll_back(&overlay.path("file"));
        // A file of the upper layer.
        let path = overlay.path("new");
        fs::write(&path, numbers(LEN)).unwrap();
        commit_and_roll_back(&path);
    });
}

#[test]
#[ignore = "needs root and bindfs; run by .ci/steps/file-systems"]
fn commits_add_up_on_fuse() {
    with_mounts(commits_add_up_on_fuse, |folder| {
        for options in [&["-n"][..], &["-n", "-o", "direct_io"]] {
            let folder = folder.join(options.len().to_string());
            fs::create_dir(&folder).unwrap();
            let fuse = mounted::fuse(&folder, options);
            fs::write(fuse.path("file"), numbers(LEN)).unwrap();
            commit_and_roll_back(&fuse.path("file"));
        }
    });
}

#[test]
#[ignore = "needs root, ext2 and tmpfs; run by .ci/steps/file-systems"]
fn commits_add_up_on_small_disks() {
    with_mounts(commits_add_up_on_small_disks, |folder| {
        for disk in [mounted::disk(folder, "ext2", 8, &[]), mounted::memory(folder)] {
            fs::write(disk.path("file"), numbers(LEN)).unwrap();
            commit_and_roll_back(&disk.path("file"));
        }
    });
}

#[test]
#[ignore = "needs root, ext4 and overlayfs; run by .ci/steps/file-systems"]
fn what_others_wrote_after_a_copy_to_the_upper_layer_is_not_reverted() {
    with_mounts(
        what_others_wrote_after_a_copy_to_the_upper_layer_is_not_reverted,
        |folder| {
            let mut expected = numbers(LEN);
            let overlay = mounted::overlay(folder, "file", &expected);
            let path = overlay.path("file");
            let mut a = private(&path);
            let times = fs::metadata(&path).unwrap().modified().unwrap();
            let other = writer(&path);
            other.write_all_at(&[255], 5).unwrap();
            other.set_modified(times).unwrap();
            drop(other);
            expected[5] = 255;
            // Change the page that the other process changed, which the mapping does not show.
            set(&mut a, 6, 254);
            assert_eq!(a[5], 5);
            assert!(a.file_changed().unwrap());
            assert!(matches!(
                a.commit().as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::Conflict)
            ));
            assert_eq!(fs::read(&path).unwrap(), expected);
            assert_eq!(a[6], 254, "the changes are still there");
            // The array shows the file at the path, not the file of the lower layer.
            a.rollback().unwrap();
            assert_eq!(a.as_slice().unwrap(), expected);
        },
    );
}

#[test]
#[ignore = "needs root, ext4 and overlayfs; run by .ci/steps/file-systems"]
fn a_rollback_on_overlayfs_shows_no_invalid_element() {
    with_mounts(a_rollback_on_overlayfs_shows_no_invalid_element, |folder| {
        let overlay = mounted::overlay(folder, "file", &[0; 10_000]);
        let path = overlay.path("file");
        let mut a: MmapArray1<Mark> = open(&MapOptions::new(CopyOnWrite), &path).unwrap();
        a.view_mut().unwrap()[3] = Mark::low();
        writer(&path).write_all_at(&[1, 0, 0xd8, 0, 0], 5000).unwrap();
        let error = a.rollback().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidElement { index: 1000 }),
            "{error:?}"
        );
        assert_eq!(a[3], Mark::low(), "the changes are still there");
        assert_marks(a.iter(), &[Mark::low(), bytemuck::Zeroable::zeroed()]);
        let error = a.force_commit().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidElement { index: 1000 }),
            "{error:?}"
        );
        assert_marks(a.iter(), &[Mark::low(), bytemuck::Zeroable::zeroed()]);
    });
}

#[test]
fn a_rollback_shows_no_invalid_element() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, [0; 100_000]).unwrap();
    let zero: Mark = bytemuck::Zeroable::zeroed();
    let mut a: MmapArray1<Mark> = open(&MapOptions::new(CopyOnWrite), &path).unwrap();
    // Element 819 lies in two pages; only the second is changed in the array.
    let at = 5 * 819_u64;
    assert_eq!(at / 4096 + 1, (at + 4) / 4096);
    a.view_mut().unwrap()[820] = Mark::low();
    a.view_mut().unwrap()[19_999] = Mark::high();
    // The bytes that an interrupted commit leaves.
    writer(&path).write_all_at(&[0, 0xd8, 0, 0], at + 1).unwrap();
    let error = a.rollback().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::InvalidElement { index: 819 }),
        "{error:?}"
    );
    assert_eq!((a[820], a[19_999]), (Mark::low(), Mark::high()));
    writer(&path).write_all_at(&[0; 5], at).unwrap();
    a.rollback().unwrap();
    assert_marks(a.iter(), &[zero]);
    assert_eq!(fs::read(&path).unwrap(), [0; 100_000]);
}

#[test]
fn a_rollback_checks_elements_that_have_gaps_between_them() {
    use ndarray::ShapeBuilder;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, [1_u8; 30_000]).unwrap();
    // The bytes between elements do not belong to elements.
    writer(&path).write_all_at(&[9], 1).unwrap();
    let options = MapOptions::new(CopyOnWrite).shape((10_000,).strides((3,)));
    let mut a = open::<bool, _>(&options, &path).unwrap();
    a.view_mut().unwrap()[5] = false;
    a.rollback().unwrap();
    assert!(a.iter().all(|value| *value));
    a.view_mut().unwrap()[5] = false;
    writer(&path).write_all_at(&[2], 18).unwrap();
    let error = a.rollback().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidElement { index: 18 }), "{error:?}");
    assert!(!a[5]);
}

#[test]
#[ignore = "needs root and ext2; run by .ci/steps/file-systems"]
fn a_commit_that_stops_half_way_leaves_whole_elements() {
    with_mounts(a_commit_that_stops_half_way_leaves_whole_elements, |folder| {
        let disk = mounted::disk(folder, "ext2", 4, &["-b", "1024", "-m", "0"]);
        let path = disk.path("file");
        // The free space of the disk, of which the map of the blocks also takes some.
        let len = disk.free() / 1024 * 1024;
        File::create(&path).unwrap().set_len(len).unwrap();
        let count = usize::try_from(len / 5).unwrap();
        let options = MapOptions::new(CopyOnWrite).shape(count);
        let mut a = open::<Mark, _>(&options, &path).unwrap();
        a.view_mut().unwrap().fill(Mark::low());
        let error = a.commit().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error:?}");
        assert_eq!(a[count - 1], Mark::low());
        a.rollback().unwrap();
        let zero = bytemuck::Zeroable::zeroed();
        assert_marks(a.iter(), &[Mark::low(), zero]);
        drop(a);
        let options = MapOptions::new(ReadOnly).shape(count);
        let a = open::<Mark, _>(&options, &path).unwrap();
        assert_marks(a.iter(), &[Mark::low(), zero]);
        assert_eq!(fs::metadata(&path).unwrap().len(), len);
    });
}

/// Commits changes that do not fit, and compares the free space before and after.
fn fail_for_space(disk: &Mounted, stored: usize) {
    let path = disk.path("holes");
    File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let mut a = private(&path);
    writer(&path).write_all_at(&[3; 5000], 10_000).unwrap();
    drop(a);
    a = private(&path);
    rustix::fs::syncfs(File::open(disk.folder()).unwrap()).unwrap();
    let (free, blocks) = (disk.free(), fs::metadata(&path).unwrap().blocks());
    let mut view = a.view_mut().unwrap();
    (100..stored).step_by(4000).for_each(|at| view[at] = 1);
    view[stored - 1] = 1;
    for _ in 0..2 {
        let error = a.commit().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error:?}");
        rustix::fs::syncfs(File::open(disk.folder()).unwrap()).unwrap();
        assert!(disk.free() + (1 << 16) >= free, "{} of {free}", disk.free());
        assert!(fs::metadata(&path).unwrap().blocks() <= blocks + 64);
        let mut start = [0; 20_000];
        File::open(&path).unwrap().read_exact_at(&mut start, 0).unwrap();
        assert!(start[10_000..15_000] == [3; 5000] && start[15_000..] == [0; 5000]);
        assert_eq!(a[stored - 1], 1, "the changes are still there");
    }
    drop(a);
    fs::remove_file(&path).unwrap();
}

#[test]
#[ignore = "needs root, ext4, ext2, XFS and btrfs; run by .ci/steps/file-systems"]
fn a_commit_without_room_gives_its_space_back() {
    with_mounts(a_commit_without_room_gives_its_space_back, |folder| {
        for (kind, mib, options) in [
            ("ext4", 64, &["-m", "0"][..]),
            ("ext4", 64, &["-m", "0", "-b", "1024"]),
            ("ext2", 64, &["-m", "0"]),
            ("xfs", 320, &[]),
            ("btrfs", 128, &[]),
        ] {
            let folder = folder.join(format!("{kind}{}", options.len()));
            fs::create_dir(&folder).unwrap();
            let disk = mounted::disk(&folder, kind, mib, options);
            disk.leave(12 << 20);
            fail_for_space(&disk, usize::try_from(disk.free()).unwrap() + (4 << 20));
        }
    });
}

#[test]
fn space_that_was_reserved_before_stays_reserved() {
    use rustix::fs::{FallocateFlags, fallocate};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let file = File::create(&path).unwrap();
    file.set_len(1 << 20).unwrap();
    match fallocate(&file, FallocateFlags::empty(), 0, 1 << 19) {
        // ext2 allocates blocks only by writes.
        Err(rustix::io::Errno::OPNOTSUPP) => file.write_all_at(&[0; 1 << 19], 0).unwrap(),
        allocated => allocated.unwrap(),
    }
    let before = fs::metadata(&path).unwrap().blocks();
    let mut a = private(&path);
    set(&mut a, 100, 1);
    a.commit().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().blocks(), before);
    assert_eq!(fs::read(&path).unwrap().iter().map(|b| u32::from(*b)).sum::<u32>(), 1);
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_kernel_that_refuses_to_allocate_does_not_keep_a_commit_from_the_file() {
    use rustix::io::Errno;

    for errno in [Errno::PERM, Errno::NOSYS, Errno::ACCESS, Errno::OPNOTSUPP] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        File::create(&path).unwrap().set_len(LEN as u64).unwrap();
        let mut a = private(&path);
        set(&mut a, 20_000, 1);
        kernel::refusing(kernel::call::FALLOCATE, &[], errno, || a.commit().unwrap());
        assert_eq!(fs::read(&path).unwrap()[20_000], 1);
        assert_eq!(a[20_000], 1);
    }
}

#[test]
fn a_restored_time_does_not_hide_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, numbers(LEN)).unwrap();
    let mut a = private(&path);
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let other = writer(&path);
    wait_for_tick(&path);
    other.write_all_at(&[255], 5).unwrap();
    other.set_modified(modified).unwrap();
    // FUSE keeps the modification time of the write.
    let restored = fs::metadata(&path).unwrap().modified().unwrap();
    assert!(restored == modified || file_system(&path) == "fuse");
    set(&mut a, 6, 254);
    assert!(a.file_changed().unwrap());
    assert!(matches!(
        a.commit().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Conflict)
    ));
    let mut expected = numbers(LEN);
    expected[5] = 255;
    assert_eq!(fs::read(&path).unwrap(), expected);
}

#[test]
fn two_handles_notice_each_other_however_soon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let start = Instant::now();
    for round in 0..50 {
        fs::write(&path, numbers(LEN)).unwrap();
        let (mut a, mut b) = (private(&path), private(&path));
        set(&mut a, 1, 200);
        set(&mut b, 2, 201);
        wait_for_tick(&path);
        a.commit().unwrap();
        let error = b.commit().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Conflict), "round {round}: {error:?}");
        let mut expected = numbers(LEN);
        expected[1] = 200;
        assert_eq!(fs::read(&path).unwrap(), expected);
        if start.elapsed() > Duration::from_secs(3) {
            break;
        }
    }
}

#[test]
fn a_locked_array_is_not_committed_while_another_handle_has_a_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, numbers(LEN)).unwrap();
    let locked = |mode| open::<u8, _>(&MapOptions::new(mode).lock(true), &path);
    let mut a = locked(CopyOnWrite).unwrap();
    set(&mut a, 1, 200);
    let reader = locked(ReadOnly).unwrap();
    for error in [a.commit().unwrap_err(), a.force_commit().unwrap_err()] {
        assert!(matches!(error.kind(), ErrorKind::Locked), "{error:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), numbers(LEN));
    assert_eq!(reader.as_slice().unwrap(), numbers(LEN));
    drop(reader);
    // The lock is still held, and shared.
    assert!(matches!(
        locked(ReadWrite).as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Locked)
    ));
    drop(locked(ReadOnly).unwrap());
    a.commit().unwrap();
    let mut expected = numbers(LEN);
    expected[1] = 200;
    assert_eq!(fs::read(&path).unwrap(), expected);
    assert!(matches!(
        locked(ReadWrite).as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Locked)
    ));
    drop(locked(ReadOnly).unwrap());
    drop(a);
    drop(locked(ReadWrite).unwrap());
}

#[test]
fn a_file_that_is_published_during_a_commit_keeps_its_contents() {
    // The commit takes some milliseconds; the draft is published at any moment of them.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let len = 4 << 20;
    for delay in 0..12 {
        fs::write(&path, vec![1; len]).unwrap();
        let mut a = private(&path);
        a.view_mut().unwrap().fill(2);
        let mut draft = MapOptions::new(Create).shape(len).draft::<u8>(&path).unwrap();
        draft.view_mut().fill(3);
        let committed = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_micros(1 << delay));
                draft.publish().unwrap();
            });
            a.commit()
        });
        assert!(fs::read(&path).unwrap().iter().all(|byte| *byte == 3), "{committed:?}");
        a.view_mut().unwrap()[5] = 4;
        let error = a.commit().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Conflict), "{error:?}");
        assert!(fs::read(&path).unwrap().iter().all(|byte| *byte == 3));
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_commit_to_a_file_that_lost_its_name_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let stop = folder.path().join("stop");
    let len = 64 << 20;
    fs::write(&path, vec![1; len]).unwrap();
    let mut a = private(&path);
    a.view_mut().unwrap().fill(2);
    let old = File::open(&path).unwrap();
    let committed = std::thread::scope(|scope| {
        scope.spawn(|| {
            // After its first byte, the commit still has much to write.
            let mut first = [1];
            while first == [1] {
                old.read_exact_at(&mut first, 0).unwrap();
            }
            fs::write(&stop, vec![3; len]).unwrap();
            fs::rename(&stop, &path).unwrap();
        });
        a.commit()
    });
    // The commit was complete before, or reports that the file was replaced.
    if let Err(error) = &committed {
        assert!(matches!(error.kind(), ErrorKind::Replaced), "{error:?}");
    }
    set(&mut a, 0, 9);
    assert!(matches!(
        a.commit().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Conflict)
    ));
    assert_eq!(fs::read(&path).unwrap(), vec![3; len]);
}

#[test]
fn a_truncated_file_gets_no_changes_and_stays_as_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, numbers(LEN)).unwrap();
    let mut a = private(&path);
    set(&mut a, LEN - 1, 1);
    writer(&path).set_len(100).unwrap();
    assert!(matches!(
        a.commit().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Conflict)
    ));
    let error = a.force_commit().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::FileTooShort { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), &numbers(LEN)[..100]);
}

/// Runs in a child process, which may lock all its memory.
#[test]
#[ignore = "needs root, to lock memory; run by .ci/steps/file-systems"]
fn pages_that_were_locked_in_memory_are_not_taken_for_changes() {
    with_mounts(pages_that_were_locked_in_memory_are_not_taken_for_changes, |folder| {
        use rustix::mm::{MlockAllFlags, mlockall, munlockall};

        for (flags, unlocks) in [
            (MlockAllFlags::FUTURE, false),
            (MlockAllFlags::FUTURE, true),
            (MlockAllFlags::CURRENT, false),
        ] {
            let path = folder.join("file");
            fs::write(&path, numbers(LEN)).unwrap();
            let before =
                (flags == MlockAllFlags::FUTURE).then(|| mlockall(flags).unwrap());
            let mut a = private(&path);
            set(&mut a, 6, 254);
            if before.is_none() {
                mlockall(flags).unwrap();
            }
            if unlocks {
                munlockall().unwrap();
            }
            writer(&path).write_all_at(&[255], 20_000).unwrap();
            let error = a.force_commit().unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Io { action: "commit", .. }),
                "{error:?}"
            );
            let mut expected = numbers(LEN);
            expected[20_000] = 255;
            assert_eq!(fs::read(&path).unwrap(), expected, "nothing was written");
            munlockall().unwrap();
        }
        // Other locked memory of the process does not prevent a commit.
        let path = folder.join("file");
        fs::write(&path, numbers(LEN)).unwrap();
        let mut a = private(&path);
        let mut page = vec![1_u8; 8192];
        let start = page.as_mut_ptr().cast();
        lock(start, page.len());
        set(&mut a, 6, 254);
        a.force_commit().unwrap();
        assert_eq!(fs::read(&path).unwrap()[6], 254);
    });
}

#[test]
#[ignore = "needs root; run by .ci/steps/file-systems"]
fn a_page_map_of_another_process_or_without_contents_is_not_believed() {
    with_mounts(
        a_page_map_of_another_process_or_without_contents_is_not_believed,
        |folder| {
            // The page map as an emulator of another processor would show it.
            let memory = mounted::memory(folder);
            let zeros = memory.path("zeros");
            File::create(&zeros).unwrap().set_len(1 << 40).unwrap();
            let pagemap = format!("/proc/{}/pagemap", std::process::id());
            let arguments = [std::ffi::OsStr::new("--bind"), zeros.as_os_str()];
            let at = std::ffi::OsStr::new(&pagemap);
            mounted::run("mount", &[arguments[0], arguments[1], at]);
            let path = folder.join("file");
            fs::write(&path, numbers(LEN)).unwrap();
            let mut a = private(&path);
            set(&mut a, 20_000, 254);
            let error = a.region(ndarray::s![..]).evict().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error:?}");
            assert_eq!(a[20_000], 254);
            let error = a.force_commit().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error:?}");
            assert_eq!(fs::read(&path).unwrap(), numbers(LEN));
            a.commit().unwrap();
            let mut expected = numbers(LEN);
            expected[20_000] = 254;
            assert_eq!(fs::read(&path).unwrap(), expected);
            assert_eq!(a.as_slice().unwrap(), expected);
        },
    );
}

fn lock(start: *mut std::ffi::c_void, len: usize) {
    // SAFETY: locking pages changes no byte of them.
    unsafe { rustix::mm::mlock(start, len) }.unwrap();
}

#[test]
fn times_in_the_past_and_positions_of_descriptors_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, numbers(LEN)).unwrap();
    let mut file = writer(&path);
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    file.seek(SeekFrom::Start(7)).unwrap();
    let mut a = private(&path);
    set(&mut a, 6, 254);
    a.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap()[6], 254);
    assert_eq!(file.stream_position().unwrap(), 7);
}
