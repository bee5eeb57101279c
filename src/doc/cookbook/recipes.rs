//! Recipes for whole programs: tables, images, records, logs, and files larger than memory.
//!
//! As in [`cookbook`](super), `path` is a file in a folder that only the program uses.
//!
//! # Embeddings
//!
//! The program scans a table of vectors block by block, and reads the best ones by [`gather`].
//! NumPy: `a @ q` leaves the whole file in the page cache, and `a[best]` waits for each row.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("embeddings.f32");
//! # let numbers: Vec<f32> = (0..300_u16).map(|i| f32::from(i % 7)).collect();
//! # std::fs::write(&path, bytemuck::cast_slice(&numbers))?;
//! use ndarray::{Array1, Axis};
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: no other code changes the file while `a` lives.
//! let a = unsafe { MapOptions::new(Mode::ReadOnly).rows_of(3).open::<f32>(&path)? };
//! let query = Array1::from_elem(3, 0.5);
//! let mut scores = Vec::with_capacity(a.nrows());
//! for block in a.sweep(Axis(0), 16 << 20)? {
//!     scores.extend(block.dot(&query));
//! }
//! let mut best: Vec<usize> = (0..scores.len()).collect();
//! best.sort_by(|&i, &j| scores[j].total_cmp(&scores[i]));
//! let rows: Vec<_> = a.gather(Axis(0), &best[..10])?.collect();
//! assert_eq!((rows.len(), rows[0].dot(&query)), (10, 7.5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A stack of images
//!
//! NumPy: `np.memmap(path, 'u1', 'r').reshape(-1, 48, 64, 3)`
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("frames.rgb");
//! # std::fs::write(&path, vec![9; 5 * 48 * 64 * 3])?;
//! use ndarray::{Array3, Axis, s};
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: no other code changes the file while `frames` lives.
//! let frames =
//!     unsafe { MapOptions::new(Mode::ReadOnly).rows_of((48, 64, 3)).open::<u8>(&path)? };
//! let green = frames.slice(s![2, .., .., 1]); // one channel of one frame, in place
//! assert_eq!((frames.len_of(Axis(0)), green.shape()), (5, &[48, 64][..]));
//!
//! let mut sum = Array3::<u32>::zeros((48, 64, 3));
//! for block in frames.sweep(Axis(0), 16 << 20)? {
//!     for frame in block.outer_iter() {
//!         sum.zip_mut_with(&frame, |sum, &x| *sum += u32::from(x));
//!     }
//! }
//! assert_eq!(sum[[0, 0, 0]], 45);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Interleaved records
//!
//! Records whose fields have one type are rows of an array. One field of all records is a column,
//! or an array with a stride. NumPy: `np.memmap(path, 'f4').reshape(-1, 3)[:, 1]`
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("xyz.f32");
//! # let numbers: Vec<f32> = (0..12_u8).map(f32::from).collect();
//! # std::fs::write(&path, bytemuck::cast_slice(&numbers))?;
//! use ndarray::{Axis, ShapeBuilder, array};
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: no other code changes the file while the arrays live.
//! let xyz = unsafe { MapOptions::new(Mode::ReadOnly).rows_of(3).open::<f32>(&path)? };
//! assert_eq!(xyz.index_axis(Axis(1), 1), array![1.0, 4.0, 7.0, 10.0]);
//!
//! let options = MapOptions::new(Mode::ReadOnly).offset(4).shape(4.strides(3));
//! // SAFETY: as above.
//! let y = unsafe { options.open::<f32>(&path)? };
//! assert_eq!(y, array![1.0, 4.0, 7.0, 10.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Records whose fields have several types are structs: see [`Element`](crate::Element), and
//! [`npy::record!`](crate::npy::record) for `.npy` files.
//!
//! # Headers of 2880 bytes, big-endian data, `BZERO` and `BSCALE`
//!
//! The data of a FITS image begin after the header block that contains `END`. The axis that the
//! header names first varies fastest.
//! NumPy: `np.memmap(path, '>i2', 'r', 2880, (3, 4)) * bscale + bzero`
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("image.fits");
//! # let cards = ["SIMPLE  =                    T", "BITPIX  =                   16",
//! #     "NAXIS   =                    2", "NAXIS1  =                    4",
//! #     "NAXIS2  =                    3", "BSCALE  =                  0.5",
//! #     "BZERO   =                 32.0", "END"];
//! # let mut bytes: Vec<u8> = cards.iter().flat_map(|c| format!("{c:80}").into_bytes()).collect();
//! # bytes.resize(2880, b' ');
//! # bytes.extend((0..12_i16).flat_map(i16::to_be_bytes));
//! # bytes.resize(2 * 2880, 0);
//! # std::fs::write(&path, bytes)?;
//! use std::fs::File;
//! use std::io::Read;
//!
//! use ndarray::array;
//! use ndarray_memmap::{Be, MapOptions, Mode};
//!
//! let mut file = File::open(&path)?;
//! let (mut cards, mut block) = (Vec::new(), [0; 2880]);
//! while !cards.iter().any(|card: &String| card.trim_end() == "END") {
//!     file.read_exact(&mut block)?;
//!     cards.extend(block.chunks(80).map(|card| String::from_utf8_lossy(card).into_owned()));
//! }
//! let number = |key: &str| -> Option<f64> {
//!     let card = cards.iter().find(|card| card[..8].trim_end() == key)?;
//!     card[10..].split('/').next()?.trim().parse().ok()
//! };
//! let axis = |key| number(key).map(|n| n as usize).ok_or("no such axis");
//! let shape = (axis("NAXIS2")?, axis("NAXIS1")?);
//! let (scale, zero) = (number("BSCALE").unwrap_or(1.0), number("BZERO").unwrap_or(0.0));
//!
//! let offset = 80 * cards.len() as u64; // whole blocks
//! let options = MapOptions::new(Mode::ReadOnly).offset(offset).shape(shape);
//! // SAFETY: no other code changes the file while `raw` lives.
//! let raw = unsafe { options.map::<Be<i16>>(&file)? };
//! let image = raw.mapv(|x| f64::from(x.get()) * scale + zero);
//! assert_eq!(image.row(1), array![34.0, 34.5, 35.0, 35.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! If the image is larger than memory, [`sweep`] or slice `raw`, and scale each block.
//!
//! # Passing an array to a crate that needs an older ndarray
//!
//! A view of the elements crosses the versions without a copy. `ndarray16` stands for ndarray 0.16 in
//! `Cargo.toml`: `ndarray16 = { package = "ndarray", version = "0.16" }`.
//!
//! ```ignore
//! let elements = a.as_slice().ok_or("an array in C order")?;
//! let view = ndarray16::ArrayView2::from_shape(a.dim(), elements)?;
//! ```
//!
//! # Appending to a log
//!
//! The program creates a raw log if there is none, and appends rows at its end. The length of the
//! file gives the number of rows.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("log.f64");
//! use ndarray::{Axis, array};
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! let options = MapOptions::new(Mode::Append).rows_of(2).lock(true);
//! // SAFETY: programs that write to the log lock it, and readers read only whole rows.
//! let mut log = unsafe { options.open::<f64>(&path)? };
//! log.push(Axis(0), &array![0.0, 20.5])?;
//! log.push(Axis(0), &array![1.0, 20.7])?;
//! log.sync()?; // now and then: a power cut can lose rows that were not synced
//! assert_eq!(log.dim(), (2, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A power cut can leave a part of a row, and `rows_of` refuses such a file. Truncate the file with
//! `set_len`, or use a `.npy` file, whose header counts whole rows. Rows that were not synced may
//! be zeros there: see [`durability`](crate::doc::durability). Readers call
//! [`refresh`](MmapArray::refresh), in mode `r` and without a lock.
//!
//! | | raw file | `.npy` file |
//! |---|---|---|
//! | what counts the rows | the length of the file | the header, which the array writes after the rows, as one word |
//! | the file while the array grows | ends with the last row | is longer, by a hole if the file system has holes |
//! | the file after `sync`, `close` or drop | ends with the last row | ends with the last row |
//! | the file after a crash | see [`durability`](crate::doc::durability) | see [`durability`](crate::doc::durability) |
//! | small rows | one `write` each | stored into reserved space (ext4, XFS, tmpfs) |
//!
//! # Editing privately, then committing
//!
//! NumPy also has mode `c`, but can only discard the changes.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.u8");
//! # std::fs::write(&path, [0; 5])?;
//! use ndarray_memmap::{ErrorKind, MapOptions, Mode};
//!
//! // SAFETY: no other code changes the file while its bytes are borrowed.
//! let mut a = unsafe { MapOptions::new(Mode::CopyOnWrite).open::<u8>(&path)? };
//! a.view_mut()?[3] = 7;
//! if a.sum() > 5 {
//!     match a.commit() {
//!         // Another process was faster: open the file again.
//!         Err(error) if matches!(error.kind(), ErrorKind::Conflict) => eprintln!("{error}"),
//!         done => done?, // on disk
//!     }
//! }
//! assert_eq!(std::fs::read(&path)?, [0, 0, 0, 7, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A power cut during `commit` can leave some pages new and some old. If the program cannot accept
//! a mixture, a [`Draft`](crate::Draft) replaces the whole file: see [which call to
//! use](crate::doc::durability#which-call-to-use).
//!
//! # Sharing between threads and processes
//!
//! | to share | between | use |
//! |---|---|---|
//! | an array that all read | threads | `&a` in [`std::thread::scope`], or an `Arc` of the handle |
//! | an array that all write | threads | parts of one `view_mut`: `axis_chunks_iter_mut`, `split_at` |
//! | an array that all write | processes, machines | [`partition`](crate::partition): windows that have no page in common |
//! | an array that gets new rows | processes | [`append`](MmapArray::append) in one process, [`refresh`](MmapArray::refresh) in the others |
//! | successive versions of an array | processes | publish a [`Draft`](crate::Draft); readers keep their version, and check [`is_same_file`](MmapArray::is_same_file) |
//! | an array that processes use in turns | processes | [`lock`](MapOptions::lock), and open again while the error is [`ErrorKind::Locked`] |
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.f64");
//! use std::thread;
//!
//! use ndarray::Axis;
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: no other code uses the file while `a` lives.
//! let mut a = unsafe { MapOptions::new(Mode::Create).shape((1000, 8)).open::<f64>(&path)? };
//! let mut all = a.view_mut()?;
//! thread::scope(|scope| {
//!     for mut part in all.axis_chunks_iter_mut(Axis(0), 250) {
//!         scope.spawn(move || part.fill(0.5));
//!     }
//! });
//! let sums = thread::scope(|scope| {
//!     let first = scope.spawn(|| a.column(0).sum());
//!     (first.join(), a.column(1).sum())
//! });
//! assert_eq!((sums.0.unwrap(), sums.1), (500.0, 500.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # From one file larger than memory into another
//!
//! The program sweeps both files block by block. The result appears under its name complete, or
//! not at all. NumPy: a loop over slices, which leaves both files in the page cache.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let [path, other] = ["raw.u16", "scaled.f32"].map(|name| dir.path().join(name));
//! # std::fs::write(&path, [2, 0].repeat(300))?;
//! use ndarray::{Axis, Zip};
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: no other code changes the file while `raw` lives.
//! let raw = unsafe { MapOptions::new(Mode::ReadOnly).rows_of(3).open::<u16>(&path)? };
//! let mut scaled = MapOptions::new(Mode::Create).shape(raw.dim()).draft::<f32>(&other)?;
//! let mut rest = raw.sweep(Axis(0), 8 << 20)?;
//! for mut to in scaled.sweep_mut(Axis(0), 16 << 20)? { // as many rows, twice the bytes
//!     let Some(from) = rest.next() else { break };
//!     Zip::from(&mut to).and(&from).for_each(|to, &x| *to = f32::from(x) * 0.5);
//! }
//! # drop(rest);
//! scaled.publish()?;
//! # assert_eq!(std::fs::read(&other)?, 1.0_f32.to_le_bytes().repeat(300));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! If both are handles, [`sweep_zip`](crate::sweep_zip) keeps the rows aligned.
//!
//! # Slices of a huge file
//!
//! Opening a file takes the same time for any length. A slice takes memory for the pages that the
//! program accesses. A [`region`](MmapArray::region) reads, syncs or evicts only these pages.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("volume.f32");
//! # std::fs::File::create(&path)?.set_len(100 * 64 * 64 * 4)?;
//! use ndarray::s;
//! use ndarray_memmap::{MapOptions, Mode, Reductions};
//!
//! // SAFETY: no other code changes the file while `volume` lives.
//! let volume =
//!     unsafe { MapOptions::new(Mode::ReadOnly).rows_of((64, 64)).open::<f32>(&path)? };
//! let part = s![40..44, 8..24, ..];
//! volume.region(part).prefetch()?; // all pages at once, not one by one
//! let mean = volume.slice(part).wide_mean();
//! volume.region(part).evict()?;
//! # assert_eq!(mean, 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A slice along the outermost axis (axis 0 in C order, the last in Fortran order) is one range of
//! the file. A slice along another axis is spread over the pages of the whole file. If the program
//! often slices along another axis, make a copy in the other memory order. The chapter
//! [`doc::performance`](crate::doc::performance) compares the speeds.
//!
//! [`gather`]: MmapArray::gather
//! [`sweep`]: MmapArray::sweep

#[cfg(doc)]
use crate::{ErrorKind, MapOptions, MmapArray};
