//! Arrays that several processes or machines use: windows, MPI, Dask and Zarr.
//!
//! # Which way
//!
//! | you have | use |
//! |---|---|
//! | threads of one process | one array and [rayon](crate#features): `par_for_each`, [`sweep`](crate::MmapArray::sweep); no windows |
//! | processes on one machine | one file, and a [window](crate::partition) for each process; the processes share the cached pages, and send no data |
//! | machines that read | one file on a shared file system, and a window in mode `r` for each machine |
//! | machines that write, on a parallel file system (Lustre, GPFS) | one file, and windows [aligned to pages](Partition::aligned_to), or to the stripes of the file |
//! | machines that write, on NFS | the same with care, [as below](#between-machines); a file for each machine is simpler |
//! | object storage, compression, chunks along several axes, an array of files that other programs extend | [Zarr](#zarr) |
//!
//! # Windows
//!
//! A [`Partition`] divides a file along the outermost axis (axis 0 in C order, the last in Fortran
//! order), so that each part is a range of bytes. A [`Window`] is one part, and maps only this
//! part. Each rank runs this program:
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("field.npy");
//! use std::fs::File;
//!
//! use ndarray::{Axis, Ix2, s};
//! use ndarray_memmap::partition::Partition;
//! use ndarray_memmap::{Mode, npy};
//!
//! # fn barrier() {}
//! // One rank creates the file and reserves its space; `close` writes it to disk.
//! let options = npy::Options::new(Mode::CreateNew).data_align(4096);
//! // SAFETY: no other code knows the file.
//! unsafe { options.create::<f32, _>(&path, (100_000, 16))? }.close()?;
//! barrier();
//!
//! // All ranks divide the file in the same way; each opens its own part.
//! let (rank, size) = (1, 4);
//! let header = npy::Header::read(&File::open(&path)?)?;
//! let partition = Partition::new(&header, Axis(0), size)?.aligned_to(4096);
//! let window = partition.window(&path, rank).ok_or("no such rank")?;
//! // SAFETY: each rank opens its own window, and between two barriers no other.
//! let mut own = unsafe { window.open::<f32, Ix2>(Mode::ReadWrite)? };
//! own.view_mut()?.fill(rank as f32);
//! own.close()?; // on disk, and visible to each process that opens the file from now on
//! barrier();
//!
//! // The current rows of the neighbours.
//! let halo = window.halo(1);
//! // SAFETY: no rank writes until the next barrier.
//! let rows = unsafe { halo.open::<f32, Ix2>(Mode::ReadOnly)? };
//! assert_eq!(rows.nrows(), window.rows().len() + 2);
//! assert_eq!(rows.slice(s![1..-1, ..]).sum(), rows.nrows().saturating_sub(2) as f32 * 16.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! If there are more ranks than rows, the last ranks get empty windows. An empty window maps
//! nothing and needs no special case. A window describes itself to a process that does not know the
//! shape of the array: with the feature `serde` windows are JSON.
//!
//! # The contract between processes
//!
//! [The contract of a mapping](crate#the-contract-of-a-mapping) holds for the bytes of each window:
//! while one worker borrows rows, no other worker changes them. Windows of one partition have no
//! row in common, so each worker may write its own rows at any time. A [halo] contains rows of
//! other workers. A worker may read these rows between two barriers, if no worker writes them in
//! that time. A barrier, a message or the end of a process orders all earlier writes.
//!
//! On one machine no more is needed, because the processes share the pages. `sync` writes to the
//! disk, and is not needed for the neighbours.
//!
//! # Between machines
//!
//! Each machine has its own page cache, and file systems handle that differently. These rules work
//! on all of them:
//!
//! 1. **No two machines write to one page.** The kernel writes a changed page as a whole, including
//!    the bytes that another machine may have changed. In the step `two-caches`, two mounts of one
//!    folder have separate caches. These mounts lose hundreds of elements at the bounds of even
//!    windows, and none with [`aligned_to`](Partition::aligned_to). Align to the largest page
//!    of all machines, 65536 if some machines have such pages. With
//!    [`data_align`](crate::npy::Options::data_align), the elements of a `.npy` file begin at a
//!    page.
//! 2. **Close, then a barrier, then open.** A writer sends its pages to the server by
//!    [`sync`](crate::MmapArray::sync) and closes the file. A reader that opens the file
//!    afterwards sees the pages. A reader that keeps its mapping may see old pages for ever.
//! 3. **One machine creates the file in its final length, and no machine changes the length.**
//!    [Growing arrays](crate#arrays-that-grow) are for one writer.
//! 4. **A server that fails raises `SIGBUS`** in each process that accesses pages that are not
//!    cached. Use the guard ([`doc::faults`](super::faults)), or [`load`](crate::MapOptions::load)
//!    arrays that fit into memory.
//!
//! | file system | caches | locks | space |
//! |---|---|---|---|
//! | the disk of one machine | one | [`lock`](crate::MapOptions::lock) binds all processes that lock | reserved |
//! | Lustre, GPFS | consistent page by page: a page that two machines write moves between them, which is slow | Lustre: between machines if mounted with `flock` | reserved, from Lustre 2.14 on |
//! | NFS | consistent only from close to open | between machines, from Linux 2.6.12 on | reserved from NFS 4.2 on; otherwise a hole, and a full disk raises `SIGBUS` |
//! | FUSE | depends on the daemon | depends on the daemon | depends on the daemon |
//!
//! **The tests cover** the first row, by MPI and Dask with many processes on one machine. Two FUSE
//! mounts without a common cache stand for two machines. The rows of Lustre, GPFS and NFS are from
//! their documentation (`nfs(5)`, `flock(2)`, the Lustre operations manual), and are not tested
//! with this crate.
//!
//! # MPI
//!
//! `examples/mpi` is a separate package for [rsmpi](https://github.com/rsmpi/rsmpi) and OpenMPI,
//! with the two commands that install and run it. The program computes the hillshade of an
//! elevation model, in two mapped `.npy` files of 512 MiB. Runs with 1, 3 and 4 ranks, which do not
//! divide the rows evenly, write the same bytes as a single process. Each rank has only the pages
//! of its window and halo in memory. If a rank is killed, NumPy can read the file that remains. On
//! two cores, two ranks fill the file 1.76 times as fast as one rank (filling memory without files:
//! 1.93). Two ranks shade 1.96 times as fast (without files: 1.99).
//!
//! # Dask
//!
//! A window contains the arguments of `numpy.memmap`. This module opens a window on any worker, and
//! makes one Dask array of all windows:
//!
#![doc = "```python"]
#![doc = include_str!("../../examples/windows.py")]
#![doc = "```"]
//!
//! Let `text` be the result of `serde_json::to_string(&partition.windows(path))`. Then
//! `dask_array(json.loads(text))` is an ordinary Dask array. The tests cover arrays of one to three
//! axes in both orders, `.npy` and raw, in up to 17 windows, with two worker processes.
//!
//! # Zarr
//!
//! [Zarr](https://zarr.dev) keeps each chunk of an array in a separate file. The file of an
//! uncompressed chunk is a raw array. The Zarr array is a folder of such files, with one JSON file
//! that describes it. A program needs no Zarr library to write or to map these files. The example
//! `zarr_slabs` does both:
//!
//! - It writes slabs of rows, each by a mapping, and fills the last slab up to its full length.
//!   zarr-python, TensorStore and Dask read these slabs.
//! - It maps, one by one, chunks that zarr-python wrote without compression.
//!
//! The step `zarr-dask` compares 70 arrays of seven types in both byte orders.
//!
//! Use Zarr in these cases:
//!
//! - Workers come and go.
//! - The storage is an object store.
//! - The data must be compressed, and are then no longer mapped.
//! - Chunks along several axes suit the readers better than rows.
//!
//! Each chunk has one writer, and no two chunks share a page.
//!
//! [halo]: Window::halo

#[cfg(doc)]
use crate::partition::{Partition, Window};
