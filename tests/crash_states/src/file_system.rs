//! The file systems under test: how each is created and mounted.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::system;

/// How to create and mount a file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileSystem {
    pub(crate) name: &'static str,
    kind: &'static str,
    mebibytes: u64,
    make: &'static [&'static str],
    options: &'static str,
    /// The number of bytes that a disk writes as a whole. btrfs relies on 4096.
    pub(crate) sector: usize,
    is_overlay: bool,
}

const EXT4: &[&str] = &[
    "mkfs.ext4",
    "-q",
    "-m",
    "0",
    "-N",
    "256",
    "-J",
    "size=4",
    "-E",
    "lazy_itable_init=0,lazy_journal_init=0",
];

#[rustfmt::skip]
pub(crate) const ALL: &[FileSystem] = &[
    FileSystem { name: "ext4", kind: "ext4", mebibytes: 40, make: EXT4,
        options: "data=ordered", sector: 512, is_overlay: false },
    FileSystem { name: "ext4-1k", kind: "ext4", mebibytes: 40,
        make: &["mkfs.ext4", "-q", "-m", "0", "-N", "256", "-b", "1024", "-J", "size=4", "-E",
            "lazy_itable_init=0,lazy_journal_init=0"],
        options: "data=ordered", sector: 512, is_overlay: false },
    FileSystem { name: "xfs", kind: "xfs", mebibytes: 300, make: &["mkfs.xfs", "-q", "-f"],
        options: "nouuid", sector: 512, is_overlay: false },
    FileSystem { name: "btrfs", kind: "btrfs", mebibytes: 128,
        make: &["mkfs.btrfs", "-q", "-d", "single", "-m", "single"],
        options: "", sector: 4096, is_overlay: false },
    // The format of mkfs.btrfs before 5.15.
    FileSystem { name: "btrfs-holes", kind: "btrfs", mebibytes: 128,
        make: &["mkfs.btrfs", "-q", "-O", "^no-holes", "-d", "single", "-m", "single"],
        options: "", sector: 4096, is_overlay: false },
    FileSystem { name: "overlay", kind: "ext4", mebibytes: 40, make: EXT4,
        options: "data=ordered", sector: 512, is_overlay: true },
];

/// Finds a file system by name.
pub(crate) fn find(name: &str) -> Option<FileSystem> {
    ALL.iter().copied().find(|system| system.name == name)
}

impl FileSystem {
    /// Creates the file system in a new file.
    pub(crate) fn make(self, image: &Path) -> io::Result<()> {
        File::create(image)?.set_len(self.mebibytes << 20)?;
        let [program, arguments @ ..] = self.make else { return Ok(()) };
        let output = Command::new(program).args(arguments).arg(image).output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// Mounts a device at new folders in `dir`.
    pub(crate) fn mount(self, device: &Path, dir: &Path) -> io::Result<Mounted> {
        let disk = dir.join("disk");
        fs::create_dir_all(&disk)?;
        if self.kind == "btrfs" {
            system::forget_btrfs_devices()?;
        }
        let options = CString::new(self.options)?;
        mount(device, &disk, self.kind, MountFlags::NOATIME, options.as_c_str())?;
        let mut mounted = Mounted { system: self, disk, merged: None };
        if self.is_overlay {
            mounted.mount_overlay(dir)?;
        }
        Ok(mounted)
    }
}

/// A mounted file system, unmounted on drop.
#[derive(Debug)]
pub(crate) struct Mounted {
    system: FileSystem,
    disk: PathBuf,
    merged: Option<PathBuf>,
}

impl Mounted {
    /// Mounts an overlay whose layers are all on the disk.
    fn mount_overlay(&mut self, dir: &Path) -> io::Result<()> {
        let [lower, upper, work] =
            ["lower", "upper", "work"].map(|name| self.disk.join(name));
        for layer in [&lower, &upper, &work] {
            fs::create_dir_all(layer)?;
        }
        let merged = dir.join("merged");
        fs::create_dir_all(&merged)?;
        let (lower, upper, work) = (lower.display(), upper.display(), work.display());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        let options = CString::new(options)?;
        mount("overlay", &merged, "overlay", MountFlags::NOATIME, options.as_c_str())?;
        self.merged = Some(merged);
        Ok(())
    }

    /// Prepares files while only the disk is mounted: in an overlay they are in the lower layer.
    pub(crate) fn prepare(
        &mut self,
        dir: &Path,
        prepare: impl FnOnce(&Path) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(merged) = self.merged.take() else {
            prepare(self.root())?;
            return self.sync();
        };
        unmount(&merged, UnmountFlags::empty())?;
        prepare(&self.disk.join("lower"))?;
        self.sync()?;
        self.mount_overlay(dir)?;
        self.sync()
    }

    /// Returns the folder that programs use.
    pub(crate) fn root(&self) -> &Path {
        self.merged.as_deref().unwrap_or(&self.disk)
    }

    /// Returns the path of the file that holds the pages of a file of the root.
    pub(crate) fn below(&self, name: &str) -> PathBuf {
        match self.merged {
            Some(_) => self.disk.join("upper").join(name),
            None => self.disk.join(name),
        }
    }

    /// Writes everything to disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(&self.disk)?)?)
    }

    /// Commits the metadata of the pages written back, and writes back no more than it must.
    pub(crate) fn commit(&self) -> io::Result<()> {
        let other = self.disk.join("other");
        fs::write(&other, b"other")?;
        File::open(&other)?.sync_all()?;
        match self.system.kind {
            "btrfs" => system::commit_btrfs(&self.disk),
            _ => Ok(()),
        }
    }

    /// Unmounts the file system and returns any error.
    pub(crate) fn close(self) -> io::Result<()> {
        self.unmount()
    }

    fn unmount(&self) -> io::Result<()> {
        if let Some(merged) = &self.merged {
            unmount(merged, UnmountFlags::empty())?;
        }
        Ok(unmount(&self.disk, UnmountFlags::empty())?)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Already unmounted, or a failure unwinds: then the end of the namespace unmounts it.
        let _ = self.unmount();
    }
}
