//! Whether pages are locked in memory, by any call.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::ops::Range;

use crate::sys::unix::madvise;

/// Returns whether some of the pages at some addresses are locked in memory.
///
/// Locking a private mapping copies its pages, so that they look changed.
pub(crate) fn is_locked(addresses: &Range<usize>) -> io::Result<bool> {
    if !has_locked_pages()? {
        return Ok(false);
    }
    let mut overlaps = false;
    for line in BufReader::new(File::open("/proc/self/smaps")?).lines() {
        let line = line?;
        if let Some(mapping) = mapping_of(&line) {
            overlaps = mapping.start < addresses.end && addresses.start < mapping.end;
        } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| overlaps)
            && flags.split_ascii_whitespace().any(|flag| flag == "lo")
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether the kernel locks the pages that this process maps (`mlockall`), given the
/// address of a page that the process has just mapped.
pub(crate) fn locks_new_pages(address: usize) -> bool {
    let page = address..address.saturating_add(1);
    // The kernel does not release a locked page. A kernel before 5.4 does not know this advice.
    let released = madvise(&page, rustix::mm::Advice::LinuxCold);
    released.is_err_and(|e| e.kind() == io::ErrorKind::InvalidInput)
        && has_locked_pages().unwrap_or(true)
}

/// Returns whether the process has locked pages anywhere.
fn has_locked_pages() -> io::Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
    let locked = locked.and_then(|locked| locked.split_ascii_whitespace().next());
    Ok(locked.is_none_or(|locked| locked != "0"))
}

/// Returns the addresses in the first line of a mapping in `smaps`.
fn mapping_of(line: &str) -> Option<Range<usize>> {
    let (start, end) = line.split_ascii_whitespace().next()?.split_once('-')?;
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    Some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_of_a_mapping_has_addresses() {
        let first = "7f0000001000-7f0000003000 rw-p 00000000 fe:00 131  /a b";
        assert_eq!(mapping_of(first), Some(0x7f00_0000_1000..0x7f00_0000_3000));
        for other in ["VmFlags: rd wr mr mw me ac lo", "Size:     8 kB", "", "a-b:"] {
            assert_eq!(mapping_of(other), None, "{other}");
        }
    }
}
