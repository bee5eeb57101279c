//! The guarantees of each file system, as far as this crate depends on them.
//!
//! Every feature that depends on a file system asks [`FileSystem::of`]. A file system that is not
//! in the table gets [`FileSystem::UNKNOWN`], which guarantees nothing. The table for users is in
//! [`doc::durability`](crate::doc::durability); a test compares the two.

use std::{fs::File, io};

/// The guarantees of one file system; `false` is always the safe answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileSystem {
    /// As `mount` prints it.
    pub(crate) name: &'static str,
    /// Mappings and descriptors of one path show the same bytes at any time.
    ///
    /// Where this is `false`, a `write` may not reach the pages of a mapping. A mapping that was
    /// made through a descriptor for reading may show another file than a later mapping (overlayfs
    /// after it has copied the file to its upper layer).
    pub(crate) is_coherent: bool,
    /// A store into a block that was allocated and written before needs no new space, unless
    /// another file shares the block. After `fallocate`, later stores find space.
    pub(crate) stores_in_place: bool,
    /// As `stores_in_place`, and no other file can share the block.
    pub(crate) overwrites_in_place: bool,
    /// `cachestat` and `sync_file_range` through a descriptor act on the pages of a mapping.
    pub(crate) reports_residency: bool,
    /// A file under fs-verity is trusted not to change.
    pub(crate) has_verity: bool,
}

/// The low 32 bits of `f_type` of `statfs`, by which the kernel names a file system.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[rustfmt::skip]
static TABLE: [(u32, FileSystem); 12] = [
    //                name         coherent in place overwrites residency verity
    (0x0000_ef53, row("ext2/3/4",  true,    true,    true,      true,     true)),
    (0x5846_5342, row("xfs",       true,    true,    false,     true,     false)),
    (0x9123_683e, row("btrfs",     true,    false,   false,     true,     true)),
    (0xf2f5_2010, row("f2fs",      true,    false,   false,     true,     true)),
    (0x0102_1994, row("tmpfs",     true,    true,    true,      true,     false)),
    (0x8584_58f6, row("ramfs",     true,    false,   false,     true,     false)),
    (0x9584_58f6, row("hugetlbfs", true,    false,   false,     false,    false)),
    (0x2fc1_2fc1, row("zfs",       true,    false,   false,     false,    false)),
    (0x0000_6969, row("nfs",       true,    false,   false,     true,     false)),
    (0x794c_7630, row("overlay",   false,   false,   false,     false,    false)),
    (0x6573_5546, row("fuse",      false,   false,   false,     true,     false)),
    (0x0102_1997, row("9p",        false,   false,   false,     true,     false)),
];

#[expect(clippy::fn_params_excessive_bools, reason = "a row of the table above")]
const fn row(
    name: &'static str,
    is_coherent: bool,
    stores_in_place: bool,
    overwrites_in_place: bool,
    reports_residency: bool,
    has_verity: bool,
) -> FileSystem {
    FileSystem {
        name,
        is_coherent,
        stores_in_place,
        overwrites_in_place,
        reports_residency,
        has_verity,
    }
}

impl FileSystem {
    /// The guarantees of a file system that is not known: none.
    pub(crate) const UNKNOWN: Self = row("other", false, false, false, false, false);

    /// Returns the guarantees of the file system of an open file.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn of(file: &File) -> &'static Self {
        // If a sandbox refuses the call (seccomp), the file system counts as unknown.
        rustix::fs::fstatfs(file)
            .map_or(&Self::UNKNOWN, |found| Self::of_type(i128::from(found.f_type)))
    }

    /// Returns the guarantees of the file system of the file that a path leads to, if any.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_path(path: &std::path::Path) -> Option<&'static Self> {
        rustix::fs::statfs(path).ok().map(|found| Self::of_type(i128::from(found.f_type)))
    }

    /// Returns whether the page cache of a file stays when the file is opened once more.
    ///
    /// A FUSE server decides that at each opening, and by default the page cache does not stay.
    pub(crate) fn opens_without_loss(&self) -> bool {
        !matches!(self.name, "fuse" | "9p" | "other")
    }

    /// Returns whether the kernel merges two mappings that it has split for advice.
    ///
    /// The kernel does not merge them if the file system must be informed when a mapping ends. Each
    /// piece then counts towards the limit of the process.
    pub(crate) fn merges_mappings(&self) -> bool {
        !matches!(self.name, "fuse" | "9p" | "hugetlbfs")
    }

    /// Returns the guarantees of every file system of another operating system.
    ///
    /// Windows, macOS and BSD keep one cache for mappings and descriptors of a file.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn of(_: &File) -> &'static Self {
        const { &Self { is_coherent: true, ..Self::UNKNOWN } }
    }

    /// Returns `None` on other operating systems.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of_path(_: &std::path::Path) -> Option<&'static Self> {
        None
    }

    /// Returns whether a file can be extended without allocating space or writing zeros.
    pub(crate) fn has_holes(&self) -> bool {
        let with_holes =
            ["ext2/3/4", "xfs", "btrfs", "f2fs", "tmpfs", "zfs", "nfs", "overlay"];
        with_holes.contains(&self.name)
    }

    /// Returns whether a hole stays a hole when a process reads it through a mapping.
    ///
    /// A file system in memory allocates a page for each page that is read.
    pub(crate) fn keeps_holes(&self) -> bool {
        matches!(self.name, "ext2/3/4" | "xfs" | "btrfs" | "f2fs" | "zfs")
    }

    /// Finds the row of an `f_type`, which is signed or unsigned, and has 32 or 64 bits.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn of_type(f_type: i128) -> &'static Self {
        let is_of = |magic: u32| f_type & 0xffff_ffff == i128::from(magic);
        TABLE
            .iter()
            .find_map(|(magic, system)| is_of(*magic).then_some(system))
            .unwrap_or(&Self::UNKNOWN)
    }
}

/// Returns an error unless the kernel itself guarantees what a file says of its own immutability.
///
/// Any user can run the server of a FUSE file system. The server can claim fs-verity for files that
/// it continues to change. fs-verity counts only where the kernel implements it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn has_trusted_contents(file: &File) -> io::Result<()> {
    if rustix::fs::fcntl_get_seals(file).is_ok() || FileSystem::of(file).has_verity {
        return Ok(());
    }
    Err(io::Error::other("the file system is none that fs-verity is trusted on"))
}

/// Leaves the decision to memmap2, which knows only seals.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn has_trusted_contents(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_found_whatever_its_sign_and_width() {
        let btrfs = 0x9123_683e_u32;
        for f_type in [i128::from(btrfs), i128::from(btrfs.cast_signed())] {
            assert_eq!(FileSystem::of_type(f_type).name, "btrfs", "{f_type}");
        }
        let f2fs = i128::from(0xf2f5_2010_u32.cast_signed());
        assert_eq!(FileSystem::of_type(f2fs).name, "f2fs");
        for unknown in [0, -1, 0x1234_5678] {
            assert_eq!(FileSystem::of_type(unknown), &FileSystem::UNKNOWN, "{unknown}");
        }
    }

    #[test]
    fn the_table_for_users_has_each_file_system_in_its_column() {
        let chapter = include_str!("../doc/durability.rs");
        let head = chapter.lines().find(|line| line.starts_with("//! | | ext2")).unwrap();
        let columns: Vec<_> = head.to_lowercase().split('|').map(str::to_owned).collect();
        let names: Vec<Vec<_>> = columns
            .iter()
            .map(|column| column.split(',').map(|name| name.trim().to_owned()).collect())
            .collect();
        for (_, system) in &TABLE {
            let column = match (system.is_coherent, system.stores_in_place) {
                (true, true) => 2,
                (true, false) => 3,
                (false, _) => 4,
            };
            let name = match system.name {
                "ext2/3/4" => "ext4",
                "overlay" => "overlayfs",
                name => name,
            };
            assert!(names[column].iter().any(|found| found == name), "{name}: {names:?}");
        }
    }

    #[test]
    fn each_type_has_one_row() {
        for (number, (magic, system)) in TABLE.iter().enumerate() {
            let found = FileSystem::of_type(i128::from(*magic));
            assert_eq!(found, system, "row {number}");
        }
    }
}
