//! Functions that take mapped arrays, and libraries that hold them.
//!
//! A mapped array *is* an ndarray array: a library that borrows its arguments as ndarray does
//! takes owned, mapped and sliced arrays alike, and need not know this crate.
//!
//! # What to accept
//!
//! | the function | takes | is called as |
//! |---|---|---|
//! | reads elements, of any memory | `&ArrayRef<A, D>` | `f(&owned)`, `f(&mapped)`, `f(&view)` |
//! | takes slices and vectors too | `impl AsArray<'a, A, D>` | the same, and `f(&vec)` |
//! | returns a view into its argument, or keeps one | `ArrayView<'a, A, D>` | `f(owned.view())`, `f((&mapped).into())`, `f(mapped.slice(..))` |
//! | changes elements | `&mut ArrayRef<A, D>` | `f(&mut owned)`, `f(&mut mapped.view_mut()?)` |
//! | needs an array of its own | `Array<A, D>` | `f(mapped.to_owned())`, which copies |
//!
//! `view()` and `slice(..)` of a handle borrow it; `ArrayView::from(&mapped)`, as `AsArray` uses,
//! does too. What ndarray's older style of `&ArrayBase<S, D>` takes is `&mapped.view()`; a
//! parameter `&Array<A, D>` takes no mapped array at all but a copy.
//!
//! ```
//! use ndarray::{Array2, ArrayRef2, ArrayView1, ArrayView2, AsArray, Axis, Ix2, s};
//! use ndarray_memmap::MapOptions;
//!
//! /// The norm of each row.
//! pub fn norms(rows: &ArrayRef2<f32>) -> Vec<f32> {
//!     rows.outer_iter().map(|row| row.dot(&row).sqrt()).collect()
//! }
//!
//! /// The row that is the longest.
//! pub fn longest<'a>(rows: ArrayView2<'a, f32>) -> Option<ArrayView1<'a, f32>> {
//!     let norms = norms(&rows);
//!     let best = (0..norms.len()).max_by(|&i, &j| norms[i].total_cmp(&norms[j]))?;
//!     Some(rows.index_axis_move(Axis(0), best))
//! }
//!
//! /// Where the elements lie.
//! pub fn address<'a>(rows: impl AsArray<'a, f32, Ix2>) -> *const f32 {
//!     rows.into().as_ptr()
//! }
//!
//! /// Doubles all.
//! pub fn double(rows: &mut ArrayRef2<f32>) {
//!     *rows *= 2.0;
//! }
//!
//! let mut mapped = MapOptions::scratch::<f32, _>((100, 4))?;
//! mapped.view_mut()?.row_mut(7).fill(1.0);
//! double(&mut mapped.view_mut()?);
//! let owned: Array2<f32> = mapped.to_owned();
//! let part = mapped.slice(s![5..10, ..;2]);
//!
//! assert_eq!(norms(&mapped), norms(&owned));
//! assert_eq!(norms(&part)[2], 8.0_f32.sqrt());
//!
//! // Nothing was copied: all of these look at the same bytes.
//! assert_eq!(address(&mapped), mapped.as_ptr());
//! assert_eq!(address(&part), mapped.slice(s![5, ..]).as_ptr());
//! let row = longest((&mapped).into()).ok_or("no rows")?;
//! assert_eq!(row.as_ptr(), mapped.row(7).as_ptr());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Mapped arrays are contiguous unless they were given strides, in C or Fortran order: use
//! `as_slice_memory_order`, not `as_slice`, for what is the same in both. A function that goes
//! through its argument more than once reads a file larger than memory as often; one that takes
//! blocks, to be called in a loop over [`sweep`](MmapArray::sweep), does not.
//!
//! # Offering mapped inputs without this crate
//!
//! | the library | depends on | its users |
//! |---|---|---|
//! | computes with arrays | `ndarray` | map, and pass `&mapped` |
//! | opens files itself | this crate, as an optional feature | call `open_mapped(path)` |
//! | has bytes mapped by others | this crate, for [`Layout::view`](crate::Layout::view), which is safe | pass `&[u8]` |
//!
//! In the second case its functions still take `&ArrayRef`. Use ndarray through
//! [`ndarray_memmap::ndarray`](crate::ndarray) if it is no dependency of its own, so that there is
//! but one version.
//!
//! # Who writes `unsafe`
//!
//! Whoever knows who else has the file, which is the caller and not the library. Either the
//! caller hands in the array, or the function that opens it is `unsafe` and passes [the
//! contract](crate#the-contract-of-a-mapping) on. A safe function that takes a path and maps it
//! is unsound. Safe are [the constructors without the contract](crate#without-the-contract):
//! [`load`](MapOptions::load) for what is small, [`draft`](MapOptions::draft) for output,
//! [`scratch`](MapOptions::scratch) for what is dropped at the end.
//!
//! # A mapped array in a struct
//!
//! Keep the handle, and make views when they are wanted: a struct cannot hold both, and a view
//! costs nothing. Moving the struct leaves the elements where they are. A type parameter for
//! elements is bounded by [`Element`], or by `'static` where nothing is opened.
//!
//! ```
//! use std::io;
//! use std::path::Path;
//!
//! use ndarray::{ArrayView1, ArrayView2, Axis};
//! use ndarray_memmap::{Element, Error, MapOptions, MmapArray2, Mode};
//! use num_traits::ToPrimitive;
//!
//! /// A table of vectors, in a file or in memory that stands for one.
//! #[derive(Debug)]
//! pub struct Table<A: 'static> {
//!     rows: MmapArray2<A>,
//! }
//!
//! impl<A: Element> Table<A> {
//!     /// Maps a table.
//!     ///
//!     /// # Safety
//!     ///
//!     /// That of `MapOptions::open`: nobody changes or cuts the file while the table lives.
//!     pub unsafe fn open(path: &Path, dim: usize) -> io::Result<Self> {
//!         let options = MapOptions::new(Mode::ReadOnly).rows_of(dim);
//!         // SAFETY: the caller vouches for the file.
//!         let rows = unsafe { options.open::<A>(path)? }; // `Error` into `io::Error`
//!         Ok(Self { rows })
//!     }
//!
//!     /// Reads a table into memory.
//!     pub fn load(path: &Path, dim: usize) -> Result<Self, Error> {
//!         let rows = MapOptions::new(Mode::ReadOnly).rows_of(dim).load(path)?;
//!         Ok(Self { rows })
//!     }
//!
//!     /// Takes what its caller has mapped.
//!     pub fn new(rows: MmapArray2<A>) -> Self {
//!         Self { rows }
//!     }
//!
//!     /// All of it.
//!     pub fn view(&self) -> ArrayView2<'_, A> {
//!         self.rows.view()
//!     }
//!
//!     /// One row of it.
//!     pub fn get(&self, index: usize) -> Option<ArrayView1<'_, A>> {
//!         (index < self.rows.nrows()).then(|| self.rows.row(index))
//!     }
//! }
//!
//! impl<A: Element + ToPrimitive> Table<A> {
//!     /// Sums in `f64`, whatever the elements are: `u8`, `f32`, `Be<i16>`, …
//!     pub fn sum(&self) -> f64 {
//!         let sum = |block: ArrayView2<'_, A>| -> f64 {
//!             block.iter().filter_map(ToPrimitive::to_f64).sum()
//!         };
//!         self.rows.sweep(Axis(0), 16 << 20).map(sum).sum()
//!     }
//! }
//!
//! // A test of it needs neither a file nor `unsafe`.
//! let mut rows = MapOptions::scratch::<u8, _>((10, 3))?;
//! rows.view_mut()?.fill(200);
//! let table = Table::new(rows);
//! assert_eq!((table.sum(), table.get(10)), (6000.0, None));
//! # assert!(table.view().iter().all(|&x| x == 200));
//! # fn holds<S>() where for<'a> &'a S: Into<ArrayView2<'a, u8>> {}
//! # (holds::<ndarray::Array2<u8>>(), holds::<MmapArray2<u8>>());
//!
//! // SAFETY: there is no such file.
//! let error = unsafe { Table::<u8>::open("no such file".as_ref(), 3) }.unwrap_err();
//! assert_eq!(error.kind(), io::ErrorKind::NotFound);
//! # Ok::<(), Error>(())
//! ```
//!
//! A struct that should hold owned arrays too takes a parameter `S` with
//! `for<'a> &'a S: Into<ArrayView2<'a, A>>`, which `Array2<A>` and `MmapArray2<A>` both fulfil.
//!
//! # Elements
//!
//! | a function over | is bounded by |
//! |---|---|
//! | arrays that it does not open | what it computes with: `num_traits::Float`, `ToPrimitive`, … |
//! | raw files of any type | [`Element`] |
//! | `.npy` files of any type | [`NpyElement`](crate::npy::NpyElement), which has the dtype |
//! | numbers of a declared byte order | `Be<T>` or `Le<T>` of `T:` [`Number`](crate::Number); they have `num_traits::Num` |
//! | a type that the file decides | nothing: [`npy::DynArray`](crate::npy::DynArray) and [`match_real!`](crate::npy::match_real) |
//!
//! # Errors
//!
//! Return [`Error`] as the source of an error of the library's own, or as [`std::io::Error`] by
//! `?`, whose kind it chooses (a full disk is `StorageFull`, a short file `UnexpectedEof`) and
//! from which [`into_inner`](std::io::Error::into_inner) gets it back. It is
//! `non_exhaustive`: match what you have an answer to, and hand on the rest.
//!
//! # What to leave to the application
//!
//! - The guard against bus errors is the process's: a library neither installs it nor opens
//!   arrays with `guarded(true)` of its own accord, which fails where it is not installed.
//! - Features of this crate are for the whole program. Ask only for those that your own code
//!   names; `rayon`, `serde`, `half` and `num-complex` are the application's to add.
//! - [`sync`](crate::SyncToDisk::sync) waits for the disk: sync where the user is promised
//!   durability, and say so ([`durability`](super::durability)).
//! - [`advice`](MapOptions::advice), [`populate`](MapOptions::populate) and
//!   [`lock`](MapOptions::lock) depend on who else runs: take a [`MapOptions`] from those who want
//!   them.

#[cfg(doc)]
use crate::{Element, Error, MapOptions, MmapArray};
