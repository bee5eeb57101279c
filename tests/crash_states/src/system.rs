//! Linux system calls that the standard library and rustix do not provide.
#![expect(unsafe_code, reason = "system calls by their numbers")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4c82;
const LOOP_CONFIGURE: libc::c_ulong = 0x4c0a;
const FLAG_AUTOCLEAR: u32 = 4;
const FLAG_DIRECT_IO: u32 = 16;
const BTRFS_FORGET_DEVICES: libc::c_ulong = 0x5000_9405;
const BTRFS_START_SYNC: libc::c_ulong = 0x8008_9418;
const BTRFS_WAIT_SYNC: libc::c_ulong = 0x4008_9416;

/// `struct loop_config` of `linux/loop.h`.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    /// The fields before the flags of `struct loop_info64`.
    before_flags: [u32; 13],
    flags: u32,
    after_flags: [u32; 60],
}

/// A loop device, which the kernel detaches once it is closed and not mounted.
#[derive(Debug)]
pub(crate) struct LoopDevice {
    pub(crate) path: PathBuf,
    /// Keeps the device attached until it is mounted.
    _file: File,
}

impl LoopDevice {
    pub(crate) fn attach(image: &File, is_direct: bool) -> io::Result<Self> {
        let control = File::options().read(true).write(true).open("/dev/loop-control")?;
        let mut last = None;
        // Another process may take the free device first.
        for _ in 0..200 {
            // SAFETY: the call takes no argument and touches no memory of this process.
            let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
            let path = PathBuf::from(format!("/dev/loop{}", checked(number)?));
            let opened = File::options().read(true).write(true).open(&path);
            match opened
                .and_then(|file| configure(&file, image, is_direct).map(|()| file))
            {
                Ok(file) => return Ok(Self { path, _file: file }),
                Err(e) => last = Some(e),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }
}

fn configure(device: &File, image: &File, is_direct: bool) -> io::Result<()> {
    let config = LoopConfig {
        fd: image.as_raw_fd().cast_unsigned(),
        block_size: 512,
        before_flags: [0; 13],
        flags: FLAG_AUTOCLEAR | if is_direct { FLAG_DIRECT_IO } else { 0 },
        after_flags: [0; 60],
    };
    // SAFETY: the kernel reads one `loop_config`, which outlives the call.
    let failed = unsafe {
        libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, std::ptr::from_ref(&config))
    };
    checked(failed).map(drop)
}

/// Writes back some pages of a file and waits for the end, without a flush of the disk.
pub(crate) fn write_back(file: &File, range: Range<u64>) -> io::Result<()> {
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    let start = i64::try_from(range.start).map_err(io::Error::other)?;
    let len = i64::try_from(range.end - range.start).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open, and the call touches no memory of this process.
    let failed = unsafe { libc::sync_file_range(file.as_raw_fd(), start, len, flags) };
    checked(failed).map(drop)
}

/// Makes btrfs forget devices that are not mounted: all states of one disk share one identity.
pub(crate) fn forget_btrfs_devices() -> io::Result<()> {
    let control = File::options().read(true).write(true).open("/dev/btrfs-control")?;
    let arguments = [0_u8; 4096];
    // SAFETY: the kernel reads 4096 bytes, which outlive the call.
    let failed = unsafe {
        libc::ioctl(control.as_raw_fd(), BTRFS_FORGET_DEVICES, arguments.as_ptr())
    };
    checked(failed).map(drop)
}

/// Commits a btrfs transaction without writing file data first.
pub(crate) fn commit_btrfs(dir: &Path) -> io::Result<()> {
    let dir = File::open(dir)?;
    let mut transaction = 0_u64;
    // SAFETY: the kernel writes one `u64`, which outlives the call.
    let failed = unsafe {
        libc::ioctl(
            dir.as_raw_fd(),
            BTRFS_START_SYNC,
            std::ptr::from_mut(&mut transaction),
        )
    };
    checked(failed)?;
    // SAFETY: the kernel reads one `u64`, which outlives the call.
    let failed = unsafe {
        libc::ioctl(dir.as_raw_fd(), BTRFS_WAIT_SYNC, std::ptr::from_ref(&transaction))
    };
    checked(failed).map(drop)
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
