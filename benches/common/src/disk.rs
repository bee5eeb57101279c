//! Bytes that a block device reads and writes.

use std::path::Path;

/// Returns how many bytes the block device that holds `folder` has read and written.
///
/// First writes the dirty pages of the file system to the device. The counter of the process,
/// `/proc/self/io`, cannot replace this: for `pwrite` it counts whole folios.
///
/// Other processes use the device too, so only medians of several rounds mean anything.
/// Returns `None` if no block device holds the folder (tmpfs, overlayfs, btrfs), and on systems
/// other than Linux.
#[cfg(target_os = "linux")]
pub(crate) fn traffic(folder: &Path) -> Option<[f64; 2]> {
    use rustix::fs::{fstat, major, minor, syncfs};

    let file = std::fs::File::open(folder).ok()?;
    syncfs(&file).ok()?;
    let device = fstat(&file).ok()?.st_dev;
    let (major, minor) = (major(device), minor(device));
    let stat = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat"));
    let stat = stat.ok()?;
    // The kernel counts sectors of 512 bytes for every device.
    let sectors = |field: usize| stat.split_whitespace().nth(field - 1)?.parse().ok();
    Some([sectors(3)?, sectors(7)?].map(|sectors: f64| sectors * 512.0))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn traffic(_: &Path) -> Option<[f64; 2]> {
    None
}
