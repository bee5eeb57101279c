//! Mapped arrays of any element type behind one interface.
#![expect(unsafe_code, reason = "mapping a file is unsafe")]

use std::path::Path;

use bytemuck::{bytes_of, cast_slice, checked};
use ndarray::{ArrayViewMutD, Dimension, Ix1, IxDyn, ShapeBuilder};
use ndarray_memmap::{Error, MapOptions, MmapArray, Mode, SyncToDisk};
use serde_json::Value;

use crate::dtype::DType;
use crate::element::Item;

/// The parameters for opening an array.
pub(crate) struct Request {
    pub(crate) mode: Mode,
    pub(crate) offset: u64,
    /// `None` takes the shape from the file.
    pub(crate) shape: Option<Vec<usize>>,
    pub(crate) fortran: bool,
    pub(crate) grow: bool,
    pub(crate) sparse: bool,
}

/// Opens a file as an array of one element type.
pub(crate) type Open = fn(&Request, &Path) -> Result<Box<dyn Array>, Error>;

/// Why an operation did not succeed.
pub(crate) enum Refusal {
    /// The crate refused.
    Error(Error),
    /// The request of the case is invalid.
    Misuse(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A mapped array.
pub(crate) trait Array {
    fn shape(&self) -> &[usize];
    /// Returns the strides in bytes.
    fn strides(&self) -> Vec<i64>;
    fn item_size(&self) -> usize;
    /// Names the Rust type of the elements.
    fn element(&self) -> &'static str;
    fn address(&self) -> usize;
    fn is_c_contiguous(&self) -> bool;
    fn is_f_contiguous(&self) -> bool;
    fn mode(&self) -> Mode;
    fn offset(&self) -> u64;
    fn is_writeable(&mut self) -> bool;
    /// Returns the bytes of all elements in C order.
    fn bytes(&self) -> Vec<u8>;
    /// Borrows the bytes of an array in C order, at any size.
    fn memory(&self) -> Option<&[u8]>;
    fn values(&self, dtype: &DType) -> Vec<Value>;
    fn set(&mut self, index: &[i64], item: &[u8], on: Axes) -> Result<(), Refusal>;
    fn fill(&mut self, item: &[u8]) -> Result<(), Refusal>;
    /// Replaces all elements by the given ones in C order.
    fn assign(&mut self, items: &[u8]) -> Result<(), Refusal>;
    fn sync(&self) -> Result<(), Error>;
}

/// Whether an index names the axes of the array or of its transpose.
#[derive(Clone, Copy)]
pub(crate) enum Axes {
    Straight,
    Transposed,
}

pub(crate) fn open<A: Item>(
    request: &Request,
    path: &Path,
) -> Result<Box<dyn Array>, Error> {
    let Request { mode, offset, fortran, grow, sparse, .. } = *request;
    let options = MapOptions::new(mode).offset(offset).grow(grow).sparse(sparse);
    match &request.shape {
        None => map::<A, Ix1>(&options, path),
        Some(shape) => map::<A, IxDyn>(&options.shape(IxDyn(shape).set_f(fortran)), path),
    }
}

fn map<A: Item, D: Dimension + 'static>(
    options: &MapOptions<D>,
    path: &Path,
) -> Result<Box<dyn Array>, Error> {
    // SAFETY: the file lies in a folder made for this case, which no other code uses. The
    // case itself writes to the file or maps it again only while no view is borrowed.
    let array = unsafe { options.open::<A>(path)? };
    Ok(Box::new(array))
}

impl<A: Item, D: Dimension + 'static> Array for MmapArray<A, D> {
    fn shape(&self) -> &[usize] {
        (**self).shape()
    }

    fn strides(&self) -> Vec<i64> {
        let size = i64::try_from(size_of::<A>()).unwrap_or(i64::MAX);
        let strides = (**self).strides().iter();
        strides
            .map(|stride| i64::try_from(*stride).unwrap_or(i64::MAX))
            .map(|stride| stride.saturating_mul(size))
            .collect()
    }

    fn item_size(&self) -> usize {
        size_of::<A>()
    }

    fn element(&self) -> &'static str {
        std::any::type_name::<A>()
    }

    fn address(&self) -> usize {
        self.as_ptr().addr()
    }

    fn is_c_contiguous(&self) -> bool {
        self.is_standard_layout()
    }

    fn is_f_contiguous(&self) -> bool {
        self.t().is_standard_layout()
    }

    fn mode(&self) -> Mode {
        self.mode()
    }

    fn offset(&self) -> u64 {
        self.offset()
    }

    fn is_writeable(&mut self) -> bool {
        self.view_mut().is_ok()
    }

    fn bytes(&self) -> Vec<u8> {
        self.iter().flat_map(bytes_of).copied().collect()
    }

    fn memory(&self) -> Option<&[u8]> {
        self.as_slice().map(cast_slice)
    }

    fn values(&self, dtype: &DType) -> Vec<Value> {
        self.iter().map(|item| item.value(dtype)).collect()
    }

    fn set(&mut self, index: &[i64], item: &[u8], on: Axes) -> Result<(), Refusal> {
        let item = one::<A>(item)?;
        let view = self.view_mut()?.into_dyn();
        let mut view = match on {
            Axes::Straight => view,
            Axes::Transposed => view.reversed_axes(),
        };
        let outside = || Refusal::Misuse(format!("no element at {index:?}"));
        let index = from_start(&view, index).ok_or_else(outside)?;
        *view.get_mut(IxDyn(&index)).ok_or_else(outside)? = item;
        Ok(())
    }

    fn fill(&mut self, item: &[u8]) -> Result<(), Refusal> {
        let item = one::<A>(item)?;
        self.view_mut()?.fill(item);
        Ok(())
    }

    fn assign(&mut self, items: &[u8]) -> Result<(), Refusal> {
        let items = items.chunks(size_of::<A>().max(1)).map(one::<A>);
        let items = items.collect::<Result<Vec<_>, _>>()?;
        let mut view = self.view_mut()?;
        if items.len() != view.len() {
            let (given, found) = (items.len(), view.len());
            return Err(Refusal::Misuse(format!("{given} items for {found} elements")));
        }
        view.iter_mut().zip(items).for_each(|(element, item)| *element = item);
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        SyncToDisk::sync(self)
    }
}

fn one<A: Item>(bytes: &[u8]) -> Result<A, Refusal> {
    checked::try_pod_read_unaligned(bytes)
        .map_err(|e| Refusal::Misuse(format!("{bytes:02x?} is not an element: {e:?}")))
}

/// Counts negative indices from the end, as NumPy does.
fn from_start<A>(view: &ArrayViewMutD<'_, A>, index: &[i64]) -> Option<Vec<usize>> {
    if index.len() != view.ndim() {
        return None;
    }
    let axes = index.iter().zip(view.shape());
    let from_start = axes.map(|(index, length)| match usize::try_from(*index) {
        Ok(index) => Some(index),
        Err(_) => length.checked_add_signed(isize::try_from(*index).ok()?),
    });
    from_start.collect()
}
