//! Which pages of a private mapping are changed (Linux).

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::address::page_size;

/// The page is in memory.
const PRESENT: u64 = 1 << 63;
/// The page in memory is the file's own, not a private copy.
const OF_FILE: u64 = 1 << 61;
/// The page is on the swap disk, where only private copies go.
const SWAPPED: u64 = 1 << 62;
/// How many pages are asked about at a time.
const BATCH: usize = 8192;

/// Returns the addresses of pages that are in the page table and the file's own.
pub(crate) fn unchanged(addresses: Range<usize>) -> io::Result<Vec<Range<usize>>> {
    pages(addresses, |entry| entry & (PRESENT | OF_FILE) == PRESENT | OF_FILE)
}

/// Returns the addresses of pages that are private copies.
pub(crate) fn changed(addresses: Range<usize>) -> io::Result<Vec<Range<usize>>> {
    pages(addresses, |entry| entry & OF_FILE == 0 && entry & (PRESENT | SWAPPED) != 0)
}

/// Returns the addresses of pages whose entries are such.
fn pages(
    addresses: Range<usize>,
    is_such: impl Fn(u64) -> bool,
) -> io::Result<Vec<Range<usize>>> {
    const ENTRY: usize = size_of::<u64>();

    let pagemap = File::open("/proc/self/pagemap")?;
    let page = page_size();
    let number = |address: usize| address.checked_div(page).unwrap_or(0);
    let mut pages = number(addresses.start)..addresses.end.div_ceil(page.max(1));
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut buffer = vec![0; BATCH.saturating_mul(ENTRY)];
    while !pages.is_empty() {
        let count = pages.len().min(BATCH);
        let bytes = buffer.get_mut(..count.saturating_mul(ENTRY)).unwrap_or_default();
        let position = pages.start.saturating_mul(ENTRY);
        pagemap
            .read_exact_at(bytes, u64::try_from(position).map_err(io::Error::other)?)?;
        for (entry, number) in bytes.as_chunks::<ENTRY>().0.iter().zip(pages.clone()) {
            if is_such(u64::from_ne_bytes(*entry)) {
                let start = number.saturating_mul(page);
                match ranges.last_mut() {
                    Some(last) if last.end == start => {
                        last.end = start.saturating_add(page);
                    }
                    _ => ranges.push(start..start.saturating_add(page)),
                }
            }
        }
        pages.start = pages.start.saturating_add(count);
    }
    for range in &mut ranges {
        let start = range.start.max(addresses.start);
        *range = start..range.end.min(addresses.end);
    }
    Ok(ranges)
}
