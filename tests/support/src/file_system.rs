//! Properties of the file system that a test runs on.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ndarray_memmap::{Error, ErrorKind, MapOptions, Mode};
use rustix::fs::{FallocateFlags, fallocate, statfs};

/// Returns the name of the file system of a file or folder, if a test depends on that name.
pub fn file_system(path: impl AsRef<Path>) -> &'static str {
    let found = statfs(path.as_ref()).expect("the file system of a test");
    // The type is wide on some targets and signed on others, but never has more than 32 bits.
    match i128::from(found.f_type) & 0xffff_ffff {
        0x9123_683e => "btrfs",
        0x5846_5342 => "xfs",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlay",
        0x6573_5546 => "fuse",
        _ => "another",
    }
}

/// Returns whether `fallocate` allocates blocks in a folder, unlike on ext2 and FAT.
pub fn allocates(folder: impl AsRef<Path>) -> bool {
    let probe = tempfile::NamedTempFile::new_in(folder).expect("a file for the test");
    fallocate(&probe, FallocateFlags::empty(), 0, 4096).is_ok()
}

/// Returns whether mode `r+` and the modes that create can map files of a folder.
///
/// FUSE with direct I/O refuses writable shared mappings.
pub fn maps_for_writing(folder: impl AsRef<Path>) -> bool {
    let scratch = MapOptions::scratch_in::<u8, _>(folder, 1);
    if let Err(error) = &scratch {
        assert_unmappable(error);
    }
    scratch.is_ok()
}

/// Keeps only the modes that can map files of a folder.
pub fn keep_mappable(modes: &mut Vec<Mode>, folder: impl AsRef<Path>) {
    if !maps_for_writing(folder) {
        modes.retain(|mode| matches!(mode, Mode::ReadOnly | Mode::CopyOnWrite));
    }
}

/// Asserts that an error is the error of a file system without shared mappings.
#[track_caller]
pub fn assert_unmappable(error: &Error) {
    let ErrorKind::Io { action: "map", source, .. } = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(source.raw_os_error(), Some(rustix::io::Errno::NODEV.raw_os_error()));
}

/// Waits until the clock of a file system has advanced since the last change of a file.
///
/// With times in seconds (ext2) or kernel ticks (before Linux 6.13), a second change within the
/// same unit cannot be noticed. Returns at once if each change gets its own time.
pub fn wait_for_tick(path: impl AsRef<Path>) {
    let folder = path.as_ref().parent().expect("a folder");
    let probe = tempfile::NamedTempFile::new_in(folder).expect("a file for the test");
    let times = |path: &Path| {
        let found = fs::metadata(path).expect("the file of the test");
        (found.ctime(), found.ctime_nsec())
    };
    let last = times(path.as_ref());
    let change = || {
        let file = File::options().write(true).open(&probe).expect("the probe");
        file.set_len(1).and_then(|()| file.set_len(0)).expect("the probe changes");
        times(probe.path())
    };
    while change() <= last {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
