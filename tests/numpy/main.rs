//! Python at the other end: NumPy, npy-append-array and Dask read what is written here.
//!
//! All of it needs `NUMPY_PYTHON`, a Python that has them; see `.ci/steps/numpy` and
//! `.ci/steps/zarr-dask`.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the numbers are small, and a panic is a failed test"
)]

mod case;
mod elements;
mod live_dask;
mod live_npy;
mod live_numpy;
mod npy_headers;
mod peer;
