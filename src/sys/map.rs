//! Mappings of files and of anonymous memory.
#![expect(unsafe_code, reason = "memmap2's private mappings are unsafe to make")]

use std::{fs::File, io, ops::Range};

use memmap2::{MmapMut, MmapOptions, MmapRaw};

use super::{EXTENDS_MAPPED_FILES, advise, refuses_shared_mapping, whole_pages};
use crate::mode::{Advice, Mode};

/// Maps `len` bytes of a file from `offset` on; bytes beyond its end must not be touched.
///
/// Maps more bytes where pages can be unmapped only as a whole.
pub(crate) fn map(
    file: &File,
    offset: u64,
    len: usize,
    mode: Mode,
) -> io::Result<MmapRaw> {
    let mut options = MmapOptions::new();
    let len = whole_pages(file, offset, len)?;
    // Otherwise a private mapping larger than memory and swap would be refused.
    options.offset(offset).len(len).no_reserve_swap();
    match mode {
        Mode::ReadOnly => match options.map_raw_read_only(file) {
            Err(e) if refuses_shared_mapping(&e) => {
                // SAFETY: the mapping becomes a `MmapRaw`, which makes no reference to the bytes.
                unsafe { options.map_copy_read_only(file) }.map(MmapRaw::from)
            }
            mapped => mapped,
        },
        Mode::CopyOnWrite => {
            // SAFETY: the mapping becomes a `MmapRaw`, which makes no reference to the bytes.
            unsafe { options.map_copy(file) }.map(MmapRaw::from)
        }
        Mode::ReadWrite | Mode::Create | Mode::CreateNew | Mode::Append => {
            options.map_raw(file)
        }
    }
}

/// Checks that a file system can map a file for writing, before the file is changed.
///
/// Some file systems cannot, such as FUSE with direct I/O: they support the mapping of mode `c`
/// only.
pub(crate) fn check_shared(file: &File) -> io::Result<()> {
    // Windows would extend the file.
    if EXTENDS_MAPPED_FILES { map(file, 0, 1, Mode::ReadWrite).map(drop) } else { Ok(()) }
}

/// Passes advice about all pages of a mapping to the kernel (`madvise`).
pub(crate) fn advise_all(map: &MmapRaw, advice: Advice) {
    if advice != Advice::Normal {
        // Advice changes speed only.
        let _ = advise(&addresses(map), advice);
    }
}

/// Returns the addresses of the bytes of a mapping.
pub(crate) fn addresses(map: &MmapRaw) -> Range<usize> {
    let start = map.as_mut_ptr().addr();
    start..start.saturating_add(map.len())
}

/// Maps the first `len` bytes of a file for writing.
pub(crate) fn map_start(file: &File, len: u64) -> io::Result<MmapRaw> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
    map(file, 0, len, Mode::ReadWrite)
}

/// Writes zeros over all bytes of a new shared mapping whose space is allocated.
///
/// Does not use `write`, which appends or requires aligned buffers if the file was opened that way.
pub(crate) fn zero(map: &MmapRaw) -> io::Result<()> {
    // SAFETY: the mapping has `len` writable bytes, within the file and with space on its disk. The
    // mapping is new, so no reference into it exists.
    unsafe { map.as_mut_ptr().write_bytes(0, map.len()) };
    map.flush()
}

/// Allocates `len` bytes of memory that belong to no file, in huge pages if the system has them.
pub(crate) fn memory(len: usize) -> io::Result<MmapMut> {
    let memory = MmapOptions::new().len(len).map_anon()?;
    let start = memory.as_ptr().addr();
    let addresses = start..start.saturating_add(memory.len());
    // Advice changes speed only.
    let _ = advise(&addresses, Advice::HugePage);
    Ok(memory)
}
