//! Files without permission, and paths that are not regular files.

use std::fs::{self, Permissions};
use std::io::Error as IoError;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{Error, ErrorKind, MapOptions, Mode};
use rustix::io::Errno;

use crate::disk::disk;
use crate::{assert_errno, child, open};
use test_support::kernel::numbers;
use test_support::{Place, drop_privileges, text_at};

const MODES: [Mode; 5] = [ReadOnly, CopyOnWrite, ReadWrite, Create, CreateNew];

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Returns the errors of every way to open an array.
fn refused(mode: Mode, path: &Path) -> Vec<Error> {
    let options = MapOptions::new(mode).shape(1000);
    let mut errors = vec![open::<u8, _>(&options, path).map(drop).unwrap_err()];
    match mode {
        ReadOnly | CopyOnWrite => {
            errors.push(options.load::<u8>(path).map(drop).unwrap_err());
        }
        Create | CreateNew => {
            errors.push(options.draft::<u8>(path).map(drop).unwrap_err());
        }
        ReadWrite | Mode::Append => {}
    }
    errors
}

#[test]
fn a_file_of_another_user_is_an_error_that_says_so() {
    if let Some((part, file)) = child::part() {
        std::env::set_current_dir(file.parent().unwrap()).unwrap();
        let file = Path::new(file.file_name().unwrap());
        drop_privileges();
        let doing = ["open", "create", "create a draft of"];
        for mode in MODES {
            let is_read = matches!(mode, ReadOnly | CopyOnWrite);
            if mode == CreateNew || part == "readable" && is_read {
                continue;
            }
            for error in refused(mode, file) {
                assert_errno(&error, &doing, Errno::ACCESS);
                assert_eq!(
                    IoError::from(error).kind(),
                    std::io::ErrorKind::PermissionDenied
                );
            }
        }
        for mode in [Create, CreateNew] {
            for error in refused(mode, &file.with_file_name("new")) {
                assert_errno(&error, &doing, Errno::ACCESS);
            }
        }
        if part == "readable" {
            let mut a = open::<u8, _>(&MapOptions::new(CopyOnWrite), file).unwrap();
            a.view_mut().unwrap().fill(1);
            assert_errno(&a.commit().unwrap_err(), &["commit", "open"], Errno::ACCESS);
            assert!(a.iter().all(|&x| x == 1), "the changes are still there");
        }
        return child::done();
    }
    for (part, mode) in [("secret", 0o000), ("readable", 0o444)] {
        let place = Place::of(&numbers());
        allow(place.path(), mode);
        allow(place.folder(), 0o555);
        let test = a_file_of_another_user_is_an_error_that_says_so;
        child::passes(test, part, place.path());
        allow(place.folder(), 0o755);
        allow(place.path(), 0o644);
        place.assert_holds(&numbers());
        assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 1);
    }
}

#[test]
#[ignore = "needs a disk that is mounted for reading only and has a file `old` of 5000 ones; run by .ci/steps/faults"]
fn on_a_disk_for_reading_only_whatever_writes_is_an_error() {
    let disk = disk();
    let old = disk.join("old");
    let doing = ["open", "create", "create a draft of"];
    for mode in [ReadWrite, Create] {
        for error in refused(mode, &old) {
            assert_errno(&error, &doing, Errno::ROFS);
            let kind = IoError::from(error).kind();
            assert_eq!(kind, std::io::ErrorKind::ReadOnlyFilesystem, "{mode}");
        }
    }
    for mode in [Create, CreateNew] {
        for error in refused(mode, &disk.join("new")) {
            assert_errno(&error, &doing, Errno::ROFS);
        }
    }
    let scratch = MapOptions::scratch_in::<u8, _>(&disk, 10).map(drop).unwrap_err();
    assert!(matches!(scratch.kind(), ErrorKind::Io { .. }), "{scratch:?}");
    for mode in [ReadOnly, CopyOnWrite] {
        let a = open::<u8, _>(&MapOptions::new(mode), &old).unwrap();
        let b = MapOptions::new(mode).load::<u8>(&old).unwrap();
        assert!(a.iter().all(|&x| x == 1) && a == b, "{mode}");
    }
    let mut a = open::<u8, _>(&MapOptions::new(CopyOnWrite), &old).unwrap();
    a.view_mut().unwrap().fill(2);
    assert_errno(&a.commit().unwrap_err(), &["commit", "open"], Errno::ROFS);
    assert!(a.iter().all(|&x| x == 2), "the changes are still there");
    assert_eq!(fs::read(&old).unwrap(), [1; 5000]);
}

#[test]
fn a_source_of_zeros_without_end_is_no_file() {
    let zero = Path::new("/dev/zero");
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
        for error in refused(mode, zero) {
            let text = "expected a regular file, found a device (copy the data to a regular file)";
            assert_eq!(text_at(&error, zero), text);
            assert!(matches!(error.kind(), ErrorKind::NotAFile { .. }), "{mode}");
        }
    }
}

#[test]
fn files_of_the_kernels_own_are_empty_or_refused() {
    let mounts = Path::new("/proc/self/mounts");
    assert!(!fs::read(mounts).unwrap().is_empty());
    for mode in [ReadOnly, CopyOnWrite] {
        let options = MapOptions::new(mode);
        // Files of procfs report length 0, although they have contents.
        assert!(open::<u8, _>(&options, mounts).unwrap().is_empty(), "{mode}");
        assert!(options.load::<u8>(mounts).unwrap().is_empty(), "{mode}");
        for error in refused(mode, mounts) {
            let is_short = matches!(
                error.kind(),
                ErrorKind::FileTooShort { expected: 1000, found: 0 }
            );
            assert!(is_short, "{mode}: {error:?}");
        }
    }
    // A file of sysfs reports a length of one page, has fewer bytes, and cannot be mapped.
    let settings = ["mm/transparent_hugepage/enabled", "uevent_seqnum", "profiling"];
    let mut settings =
        settings.map(|name| Path::new("/sys/kernel").join(name)).into_iter();
    let setting = &settings.find(|path| path.exists()).expect("sysfs is mounted");
    let text = fs::read(setting).unwrap();
    for mode in [ReadOnly, CopyOnWrite] {
        let options = MapOptions::new(mode).shape(1000);
        let error = open::<u8, _>(&options, setting).map(drop).unwrap_err();
        assert_errno(&error, &["map"], Errno::NODEV);
        match options.load::<u8>(setting).map(drop).unwrap_err().kind() {
            ErrorKind::FileTooShort { expected: 1000, found } => {
                assert_eq!(*found, text.len() as u64);
            }
            error => panic!("{error:?}"),
        }
    }
}
