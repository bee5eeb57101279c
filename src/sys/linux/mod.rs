//! Calls that only Linux has.

mod limits;
mod memory;
mod memory_lock;
mod page_cache;
mod pagemap;
mod read_alias;
mod writeback;

use std::fs::{File, Metadata};
use std::{io, path::Path};

use rustix::fs::{Access, OFlags, access, fcntl_getfl};

use super::file_system::FileSystem;
use crate::sys::{page_size, round_down, round_up};

pub(crate) use limits::{file_size_limit, locked_memory_limit};
pub(crate) use memory::{page_out, populate, residency};
pub(crate) use memory_lock::{is_locked, locks_new_pages};
pub(crate) use page_cache::{cached_pages, drop_cached};
pub(crate) use pagemap::{private_pages, unchanged_pages};
pub(crate) use read_alias::ReadAlias;
pub(crate) use writeback::{start_writeback, wait_for_writeback, write_start};

/// A mapping may extend beyond the end of the file and shows the file when it grows.
pub(crate) const MAPS_BEYOND_END: bool = true;
/// `msync` of a range also writes the metadata that is needed to find it.
pub(crate) const SYNCS_RANGES: bool = true;
/// A private page that was dropped is read from the file again.
pub(crate) const RELOADS_DROPPED_PAGES: bool = true;
/// Pages can be read before they are used, and evicted from the page cache after that.
pub(crate) const CONTROLS_PAGE_CACHE: bool = true;

/// Returns whether a write goes to the offset that it names, through the page cache.
pub(crate) fn writes_in_place(file: &File) -> bool {
    let flags = fcntl_getfl(file).unwrap_or(OFlags::APPEND);
    !flags.intersects(OFlags::APPEND.union(OFlags::DIRECT))
}

/// Returns whether the kernel reports to this process which pages of a file are cached.
///
/// The kernel does that if the process owns the file or has permission to write to it.
pub(crate) fn reports_residency_of(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let owns = |found: Metadata| found.uid() == limits::effective_user();
    access(path, Access::WRITE_OK).is_ok() || std::fs::metadata(path).is_ok_and(owns)
}

/// Returns the length to map so that the mapping of `len` bytes from `offset` on ends with a page.
///
/// The kernel rounds the end of a mapping of 4 KiB pages. On hugetlbfs the kernel rounds the end
/// when it maps, and it unmaps no part of a page.
pub(crate) fn whole_pages(file: &File, offset: u64, len: usize) -> io::Result<usize> {
    let page = page_size();
    let block = rustix::fs::fstat(file)?.st_blksize;
    let block = usize::try_from(block).unwrap_or(page);
    if block <= page || FileSystem::of(file).name != "hugetlbfs" {
        return Ok(len);
    }
    let page = u64::try_from(page).map_err(io::Error::other)?;
    let lead = offset.saturating_sub(round_down(offset, page));
    let lead = usize::try_from(lead).map_err(io::Error::other)?;
    let end = lead.checked_add(len).and_then(|end| round_up(end, block));
    Ok(end.ok_or(io::ErrorKind::FileTooLarge)?.saturating_sub(lead))
}
