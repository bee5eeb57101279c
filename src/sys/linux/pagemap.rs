//! Which pages of a private mapping have changed (`/proc/self/pagemap`).

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, sync::OnceLock};

use crate::sys::{join, page_size, pieces};

/// The page is in memory.
const PRESENT: u64 = 1 << 63;
/// The page in memory is the file's own, not a private copy.
const OF_FILE: u64 = 1 << 61;
/// The page is swapped out, as only private copies are.
const SWAPPED: u64 = 1 << 62;
/// How many entries are read at a time.
const BATCH: usize = 8192;

/// Returns the addresses of pages that are in the page table and the file's own.
pub(crate) fn unchanged_pages(addresses: Range<usize>) -> io::Result<Vec<Range<usize>>> {
    pages(addresses, |entry| entry & (PRESENT | OF_FILE) == PRESENT | OF_FILE)
}

/// Returns the addresses of pages that are private copies.
pub(crate) fn private_pages(addresses: Range<usize>) -> io::Result<Vec<Range<usize>>> {
    pages(addresses, is_private)
}

/// Returns the addresses of pages whose entries satisfy `is_such`.
///
/// Fails if the entries are not those of this process.
fn pages(
    addresses: Range<usize>,
    is_such: impl Fn(u64) -> bool,
) -> io::Result<Vec<Range<usize>>> {
    let pagemap = File::open("/proc/self/pagemap")?;
    check_reliable(&pagemap)?;
    entries(&pagemap, addresses, is_such)
}

/// Fails unless the page map describes the pages of this process at their addresses.
///
/// An emulator of another processor reads the page map of its own process, and a sandbox may show a
/// page map without contents. Either would report that nothing has changed.
fn check_reliable(pagemap: &File) -> io::Result<()> {
    static IS_RELIABLE: OnceLock<bool> = OnceLock::new();

    let is_reliable = match IS_RELIABLE.get() {
        Some(is_reliable) => *is_reliable,
        // A failed read says nothing about the page map: check again the next time.
        None => {
            let found = shows_private_pages(pagemap)?;
            *IS_RELIABLE.get_or_init(|| found)
        }
    };
    if is_reliable { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// Returns whether the page map reports pages as private that this process has just written.
fn shows_private_pages(pagemap: &File) -> io::Result<bool> {
    const PAGES: usize = 4;

    let page = page_size();
    let mut sample = vec![0_u8; page.saturating_mul(PAGES.saturating_add(1))];
    sample.fill(1);
    let sample = std::hint::black_box(&sample);
    let start = sample.as_ptr().addr().next_multiple_of(page.max(1));
    let written = start..start.saturating_add(page.saturating_mul(PAGES));
    Ok(entries(pagemap, written.clone(), is_private)? == [written])
}

/// Returns whether an entry is that of a private copy.
fn is_private(entry: u64) -> bool {
    entry & OF_FILE == 0 && entry & (PRESENT | SWAPPED) != 0
}

/// Reads the entries of some addresses, and returns the addresses whose entries satisfy `is_such`.
fn entries(
    pagemap: &File,
    addresses: Range<usize>,
    is_such: impl Fn(u64) -> bool,
) -> io::Result<Vec<Range<usize>>> {
    const ENTRY: usize = size_of::<u64>();

    let page = page_size();
    let number = |address: usize| address.checked_div(page).unwrap_or(0);
    let pages = number(addresses.start)..addresses.end.div_ceil(page.max(1));
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut buffer = vec![0; BATCH.saturating_mul(ENTRY)];
    for batch in pieces(&pages, BATCH) {
        let bytes = batch.len().saturating_mul(ENTRY);
        let bytes = buffer.get_mut(..bytes).unwrap_or_default();
        let position = batch.start.saturating_mul(ENTRY);
        pagemap
            .read_exact_at(bytes, u64::try_from(position).map_err(io::Error::other)?)?;
        for (entry, number) in bytes.as_chunks::<ENTRY>().0.iter().zip(batch) {
            if is_such(u64::from_ne_bytes(*entry)) {
                let start = number.saturating_mul(page);
                join(&mut ranges, start..start.saturating_add(page));
            }
        }
    }
    for range in &mut ranges {
        let start = range.start.max(addresses.start);
        *range = start..range.end.min(addresses.end);
    }
    Ok(ranges)
}
