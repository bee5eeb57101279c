//! The files that are mapped and loaded.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ndarray::{ArrayView, Dim, Dimension, Ix, Ix1, Ix2};
use ndarray_npy::WriteNpyExt;
use tempfile::TempDir;

use crate::ways;

/// How large the files are; lengths in bytes.
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

/// The same `f64` array in a raw and in a `.npy` file.
pub(crate) struct Sample<D> {
    pub(crate) name: String,
    pub(crate) raw: PathBuf,
    /// Not there for sparse files, which nobody wants to load.
    pub(crate) npy: Option<PathBuf>,
    pub(crate) dim: D,
}

/// All files, in a folder that is removed in the end.
pub(crate) struct Files {
    dir: TempDir,
    pub(crate) small: Sample<Ix1>,
    pub(crate) medium: Sample<Ix1>,
    pub(crate) sparse: Sample<Ix1>,
    pub(crate) huge: Sample<Ix1>,
    pub(crate) dense: Sample<Ix1>,
    pub(crate) matrix: Sample<Ix2>,
    /// Many short rows.
    pub(crate) table: Sample<Ix2>,
    /// Two files with the numbers of `table`, which are changed.
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
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(parent)?;
        let dir = tempfile::tempdir_in(parent)?;
        let at = dir.path();

        let vector = |len: usize, kind| {
            let name = format!("{}{kind}", human(len));
            sample(at, name, Ix1(len / size_of::<f64>()))
        };
        let matrix = Dim(sizes.matrix);
        let swapped = at.join("swapped");
        write_words(&swapped, &[], matrix.size(), |i| number(i).to_be_bytes())?;
        let odd = at.join("odd");
        write_words(&odd, &[0], matrix.size(), |i| number(i).to_le_bytes())?;
        let table = Dim(sizes.table);
        let changed = ["in place", "rewritten"].map(|name| at.join(name));
        for path in &changed {
            write_words(path, &[], table.size(), |i| number(i).to_ne_bytes())?;
        }
        let flags = at.join("flags");
        write_words(&flags, &[], sizes.flags / 8, |i| hash(i).map(|byte| byte & 1))?;

        Ok(Self {
            small: vector(sizes.small, "")?,
            medium: vector(sizes.medium, "")?,
            sparse: sparse(at, sizes.large)?,
            huge: sparse(at, sizes.huge)?,
            dense: vector(sizes.large, " dense")?,
            matrix: sample(at, human(matrix.size() * size_of::<f64>()), matrix)?,
            table: sample(
                at,
                format!("{} by 4 KiB", human(table.size() * size_of::<f64>())),
                table,
            )?,
            changed,
            swapped,
            odd,
            flags,
            dir,
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

fn sample<D: Dimension>(
    at: &Path,
    name: String,
    dim: D,
) -> Result<Sample<D>, Box<dyn Error>> {
    let raw = at.join(format!("{name}.raw"));
    let npy = raw.with_extension("npy");
    write_words(&raw, &[], dim.size(), |i| number(i).to_ne_bytes())?;

    let map = ways::map(&raw)?;
    let array: ArrayView<'_, f64, D> = ways::bare_view(&map, dim.clone());
    let mut bytes = Vec::with_capacity(map.len() + (1 << 10));
    array.write_npy(&mut bytes)?;
    write(&npy, &bytes)?;
    drop(map);
    Ok(Sample { name, raw, npy: Some(npy), dim })
}

/// A file of one number and a hole.
fn sparse(at: &Path, len: usize) -> Result<Sample<Ix1>, Box<dyn Error>> {
    let name = format!("{} sparse", human(len));
    let raw = at.join(&name);
    write_words(&raw, &[], 1, |i| number(i).to_ne_bytes())?;
    File::options().write(true).open(&raw)?.set_len(u64::try_from(len)?)?;
    Ok(Sample { name, raw, npy: None, dim: Ix1(len / size_of::<f64>()) })
}

fn write_words(
    path: &Path,
    before: &[u8],
    count: usize,
    word: impl Fn(u64) -> [u8; 8],
) -> io::Result<()> {
    let mut bytes = before.to_vec();
    bytes.extend((0..count as u64).flat_map(word));
    write(path, &bytes)
}

/// Writes and syncs, so that no writeback disturbs the measurements.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    // What is written together lies together in the page cache and is mapped by one fault:
    // the pieces of all files are the same, whatever comes before the numbers.
    for piece in bytes.chunks(1 << 20) {
        file.write_all(piece)?;
    }
    file.sync_all()
}

/// The largest number in a file.
pub(crate) const LARGEST: f64 = 65535.0;

/// Small whole numbers, whose sums are exact in every order.
fn number(i: u64) -> f64 {
    let [high, low, ..] = hash(i);
    f64::from(u16::from_be_bytes([high, low]))
}

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
