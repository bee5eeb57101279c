//! Calls that every Unix system has.
#![expect(unsafe_code, reason = "the kernel takes addresses of pages")]

use std::fs::{self, File, FileType, Metadata, OpenOptions, TryLockError};
use std::{io, ops::Range, path::Path};

use memmap2::MmapRaw;
use rustix::io::Errno;

use crate::mode::Advice;
use crate::sys::{pieces, round_down};

/// A file may be longer than its array while the array is mapped.
pub(crate) const EXTENDS_MAPPED_FILES: bool = true;
/// The length of a file can change while the file is mapped.
pub(crate) const TRUNCATES_MAPPED_FILES: bool = true;
/// An open file can be removed and replaced.
pub(crate) const REPLACES_OPEN_FILES: bool = true;
/// A second lock on a descriptor replaces the first.
pub(crate) const CONVERTS_LOCKS: bool = true;

/// The most bytes of one read request. The kernel reads only the beginning of a larger one.
const REQUEST: usize = 128 << 10;

/// Returns the size of a page in bytes.
pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

/// Passes advice about pages to the kernel, which may ignore it.
pub(crate) fn advise(addresses: &Range<usize>, advice: Advice) -> io::Result<()> {
    use rustix::mm::Advice as Kernel;

    let advice = match advice {
        Advice::Normal => Kernel::Normal,
        Advice::Sequential => Kernel::Sequential,
        Advice::Random => Kernel::Random,
        Advice::WillNeed => Kernel::WillNeed,
        #[cfg(target_os = "linux")]
        Advice::HugePage => Kernel::LinuxHugepage,
        #[cfg(not(target_os = "linux"))]
        Advice::HugePage => return Ok(()),
    };
    madvise(addresses, advice)
}

/// Starts to read pages that are not cached, and no other pages.
pub(crate) fn request(addresses: &Range<usize>) -> io::Result<()> {
    pieces(addresses, REQUEST).try_for_each(|part| advise(&part, Advice::WillNeed))
}

/// Passes advice that changes no byte.
pub(super) fn madvise(
    addresses: &Range<usize>,
    advice: rustix::mm::Advice,
) -> io::Result<()> {
    if addresses.is_empty() {
        return Ok(());
    }
    let start = round_down(addresses.start, page_size());
    let len = addresses.end.saturating_sub(start);
    // SAFETY: no caller passes advice that drops or changes pages, so memory stays as it is,
    // whatever is mapped there.
    Ok(unsafe { rustix::mm::madvise(pointer(start), len, advice) }?)
}

/// Returns an address in the type that the kernel takes.
pub(super) fn pointer(address: usize) -> *mut std::ffi::c_void {
    std::ptr::without_provenance_mut(address)
}

/// Locks pages in memory.
pub(crate) fn lock_pages(addresses: &Range<usize>) -> io::Result<()> {
    let start = pointer(addresses.start);
    // SAFETY: locking changes no byte, whatever is mapped there.
    Ok(unsafe { rustix::mm::mlock(start, addresses.len()) }?)
}

/// Unlocks pages.
pub(crate) fn unlock_pages(addresses: &Range<usize>) -> io::Result<()> {
    let start = pointer(addresses.start);
    // SAFETY: unlocking changes no byte, whatever is mapped there.
    Ok(unsafe { rustix::mm::munlock(start, addresses.len()) }?)
}

/// Unmaps the pages of a range until the next access, which maps the page of the file.
///
/// # Safety
///
/// The range lies within the mapping. Every page of the range holds the bytes of the file, or no
/// reference into the range exists and the caller checks the bytes before the next one.
pub(crate) unsafe fn drop_pages(map: &MmapRaw, range: &Range<usize>) -> io::Result<()> {
    let advice = memmap2::UncheckedAdvice::DontNeed;
    // SAFETY: the conditions of this function.
    unsafe { map.unchecked_advise_range(advice, range.start, range.len()) }
}

/// Returns whether a file system refuses shared mappings. Most of these are network file systems.
pub(crate) fn refuses_shared_mapping(error: &io::Error) -> bool {
    let refusals = [Errno::NODEV, Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|error| refusals.contains(&error))
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// Writes all bytes at an offset of the file.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

/// Makes opening a FIFO or a terminal return at once, so that the caller can refuse it.
pub(crate) fn set_open_flags(options: &mut OpenOptions, waits: bool) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;

    let nonblock = if waits { OFlags::empty() } else { OFlags::NONBLOCK };
    options.custom_flags(nonblock.union(OFlags::NOCTTY).bits().cast_signed());
}

/// Returns device and inode.
pub(crate) fn file_id(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    Some((metadata.dev(), metadata.ino()))
}

/// Returns the time at which the kernel last changed the file or its attributes (`ctime`).
pub(crate) fn change_time(metadata: &Metadata) -> Option<(i64, i64)> {
    use std::os::unix::fs::MetadataExt;

    Some((metadata.ctime(), metadata.ctime_nsec()))
}

/// Names the type of a file that is not a regular one.
pub(crate) fn file_type_name(file_type: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;

    match file_type {
        t if t.is_dir() => "a directory",
        t if t.is_fifo() => "a FIFO",
        t if t.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Gives a file the read, write and execute permissions of another file.
pub(crate) fn copy_permissions(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    // Another group must not get the permissions of the old file's group.
    let has_group = file.metadata()?.gid() == old.gid()
        || fchown(file, None, Some(old.gid())).is_ok();
    let mask = if has_group { 0o777 } else { 0o707 };
    file.set_permissions(fs::Permissions::from_mode(old.mode() & mask))
}

/// Sets the permissions of a draft that has a name: those of any new file, or the owner's alone.
pub(crate) fn set_draft_permissions(
    builder: &mut tempfile::Builder<'_, '_>,
    is_private: bool,
) {
    use std::os::unix::fs::PermissionsExt;

    // The kernel removes the bits of the user's mask.
    let mode = if is_private { 0o600 } else { 0o666 };
    builder.permissions(fs::Permissions::from_mode(mode));
}

/// A folder whose entries are written to disk.
#[derive(Debug)]
pub(crate) struct Folder(File);

impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    pub(crate) fn sync(self) -> io::Result<()> {
        match self.0.sync_all().map_err(|e| Errno::from_io_error(&e).ok_or(e)) {
            // Some network file systems have nothing to do, and say so.
            Err(Ok(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)) | Ok(()) => Ok(()),
            Err(Ok(e)) => Err(e.into()),
            Err(Err(e)) => Err(e),
        }
    }
}

/// Makes the shared lock of a descriptor exclusive, or fails at once.
pub(crate) fn upgrade_lock(shared: &File) -> Result<(), TryLockError> {
    shared.try_lock()
}
