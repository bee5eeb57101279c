//! Preparation of files that are durable before a scenario begins.

use std::io;
use std::path::Path;

use ndarray_memmap::npy;

use crate::element::rows;
use crate::model::{FileModel, Files, Format, Version};

/// Prepares files that are durable when the log begins.
#[derive(Debug)]
pub(crate) struct Preparation<'p> {
    pub(crate) root: &'p Path,
    pub(crate) files: Files,
}

impl Preparation<'_> {
    /// Writes a file whose rows carry stamp 1, after NumPy's header or a given one.
    pub(crate) fn npy(
        &mut self,
        name: &str,
        descr: &str,
        shape: (usize, usize),
        header: Option<Vec<u8>>,
    ) -> io::Result<()> {
        let format = Format::Npy { descr: descr.to_owned() };
        let header = match header {
            Some(header) => header,
            None => numpy_header(descr, shape)?,
        };
        self.write(name, format, shape, header)
    }

    /// Writes a file that contains only rows.
    pub(crate) fn raw(&mut self, name: &str, shape: (usize, usize)) -> io::Result<()> {
        self.write(name, Format::Raw, shape, Vec::new())
    }

    fn write(
        &mut self,
        name: &str,
        format: Format,
        shape: (usize, usize),
        mut bytes: Vec<u8>,
    ) -> io::Result<()> {
        let rows = rows(1, 0..shape.0, shape.1);
        bytes.extend(rows.iter().flat_map(|cell| cell.0.to_ne_bytes()));
        std::fs::write(self.root.join(name), bytes)?;
        let version = Version::new(format, shape.1, &vec![1; shape.0]);
        self.files.insert(name.to_owned(), FileModel::durable(version));
        Ok(())
    }
}

/// Returns the header that NumPy writes.
pub(crate) fn numpy_header(descr: &str, shape: (usize, usize)) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let dtype = descr.parse().map_err(io::Error::other)?;
    let header = npy::Header::new(dtype, &[shape.0, shape.1], ndarray::Order::C);
    header.and_then(|header| header.write(&mut bytes)).map_err(io::Error::other)?;
    Ok(bytes)
}
