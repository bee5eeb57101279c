//! Files as [`ndarray`] arrays: `numpy.memmap` for Rust.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("newfile.dat");
//! use ndarray::s;
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: no other code uses the file while `a` lives.
//! let mut a = unsafe { MapOptions::new(Mode::Create).shape((1000, 3)).open::<f64>(&path)? };
//! let mut w = a.view_mut()?; // an ordinary ArrayViewMut2<f64> over the pages of the file
//! w[[10, 0]] = 10.0;
//! w.row_mut(30).fill(1.0);
//! a.sync()?; // on disk when this returns
//! drop(a);
//!
//! // SAFETY: as above.
//! let b = unsafe { MapOptions::new(Mode::ReadOnly).rows_of(3).open::<f64>(&path)? };
//! assert_eq!(b.shape(), [1000, 3]); // the number of rows comes from the file
//! assert_eq!(b.slice(s![10..40;2, ..]).sum(), 13.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`MapOptions`] set the mode, the shape and the position of an array in its file. [`MmapArray`]
//! owns the mapping and derefs to ndarray's `ArrayRef`: every operation of ndarray works on the
//! file, without reading it first. [`Reductions`] adds sums in wide types. [`Element`] covers the
//! element types; [`Be`] and [`Le`] are numbers in the byte order of the file. [`Layout`] makes the
//! same views of bytes that the caller has mapped. [`npy`] does all this for `.npy` files, whose
//! header describes the array. [`partition`] divides a file into windows, and workers each map their
//! own window.
//!
//! # The book
//!
//! | to | read |
//! |---|---|
//! | solve a task: ten questions of NumPy users, and recipes | [`doc::cookbook`] |
//! | find the call that corresponds to one of NumPy's | [`doc::for_numpy_users`] |
//! | accept and store mapped arrays in a library | [`doc::for_library_authors`] |
//! | choose the fastest call | [`doc::performance`] |
//! | know which data are on disk, and when | [`doc::durability`] |
//! | use several machines, with MPI, Dask and Zarr | [`doc::beyond_one_machine`] |
//! | know what happens when a file or a disk fails, and the limits | [`doc::faults`] |
//! | check each guarantee and its test | [`doc::soundness`] |
//!
//! # Modes
//!
//! | [`Mode`] | NumPy | the file | changes by `view_mut` | [`sync`](MmapArray::sync) |
//! |---|---|---|---|---|
//! | `ReadOnly` | `r` | must exist | [`ErrorKind::ReadOnly`] | nothing to do |
//! | `CopyOnWrite` | `c` | must exist, changed only by [`commit`](MmapArray::commit) | private | [`ErrorKind::PrivateChanges`] |
//! | `ReadWrite` | `r+` | must exist; extended only by `grow`, `append`, `push` and `resize` | shared | durable |
//! | `Create` | `w+` | created or replaced by zeros | shared | durable |
//! | `CreateNew` | – (`x+` in this crate) | created, must not exist | shared | durable |
//! | `Append` | – (`a+` in this crate) | opened, or created with an empty array | shared | durable |
//!
//! # The contract of a mapping
//!
//! [`MapOptions::open`] and [`MapOptions::map`] are unsafe, because only the caller can know which
//! other code uses the file. Bytes are *borrowed* while a view, slice, iterator or reference into
//! them is in use. While the array lives:
//!
//! 1. No other code changes its bytes while they are borrowed: no other process, no other handle of
//!    this process (also by [`commit`](MmapArray::commit)), and no plain write to the file. Between
//!    borrows the bytes may change to values of the element type. Each change must be ordered
//!    before the next borrow, as accesses of two threads must be. In [`Mode::CopyOnWrite`] an
//!    element that lies in two pages may be half private: if its type has invalid values, no other
//!    code changes the bytes at all.
//! 2. No other code in this process reads bytes through another mapping while they are borrowed
//!    from [`view_mut`](MmapArray::view_mut).
//! 3. No other code makes the file shorter than the array's [end](Layout::end). If the array
//!    [grows](MmapArray::append), no other code changes the length of the file at all.
//!
//! Rust assumes that memory behind a shared reference does not change: breaking 1 or 2 is undefined
//! behaviour. Breaking 3 kills the process by `SIGBUS` at the next access beyond the new end. A
//! private mapping does not help: [`Mode::CopyOnWrite`] shows the current contents of the file in
//! pages that were not changed in the array.
//!
//! In practice, the contract holds for a file that your program or its user has created, in a
//! folder that only they use. Use [`lock`](MapOptions::lock) if several of your programs may open
//! the file, and take turns as in [`doc::cookbook`].
//!
//! # Without the contract
//!
//! | constructor | why it is safe |
//! |---|---|
//! | [`MapOptions::scratch`], [`scratch_in`](MapOptions::scratch_in) | the file has no name in any folder; access through `/proc` is tampering with this process |
//! | [`MapOptions::open_immutable`], [`map_immutable`](MapOptions::map_immutable) | the kernel proves that the file cannot change |
//! | [`MapOptions::load`], [`npy::load`] | the array is a copy in memory |
//! | [`MapOptions::draft`], [`npy::draft`] | the file appears at its path only after the array is unmapped |
//! | [`Layout::view`], [`view_mut`](Layout::view_mut) | the caller owns or borrows the bytes |
//!
//! The crate asks nothing more: a file with any contents opens or is an error ([`doc::soundness`]).
//!
//! # Larger than memory
//!
//! A mapping uses memory only for accessed pages, and the kernel evicts them when it needs memory.
//! Prefer [`sweep`](MmapArray::sweep), [`sweep_zip`], [`gather`](MmapArray::gather) and
//! [`scatter`](MmapArray::scatter) to plain iteration and indexing: see [`doc::performance`].
//!
//! # Arrays that grow
//!
//! [`append`](MmapArray::append), [`push`](MmapArray::push) and [`resize`](MmapArray::resize)
//! change the length of the outermost axis and of the file, without access to existing rows.
//! Readers see new rows after [`refresh`](MmapArray::refresh). [Raw and `.npy`
//! files](doc::cookbook::recipes#appending-to-a-log) differ.
//!
//! # When things go wrong
//!
//! New and grown files reserve their space first, so a full disk is [`ErrorKind::NoSpace`]. [Some
//! stores](doc::durability#when-the-disk-is-full) can still raise `SIGBUS`. [`doc::durability`]
//! covers crashes; [`doc::faults`] covers wrong calls, failed disks and servers, and `fork`.
//!
//! # Limits
//!
//! The tests run only on Linux. On macOS and BSD the crate makes the same calls where they exist.
//! On Windows memmap2 maps, a lock binds all processes, and `sparse`, `advice` and `populate` do
//! nothing. A file that `Create` replaces there is lost if it cannot be mapped again. [More
//! limits](doc::faults#limits) concern address space, descriptors and locks.
//!
//! # Features
//!
//! No feature is on by default. The crate needs Rust 1.89 or later.
//!
//! | feature | what it adds |
//! |---|---|
//! | `rayon` | ndarray's parallel iterators and `par_for_each`; `a.into_par_iter()`; parallel sweeps, gathers and `load` |
//! | `serde` | ndarray's serialisation, of `a.view()`; windows as JSON and other formats |
//! | `approx` | ndarray's comparison within a tolerance, of `*a` |
//! | `sigbus-guard` | the module `guard`, which turns bus errors into errors (Linux); see [`doc::faults`] |
//! | `half` | `half::f16` and `half::bf16` as elements and as numbers in `Be` and `Le` |
//! | `num-complex` | `num_complex::Complex` as element |
// docs.rs builds with nightly Rust, which marks items that need a feature. `std` is a feature of
// ndarray only, whose methods the documentation of `MmapArray` lists.
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(feature = "std"))))]

mod array;
pub mod doc;
mod element;
mod error;
mod file;
#[cfg(feature = "sigbus-guard")]
pub mod guard;
mod layout;
mod mapping;
mod mode;
pub mod npy;
mod open;
pub mod partition;
mod sweep;
mod sys;

pub use array::{
    MmapArray, MmapArray1, MmapArray2, MmapArray3, MmapArray4, MmapArray5, MmapArray6,
    MmapArrayD, Region, SyncToDisk,
};
pub use element::{Be, Element, Le, Number, Reduce, Reductions};
pub use error::{Error, ErrorKind, NpyErrorKind, Result};
pub use layout::Layout;
pub use mode::{Advice, Mode};
pub use open::{Draft, MapOptions};
#[cfg(feature = "rayon")]
pub use sweep::rayon::Parallel;
pub use sweep::{
    Blocks, Gather, PageCache, Progress, Split, Sweep, SweepMut, Sweepable, sweep_zip,
};
pub use {bytemuck, ndarray};

/// Runs the program of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
