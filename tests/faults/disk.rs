//! The disk that `.ci/steps/faults` mounts for a row, and that a test may fill or shut down.

use std::env;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate, syncfs};
use rustix::io::Errno;

/// Returns the folder at which the disk for this test is mounted.
pub(crate) fn disk() -> PathBuf {
    folder("FAULTS_DISK")
}

/// Returns the disk that holds the image of the other one.
pub(crate) fn below() -> PathBuf {
    folder("FAULTS_BELOW")
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env::var_os(name).unwrap_or_else(|| panic!("{name} names a folder")))
}

/// Fills the disk.
pub(crate) fn fill(folder: &Path) {
    let file = File::create(folder.join("filling")).unwrap();
    let (mut end, mut len) = (0, 1 << 20);
    while len >= 512 {
        match fallocate(&file, FallocateFlags::empty(), end, len) {
            Ok(()) => end += len,
            Err(Errno::NOSPC) => {
                syncfs(&file).unwrap();
                len /= 2;
            }
            Err(e) => panic!("{e}"),
        }
    }
    // File systems give writes the space that they refuse to reservations.
    for block in [65_536, 4096, 512] {
        loop {
            match file.write_all_at(&vec![1; block], end) {
                Ok(()) => end += block as u64,
                Err(e) if e.kind() == ErrorKind::StorageFull => break,
                Err(e) => panic!("{e}"),
            }
        }
    }
    // On such a full disk the last blocks may find no space after all.
    let _ = file.sync_all();
}

/// Writes a file and takes it out of the page cache.
pub(crate) fn cold(path: &Path, bytes: &[u8]) -> File {
    let mut file = File::create_new(path).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
    fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    File::options().read(true).write(true).open(path).unwrap()
}

/// Makes the disk fail: shuts down an XFS file system, which reads nothing afterwards.
pub(crate) fn shut_down(folder: &Path) {
    let mut command = Command::new("xfs_io");
    let status = command.args(["-x", "-c", "shutdown"]).arg(folder).status().unwrap();
    assert!(status.success());
}
