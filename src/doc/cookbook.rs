//! Ten questions of NumPy users with their answers, and longer [`recipes`].
//!
//! Each example runs as a test. `path` is a file in a folder that only the program uses, which
//! makes the promise of each `unsafe` true. If other programs can reach your file, read [the
//! contract of a mapping](crate#the-contract-of-a-mapping) first. The chapter
//! [`for_numpy_users`](super::for_numpy_users) lists NumPy's calls one by one.
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
//! // SAFETY: no other code changes the file while `a` lives.
//! let a = unsafe { MapOptions::new(Mode::ReadOnly).rows_of(768).open::<f32>(&path)? };
//! assert_eq!(a.dim(), (5, 768));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file that ends within a row returns [`ErrorKind::PartialElement`]. Use `shape((n, 768))` to map
//! its first `n` rows.
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
//! // SAFETY: no other code changes the file while `a` lives.
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
//! // SAFETY: no other code changes the file while `a` lives.
//! let mut a = unsafe { npy::open::<f64, Ix2>(&path, Mode::CopyOnWrite)? };
//! a.view_mut()?.column_mut(1).fill(0.5); // uses memory for the changed pages
//! assert_eq!(npy::load::<f64, Ix2>(&path)?.sum(), 0.0);
//!
//! npy::save(&other, &a)?; // to keep the copy
//! assert_eq!(npy::load::<f64, Ix2>(&other)?, a);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`commit`](recipes#editing-privately-then-committing) writes the changes to the file after all.
//!
//! # How do I append rows to a file?
//!
//! NumPy: `np.save(path, np.append(np.load(path), rows, axis=0))`, which writes the whole file
//! again
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.npy");
//! # // SAFETY: the file is ours.
//! # drop(unsafe { ndarray_memmap::npy::create::<f64, _>(&path, (1000, 3))? });
//! use ndarray::{Axis, Ix2, array};
//! use ndarray_memmap::{Mode, npy};
//!
//! // SAFETY: no other code uses the file while `a` lives.
//! let mut a = unsafe { npy::open::<f64, Ix2>(&path, Mode::ReadWrite)? };
//! a.append(Axis(0), &array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])?;
//! a.push(Axis(0), &array![7.0, 8.0, 9.0])?;
//! a.close()?;
//! assert_eq!(npy::load::<f64, Ix2>(&path)?.dim(), (1003, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A raw file that is opened with `rows_of(3)` grows in the same way: see [a
//! log](recipes#appending-to-a-log).
//!
//! # How do I sum a file of 6 GiB in 64 MiB of memory?
//!
//! NumPy: `sum(a[i:i + n].sum() for i in range(0, len(a), n))`, which leaves the file in the
//! page cache
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("six_gib.f64");
//! # std::fs::File::create(&path)?.set_len(6 << 20)?;
//! use ndarray::Axis;
//! use ndarray_memmap::{MapOptions, Mode, Reductions};
//!
//! // SAFETY: no other code changes the file while `a` lives.
//! let a = unsafe { MapOptions::new(Mode::ReadOnly).open::<f64>(&path)? };
//! let mut total = 0.0;
//! for block in a.sweep(Axis(0), 16 << 20)? {
//!     total += block.wide_sum();
//! }
//! assert_eq!(total, 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`sweep`](MmapArray::sweep) keeps two blocks and a little more resident, for a file of any
//! length. [`wide_sum`](crate::Reductions::wide_sum) adds in `f64`, also elements of `f32`, and adds
//! integers in 128 bits. ndarray's `sum` adds in the element type.
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
//! use ndarray_memmap::{Mode, Reductions, npy};
//!
//! // SAFETY: no other code changes the file while `a` lives.
//! let a = unsafe { npy::open::<f32, Ix2>(&path, Mode::ReadOnly)? };
//! let rows = a.slice(s![10_000..10_100, ..]); // reads nothing yet
//! let means = rows.wide_mean_axis(ndarray::Axis(1)); // reads these rows, computes in `f64`
//! let copy = rows.to_owned(); // outlives `a`
//! # assert_eq!((means.sum(), copy.dim()), (0.0, (100, 8)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Opening reads the header. Access to a slice reads the pages that it touches, and the kernel's
//! readahead. Use [`gather`](MmapArray::gather) to read rows in any order.
//!
//! # How do I share an array with another process?
//!
//! NumPy: `np.memmap` of one file in both
//!
//! One process creates the file and the other opens it. The processes take turns: a message, the
//! end of a child or any other event that orders their work starts the next turn. Each process
//! sees the changes of the other at once, without `sync`.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("shared.i64");
//! use std::path::Path;
//!
//! use ndarray_memmap::{MapOptions, Mode, Result};
//!
//! /// The producer, which sends a message to the consumer when it is done.
//! fn produce(path: &Path) -> Result<()> {
//!     let options = MapOptions::new(Mode::Create).shape((100, 3)).lock(true);
//!     // SAFETY: the consumer does not open the file before that message.
//!     let mut a = unsafe { options.open::<i64>(path)? };
//!     a.view_mut()?.row_mut(7).fill(2);
//!     Ok(())
//! }
//!
//! /// The consumer, after the message.
//! fn consume(path: &Path) -> Result<i64> {
//!     let options = MapOptions::new(Mode::ReadOnly).rows_of(3).lock(true);
//!     // SAFETY: the producer does not change the file after its message.
//!     let a = unsafe { options.open::<i64>(path)? };
//!     Ok(a.sum())
//! }
//!
//! produce(&path)?;
//! assert_eq!(consume(&path)?, 6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With [`lock`](MapOptions::lock), a process that comes too early gets [`ErrorKind::Locked`]. The
//! [`recipes`](recipes#sharing-between-threads-and-processes) show ways to share without waiting.
//! A file in `/dev/shm` is never written to a disk.
//!
//! # How do I change a value and be sure that it is on disk?
//!
//! NumPy: `a[3, 1] = 2.5; a.flush()`, which reports a failing disk once, and then reports success
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.f64");
//! # std::fs::write(&path, [0; 240])?;
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: no other code uses the file while `a` lives.
//! let mut a = unsafe { MapOptions::new(Mode::ReadWrite).rows_of(3).open::<f64>(&path)? };
//! a.view_mut()?[[3, 1]] = 2.5;
//! a.sync()?; // on disk when this returns
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The chapter [`durability`](super::durability) explains when to sync and what an error means.
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
//! // SAFETY: no other code changes the file while `a` lives.
//! let a = unsafe { DynArray::open(&path, Mode::ReadOnly)? };
//! let sum = npy::match_real!(&a, a => { // an `&MmapArrayD` of the file's type
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
//! [`npy::Header::read(&File::open(&path)?)?`](crate::npy::Header::read) returns the type and the
//! shape without mapping the file.
//!
//! # How do I find out why a file does not open?
//!
//! Print the error with `{}`. The text begins with the path, states what was expected and what was
//! found, and ends with a remedy if there is one. A `main` that returns the error prints the same
//! text, followed by the [`ErrorKind`].
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.npy");
//! # // SAFETY: the file is ours.
//! # drop(unsafe { ndarray_memmap::npy::create::<f32, _>(&path, (2, 3))? });
//! use ndarray::Ix2;
//! use ndarray_memmap::{ErrorKind, Mode, NpyErrorKind, npy};
//!
//! // SAFETY: no other code changes the file.
//! let error = unsafe { npy::open::<f64, Ix2>(&path, Mode::ReadOnly) }.unwrap_err();
//! let text = format!(
//!     "`{}`: expected elements of type `<f8`, found `<f4` (use the element type `f32`)",
//!     path.display(),
//! );
//! assert_eq!(error.to_string(), text);
//! assert_eq!(error.path(), Some(&*path));
//! match error.kind() {
//!     ErrorKind::Npy(NpyErrorKind::ElementType { found, .. }) => assert_eq!(found, "<f4"),
//!     ErrorKind::Io { source, .. } => panic!("{source}"), // an error of the operating system
//!     _ => panic!("{error}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | the error says | frequent cause, and remedy |
//! |---|---|
//! | the array ends at byte …, but the file has … bytes | the element type is too wide, or an axis is too long; a file of unknown type opens as `u8` |
//! | the … bytes … are not a multiple of … | the file has a header, whose length is the `offset`, or bytes after the elements |
//! | the elements from byte … on are not aligned | the length of the header is odd: use [`Le`](crate::Le) or [`Be`](crate::Be), which need no alignment |
//! | expected elements of type `<f4`, found `>f4` | a machine of the other byte order wrote the file: use `Be<f32>` |
//! | element … is not a valid value of its type | the bytes are not of this `bool` or enum; `u8` accepts all bytes |
//! | the file is a zip archive | `np.savez` wrote the file |
//! | the array would include its header | the file is a `.npy` file: use [`npy::open`](crate::npy::open) |
//! | the file is not a `.npy` file | the file is raw: use [`MapOptions::open`] |
//! | another handle has locked the file | a handle, in this process or in another one, has opened the file with `lock(true)` |
//! | the disk or the quota has no space … | the disk is full; [`sparse`](MapOptions::sparse) reserves nothing, at the risk of a `SIGBUS` |
//!
//! If the file opens and the numbers are wrong:
//!
//! | the array | because |
//! |---|---|
//! | begins with unexpected bytes | the file is a `.npy` file that was opened as raw `u8`: these are its header |
//! | has numbers such as 1e-300 and 1e300 | the file has the other byte order |
//! | is an image mirrored along its diagonal | the file has the other memory order |
//!
//! `cargo run --example npyinfo -- x.npy` describes a `.npy` file.

#[cfg(doc)]
use crate::{ErrorKind, MapOptions, MmapArray};

pub mod recipes;
