//! Files as ndarray arrays.
mod array;
mod element;
mod endian;
mod error;
mod file;
mod layout;
mod mode;
mod open;
mod options;
mod pages;
mod safe;
mod space;
mod view;

pub use array::{
    MmapArray, MmapArray1, MmapArray2, MmapArray3, MmapArray4, MmapArray5, MmapArray6,
    MmapArrayD, SyncToDisk,
};
pub use element::Element;
pub use endian::{Be, Le, Number};
pub use error::{Error, Result};
pub use layout::Layout;
pub use mode::Mode;
pub use options::{Advice, MapOptions};
pub use {bytemuck, memmap2, ndarray};
