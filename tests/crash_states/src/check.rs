//! Checks whether the files of a disk keep the promises made for them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ndarray::{Array1, Axis, Ix2};
use ndarray_memmap::npy;
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray2, Mode, NpyErrorKind};

use crate::element::{Cell, with_descr};
use crate::model::{FileModel, Files, Format, Version, element};

/// The limit for headers with the longest names.
const HEADER_CAP: u64 = 1 << 16;

/// Compares all files of a folder with their models; returns the first difference as an error.
pub(crate) fn check(root: &Path, files: &Files) -> Result<(), String> {
    for (name, model) in files {
        check_file(&root.join(name), model).map_err(|why| format!("`{name}`: {why}"))?;
    }
    Ok(())
}

fn check_file(path: &Path, model: &FileModel) -> Result<(), String> {
    let found = match std::fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        found => Some(found.map_err(|e| e.to_string())?),
    };
    if found.is_none() && model.may_be_missing {
        return Ok(());
    }
    if found.is_none() {
        return Err("there is no such file".to_owned());
    }
    if model.is_unpromised {
        return Ok(());
    }
    let mut reasons = Vec::new();
    for version in &model.versions {
        match check_version(path, version) {
            Ok(()) => return grow_on(path, version),
            Err(why) => reasons.push(why),
        }
    }
    Err(reasons.join("; nor the other version: "))
}

fn check_version(path: &Path, version: &Version) -> Result<(), String> {
    match &version.format {
        Format::Npy { descr } => with_descr(descr, || check_npy(path, version)),
        Format::Raw => check_raw(path, version),
    }
}

#[expect(unsafe_code, reason = "the file is mapped")]
fn open_npy(path: &Path, mode: Mode) -> Result<MmapArray2<Cell>, String> {
    let options = npy::Options::new(mode).max_header_size(HEADER_CAP);
    // SAFETY: no other program knows the file.
    let opened = unsafe { options.open::<Cell, Ix2>(path) };
    opened.map_err(|e| format!("it does not open: {e} ({e:?})"))
}

/// Compares the array with its model, and then the bytes of the file with the array.
fn check_npy(path: &Path, version: &Version) -> Result<(), String> {
    let array = open_npy(path, Mode::ReadOnly)?;
    if array.ncols() != version.columns {
        return Err(format!("it has {} columns", array.ncols()));
    }
    if !version.counts.contains(&array.nrows()) {
        let counts = &version.counts;
        return Err(format!("it has {} rows, expected one of {counts:?}", array.nrows()));
    }
    let file = File::open(path).map_err(|e| e.to_string())?;
    let len = file.metadata().map_err(|e| e.to_string())?.len();
    let end = array.offset() + array.nrows() as u64 * version.row_bytes();
    if len < end || version.is_exact && len > end {
        return Err(format!("the array ends at byte {end}, the file at byte {len}"));
    }
    for index in version.first..array.nrows() {
        let at = array.offset() + index as u64 * version.row_bytes();
        check_row(version, index, &read_row(&file, at, version.columns)?)?;
        let row = array.row(index);
        check_row(version, index, &row.iter().map(|cell| cell.0).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Compares the elements in the file and the length of the file in whole elements.
fn check_raw(path: &Path, version: &Version) -> Result<(), String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let len = file.metadata().map_err(|e| e.to_string())?.len();
    let bytes =
        |count: Option<&usize>| count.map_or(0, |n| *n as u64 * version.row_bytes());
    let (least, most) = (bytes(version.counts.first()), bytes(version.counts.last()));
    if len < least || len > most {
        return Err(format!("it has {len} bytes, expected {least} to {most}"));
    }
    let rows =
        usize::try_from(len / version.row_bytes().max(1)).map_err(|e| e.to_string())?;
    for index in version.first..rows {
        let row = read_row(&file, index as u64 * version.row_bytes(), version.columns)?;
        check_row(version, index, &row)?;
    }
    Ok(())
}

fn read_row(file: &File, at: u64, columns: usize) -> Result<Vec<u32>, String> {
    let mut bytes = vec![0; columns * 4];
    file.read_exact_at(&mut bytes, at).map_err(|e| format!("reading at {at}: {e}"))?;
    Ok(bytes.as_chunks().0.iter().map(|bytes| u32::from_ne_bytes(*bytes)).collect())
}

fn check_row(version: &Version, index: usize, found: &[u32]) -> Result<(), String> {
    let row = version.rows.get(index - version.first).ok_or("it has too many rows")?;
    for (column, found) in found.iter().enumerate() {
        let mut allowed = row.allowed.iter();
        if !allowed.any(|stamp| element(*stamp, index, column) == *found) {
            let stamps = &row.allowed;
            return Err(format!(
                "row {index}, column {column} is {found:#x}, expected one of the stamps {stamps:?}"
            ));
        }
    }
    Ok(())
}

/// Appends a row to a `.npy` file after the power cut, and checks that the row is in the file.
fn grow_on(path: &Path, version: &Version) -> Result<(), String> {
    let Format::Npy { descr } = &version.format else {
        return grow_raw_on(path, version);
    };
    with_descr(descr, || {
        let mut array = open_npy(path, Mode::ReadWrite)?;
        let row = Array1::from_elem(version.columns, Cell(7));
        let mut pushed = array.push(Axis(0), &row);
        if matches!(
            pushed.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Npy(NpyErrorKind::NoRoom { .. }))
        ) {
            // The header cannot change in one step.
            drop(array);
            npy::make_growable(path)
                .map_err(|e| format!("it has no room: {e} ({e:?})"))?;
            array = open_npy(path, Mode::ReadWrite)?;
            pushed = array.push(Axis(0), &row);
        }
        let pushed = pushed.and_then(|()| array.sync());
        pushed.map_err(|e| format!("it does not grow on: {e} ({e:?})"))?;
        let (count, offset) = (array.nrows() - 1, array.offset());
        drop(array);
        let array = open_npy(path, Mode::ReadOnly)?;
        let len = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
        let expected = offset + (count as u64 + 1) * version.row_bytes();
        if len != expected || array.nrows() != count + 1 || array.row(count) != row {
            return Err(format!(
                "grown on from {count} rows it has {} in {len} bytes",
                array.nrows()
            ));
        }
        Ok(())
    })
}

/// Opens a raw file after the power cut with its synced shape; extends a file that is too short.
#[expect(unsafe_code, reason = "the file is mapped")]
fn grow_raw_on(path: &Path, version: &Version) -> Result<(), String> {
    let rows = version.counts.last().copied().unwrap_or(0);
    let options =
        MapOptions::new(Mode::ReadWrite).shape((rows, version.columns)).grow(true);
    // SAFETY: no other program knows the file.
    let array = unsafe { options.open::<Cell>(path) };
    let array = array.map_err(|e| format!("it does not open to grow: {e} ({e:?})"))?;
    array.close().map_err(|e| format!("it does not sync: {e} ({e:?})"))
}
