//! The files that are mapped and loaded.

use std::error::Error;
use std::path::PathBuf;

use bench_common::{Sample, number, write_words};
use ndarray::{Dim, Dimension, Ix, Ix1, Ix2};
use tempfile::TempDir;

/// Sizes of the files, in bytes or elements.
pub(crate) struct Sizes {
    small: usize,
    medium: usize,
    large: usize,
    huge: usize,
    matrix: [Ix; 2],
    table: [Ix; 2],
    flags: usize,
}

impl Sizes {
    pub(crate) const FULL: Self = Self {
        small: 1 << 10,
        medium: 1 << 20,
        large: 1 << 30,
        // 1 TiB where an address has 64 bits.
        huge: 1 << (usize::BITS - 24),
        matrix: [4096, 8192],
        table: [1 << 16, 512],
        flags: 1 << 28,
    };

    pub(crate) const SMOKE: Self = Self {
        small: 1 << 10,
        medium: 1 << 12,
        large: 1 << 16,
        huge: 1 << 20,
        matrix: [64, 128],
        table: [1 << 7, 512],
        flags: 1 << 16,
    };
}

/// All files.
pub(crate) struct Files {
    pub(crate) folder: TempDir,
    pub(crate) small: Sample<Ix1>,
    pub(crate) medium: Sample<Ix1>,
    pub(crate) sparse: Sample<Ix1>,
    pub(crate) huge: Sample<Ix1>,
    pub(crate) dense: Sample<Ix1>,
    pub(crate) matrix: Sample<Ix2>,
    /// Many short rows.
    pub(crate) table: Sample<Ix2>,
    /// Two files with the numbers of `table`, which a section changes.
    pub(crate) changed: [PathBuf; 2],
    /// The numbers of `matrix`, big-endian.
    pub(crate) swapped: PathBuf,
    /// A byte, then the numbers of `matrix`, little-endian.
    pub(crate) odd: PathBuf,
    /// As many `bool`s as bytes.
    pub(crate) flags: PathBuf,
}

impl Files {
    pub(crate) fn write(sizes: &Sizes) -> Result<Self, Box<dyn Error>> {
        let folder = bench_common::folder(env!("CARGO_TARGET_TMPDIR"))?;
        let at = folder.path();
        let count = |len: usize| Ix1(len / size_of::<f64>());
        let vector = |len, kind| Sample::write(at, &(human(len) + kind), count(len));
        let sparse = |len| Sample::sparse(at, &(human(len) + " sparse"), count(len));
        let file = |name: &str, before: &[u8], count, word: fn(u64) -> [u8; 8]| {
            let path = at.join(name);
            write_words(&path, before, count, word).map(|()| path)
        };
        let [matrix, table] = [sizes.matrix, sizes.table].map(Dim);
        let size = |dim: Ix2| human(dim.size() * size_of::<f64>());
        let changed = |name| file(name, &[], table.size(), |i| number(i).to_ne_bytes());
        Ok(Self {
            small: vector(sizes.small, "")?,
            medium: vector(sizes.medium, "")?,
            sparse: sparse(sizes.large)?,
            huge: sparse(sizes.huge)?,
            dense: vector(sizes.large, " dense")?,
            matrix: Sample::write(at, &size(matrix), matrix)?,
            table: Sample::write(at, &(size(table) + " by 4 KiB"), table)?,
            changed: [changed("in place")?, changed("rewritten")?],
            swapped: file("swapped", &[], matrix.size(), |i| number(i).to_be_bytes())?,
            odd: file("odd", &[0], matrix.size(), |i| number(i).to_le_bytes())?,
            flags: file("flags", &[], sizes.flags / 8, |i| hash(i).map(|byte| byte & 1))?,
            folder,
        })
    }
}

/// The largest number of a sample.
pub(crate) const LARGEST: f64 = 65535.0;

pub(crate) fn hash(i: u64) -> [u8; 8] {
    let mixed = (i ^ (i >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()
}

pub(crate) fn human(bytes: usize) -> String {
    match bytes.ilog2() {
        40.. => format!("{} TiB", bytes >> 40),
        30.. => format!("{} GiB", bytes >> 30),
        20.. => format!("{} MiB", bytes >> 20),
        10.. => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}
