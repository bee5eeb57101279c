//! Functions that take mapped arrays, and libraries that hold them.
//!
//! A mapped array *is* an ndarray array. A library that borrows its arguments as ndarray does
//! accepts owned, mapped and sliced arrays, and does not depend on this crate.
//!
//! # What to accept
//!
//! | the function | takes | is called as |
//! |---|---|---|
//! | reads elements of any array | `&ArrayRef<A, D>` | `f(&owned)`, `f(&mapped)`, `f(&view)` |
//! | takes slices and vectors too | `impl AsArray<'a, A, D>` | the same, and `f(&vec)` |
//! | returns a view into its argument, or keeps one | `ArrayView<'a, A, D>` | `f(owned.view())`, `f((&mapped).into())`, `f(mapped.slice(..))` |
//! | changes elements | `&mut ArrayRef<A, D>` | `f(&mut owned)`, `f(&mut mapped.view_mut()?)` |
//! | needs an owned array | `Array<A, D>` | `f(mapped.to_owned())`, which copies |
//!
//! `view()` and `slice(..)` borrow the handle, and so does `ArrayView::from(&mapped)`, which
//! `AsArray` uses. Pass `&mapped.view()` to a function in ndarray's older style, which takes
//! `&ArrayBase<S, D>`. A function that takes `&Array<A, D>` accepts only a copy of a mapped array.
//!
//! ```
//! use ndarray::{Array2, ArrayRef2, ArrayView1, ArrayView2, AsArray, Axis, Ix2, s};
//! use ndarray_memmap::MapOptions;
//!
//! /// Returns the norm of each row.
//! pub fn norms(rows: &ArrayRef2<f32>) -> Vec<f32> {
//!     rows.outer_iter().map(|row| row.dot(&row).sqrt()).collect()
//! }
//!
//! /// Returns the row with the largest norm.
//! pub fn longest<'a>(rows: ArrayView2<'a, f32>) -> Option<ArrayView1<'a, f32>> {
//!     let norms = norms(&rows);
//!     let best = (0..norms.len()).max_by(|&i, &j| norms[i].total_cmp(&norms[j]))?;
//!     Some(rows.index_axis_move(Axis(0), best))
//! }
//!
//! /// Returns the address of the first element.
//! pub fn address<'a>(rows: impl AsArray<'a, f32, Ix2>) -> *const f32 {
//!     rows.into().as_ptr()
//! }
//!
//! /// Doubles all elements.
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
//! // No call copies: all views refer to the same bytes.
//! assert_eq!(address(&mapped), mapped.as_ptr());
//! assert_eq!(address(&part), mapped.slice(s![5, ..]).as_ptr());
//! let row = longest((&mapped).into()).ok_or("no rows")?;
//! assert_eq!(row.as_ptr(), mapped.row(7).as_ptr());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Mapped arrays are contiguous in C or Fortran order, unless the caller passed strides. If a
//! computation is the same in both orders, use `as_slice_memory_order`, not `as_slice`. A function
//! that passes over its argument several times reads a file larger than memory several times. A
//! function that takes blocks, and is called in a loop over [`sweep`](MmapArray::sweep), reads the
//! file once.
//!
//! # Offering mapped inputs without this crate
//!
//! | the library | depends on | its users |
//! |---|---|---|
//! | computes with arrays | `ndarray` | map the file, and pass `&mapped` |
//! | opens files itself | this crate, as an optional feature | call `open_mapped(path)` |
//! | gets bytes that the caller has mapped | this crate, for [`Layout::view`](crate::Layout::view), which is safe | pass `&[u8]` |
//!
//! In the second case the functions of the library still take `&ArrayRef`. If the library does not
//! depend on ndarray itself, use [`ndarray_memmap::ndarray`](crate::ndarray). The program then
//! contains only one version of ndarray.
//!
//! # Who writes `unsafe`
//!
//! The caller of the library writes `unsafe`: only the caller knows which other code uses the file.
//! Either the caller passes the array, or the function that opens the file is `unsafe` and passes
//! on [the contract](crate#the-contract-of-a-mapping). A safe function that takes a path and maps
//! the file is unsound. The [constructors without the contract](crate#without-the-contract) are
//! safe: use [`load`](MapOptions::load) for small files, [`draft`](MapOptions::draft) for output,
//! and [`scratch`](MapOptions::scratch) for temporary arrays.
//!
//! # A mapped array in a struct
//!
//! Store the handle in the struct, and create views when the code needs them. A struct cannot hold
//! both, and a view costs nothing. The elements stay in place when the struct moves. A type
//! parameter for elements needs the bound [`Element`], or `'static` in code that opens no file.
//!
//! ```
//! use std::io;
//! use std::path::Path;
//!
//! use ndarray::{ArrayView1, ArrayView2, Axis};
//! use ndarray_memmap::{Element, Error, MapOptions, MmapArray2, Mode, Reduce, Reductions};
//! use num_traits::Zero;
//!
//! /// A table of vectors, in a mapped file or in memory.
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
//!     /// As for `MapOptions::open`: no other code changes or truncates the file while the table
//!     /// lives.
//!     pub unsafe fn open(path: &Path, dim: usize) -> io::Result<Self> {
//!         let options = MapOptions::new(Mode::ReadOnly).rows_of(dim);
//!         // SAFETY: the caller guarantees the contract for the file.
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
//!     /// Takes an array that the caller has mapped.
//!     pub fn new(rows: MmapArray2<A>) -> Self {
//!         Self { rows }
//!     }
//!
//!     /// Returns a view of the whole table.
//!     pub fn view(&self) -> ArrayView2<'_, A> {
//!         self.rows.view()
//!     }
//!
//!     /// Returns one row.
//!     pub fn get(&self, index: usize) -> Option<ArrayView1<'_, A>> {
//!         (index < self.rows.nrows()).then(|| self.rows.row(index))
//!     }
//! }
//!
//! impl<A: Element + Reduce> Table<A> {
//!     /// Sums without overflow, for elements of any type: `u8`, `f32`, `Be<i16>`, …
//!     pub fn sum(&self) -> Result<A::Sum, Error> {
//!         let mut total = A::Sum::zero();
//!         for block in self.rows.sweep(Axis(0), 16 << 20)? {
//!             total += block.wide_sum();
//!         }
//!         Ok(total)
//!     }
//! }
//!
//! // A test of the table needs neither a file nor `unsafe`.
//! let mut rows = MapOptions::scratch::<u8, _>((10, 3))?;
//! rows.view_mut()?.fill(200);
//! let table = Table::new(rows);
//! assert_eq!((table.sum()?, table.get(10)), (6000, None));
//! # assert!(table.view().iter().all(|&x| x == 200));
//! # fn holds<S>() where for<'a> &'a S: Into<ArrayView2<'a, u8>> {}
//! # (holds::<ndarray::Array2<u8>>(), holds::<MmapArray2<u8>>());
//!
//! // SAFETY: the file does not exist.
//! let error = unsafe { Table::<u8>::open("no such file".as_ref(), 3) }.unwrap_err();
//! assert_eq!(error.kind(), io::ErrorKind::NotFound);
//! # Ok::<(), Error>(())
//! ```
//!
//! A struct that also holds owned arrays needs a type parameter `S` with the bound `for<'a> &'a S:
//! Into<ArrayView2<'a, A>>`. `Array2<A>` and `MmapArray2<A>` both satisfy this bound.
//!
//! # Elements
//!
//! | the function works on | its bound |
//! |---|---|
//! | arrays that it does not open | the traits of its computation: `num_traits::Float`, [`Reduce`](crate::Reduce), … |
//! | raw files of any type | [`Element`] |
//! | `.npy` files of any type | [`NpyElement`](crate::npy::NpyElement), which has the dtype |
//! | numbers of a declared byte order | `Be<T>` or `Le<T>` of `T:` [`Number`](crate::Number); both implement `num_traits::Num` |
//! | files whose type is known only at run time | none: use [`npy::DynArray`](crate::npy::DynArray) and [`match_real!`](crate::npy::match_real) |
//!
//! # Errors
//!
//! Return [`Error`] as the source of the library's own error, or convert the [`Error`] into
//! [`std::io::Error`] by `?`. The conversion chooses the kind: `StorageFull` for a full disk,
//! `UnexpectedEof` for a short file. [`into_inner`](std::io::Error::into_inner) returns the
//! original error. [`ErrorKind`](crate::ErrorKind) is `non_exhaustive`: match the kinds that your code
//! can handle, and return the other errors.
//!
//! # What to leave to the application
//!
//! - The guard against bus errors belongs to the process. A library must not install the guard, and
//!   must not call `guarded(true)` on its own: opening fails if no guard is installed.
//! - Cargo unifies the features of this crate for the whole program. Enable only features that your
//!   own code uses. The application adds `rayon`, `serde`, `half` and `num-complex`.
//! - [`sync`](crate::MmapArray::sync) waits for the disk. Call `sync` where you promise durability
//!   to the user, and document the promise: see [`durability`](super::durability).
//! - [`advice`](MapOptions::advice), [`populate`](MapOptions::populate) and
//!   [`lock`](MapOptions::lock) depend on the other programs on the machine. Take a [`MapOptions`]
//!   from callers that need these options.

#[cfg(doc)]
use crate::{Element, Error, MapOptions, MmapArray};
