//! File systems that a test mounts in its own namespace, and a record to check.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytemuck::{CheckedBitPattern, NoUninit, Zeroable};
use ndarray::Dimension;
use ndarray_memmap::{Element, MapOptions, MmapArray, Result};

/// Set in a child process that has its own mount namespace.
const FOLDER: &str = "TEST_MOUNT_FOLDER";

/// Five bytes with invalid byte patterns, at any address.
#[derive(Clone, Copy, Debug, PartialEq, Zeroable, NoUninit, CheckedBitPattern)]
#[repr(C, packed)]
pub(crate) struct Mark {
    pub(crate) flag: u8,
    pub(crate) letter: char,
}

impl Mark {
    /// A mark whose first three bytes, followed by zeros, do not hold a valid `char`.
    pub(crate) const fn low() -> Self {
        Self { flag: 1, letter: '\u{1D800}' }
    }

    pub(crate) const fn high() -> Self {
        Self { flag: 2, letter: '\u{D7FF}' }
    }
}

/// Asserts that each element is valid and is one of the allowed ones.
#[track_caller]
pub(crate) fn assert_marks<'a>(found: impl Iterator<Item = &'a Mark>, allowed: &[Mark]) {
    for (index, mark) in found.enumerate() {
        let letter = mark.letter;
        let code = u32::from(letter);
        assert!(char::from_u32(code).is_some(), "element {index} is {code:#x}");
        assert!(allowed.contains(mark), "element {index} is {mark:?}");
    }
}

/// Runs `body`, which is the whole test, in a child process that may mount file systems.
pub(crate) fn with_mounts<T: Fn()>(test: T, body: impl FnOnce(&Path)) {
    if let Some(folder) = env::var_os(FOLDER) {
        return body(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let own = test_support::command(test);
    let mut child = Command::new("unshare");
    child.arg("--mount").arg(own.get_program()).args(own.get_args());
    let output = child.env(FOLDER, folder.path()).output().expect("unshare can be run");
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the child ended with {}\n{out}\n{err}",
        output.status
    );
    assert!(out.contains("1 passed"), "{out}");
}

/// A mounted file system, unmounted on drop.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    pub(crate) fn free(&self) -> u64 {
        let disk = rustix::fs::statvfs(&self.0).unwrap();
        disk.f_bfree * disk.f_frsize
    }

    /// Fills the disk until about `free` bytes are free.
    pub(crate) fn leave(&self, free: u64) {
        let file = File::create(self.path("ballast")).unwrap();
        let len = self.free().saturating_sub(free);
        let flags = rustix::fs::FallocateFlags::empty();
        let allocate = |len| rustix::fs::fallocate(&file, flags, 0, len);
        match allocate(len) {
            // ext2 does not support `fallocate`.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                (&file).write_all(&vec![1; usize::try_from(len).unwrap()]).unwrap();
            }
            // btrfs may report more free space than it can allocate.
            Err(_) => drop(allocate(len / 2)),
            Ok(()) => {}
        }
        rustix::fs::syncfs(&file).unwrap();
    }

    /// Writes to a new file until the disk has no block left.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.path("filler");
        let mut file = File::create(&path).unwrap();
        for size in [1 << 20, 1 << 16, 1 << 12, 1 << 10, 1, 1 << 10, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
            let _ = file.sync_all();
        }
        path
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

pub(crate) fn run(program: &str, arguments: &[&OsStr]) {
    let status = Command::new(program).args(arguments).status();
    assert!(status.unwrap().success(), "{program} {arguments:?}");
}

/// Overlayfs over an ext4 disk, with a file in the lower layer.
pub(crate) fn overlay(folder: &Path, name: &str, contents: &[u8]) -> Mounted {
    let base = disk(folder, "ext4", 64, &[]);
    let [lower, upper, work, merged] =
        ["lower", "upper", "work", "merged"].map(|name| base.path(name));
    for folder in [&lower, &upper, &work, &merged] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(lower.join(name), contents).unwrap();
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    let options = OsStr::new(&options);
    let merged_name = merged.as_os_str();
    run(
        "mount",
        &["-t", "overlay", "overlay", "-o"]
            .map(OsStr::new)
            .iter()
            .copied()
            .chain([options, merged_name])
            .collect::<Vec<_>>(),
    );
    // The end of the namespace unmounts the disk.
    std::mem::forget(base);
    Mounted(merged)
}

/// A small disk of a file system.
pub(crate) fn disk(folder: &Path, kind: &str, mib: u64, options: &[&str]) -> Mounted {
    let image = folder.join("image");
    File::create(&image).unwrap().set_len(mib << 20).unwrap();
    let mut make = Command::new(format!("mkfs.{kind}"));
    make.arg("-q").args(options).arg(&image);
    assert!(make.status().unwrap().success(), "{make:?}");
    let at = folder.join("disk");
    fs::create_dir(&at).unwrap();
    run(
        "mount",
        &[OsStr::new("-o"), OsStr::new("loop"), image.as_os_str(), at.as_os_str()],
    );
    Mounted(at)
}

/// A FUSE file system that shows a folder, with options of bindfs.
pub(crate) fn fuse(folder: &Path, options: &[&str]) -> Mounted {
    let [from, to] = ["from", "to"].map(|name| folder.join(name));
    fs::create_dir(&from).unwrap();
    fs::create_dir(&to).unwrap();
    let mut bindfs = Command::new("bindfs");
    bindfs.args(options).args([&from, &to]);
    assert!(bindfs.status().unwrap().success(), "{bindfs:?}");
    Mounted(to)
}

/// A file system in memory.
pub(crate) fn memory(folder: &Path) -> Mounted {
    let at = folder.join("memory");
    fs::create_dir(&at).unwrap();
    run(
        "mount",
        &["-t", "tmpfs", "-o", "size=64m", "tmpfs"]
            .map(OsStr::new)
            .iter()
            .copied()
            .chain([at.as_os_str()])
            .collect::<Vec<_>>(),
    );
    Mounted(at)
}

/// Opens a file of a test.
pub(crate) fn open<A: Element, D: Dimension>(
    options: &MapOptions<D>,
    path: impl AsRef<Path>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: the file lies in the test's own folder; no test changes its length, or its bytes
    // while a view of them lives.
    unsafe { options.open(path) }
}
