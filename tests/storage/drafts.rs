//! New files that become visible only when they are published, complete.

use std::fs;
use std::path::Path;

use ndarray::{Array2, Axis, Ix2, ShapeBuilder};
use ndarray_memmap::Mode::{Create, CreateNew, ReadOnly};
use ndarray_memmap::{Draft, ErrorKind, MapOptions, MmapArray1, MmapArray2, Mode, npy};
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
use test_support::kernel;
use test_support::{Place, in_own_process, npy_common, open, text_at};

const OLD: &[u8] = b"the old contents";
const NEW: [u8; 6000] = [7; 6000];

fn draft(mode: Mode, path: impl AsRef<Path>) -> Draft<u8, ndarray::Ix1> {
    let mut draft = MapOptions::new(mode).shape(NEW.len()).draft::<u8>(path).unwrap();
    draft.view_mut().fill(7);
    draft
}

fn names(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.folder()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // FUSE keeps an open unlinked file under a hidden name.
    names.filter(|name| !name.starts_with(".fuse_hidden")).collect()
}

/// Returns whether a file is a draft on a file system without unnamed files.
fn is_named_draft(place: &Place, name: &str) -> bool {
    #[cfg(target_os = "linux")]
    if test_support::file_system(place.folder()) == "fuse" {
        return name.starts_with(".draft-");
    }
    let _ = (place, name);
    false
}

#[test]
fn a_published_draft_replaces_the_file_whole() {
    for mode in [Create, CreateNew] {
        let place = Place::missing();
        let draft = draft(mode, &place);
        assert_eq!((draft.len(), draft.sum_of_all()), (6000, 42_000));
        assert!(format!("{draft:?}").starts_with("Draft { array: MmapArray {"));
        if cfg!(target_os = "linux") {
            assert!(
                !names(&place).iter().any(|name| !is_named_draft(&place, name)),
                "{mode}"
            );
        }
        assert_eq!(place.bytes(), None);
        draft.publish().unwrap();
        place.assert_holds(&NEW);
        assert_eq!(names(&place), ["array.bin"], "{mode}");
    }

    let place = Place::of(OLD);
    let old: MmapArray1<u8> = open(&MapOptions::new(ReadOnly), &place).unwrap();
    let new = draft(Create, &place);
    place.assert_holds(OLD);
    new.publish().unwrap();
    place.assert_holds(&NEW);
    assert_eq!(old.as_slice(), Some(OLD), "a mapping of the old file keeps it");
    drop(old);
    assert_eq!(names(&place), ["array.bin"]);
}

/// Sums as `u64`, because ndarray's `sum` of this many `u8` would overflow.
trait SumOfAll {
    fn sum_of_all(&self) -> u64;
}

impl SumOfAll for Draft<u8, ndarray::Ix1> {
    fn sum_of_all(&self) -> u64 {
        self.iter().map(|byte| u64::from(*byte)).sum()
    }
}

#[test]
fn a_draft_that_is_dropped_leaves_the_old_file_and_nothing_else() {
    let place = Place::of(OLD);
    drop(draft(Create, &place));
    place.assert_holds(OLD);
    assert_eq!(names(&place), ["array.bin"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_draft_whose_process_is_killed_leaves_the_old_file_and_nothing_else() {
    use std::process::Stdio;

    const PLACE: &str = "NDARRAY_MEMMAP_TEST_DRAFT";
    if let Some(path) = std::env::var_os(PLACE) {
        let _draft = draft(Create, path);
        println!("drafted");
        loop {
            std::thread::park();
        }
    }
    let place = Place::of(OLD);
    let test = a_draft_whose_process_is_killed_leaves_the_old_file_and_nothing_else;
    let mut child = test_support::command(test)
        .env(PLACE, place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(output);
    assert!(lines.any(|line| line.unwrap().contains("drafted")));
    child.kill().unwrap();
    child.wait().unwrap();
    place.assert_holds(OLD);
    let mut left = names(&place);
    left.retain(|name| !is_named_draft(&place, name));
    assert_eq!(left, ["array.bin"]);
}

#[test]
fn mode_x_refuses_a_file_that_is_there_by_then() {
    let place = Place::missing();
    let late = draft(CreateNew, &place);
    fs::write(&place, OLD).unwrap();
    let error = late.publish().unwrap_err();
    let ErrorKind::Io { action: "publish", source, .. } = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::AlreadyExists);
    place.assert_holds(OLD);
    assert_eq!(names(&place), ["array.bin"]);
}

#[test]
fn a_draft_is_refused_before_there_is_a_file() {
    let place = Place::of(OLD);
    let options = |mode| MapOptions::new(mode).shape(9);
    let mode = options(ReadOnly).draft::<u8>(&place).unwrap_err();
    let text = "cannot draft a file in mode `r` (use mode `w+` or mode `x+`)";
    assert_eq!(text_at(&mode, &place), text);
    let large = MapOptions::new(Create).shape((usize::MAX, 2)).draft::<u8>(&place);
    assert!(matches!(large.as_ref().map_err(|e| e.kind()), Err(ErrorKind::TooLarge)));
    for path in ["no folder/file", "new/"] {
        let path = place.folder().join(path);
        let error = options(Create).draft::<u8>(path).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Io { action: "create a draft of", .. }),
            "{error:?}"
        );
    }
    let folder = options(Create).draft::<u8>(place.folder()).unwrap_err();
    assert!(
        matches!(folder.kind(), ErrorKind::NotAFile { found: "a directory", .. }),
        "{folder:?}"
    );
    place.assert_holds(OLD);
    assert_eq!(names(&place), ["array.bin"]);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::of(OLD);
    fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
    let link = place.folder().join("link");
    std::os::unix::fs::symlink("array.bin", &link).unwrap();
    draft(Create, &link).publish().unwrap();
    place.assert_holds(&NEW);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o640);

    // The set-user-ID bit is not copied.
    fs::set_permissions(&place, fs::Permissions::from_mode(0o4755)).unwrap();
    draft(Create, &place).publish().unwrap();
    assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o7777, 0o755);

    let nowhere = place.folder().join("nowhere");
    std::os::unix::fs::symlink("not there", &nowhere).unwrap();
    let error = MapOptions::new(Create).shape(9).draft::<u8>(&nowhere).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Io { action: "create a draft of", .. }),
        "{error:?}"
    );
    fs::remove_file(nowhere).unwrap();

    // New files get the default permissions.
    let (new, plain) = (place.folder().join("new"), place.folder().join("plain"));
    draft(Create, &new).publish().unwrap();
    fs::write(&plain, b"").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(new), mode(plain));
}

#[test]
fn a_path_without_a_folder_is_in_the_folder_that_was_worked_in() {
    in_own_process(a_path_without_a_folder_is_in_the_folder_that_was_worked_in, || {
        let place = Place::missing();
        std::env::set_current_dir(place.folder()).unwrap();
        let draft = draft(Create, "array.bin");
        std::env::set_current_dir("/").unwrap();
        draft.publish().unwrap();
        place.assert_holds(&NEW);
    });
}

#[test]
fn a_path_that_is_opened_has_a_whole_file() {
    let place = Place::missing();
    draft(Create, &place).publish().unwrap();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut versions = std::collections::BTreeSet::new();
            loop {
                let is_last = is_done.load(std::sync::atomic::Ordering::Relaxed);
                let bytes = fs::read(&place).unwrap();
                assert!(bytes.iter().all(|byte| *byte == bytes[0]), "of one version");
                assert_eq!(bytes.len(), 6000);
                versions.insert(bytes[0]);
                if is_last {
                    break;
                }
            }
            assert!(versions.contains(&99), "the last version is seen in the end");
            versions.len()
        });
        let published = (10..100).try_for_each(|version| {
            let mut draft = draft(Create, &place);
            draft.view_mut().fill(version);
            draft.publish()
        });
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        published.unwrap();
        println!("{} versions were seen", reader.join().unwrap());
    });
    assert_eq!(names(&place), ["array.bin"]);
}

#[test]
fn npy_files_are_drafted_as_they_are_created() {
    let (drafted, created) = (Place::missing(), Place::missing());
    let numbers =
        Array2::from_shape_vec((3, 4), (0..12).map(f64::from).collect()).unwrap();
    for fortran in [false, true] {
        let shape = || (3, 4).set_f(fortran);
        let mut draft = npy::draft::<f64, _>(&drafted, shape()).unwrap();
        for (mut block, rows) in
            draft.sweep_mut(Axis(0), 1).unwrap().zip(numbers.axis_chunks_iter(Axis(0), 1))
        {
            block.assign(&rows);
        }
        draft.publish().unwrap();
        let mut array: MmapArray2<f64> =
            npy_common::create(&npy::Options::new(Create), &created, shape()).unwrap();
        array.view_mut().unwrap().assign(&numbers);
        array.close().unwrap();
        assert_eq!(drafted.bytes(), created.bytes());
        assert_eq!(npy::load::<f64, Ix2>(&drafted).unwrap(), numbers);
    }
    let mode = npy::Options::new(ReadOnly).draft::<f64, _>(&drafted, 3).unwrap_err();
    assert!(matches!(mode.kind(), ErrorKind::UnsupportedMode { .. }));
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn where_files_have_names_a_draft_has_one_until_it_is_dropped() {
    use rustix::io::Errno;

    for mode in [Create, CreateNew] {
        let place = Place::missing();
        kernel::refusing(kernel::call::OPENAT, kernel::UNNAMED, Errno::OPNOTSUPP, || {
            let first = draft(mode, &place);
            assert!(names(&place)[0].starts_with(".draft-"), "{:?}", names(&place));
            drop(first);
            assert_eq!(names(&place), [""; 0]);
            draft(mode, &place).publish().unwrap();
        });
        place.assert_holds(&NEW);
        assert_eq!(names(&place), ["array.bin"]);
        let again = kernel::refusing(
            kernel::call::OPENAT,
            kernel::UNNAMED,
            Errno::OPNOTSUPP,
            || draft(mode, &place).publish(),
        );
        assert_eq!(again.is_ok(), mode == Create);
        assert_eq!(names(&place), ["array.bin"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_is_not_replaced() {
    use rustix::fs::{CWD, Mode as Permissions, mkfifoat};

    let place = Place::missing();
    let early = draft(Create, &place);
    mkfifoat(CWD, place.path(), Permissions::RWXU).unwrap();
    let error = MapOptions::new(Create).shape(9).draft::<u8>(&place).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotAFile { found: "a FIFO", .. }),
        "{error:?}"
    );
    let error = early.publish().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { action: "publish", .. }), "{error:?}");
    assert_eq!(names(&place), ["array.bin"]);
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn a_draft_that_cannot_be_published_leaves_the_old_file() {
    use rustix::io::Errno;

    let place = Place::of(OLD);
    // A named draft is published by a rename.
    let publish = match test_support::file_system(place.folder()) {
        "fuse" => kernel::call::RENAMEAT,
        _ => kernel::call::LINKAT,
    };
    for (call, errno) in [(kernel::call::MSYNC, Errno::IO), (publish, Errno::NOSPC)] {
        let draft = draft(Create, &place);
        let error = kernel::refusing(call, &[], errno, || draft.publish().unwrap_err());
        match errno {
            Errno::NOSPC => {
                assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error:?}")
            }
            _ => kernel::assert_io(&error, "sync", errno),
        }
        place.assert_holds(OLD);
        assert_eq!(names(&place), ["array.bin"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_thread_with_descriptors_of_its_own_publishes_its_own_file() {
    let place = Place::of(OLD);
    let other = place.folder().join("other");
    fs::write(&other, b"other").unwrap();
    let (path, barrier) = (place.path().to_owned(), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the table is copied; no descriptor is closed.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
            barrier.wait();
            barrier.wait();
            draft(Create, &path).publish().unwrap();
        });
        barrier.wait();
        // In the table of the process, the thread's descriptor numbers refer to these files.
        let files: Vec<_> = (0..40).map(|_| fs::File::open(&other).unwrap()).collect();
        barrier.wait();
        thread.join().unwrap();
        drop(files);
    });
    place.assert_holds(&NEW);
    assert_eq!(fs::read(&other).unwrap(), b"other");
}
