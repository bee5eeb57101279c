//! Files as ndarray arrays.
mod element;
mod endian;
mod error;
mod mode;

pub use element::Element;
pub use endian::{Be, Le, Number};
pub use error::{Error, Result};
pub use mode::Mode;
