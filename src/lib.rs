//! Files as [`ndarray`] arrays: what `numpy.memmap` is to NumPy, for Rust.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("newfile.dat");
//! use ndarray::s;
//! use ndarray_memmap::{MapOptions, Mode, SyncToDisk};
//!
//! // SAFETY: nothing else touches the file while `a` lives.
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
//! [`MapOptions`] say where the array lies in the file and what may be done with it;
//! [`MmapArray`] owns the mapping and derefs to ndarray's `ArrayRef`, so everything that
//! ndarray does with an array it does with a file, without reading it first. Elements are
//! the types that [`Element`] covers, with [`Be`] and [`Le`] for a byte order of the file's.
//! [`Layout`] gives the same views over bytes that the caller has mapped, and [`npy`] does all
//! this for `.npy` files, whose header says what the array is.
//!
//! # The book
//!
//! | to | read |
//! |---|---|
//! | solve a task: ten of a NumPy user, then recipes | [`doc::cookbook`] |
//! | find the call that stands for one of NumPy's | [`doc::for_numpy_users`] |
//! | accept and hold mapped arrays in a library | [`doc::for_library_authors`] |
//! | know which way is fast, and why | [`doc::performance`] |
//! | know what is on disk, and when | [`doc::durability`] |
//! | use several machines, with MPI, Dask and Zarr | [`doc::beyond_one_machine`] |
//! | see what happens when a file or disk goes away | [`doc::faults`] |
//! | see on what it all rests, and the tests that show it | [`doc::soundness`] |
//!
//! # Modes
//!
//! | [`Mode`] | NumPy | the file | changes by `view_mut` | [`sync`](SyncToDisk::sync) |
//! |---|---|---|---|---|
//! | `ReadOnly` | `r` | must exist | [`Error::ReadOnly`] | nothing to do |
//! | `CopyOnWrite` | `c` | must exist, changed only by [`commit`](MmapArray::commit) | private | [`Error::PrivateChanges`] |
//! | `ReadWrite` | `r+` | must exist; extended by `grow` and `append` alone | shared | durable |
//! | `Create` | `w+` | created or replaced by zeros | shared | durable |
//! | `CreateNew` | – | created, must not exist | shared | durable |
//!
//! # The contract of a mapping
//!
//! [`MapOptions::open`] and [`MapOptions::map`] are unsafe, since only the caller can know
//! who else has the file. Say that bytes are *borrowed* while a view, slice, iterator or
//! reference into them is in use. While the array lives,
//!
//! 1. nobody else changes its bytes while they are borrowed, be it another process, another
//!    handle of this one, also by [`commit`](MmapArray::commit), or a plain write to the file;
//!    between borrows they may change, to values of the element type, each change ordered
//!    before the next borrow as accesses of two threads have to be;
//! 2. nobody else in this process reads bytes through another mapping while they are
//!    borrowed from [`view_mut`](MmapArray::view_mut);
//! 3. nobody makes the file shorter than the array's [end](Layout::end), nor changes its length
//!    in any way if the array [grows](MmapArray::append).
//!
//! Rust takes it for granted that what a shared reference shows does not change; to break 1
//! or 2 is undefined behaviour. To break 3 kills the process by `SIGBUS` at the next access
//! beyond the new end. A private mapping is no way around: of pages that were not changed in
//! it, [`Mode::CopyOnWrite`] shows what the file holds now.
//!
//! In practice: a file that your program or your user made for it, in a folder where only
//! they work, under [`lock`](MapOptions::lock) if your own programs may meet there. How
//! processes take turns is in [`doc::cookbook`].
//!
//! # Without the contract
//!
//! | constructor | why it is safe |
//! |---|---|
//! | [`MapOptions::scratch`], [`scratch_in`](MapOptions::scratch_in) | the file has no name in any folder; to reach it through `/proc` is to tamper with this process |
//! | [`MapOptions::open_immutable`], [`map_immutable`](MapOptions::map_immutable) | the kernel proves that the file cannot change |
//! | [`MapOptions::load`] | the bytes are read into memory of our own |
//! | [`MapOptions::draft`], [`npy::draft`] | nobody sees the file before it is unmapped |
//! | [`Layout::view`], [`view_mut`](Layout::view_mut) | the caller has the bytes |
//!
//! # Soundness
//!
//! Beyond the contract nothing is asked. Whatever a file contains, opening it either works or
//! returns an error:
//!
//! - A mapping is only made of a regular file, of a range that lies within it; the length is
//!   compared before and after. All arithmetic is checked, also beside an axis of length 0.
//! - Alignment is checked on the address itself. Types with invalid bit patterns are checked
//!   element by element when the file is opened, and only they.
//! - Views are lent by the handle: `deref` borrows it, `view_mut` borrows it mutably, and
//!   neither outlives it. A handle that is moved leaves its pages where they are.
//! - Strides that give two indices to one element are refused wherever there is a view for
//!   writing.
//! - Elements have no padding, so that no uninitialised byte reaches a file, and zeros are a
//!   value of theirs, so that a new file holds such.
//! - Handles are `Send` and `Sync` if their elements are.
//!
//! # Larger than memory
//!
//! A mapping takes memory only for the pages that are looked at, and the system takes it back
//! when it needs some. It does better if it is told what comes:
//!
//! | to do | with | instead of |
//! |---|---|---|
//! | one thing with every row | [`sweep`](MmapArray::sweep), [`sweep_mut`](MmapArray::sweep_mut) | `axis_iter`, `sum` |
//! | one thing with the rows of several arrays | [`sweep_zip`] | `Zip` |
//! | read rows in no order | [`gather`](MmapArray::gather) | `index_axis` in a loop |
//! | change rows in no order | [`scatter`](MmapArray::scatter) | `index_axis_mut` in a loop |
//! | read, write or drop a part | [`region`](MmapArray::region) | – |
//!
//! [`advice`](MapOptions::advice) and [`populate`](MapOptions::populate) at opening are for
//! what none of these does.
//!
//! # Arrays that grow
//!
//! [`append`](MmapArray::append), [`push`](MmapArray::push) and [`resize`](MmapArray::resize)
//! change the length of the slowest axis, and of the file, without a look at what is there.
//! Readers of the file see the new rows when they [`refresh`](MmapArray::refresh).
//!
//! | | raw | `.npy` |
//! |---|---|---|
//! | what counts the rows | the length of the file | the header, written after the rows in one word |
//! | the file while it grows | ends with the last row | is longer, by a hole where there are holes |
//! | after `sync`, `close`, drop | ends with the last row | the same |
//! | after a crash | [`doc::durability`] | the same |
//! | small rows | one `write` each | stored into space that is reserved (ext4, XFS, tmpfs) |
//!
//! # Beyond one process
//!
//! [`partition`] divides an array file into windows that workers map by themselves, on this
//! machine or another; [`doc::beyond_one_machine`] shows them with MPI, Dask and Zarr.
//!
//! # When things go wrong
//!
//! - **A full disk.** A store into a page that has no space on disk cannot fail in any other
//!   way than `SIGBUS`. Therefore `Create`, `grow` and growth reserve the space first, and a full
//!   disk is [`Error::NoSpace`]. The danger remains with [`sparse`](MapOptions::sparse);
//!   where the file system cannot reserve (some on networks, FAT, all on macOS); where it
//!   copies what is overwritten (btrfs, ZFS, snapshots and reflinks); and in mode `r+` for
//!   holes that a file already has, such as those that NumPy's `w+` makes.
//! - **A wrong call.** Shape, offset, type, lock and space are checked before a file is
//!   changed; after an error it is as it was, and one that did not exist does not exist
//!   (mode `w+` may leave zeros if the kernel fails while it clears a file).
//! - **A crash of the program** loses nothing that was stored, one of the machine what was not
//!   synced. What each call promises then, and when a disk fails, is in [`doc::durability`].
//! - **A disk or server that fails while mapped** is a `SIGBUS` at the next access to pages
//!   that are not in memory. Use [`load`](MapOptions::load) for what is read over a network.
//! - **`fork`** shares mappings with the child, where the contract holds as between any two
//!   processes. Sweeps go on there without reading ahead; a file that grows, and one that a draft
//!   has given a name, are the parent's. On Linux a sync that fails in one of them has failed for
//!   both.
//!
//! # Limits
//!
//! - Only Linux is tested. On macOS and BSD the same calls are made as far as they exist; on
//!   Windows memmap2 maps, a lock binds everyone, `sparse`, `advice` and `populate` do nothing,
//!   and a file that `Create` replaces is lost if it cannot be mapped again.
//! - The whole array is one mapping, so it has to fit into the address space, not into
//!   memory. On Linux about 65,500 arrays can be open at a time.
//! - An array keeps a descriptor open only where it cannot do without: if changes go to the
//!   file, if it is guarded or locked, and on Windows always.
//! - An array that grows or follows takes twice its length of address space, 64 MiB at least.
//! - To close any descriptor of a file ends the locks that the process holds on it by
//!   `fcntl`; to open an array, and on Linux to sweep it, opens and closes one.
//! - Files in `/proc` and the like have length 0, so that they are mapped as empty arrays.
//! - A process over its limit of file size (`RLIMIT_FSIZE`) gets an error; one whose limit is
//!   lowered during the call gets `SIGXFSZ`.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `rayon` | ndarray's parallel iterators and `par_for_each`; `a.into_par_iter()`; parallel sweeps, gathers and `load` |
//! | `serde` | ndarray's serialisation, of `a.view()`; windows as JSON and the like |
//! | `approx` | ndarray's comparison within a tolerance, of `*a` |
//! | `sigbus-guard` | the module `guard`: bus errors as errors (Linux); see [`doc::faults`] |
//! | `half` | `half::f16` and `half::bf16` as elements and as numbers in `Be` and `Le` |
//! | `num-complex` | `num_complex::Complex` as element |

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

pub use array::region::{Region, SyncToDisk};
pub use array::{
    MmapArray, MmapArray1, MmapArray2, MmapArray3, MmapArray4, MmapArray5, MmapArray6,
    MmapArrayD,
};
pub use element::Element;
pub use element::byte_order::{Be, Le, Number};
pub use error::npy::NpyError;
pub use error::{Error, Result};
pub use layout::Layout;
#[cfg(all(
    feature = "sigbus-guard",
    target_os = "linux",
    target_pointer_width = "64"
))]
pub use libc;
pub use mode::{Advice, Mode};
pub use open::draft::Draft;
pub use open::options::MapOptions;
pub use sweep::gather::Gather;
#[cfg(feature = "rayon")]
pub use sweep::rayon::Parallel;
pub use sweep::zip::{Split, Sweepable};
pub use sweep::{Blocks, PageCache, Position, Sweep, SweepMut, sweep_zip};
pub use {bytemuck, memmap2, ndarray};

/// Runs the program of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
