//! Arrays that several processes or machines work on: windows, MPI, Dask and Zarr.
//!
//! # Which way
//!
//! | you have | take |
//! |---|---|
//! | threads of one process | one array and [rayon](crate#features): `par_for_each`, [`sweep`](crate::MmapArray::sweep); no windows |
//! | processes on one machine | one file, a [window](crate::partition) for each: they share its pages in memory, and nothing is sent |
//! | machines that read | one file on a shared file system, a window for each in mode `r` |
//! | machines that write, on a parallel file system (Lustre, GPFS) | one file, windows [aligned to pages](Partition::page_aligned), or to its stripes |
//! | machines that write, on NFS | the same with care, [as below](#between-machines); a file for each of them is simpler |
//! | object storage, compression, chunks along several axes, an array of files that others extend | [Zarr](#zarr) |
//!
//! # Windows
//!
//! A [`Partition`] divides a file along its slowest axis, so that each part is a range of bytes;
//! a [`Window`] is one of them, and maps nothing else. What a rank does:
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("field.npy");
//! use std::fs::File;
//!
//! use ndarray::{Axis, Ix2, s};
//! use ndarray_memmap::partition::Partition;
//! use ndarray_memmap::{Mode, SyncToDisk, npy};
//!
//! # fn barrier() {}
//! // One of them makes the file: its space is reserved, and `close` brings it to disk.
//! let options = npy::Options::new(Mode::CreateNew).data_align(4096);
//! // SAFETY: nobody else knows of the file.
//! unsafe { options.create::<f32, _>(&path, (100_000, 16))? }.close()?;
//! barrier();
//!
//! // All of them divide it in the same way; each takes its own part.
//! let (rank, size) = (1, 4);
//! let header = npy::Header::read(&File::open(&path)?)?;
//! let partition = Partition::of(&header, Axis(0), size)?.page_aligned(4096);
//! let window = partition.window(&path, rank).ok_or("no such rank")?;
//! // SAFETY: each rank opens its own window, and between two barriers no other.
//! let mut own = unsafe { window.open::<f32, Ix2>(Mode::ReadWrite)? };
//! own.view_mut()?.fill(rank as f32);
//! own.close()?; // on disk, and seen by whoever opens the file from now on
//! barrier();
//!
//! // Rows of the neighbours, as they are now.
//! let halo = window.halo(1);
//! // SAFETY: nobody writes until the next barrier.
//! let rows = unsafe { halo.open::<f32, Ix2>(Mode::ReadOnly)? };
//! assert_eq!(rows.nrows(), window.range().len() + 2);
//! assert_eq!(rows.slice(s![1..-1, ..]).sum(), rows.nrows().saturating_sub(2) as f32 * 16.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! If there are more ranks than rows, the last get empty windows, which map nothing and need no
//! special case. Arrays of unknown shape are described to others by the windows themselves: with
//! the feature `serde` they are JSON.
//!
//! # The contract between processes
//!
//! [The contract of a mapping](crate#the-contract-of-a-mapping) holds for each window's bytes:
//! while one worker borrows rows, no other changes them. Windows of one partition have no row in
//! common, so each worker may write its own at any time; rows of others, which a [halo] has, may be
//! read between two barriers in which nobody writes them. A barrier, a message or the end of a
//! process orders what was written before it.
//!
//! On one machine that is all: the pages are the same memory. `sync` is for the disk, not for the
//! neighbours.
//!
//! # Between machines
//!
//! Each machine has a page cache of its own, and file systems differ in what they do about that.
//! What serves all of them:
//!
//! 1. **No two machines write to one page.** A changed page is written as a whole, with what the
//!    machine knew of the rest. In the step `two-caches` two mounts of one folder, each with
//!    a cache of its own, lose hundreds of elements at the bounds of even windows, and none with
//!    [`page_aligned`](Partition::page_aligned). The page is the largest of all machines, 65536
//!    where some have such; [`data_align`](crate::npy::Options::data_align) makes the elements
//!    of a `.npy` file begin at one.
//! 2. **Close, then a barrier, then open.** A writer brings its pages to the server by
//!    [`sync`](crate::SyncToDisk::sync) and closes the file; a reader that opens it afterwards
//!    sees them. A reader that keeps its mapping may see old pages for ever.
//! 3. **One machine creates the file, in its final length, and no one changes it.** Arrays that
//!    [grow](crate#arrays-that-grow) are for one writer.
//! 4. **A server that fails is a `SIGBUS`** of whoever touches pages that are not in memory: see
//!    [`doc::faults`](super::faults) for the guard, or [`load`](crate::MapOptions::load) what
//!    fits into memory.
//!
//! | file system | caches | locks | space |
//! |---|---|---|---|
//! | one machine's disk | one | [`lock`](crate::MapOptions::lock) binds all who lock | reserved |
//! | Lustre, GPFS | kept alike page by page: a page that two machines write travels between them, and is slow | Lustre: between machines if mounted with `flock` | reserved, from Lustre 2.14 on |
//! | NFS | alike from close to open only | between machines, from Linux 2.6.12 on | reserved from NFS 4.2 on, or a hole: a full disk is a `SIGBUS` then |
//! | FUSE | the daemon's choice | the daemon's choice | the daemon's choice |
//!
//! **What was tested** is the first line, by MPI and Dask with many processes on one machine, and
//! two FUSE mounts without a common cache in the place of two machines. The lines of Lustre, GPFS
//! and NFS are from their documentation (`nfs(5)`, `flock(2)`, the Lustre operations manual) and
//! have not been tried with this crate.
//!
//! # MPI
//!
//! `examples/mpi` is a program of its own, on [rsmpi](https://github.com/rsmpi/rsmpi) and OpenMPI,
//! with the two commands that install and run it: the hillshade of an elevation model in two
//! mapped `.npy` files of 512 MiB. With 1, 3 and 4 ranks, whose rows do not divide, all bytes are
//! those of one process; each rank has no page in memory but those of its window and halo; a rank
//! that is killed leaves a file that NumPy reads. From one rank to two, on two cores, the fill is
//! 1.76 times as fast (filling memory without files: 1.93), the shading 1.96 (without files: 1.99).
//!
//! # Dask
//!
//! A window is what `numpy.memmap` needs. This opens one on any worker, and makes a Dask array of
//! all:
//!
#![doc = "```python"]
#![doc = include_str!("../../examples/windows.py")]
#![doc = "```"]
//!
//! `dask_array(json.loads(text))` of the text of `serde_json::to_string(&partition.windows(path))`
//! is then an array like any other of Dask's. Tested are arrays of one to three axes in both
//! orders, `.npy` and raw, in up to 17 windows, by two worker processes.
//!
//! # Zarr
//!
//! [Zarr](https://zarr.dev) keeps each chunk of an array in a file of its own. If chunks are
//! not compressed, the file of a chunk is a raw array, and an array of them is a folder beside
//! one JSON that says so; it takes no library to write or to map. The example `zarr_slabs` does
//! both: slabs of rows, each written by a mapping, the last filled up to its full length, that
//! zarr-python, TensorStore and Dask read; and chunks that zarr-python wrote without compression,
//! mapped one by one (the step `zarr-dask` compares 70 arrays of seven types in both byte orders).
//!
//! Take Zarr if workers come and go, if the storage is one of objects, if data are to be
//! compressed (then mapped no longer), or if chunks along several axes suit those who read better
//! than rows do. Each chunk has one writer, and no two share a page.
//!
//! [halo]: Window::halo

#[cfg(doc)]
use crate::partition::{Partition, Window};
