//! Files exchanged with Python: NumPy, npy-append-array and Dask read the files written here.
//!
//! All ignored tests need `NUMPY_PYTHON`, a Python with these packages; see `.ci/steps/numpy` and
//! `.ci/steps/zarr-dask`.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unsafe_code,
    reason = "files are mapped, the numbers are small, and a panic is a failed test"
)]

mod case;
mod elements;
mod hard_inputs;
mod live_dask;
mod live_npy;
mod live_numpy;
mod live_numpy_sums;
mod npy_headers;
mod peer;
mod table;
mod table_differences;
mod table_files;
mod table_opening;
mod table_parameters;
mod table_using;
