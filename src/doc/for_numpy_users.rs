//! The calls of `numpy.memmap`, and the corresponding calls of this crate.
//!
//! # Similarities
//!
//! `numpy.memmap` is an `ndarray` whose memory is a mapped file. [`MmapArray`] is the same for the
//! crate [`ndarray`]. The four modes, the offset, the shape and both memory orders have the same
//! meaning. Each library reads the files of the other. The test suite contains 314 recorded calls
//! of NumPy.
//!
//! If ndarray is new to you, read `ndarray_for_numpy_users` in its documentation too. The
//! [`cookbook`](super::cookbook) is ordered by tasks instead of calls.
//!
//! # Some key differences
//!
//! | NumPy | this crate |
//! |---|---|
//! | the element type is an argument, `uint8` by default | the element type is a required type parameter: `open::<f64>` |
//! | the mode is `r+` by default, so a mistyped array name can change a file | the mode is required |
//! | a change of an array in mode `r` raises an exception | [`view_mut`] returns an error, and no other method changes the array |
//! | `r+` extends a short file silently | returns an error, except with [`grow(true)`](MapOptions::grow) |
//! | `w+` empties the file, then checks the shape | checks everything first |
//! | `w+` creates a sparse file; when the disk is full the program dies | reserves the space of new and grown files, so a full disk is an error; [`sparse(true)`](MapOptions::sparse) creates a file like NumPy's |
//! | sums small integers in wider integers, and floats pairwise | ndarray's `sum` and `mean` compute in the element type: integers overflow, and large sums of `f32` are wrong; [`Reductions`] compute in `f64`, `i128` and `u128` |
//! | an empty array leaves one byte in the file | an empty array leaves no byte |
//! | reads unaligned data slowly | unaligned data are an error for `f64`; map them as [`Le<f64>`](crate::Le) or [`Be<f64>`](crate::Be) |
//! | when the disk fails, `flush` raises an exception once and then succeeds; in mode `c` it succeeds and writes nothing | after a failure, [`sync`] always fails; in mode `c` it always fails, because only `commit` writes these changes |
//! | each array keeps a file descriptor | on Linux, an array that is only read keeps none |
//! | slices keep the file mapped | slices borrow the array, and the compiler checks this |
//!
//! Mapping a file is `unsafe` in Rust: the compiler cannot see other code that changes the file. In
//! Python such a change appears in the array eventually. In Rust the change breaks the guarantee
//! of a shared reference. [The contract](crate#the-contract-of-a-mapping) is short.
//!
//! # Opening
//!
//! Write each call of the right column inside `unsafe { … }`. `o(mode)` stands for
//! `MapOptions::new(mode)`. The tables use these imports:
//!
//! ```
//! # #![allow(unused_imports)]
//! use ndarray::{Axis, ShapeBuilder, s};
//! use ndarray_memmap::{Be, MapOptions, Mode, Reductions};
//! ```
//!
//! | NumPy | this crate |
//! |---|---|
//! | `np.memmap(p, 'f8', 'r')` | `o(Mode::ReadOnly).open::<f64>(p)?` |
//! | `np.memmap(p, 'f8', 'r', shape=(3, 4))` | `o(Mode::ReadOnly).shape((3, 4)).open::<f64>(p)?` |
//! | `np.memmap(p, 'f8', 'r', shape=(3, 4), order='F')` | `o(Mode::ReadOnly).shape((3, 4).f()).open::<f64>(p)?` |
//! | `np.memmap(p, 'f8', 'r', offset=16)` | `o(Mode::ReadOnly).offset(16).open::<f64>(p)?` |
//! | `np.memmap(p, 'f4', 'r').reshape(-1, 768)` | `o(Mode::ReadOnly).rows_of(768).open::<f32>(p)?` |
//! | `np.memmap(p, '>i2', 'r')` | `o(Mode::ReadOnly).open::<Be<i16>>(p)?` |
//! | `np.memmap(p, 'f8', 'c')` | `o(Mode::CopyOnWrite).open::<f64>(p)?` |
//! | `np.memmap(p, 'f8', 'r+')` | `o(Mode::ReadWrite).open::<f64>(p)?` |
//! | `np.memmap(p, 'f8', 'r+', shape=1000)` on a shorter file | `o(Mode::ReadWrite).grow(true).shape(1000).open::<f64>(p)?` |
//! | `np.memmap(p, 'f8', 'w+', shape=1000)` | `o(Mode::Create).shape(1000).open::<f64>(p)?` |
//! | `np.memmap(p, [('id', '<u4'), ('x', '<f8')])` | a struct of [`Le<u32>`](crate::Le) and `Le<f64>` that derives `bytemuck::Pod`; see [`Element`](crate::Element) |
//! | `np.memmap(p, 'f4').reshape(-1, 3)[:, 1]` | `.rows_of(3)` and `.index_axis(Axis(1), 1)`, or `.offset(4).shape(n.strides(3))` |
//! | `np.memmap(f, ..)` of an open file | `o(..).map::<f64>(&f)?` |
//! | `np.frombuffer(mmap.mmap(..), ..)` | [`Layout::view`](crate::Layout::view) over `memmap2::Mmap` |
//! | `np.fromfile(p)` | [`load`](MapOptions::load) |
//! | `np.memmap(tempfile.TemporaryFile(), shape=..)` | [`MapOptions::scratch`] |
//! | `open_memmap(p)`, `np.load(p, mmap_mode='r')` | [`npy::open::<f32, Ix2>(p, Mode::ReadOnly)?`](npy::open) |
//! | `open_memmap(p, 'w+', 'f4', (3, 4))` | [`npy::create::<f32, _>(p, (3, 4))?`](npy::create) |
//! | `np.load(p)` | [`npy::load::<f32, Ix2>(p)?`](npy::load) |
//! | `np.load(p, mmap_mode='r')` of a file of unknown type | [`npy::DynArray::open(p, Mode::ReadOnly)?`](npy::DynArray::open) |
//! | `np.lib.format.read_array_header_1_0(f)` | [`npy::Header::read(&f)?`](npy::Header::read) |
//! | write a header, then `np.memmap(p, 'f8', 'r+', 512, (3, 4))` | write the header, then `o(Mode::ReadWrite).grow(true).offset(512).shape((3, 4)).open::<f64>(p)?`; `w+` would overwrite the header with zeros |
//!
//! [`Mode`] parses and prints NumPy's names, as in `"r+".parse::<Mode>()?`. NumPy does not have the
//! modes `x+` and `a+`.
//!
//! # Parameter by parameter
//!
//! | `np.memmap` (its default) | this crate |
//! |---|---|
//! | `filename`, a path | `open(path)` |
//! | `filename`, an open file | `map(&file)`, which does not move the file position, and does not need the file afterwards |
//! | `dtype` (`uint8`) | the type parameter |
//! | `mode` (`r+`) | `MapOptions::new(mode)`, also with `x+` and `a+` |
//! | `offset` (0) | [`offset`](MapOptions::offset), a multiple of the element's alignment; any offset for `Le` and `Be` |
//! | `shape` (one axis, to the end of the file) | [`shape`](MapOptions::shape) with the same default; [`rows_of`](MapOptions::rows_of) if only the first length is unknown |
//! | `order` (`C`) | `.f()` of the shape, or `.strides(..)` |
//! | `filename`, as an absolute path | [`path()`](MmapArray::path), as the caller passed it |
//! | `offset`, `mode` | [`offset()`](MmapArray::offset), [`mode()`](MmapArray::mode) |
//! | `filename`, `offset`, `mode` of a slice, which are those of the whole array | none, a slice is a plain view; [`region`](MmapArray::region) returns its bytes |
//! | `flush()` | [`sync`], also of a [`region`](MmapArray::region) |
//! | `_mmap.madvise`, `.resize`, `.close` | [`region(..).advise`](crate::Region::advise), [`resize`](MmapArray::resize), drop |
//! | `shape`, `ndim`, `size` | `shape()`, `ndim()`, `len()` |
//! | `strides`, in bytes | `strides()`, in elements |
//! | `itemsize`, `nbytes` | `layout().item_size()`, [`nbytes()`](MmapArray::nbytes) |
//! | `flags.writeable` | [`is_writable()`](MmapArray::is_writable) |
//! | `flags.c_contiguous`, `.f_contiguous` | `is_standard_layout()`, `t().is_standard_layout()` |
//!
//! | `open_memmap` (its default) | this crate |
//! |---|---|
//! | `filename`, a path | a path; for an open file, [`npy::Options::map`] |
//! | `mode` (`r+`) | [`npy::open`] for `r`, `c` and `r+`; [`npy::create`] for `w+`, [`npy::Options::create`] for `x+` and `a+` |
//! | `dtype`, `shape`, ignored except in `w+` | the element type and the number of axes must match the file |
//! | `fortran_order` (`False`) | `.f()` of the shape, or [`order`](npy::Options::order) |
//! | `version` (the oldest that suffices) | [`version`](npy::Options::version) |
//! | `max_header_size` (10,000) | [`max_header_size`](npy::Options::max_header_size) |
//!
//! | `np.load` (its default) | this crate |
//! |---|---|
//! | `mmap_mode` (`None`) | [`npy::load`]; with a mode, [`npy::open`] or [`npy::DynArray::open`] |
//! | `allow_pickle` (`False`), `fix_imports`, `encoding` | none; Python objects return [`NpyErrorKind::ObjectType`](crate::NpyErrorKind::ObjectType) |
//! | a `.npz` file, which NumPy never maps | returns [`NpyErrorKind::Npz`](crate::NpyErrorKind::Npz); extract its members |
//! | `max_header_size` (10,000) | [`max_header_size`](npy::Options::max_header_size) |
//!
//! # Using
//!
//! | NumPy | this crate |
//! |---|---|
//! | `a[10]`, `a[1:3, ::2]` | `a[10]`, `a.slice(s![1..3, ..;2])` |
//! | `a[10] = 1.0` | `a.view_mut()?[10] = 1.0` |
//! | `a[:] = b` | `a.view_mut()?.assign(&b)` |
//! | `a += 1` | `*a.view_mut()? += 1.0` |
//! | `a.sum(dtype='f8')` of floats, `a.sum()` of integers and of `bool` | [`a.wide_sum()`](Reductions::wide_sum), which is exact for all integers |
//! | `a.mean(dtype='f8')`, `a.mean()` of integers and of `bool` | [`a.wide_mean()`](Reductions::wide_mean) |
//! | `a.sum(axis=0)`, `a.mean(axis=0)` | [`a.wide_sum_axis(Axis(0))`](Reductions::wide_sum_axis), [`a.wide_mean_axis(Axis(0))`](Reductions::wide_mean_axis) |
//! | `a.max()`, `a.min()` | [`a.maximum()`](Reductions::maximum), [`a.minimum()`](Reductions::minimum), which are `None` if `a` is empty |
//! | `a.max(axis=0)` | `a.map_axis(Axis(0), \|lane\| lane.maximum())` |
//! | `np.nanmax(a)` | `a.iter().copied().reduce(f64::max)` |
//! | `a.sum()` in the element type, `a.prod()`, `a.std()` | `a.sum()`, `a.product()`, `a.std(0.0)` |
//! | `a.astype(float)` | `a.mapv(f64::from)`; of `Be<i16>`, `a.mapv(\|x\| f64::from(x.get()))` |
//! | `a + b`, `a * 2`, `a @ b`, `a == b` | `&a + &b`, `&a * 2.0`, `a.dot(&b)`, `a == b` |
//! | `a.T`, `a.reshape(6, 2)` | `a.t()`, `a.to_shape((6, 2))?` |
//! | `np.array(a)` | `a.to_owned()` |
//! | `np.save(p, a)` | [`npy::save(p, &a)?`](npy::save) |
//! | `a.tofile(p)` | `let mut d = o(Mode::Create).shape(a.dim()).draft::<f64>(p)?; d.view_mut().assign(&a); d.publish()?` |
//! | `print(a)` | `println!("{a}")` |
//! | `for i in range(0, len(a), n): f(a[i:i+n])`, of a large file | [`for block in a.sweep(Axis(0), 16 << 20)?`](MmapArray::sweep) |
//! | `for i in ids: f(a[i])` | [`a.gather(Axis(0), &ids)?`](MmapArray::gather), an iterator of rows |
//! | `a[ids]` | `ndarray::stack(Axis(0), &a.gather(Axis(0), &ids)?.collect::<Vec<_>>())?` |
//! | `np.append`, `NpyAppendArray(p).append(rows)` | [`a.append(Axis(0), &rows)?`](MmapArray::append), [`a.push(Axis(0), &row)?`](MmapArray::push) |
//! | `os.truncate`, then `np.memmap` again | [`a.resize(Axis(0), n)?`](MmapArray::resize) |
//! | `np.memmap` again, to see rows that another process has added | [`a.refresh()?`](MmapArray::refresh) |
//! | `np.array_split(a, n)`, for `n` processes | [`Partition::new(&header, Axis(0), n)?.windows(p)`](crate::partition) |
//! | `a[ids] = rows` | [`a.scatter(Axis(0), &ids, &rows)?`](MmapArray::scatter) |
//! | `a.flush()` | `a.sync()?` |
//! | – | [`a.commit()?`](MmapArray::commit), which writes the changes of mode `c` to the file |
//! | `del a` | `drop(a)`, or `a.close()?` to get errors |
//! | a function of arrays, `def f(a):` | `fn f(a: &ArrayRef2<f64>)`, called as `f(&a)` |
//!
//! # A session
//!
//! This is the memmap example of Oliphant's *Guide to NumPy*:
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let newfile_dat = dir.path().join("newfile.dat");
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // >>> a = memmap('newfile.dat', dtype=float, mode='w+', shape=1000)
//! // SAFETY: no other code uses the file.
//! let mut a = unsafe { MapOptions::new(Mode::Create).shape(1000).open::<f64>(&newfile_dat)? };
//! // >>> a[10] = 10.0
//! // >>> a[30] = 30.0
//! let mut w = a.view_mut()?;
//! w[10] = 10.0;
//! w[30] = 30.0;
//! // >>> del a
//! drop(a);
//! // >>> a = memmap('newfile.dat', dtype=float)
//! // SAFETY: no other code uses the file.
//! let a = unsafe { MapOptions::new(Mode::ReadOnly).open::<f64>(&newfile_dat)? };
//! // >>> print a[10], a[30]
//! assert_eq!((a[10], a[30]), (10.0, 30.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`sync`]: MmapArray::sync
//! [`view_mut`]: MmapArray::view_mut

#[cfg(doc)]
use crate::{MapOptions, MmapArray, Mode, Reductions, npy};
