//! The calls of `unix` for other families of systems, which is Windows.

use std::fs::{File, FileType, Metadata, OpenOptions, TryLockError};
use std::{io, ops::Range, path::Path};

use memmap2::MmapRaw;

use crate::mode::Advice;

/// Windows does not truncate a mapped file.
pub(crate) const EXTENDS_MAPPED_FILES: bool = false;
/// Windows does not change the length of a mapped file.
pub(crate) const TRUNCATES_MAPPED_FILES: bool = false;
/// Windows does not remove or replace an open file.
pub(crate) const REPLACES_OPEN_FILES: bool = false;
/// Windows adds a second lock on a descriptor to the first.
pub(crate) const CONVERTS_LOCKS: bool = false;

/// Returns the size of a page in bytes on every processor that Windows supports.
pub(crate) fn page_size() -> usize {
    4096
}

/// Does nothing.
pub(crate) fn advise(_: &Range<usize>, _: Advice) -> io::Result<()> {
    Ok(())
}

/// Does nothing.
pub(crate) fn request(_: &Range<usize>) -> io::Result<()> {
    Ok(())
}

/// Returns `Unsupported`.
pub(crate) fn lock_pages(_: &Range<usize>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns `Unsupported`.
pub(crate) fn unlock_pages(_: &Range<usize>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Does nothing: the system releases pages when it needs memory.
///
/// # Safety
///
/// None.
#[expect(unsafe_code, reason = "the function of the same name on Unix is unsafe")]
pub(crate) unsafe fn drop_pages(_: &MmapRaw, _: &Range<usize>) -> io::Result<()> {
    Ok(())
}

/// Returns `false`: no such refusal is known.
pub(crate) fn refuses_shared_mapping(_: &io::Error) -> bool {
    false
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Writes all bytes at an offset of the file.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let (mut rest, mut at) = (bytes, at);
    while !rest.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_write(file, rest, at)?;
        let written = rest.get(count..).filter(|_| count > 0);
        rest = written.ok_or(io::ErrorKind::WriteZero)?;
        at = at.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Does nothing: opening waits for nothing.
pub(crate) fn set_open_flags(_: &mut OpenOptions, _: bool) {}

/// Returns `None`: the standard library does not provide it yet.
pub(crate) fn file_id(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Returns `None`.
pub(crate) fn change_time(_: &Metadata) -> Option<(i64, i64)> {
    None
}

/// Names the type of a file that is not a regular one.
pub(crate) fn file_type_name(file_type: FileType) -> &'static str {
    if file_type.is_dir() { "a directory" } else { "a device" }
}

/// Gives a file the permissions of another file.
pub(crate) fn copy_permissions(file: &File, old: &Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}

/// Does nothing.
pub(crate) fn set_draft_permissions(_: &mut tempfile::Builder<'_, '_>, _: bool) {}

/// A folder, whose entries Windows writes to disk by itself.
#[derive(Debug)]
pub(crate) struct Folder;

impl Folder {
    pub(crate) fn open(_: &Path) -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn sync(self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns `Unsupported`: Windows adds an exclusive lock to no other lock.
pub(crate) fn upgrade_lock(_: &File) -> Result<(), TryLockError> {
    Err(TryLockError::Error(io::ErrorKind::Unsupported.into()))
}
