//! A disk that logs each request: a loop device on a file of a FUSE file system.
//!
//! Another process serves the file system. In the same process, a page fault that waits for the
//! disk could hold a lock that the server needs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::{Duration, Instant, UNIX_EPOCH};

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::log::{self, LogWriter};
use crate::system::LoopDevice;

const TTL: Duration = Duration::from_secs(3600);
const FILE: INodeNo = INodeNo(2);

/// The configuration of the disk, and whether it works.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wiring {
    /// Whether the page cache of FUSE holds the file.
    pub(crate) is_cached: bool,
    /// Whether the loop device uses direct I/O.
    pub(crate) is_direct: bool,
    /// Whether the log omits all flushes, to show that the checks detect the omission.
    pub(crate) loses_flushes: bool,
}

impl Wiring {
    fn words(self) -> [String; 2] {
        [self.is_cached, self.loses_flushes].map(|flag| flag.to_string())
    }
}

/// A disk in use.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) device: Option<LoopDevice>,
    dir: PathBuf,
    server: Child,
}

impl Disk {
    /// Starts a disk whose contents are the file `image` in `dir`, and its log beside it.
    pub(crate) fn start(dir: &Path, wiring: Wiring) -> io::Result<Self> {
        fs::create_dir_all(dir.join("fuse"))?;
        let server = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(dir)
            .args(wiring.words())
            .spawn()?;
        let mut disk = Self { device: None, dir: dir.to_owned(), server };
        let file = dir.join("fuse/disk");
        let start = Instant::now();
        while !file.exists() {
            if start.elapsed() > Duration::from_secs(10)
                || disk.server.try_wait()?.is_some()
            {
                return Err(io::Error::other("the FUSE file system was not mounted"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let image = File::options().read(true).write(true).open(&file)?;
        disk.device = Some(LoopDevice::attach(&image, wiring.is_direct)?);
        Ok(disk)
    }

    /// Returns how many requests have arrived.
    pub(crate) fn requests(&self) -> io::Result<usize> {
        log::length(&self.dir)
    }

    /// Detaches the disk, which must not be mounted.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        self.device = None;
        let start = Instant::now();
        // The kernel detaches the device a moment after it was closed.
        while let Err(e) = unmount(self.dir.join("fuse"), UnmountFlags::empty()) {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(e.into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.server.wait().map(drop)
    }
}

/// Serves a disk until it is unmounted; the main function of the server's process.
pub(crate) fn serve(dir: &Path, is_cached: bool, loses_flushes: bool) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let image = File::options().read(true).write(true).open(dir.join("image"))?;
    let log = Mutex::new(LogWriter::create(dir)?);
    let served = Served { image, log, is_cached, loses_flushes };
    fuser::mount(served, dir.join("fuse"), &Config::default())
}

/// A file system of one file.
#[derive(Debug)]
struct Served {
    image: File,
    log: Mutex<LogWriter>,
    is_cached: bool,
    loses_flushes: bool,
}

impl Served {
    fn attributes(&self, inode: INodeNo) -> io::Result<FileAttr> {
        let is_file = inode == FILE;
        Ok(FileAttr {
            ino: inode,
            size: if is_file { self.image.metadata()?.len() } else { 0 },
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_file { FileType::RegularFile } else { FileType::Directory },
            perm: 0o700,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    /// Adds to the log. The server handles one request at a time, so the log has the disk's order.
    fn log(&self, add: impl FnOnce(&mut LogWriter) -> io::Result<()>) -> io::Result<()> {
        let mut log =
            self.log.lock().map_err(|_| io::Error::from(io::ErrorKind::Other))?;
        add(&mut log)
    }

    fn zero(&self, offset: u64, len: u64) -> io::Result<()> {
        let zeros = [0; 1 << 16];
        let mut at = offset;
        while at < offset + len {
            let count = (offset + len - at).min(zeros.len() as u64);
            self.image.write_all_at(&zeros[..usize::try_from(count).unwrap_or(0)], at)?;
            at += count;
        }
        self.log(|log| log.zero(offset, len))
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.attributes(FILE) {
            Ok(attributes) if name == "disk" => {
                reply.entry(&TTL, &attributes, Generation(0))
            }
            _ => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        match self.attributes(inode) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(e) => reply.error(e.into()),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let direct = FopenFlags::FOPEN_DIRECT_IO;
        let flags = if self.is_cached { FopenFlags::empty() } else { direct };
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        match self.image.read_at(&mut bytes, offset) {
            Ok(count) => reply.data(&bytes[..count]),
            Err(e) => reply.error(e.into()),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.image.write_all_at(bytes, offset);
        match written.and_then(|()| self.log(|log| log.write(offset, bytes))) {
            Ok(()) => reply.written(u32::try_from(bytes.len()).unwrap_or(0)),
            Err(e) => reply.error(e.into()),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        len: u64,
        _: i32,
        reply: ReplyEmpty,
    ) {
        // A loop device makes this request to discard and to zero.
        match self.zero(offset, len) {
            Ok(()) => reply.ok(),
            Err(e) => reply.error(e.into()),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let logged = if self.loses_flushes { Ok(()) } else { self.log(LogWriter::flush) };
        match logged {
            Ok(()) => reply.ok(),
            Err(e) => reply.error(e.into()),
        }
    }

    fn flush(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: LockOwner,
        reply: ReplyEmpty,
    ) {
        // Closing a descriptor makes nothing durable.
        reply.ok();
    }
}
