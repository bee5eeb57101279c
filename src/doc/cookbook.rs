//! Ten tasks of a NumPy user, as they would ask; then [`recipes`].
//!
//! Every example is run as a test. `path` is a file in a folder of the program's own, which is
//! what makes the promise of each `unsafe` true; [the contract of a
//! mapping](crate#the-contract-of-a-mapping) says what to look at when yours is not. NumPy's
//! calls one by one are in [`for_numpy_users`](super::for_numpy_users).
//!
//! # How do I open a raw float32 file of unknown length as (n, 768)?
//!
//! NumPy: `np.memmap(path, 'f4', 'r').reshape(-1, 768)`
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("embeddings.f32");
//! # std::fs::write(&path, vec![0; 5 * 768 * 4])?;
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: nobody changes the file while `a` lives.
//! let a = unsafe { MapOptions::new(Mode::ReadOnly).rows_of(768).open::<f32>(&path)? };
//! assert_eq!(a.dim(), (5, 768));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file that ends within a row is [`Error::PartialElement`]; `shape((n, 768))` takes the
//! first `n` rows of it.
//!
//! # How do I map a Fortran-ordered, big-endian block that begins at byte 2880?
//!
//! NumPy: `np.memmap(path, '>f4', 'r', 2880, (100, 80), 'F')`
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("block.bin");
//! # let mut bytes = vec![0; 2880 + 100 * 80 * 4];
//! # bytes[2880 + 4..2880 + 8].copy_from_slice(&1.5_f32.to_be_bytes());
//! # std::fs::write(&path, bytes)?;
//! use ndarray::ShapeBuilder; // has `f()`
//! use ndarray_memmap::{Be, MapOptions, Mode};
//!
//! let options = MapOptions::new(Mode::ReadOnly).offset(2880).shape((100, 80).f());
//! // SAFETY: nobody changes the file while `a` lives.
//! let a = unsafe { options.open::<Be<f32>>(&path)? };
//! assert_eq!(a[[1, 0]].get(), 1.5); // the first axis varies fastest
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How do I edit a copy and leave the file as it is?
//!
//! NumPy: `a = np.load(path, mmap_mode='c')`, and `np.save(other, a)` to keep it
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let (path, other) = (dir.path().join("x.npy"), dir.path().join("y.npy"));
//! # // SAFETY: the file is ours.
//! # drop(unsafe { ndarray_memmap::npy::create::<f64, _>(&path, (100, 3))? });
//! use ndarray::Ix2;
//! use ndarray_memmap::{Mode, npy};
//!
//! // SAFETY: nobody changes the file while `a` lives.
//! let mut a = unsafe { npy::open::<f64, Ix2>(&path, Mode::CopyOnWrite)? };
//! a.view_mut()?.column_mut(1).fill(0.5); // takes memory for the pages it changes
//! assert_eq!(npy::load::<f64, Ix2>(&path)?.sum(), 0.0);
//!
//! let mut draft = npy::draft::<f64, _>(&other, a.dim())?; // to keep the copy
//! draft.view_mut()?.assign(&a);
//! draft.publish()?;
//! assert_eq!(npy::load::<f64, Ix2>(&other)?, a);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! To bring the changes into the file after all, [`commit`](recipes#editing-privately-then-committing).
//!
//! # How do I append rows to a file?
//!
//! NumPy: `np.save(path, np.append(np.load(path), rows, axis=0))`, which writes all of it anew
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.npy");
//! # // SAFETY: the file is ours.
//! # drop(unsafe { ndarray_memmap::npy::create::<f64, _>(&path, (1000, 3))? });
//! use ndarray::{Axis, Ix2, array};
//! use ndarray_memmap::{Mode, npy};
//!
//! // SAFETY: nobody else touches the file while `a` lives.
//! let mut a = unsafe { npy::open::<f64, Ix2>(&path, Mode::ReadWrite)? };
//! a.append(Axis(0), &array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])?;
//! a.push(Axis(0), &array![7.0, 8.0, 9.0])?;
//! a.close()?;
//! assert_eq!(npy::load::<f64, Ix2>(&path)?.dim(), (1003, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A raw file grows alike, opened by `rows_of(3)`; see [a log](recipes#appending-to-a-log).
//!
//! # How do I sum a file of 6 GiB in 64 MiB of memory?
//!
//! NumPy: `sum(a[i:i + n].sum() for i in range(0, len(a), n))`, which leaves the file in memory
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("six_gib.f64");
//! # std::fs::File::create(&path)?.set_len(6 << 20)?;
//! use ndarray::Axis;
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: nobody changes the file while `a` lives.
//! let a = unsafe { MapOptions::new(Mode::ReadOnly).open::<f64>(&path)? };
//! let sum: f64 = a.sweep(Axis(0), 16 << 20).map(|block| block.sum()).sum();
//! assert_eq!(sum, 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`sweep`](MmapArray::sweep) holds two blocks and a little more, whatever the file's length.
//!
//! # How do I read only rows 10,000 to 10,100 of a `.npy` file?
//!
//! NumPy: `np.load(path, mmap_mode='r')[10_000:10_100]`
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.npy");
//! # // SAFETY: the file is ours.
//! # drop(unsafe { ndarray_memmap::npy::create::<f32, _>(&path, (20_000, 8))? });
//! use ndarray::{Ix2, s};
//! use ndarray_memmap::{Mode, npy};
//!
//! // SAFETY: nobody changes the file while `a` lives.
//! let a = unsafe { npy::open::<f32, Ix2>(&path, Mode::ReadOnly)? };
//! let rows = a.slice(s![10_000..10_100, ..]); // reads nothing yet
//! let means = rows.mean_axis(ndarray::Axis(1)); // reads these rows
//! let copy = rows.to_owned(); // outlives `a`
//! # assert_eq!((means.map(|m| m.sum()), copy.dim()), (Some(0.0), (100, 8)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Opening reads the header, and a slice the pages that are looked at, with what the disk reads
//! ahead. Rows in no order: [`gather`](MmapArray::gather).
//!
//! # How do I share an array with another process?
//!
//! NumPy: `np.memmap` of one file in both
//!
//! One makes the file and one opens it, and they take turns: a message, the end of a child, or
//! whatever else orders their work says when. Changes are seen at once, without `sync`.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("shared.i64");
//! use std::path::Path;
//!
//! use ndarray_memmap::{MapOptions, Mode, Result};
//!
//! /// The one process; it tells the other when it is done.
//! fn produce(path: &Path) -> Result<()> {
//!     let options = MapOptions::new(Mode::Create).shape((100, 3)).lock(true);
//!     // SAFETY: the other process does not look before it is told to.
//!     let mut a = unsafe { options.open::<i64>(path)? };
//!     a.view_mut()?.row_mut(7).fill(2);
//!     Ok(())
//! }
//!
//! /// The other process, when it was told.
//! fn consume(path: &Path) -> Result<i64> {
//!     let options = MapOptions::new(Mode::ReadOnly).rows_of(3).lock(true);
//!     // SAFETY: the one process changes nothing any more.
//!     let a = unsafe { options.open::<i64>(path)? };
//!     Ok(a.sum())
//! }
//!
//! produce(&path)?;
//! assert_eq!(consume(&path)?, 6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`lock`](MapOptions::lock) makes a mistake in the order an error, [`Error::Locked`]. Ways to
//! share without waiting are in [`recipes`](recipes#sharing-between-threads-and-processes); a
//! file in `/dev/shm` never touches a disk.
//!
//! # How do I change a value and be sure that it is on disk?
//!
//! NumPy: `a[3, 1] = 2.5; a.flush()`, which reports a failing disk once, and then success
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.f64");
//! # std::fs::write(&path, [0; 240])?;
//! use ndarray_memmap::{MapOptions, Mode, SyncToDisk};
//!
//! // SAFETY: nobody else touches the file while `a` lives.
//! let mut a = unsafe { MapOptions::new(Mode::ReadWrite).rows_of(3).open::<f64>(&path)? };
//! a.view_mut()?[[3, 1]] = 2.5;
//! a.sync()?; // on disk when this returns
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! When to sync, and what an error means, says [`durability`](super::durability).
//!
//! # How do I open a `.npy` file of unknown dtype?
//!
//! NumPy: `np.load(path, mmap_mode='r')`
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.npy");
//! # // SAFETY: the file is ours.
//! # drop(unsafe { ndarray_memmap::npy::create::<i16, _>(&path, (20, 8))? });
//! use ndarray_memmap::npy::{self, DynArray};
//! use ndarray_memmap::Mode;
//! use num_traits::ToPrimitive;
//!
//! // SAFETY: nobody changes the file while `a` lives.
//! let a = unsafe { DynArray::open(&path, Mode::ReadOnly)? };
//! let sum = npy::match_real!(&a, a => { // an `&MmapArrayD` of whichever type it is
//!     a.iter().filter_map(|x| x.to_f64()).sum::<f64>()
//! }, else => return Err("neither real nor an integer".into()));
//! assert_eq!(sum, 0.0);
//!
//! if let DynArray::F32(a) = &a {
//!     println!("{}", a.view());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`npy::Header::read`](crate::npy::Header::read) tells type and shape without mapping.
//!
//! # How do I find out why a file does not open?
//!
//! Print the error: it says what was asked, what was found, and a way out where there is one.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.npy");
//! # // SAFETY: the file is ours.
//! # drop(unsafe { ndarray_memmap::npy::create::<f32, _>(&path, (2, 3))? });
//! use ndarray::Ix2;
//! use ndarray_memmap::{Error, Mode, npy};
//!
//! // SAFETY: nobody changes the file.
//! let error = unsafe { npy::open::<f64, Ix2>(&path, Mode::ReadOnly) }.unwrap_err();
//! assert_eq!(error.to_string(), "the file has elements `<f4`, asked for `<f8`");
//! if let Error::Io { source, .. } = &error {
//!     println!("{:?}", source.kind()); // what the operating system answered
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | it says | often because |
//! |---|---|
//! | the array ends at byte …, but the file has … bytes | the type is too wide, or an axis too long; a file of numbers of unknown kind opens as `u8` |
//! | the … bytes … are not a multiple of … | there is a header before the elements, whose length is the `offset`, or something behind them |
//! | the elements from byte … on are not aligned | the header has an odd length: [`Le`](crate::Le) and [`Be`](crate::Be) lie anywhere |
//! | the file has elements `>f4`, asked for `<f4` | it was written on another machine: `Be<f32>` |
//! | element … is not a valid value of its type | the `bool` or enum is something else; `u8` takes all |
//! | the file is a zip archive | `np.savez` made it |
//! | the file is not a `.npy` file | it is raw: [`MapOptions::open`] |
//! | … is locked by somebody else | it is open with `lock(true)`, here or elsewhere |
//! | no space to reserve … | the disk is full; [`sparse`](MapOptions::sparse) takes that risk |
//!
//! If it opens and the numbers are wrong: a `.npy` file that is opened as raw begins with its
//! header; numbers of 1e-300 and 1e300 are of the other byte order; an image that is mirrored
//! along its diagonal is in the other memory order. `cargo run --example npyinfo -- x.npy`
//! describes a `.npy` file.

#[cfg(doc)]
use crate::{Error, MapOptions, MmapArray};

pub mod recipes;
