//! The calls of `numpy.memmap`, and the corresponding calls of this crate.
//!
//! # Similarities
//!
//! `numpy.memmap` is an `ndarray` whose memory is a mapped file. [`MmapArray`] is the same for the
//! crate [`ndarray`]. The four modes, the offset, the shape and both memory orders have the same
//! meaning. Each library reads the files of the other. The test suite contains 314 recorded calls
//! of NumPy, and runs each row of the tables below in NumPy too.
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
//! | `np.memmap(p, 'f8', 'r')` | `o(Mode::ReadOnly).open::<f64>(p)?`; here and below, an empty file is an empty array; in modes `r` and `c` NumPy raises `ValueError` |
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
//! | `np.memmap(f, ..)` of an open file | `o(mode).map::<f64>(&f)?` |
//! | `np.frombuffer(mmap.mmap(..), ..)` | [`Layout::view`](crate::Layout::view) over `memmap2::Mmap` |
//! | `np.fromfile(p)` | [`o(Mode::ReadOnly).load::<f64>(p)?`](MapOptions::load); a file that ends within an element is an error, and NumPy ignores the rest |
//! | `np.memmap(tempfile.TemporaryFile(), shape=..)` | [`MapOptions::scratch::<u8, _>((3, 4))?`](MapOptions::scratch) |
//! | `open_memmap(p)`, `np.load(p, mmap_mode='r')` | [`npy::open::<f32, Ix2>(p, Mode::ReadOnly)?`](npy::open), an error if the file has another type or number of axes |
//! | `open_memmap(p, 'w+', 'f4', (3, 4))` | [`npy::create::<f32, _>(p, (3, 4))?`](npy::create) |
//! | `np.load(p)` | [`npy::load::<f32, Ix2>(p)?`](npy::load), with the same errors |
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
//! | `filename`, an open file | `map(&file)`, which does not need the file afterwards, and does not move the file position; NumPy moves it to the end |
//! | `dtype` (`uint8`) | the type parameter |
//! | `mode` (`r+`) | `MapOptions::new(mode)`, also with `x+` and `a+` |
//! | `offset` (0) | [`offset`](MapOptions::offset), a multiple of the element's alignment; any offset for `Le` and `Be` |
//! | `shape` (one axis, to the end of the file) | [`shape`](MapOptions::shape) with the same default; [`rows_of`](MapOptions::rows_of) if only the first length is unknown |
//! | `order` (`C`) | `.f()` of the shape, or `.strides(..)` |
//! | `filename`, as an absolute path | [`path()`](MmapArray::path), as the caller passed it |
//! | `offset`, `mode` | [`offset()`](MmapArray::offset), [`mode()`](MmapArray::mode) |
//! | `filename`, `offset`, `mode` of a slice, which are those of the whole array | none, a slice is a plain view; [`region`](MmapArray::region) returns the bytes of its pages |
//! | `flush()` | [`sync`], also of a [`region`](MmapArray::region) |
//! | `_mmap.madvise`, `.resize`, `.close` | [`region(..).advise`](crate::Region::advise), [`resize`](MmapArray::resize), drop; in NumPy the array must not be used after the last two |
//! | `shape`, `ndim`, `size` | `shape()`, `ndim()`, `len()` |
//! | `strides`, in bytes | `strides()`, in elements; 0 if the array is empty |
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
//! | `a[10]`, `a[1:3, ::2]` | `a[10]`, `a.slice(s![1..3, ..;2])`, which panic if out of bounds; NumPy shortens such a slice |
//! | `a[10] = 1.0` | `a.view_mut()?[10] = 1.0`, which panics if out of bounds |
//! | `a[:] = b` | `a.view_mut()?.assign(&b)`, which panics if `b` cannot be broadcast; also without axes, where NumPy needs `a[...] = b` |
//! | `a += 1` | `*a.view_mut()? += 1.0`; of `Be<f64>`, `+= Be::new(1.0)`; of `f16`, `a.view_mut()?.mapv_inplace(\|x\| x + f16::ONE)`; integers that overflow panic in debug builds, and wrap around in NumPy |
//! | `a.sum(dtype='f8')` of floats, `a.sum()` of integers and of `bool` | [`a.wide_sum()`](Reductions::wide_sum), exact for all integers; NumPy's sum wraps around at 64 bits |
//! | `a.mean(dtype='f8')`, `a.mean()` of integers and of `bool` | [`a.wide_mean()`](Reductions::wide_mean) |
//! | `a.sum(axis=0)`, `a.mean(axis=0)` of integers and of `bool`, and of floats with `dtype='f8'` | [`a.wide_sum_axis(Axis(0))`](Reductions::wide_sum_axis), [`a.wide_mean_axis(Axis(0))`](Reductions::wide_mean_axis); sums of integers are exact, and NumPy's wrap around at 64 bits; an array without axes panics, and is its own sum in NumPy |
//! | `a.max()`, `a.min()` | [`a.maximum()`](Reductions::maximum), [`a.minimum()`](Reductions::minimum), which are `None` if `a` is empty; NumPy raises `ValueError` |
//! | `a.max(axis=0)` | `a.map_axis(Axis(0), \|lane\| lane.maximum())`, an array of `Option`: `None` if the axis has length 0, where NumPy raises `ValueError`; an array without axes panics, and is its own maximum in NumPy |
//! | `np.nanmax(a)` | `a.iter().copied().reduce(f64::max)`, NaN if all elements are NaN, and `None` if `a` is empty, where NumPy raises `ValueError` |
//! | `a.sum()` in the element type, `a.prod()`, `a.std()` | `a.sum()`, `a.product()`, `a.std(0.0)` of floats; elements are added in another order; integers that overflow panic in debug builds, and wrap around in NumPy |
//! | `a.astype(float)` | `a.mapv(f64::from)`; of `Be<i16>`, `a.mapv(\|x\| f64::from(x.get()))`; of `i64` and `u64`, `a.mapv(\|x\| x as f64)` |
//! | `a + b`, `a * 2`, `a @ b`, `a == b` | `&a + &b`, `&a * 2.0`, `a.dot(&b)`, `a == b`; the last is one `bool`, as `np.array_equal(a, b)`; integers that overflow panic in debug builds, and wrap around in NumPy |
//! | `a.T`, `a.reshape(6, 2)` | `a.t()`, `a.to_shape((6, 2))?` |
//! | `np.array(a)` | `a.to_owned()` |
//! | `np.save(p, a)` | [`npy::save(p, &a)?`](npy::save) |
//! | `a.tofile(p)` | `let mut d = o(Mode::Create).shape(a.dim()).draft::<f64>(p)?; d.view_mut().assign(&a); d.publish()?` |
//! | `print(a)` | `println!("{a}")`, in Rust's format `[1, NaN]`; arrays of 500 elements and more are abbreviated, in NumPy those of more than 1000 |
//! | `for i in range(0, len(a), n): f(a[i:i+n])`, of a large file | [`for block in a.sweep(Axis(0), 16 << 20)?`](MmapArray::sweep) |
//! | `for i in ids: f(a[i])` | [`a.gather(Axis(0), &ids)?`](MmapArray::gather), an iterator of rows |
//! | `a[ids]` | `ndarray::stack(Axis(0), &a.gather(Axis(0), &ids)?.collect::<Vec<_>>())?`, an error if `ids` is empty; [`a.select(Axis(0), &ids)`](ndarray::ArrayRef::select) is an empty array then |
//! | `np.append`, `NpyAppendArray(p).append(rows)` | [`a.append(Axis(0), &rows)?`](MmapArray::append), [`a.push(Axis(0), &row)?`](MmapArray::push); in Fortran order along the last axis only |
//! | `os.truncate`, then `np.memmap` again | [`a.resize(Axis(0), n)?`](MmapArray::resize) |
//! | `np.memmap` again, to see rows that another process has added | [`a.refresh()?`](MmapArray::refresh), an error if the caller has given the whole shape |
//! | `np.array_split(a, n)`, for `n` processes | [`Partition::new(&header, Axis(0), n)?.windows(p)`](crate::partition); in Fortran order along the last axis only |
//! | `a[ids] = rows` | [`a.scatter(Axis(0), &ids, &rows)?`](MmapArray::scatter) |
//! | `a.flush()` | `a.sync()?`, an error in mode `c`, where NumPy does nothing |
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
