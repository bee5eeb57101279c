//! Files as ndarray arrays.
mod element;
mod endian;
mod error;
mod layout;
mod mode;
mod options;

pub use element::Element;
pub use endian::{Be, Le, Number};
pub use error::{Error, Result};
pub use layout::Layout;
pub use mode::Mode;
pub use options::{Advice, MapOptions};
