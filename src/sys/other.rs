//! The calls of `linux` for every other system.

use std::{fs::File, io, ops::Range, path::Path};

use memmap2::MmapRaw;

use super::request;

/// A mapping does not always show that its file has grown.
pub(crate) const MAPS_BEYOND_END: bool = false;
/// Only a sync of the whole file writes the metadata that is needed to find a range.
pub(crate) const SYNCS_RANGES: bool = false;
/// The system does not guarantee that a private page that was dropped is read again.
pub(crate) const RELOADS_DROPPED_PAGES: bool = false;
/// The system decides what it reads ahead and what it evicts.
pub(crate) const CONTROLS_PAGE_CACHE: bool = false;

/// Returns the largest size of a file that this process may write; `None` if there is no limit.
pub(crate) fn file_size_limit() -> Option<u64> {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    #[cfg(not(unix))]
    None
}

/// Returns how many bytes this process may lock in memory; `None` if there is no limit.
pub(crate) fn locked_memory_limit() -> Option<u64> {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    #[cfg(not(unix))]
    None
}

/// Returns `false`.
pub(crate) fn locks_new_pages(_: usize) -> bool {
    false
}

/// Returns `false`.
pub(crate) fn is_locked(_: &Range<usize>) -> io::Result<bool> {
    Ok(false)
}

/// Does nothing: the first access reads the page.
pub(crate) fn populate(_: &Range<usize>) -> io::Result<()> {
    Ok(())
}

/// Does nothing.
pub(crate) fn page_out(_: &Range<usize>) -> io::Result<()> {
    Ok(())
}

/// Returns `Unsupported`.
pub(crate) fn residency(
    _: &Range<usize>,
    _: impl FnMut(Range<usize>, bool),
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns `Unsupported`.
pub(crate) fn cached_pages(_: &File, _: &Range<u64>) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Does nothing.
pub(crate) fn drop_cached(_: &File, _: &Range<u64>) -> io::Result<()> {
    Ok(())
}

/// Returns `Unsupported`.
pub(crate) fn private_pages(_: Range<usize>) -> io::Result<Vec<Range<usize>>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns no page: the system does not report which pages are unchanged.
pub(crate) fn unchanged_pages(_: Range<usize>) -> io::Result<Vec<Range<usize>>> {
    Ok(Vec::new())
}

/// Returns `false`.
pub(crate) fn writes_in_place(_: &File) -> bool {
    false
}

/// Returns `false`.
pub(crate) fn reports_residency_of(_: &Path) -> bool {
    false
}

/// Returns the length as it is.
pub(crate) fn whole_pages(_: &File, _: u64, len: usize) -> io::Result<usize> {
    Ok(len)
}

/// Returns `Unsupported`.
pub(crate) fn start_writeback(_: &File, _: &Range<u64>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns `true`: the system decides when it writes.
pub(crate) fn wait_for_writeback(_: &File, _: &Range<u64>) -> io::Result<bool> {
    Ok(true)
}

/// Returns `false`.
pub(crate) fn write_start(_: &File, _: u64) -> io::Result<bool> {
    Ok(false)
}

/// No second mapping: the system reads pages when they are requested.
#[derive(Debug)]
pub(crate) enum ReadAlias {}

impl ReadAlias {
    pub(crate) fn of(_: &Range<usize>, _: u64) -> Option<Self> {
        None
    }

    pub(crate) fn from_mapping(_: MmapRaw, _: &Range<usize>, _: u64) -> Option<Self> {
        None
    }

    pub(crate) fn read(&self, addresses: &Range<usize>) -> io::Result<()> {
        request(addresses)
    }
}
