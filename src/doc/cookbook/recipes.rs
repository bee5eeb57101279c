//! Recipes for whole programs: tables, images, records, logs, and files larger than memory.
//!
//! As in [`cookbook`](super), `path` is a file in a folder of the program's own.
//!
//! # Embeddings
//!
//! A table of vectors is scanned by blocks, and the best are read by [`gather`]. NumPy:
//! `a @ q` holds the whole file in memory, `a[best]` waits for each row.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("embeddings.f32");
//! # let numbers: Vec<f32> = (0..300_u16).map(|i| f32::from(i % 7)).collect();
//! # std::fs::write(&path, bytemuck::cast_slice(&numbers))?;
//! use ndarray::{Array1, Axis};
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: nobody changes the file while `a` lives.
//! let a = unsafe { MapOptions::new(Mode::ReadOnly).rows_of(3).open::<f32>(&path)? };
//! let query = Array1::from_elem(3, 0.5);
//! let mut scores = Vec::with_capacity(a.nrows());
//! for block in a.sweep(Axis(0), 16 << 20) {
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
//! // SAFETY: nobody changes the file while `frames` lives.
//! let frames =
//!     unsafe { MapOptions::new(Mode::ReadOnly).rows_of((48, 64, 3)).open::<u8>(&path)? };
//! let green = frames.slice(s![2, .., .., 1]); // one channel of one frame, in place
//! assert_eq!((frames.len_of(Axis(0)), green.shape()), (5, &[48, 64][..]));
//!
//! let mut sum = Array3::<u32>::zeros((48, 64, 3));
//! for block in frames.sweep(Axis(0), 16 << 20) {
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
//! Records of one type are a further axis, and one field of them has a stride. NumPy:
//! `np.memmap(path, 'f4').reshape(-1, 3)[:, 1]`
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("xyz.f32");
//! # let numbers: Vec<f32> = (0..12_u8).map(f32::from).collect();
//! # std::fs::write(&path, bytemuck::cast_slice(&numbers))?;
//! use ndarray::{Axis, ShapeBuilder, array};
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: nobody changes the file while the arrays live.
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
//! Records of several types are a struct; see [`Element`](crate::Element), and for `.npy`
//! files [`npy::record!`](crate::npy::record).
//!
//! # Headers of 2880 bytes, big-endian data, `BZERO` and `BSCALE`
//!
//! The data of a FITS image begin after the block of the header that has `END`; the axis named
//! first varies fastest. NumPy: `np.memmap(path, '>i2', 'r', 2880, (3, 4)) * bscale + bzero`
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
//! // SAFETY: nobody changes the file while `raw` lives.
//! let raw = unsafe { options.map::<Be<i16>>(&file)? };
//! let image = raw.mapv(|x| f64::from(x.get()) * scale + zero);
//! assert_eq!(image.row(1), array![34.0, 34.5, 35.0, 35.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Of a cube larger than memory, [`sweep`] or slice `raw`, and scale the blocks.
//!
//! # Appending to a log
//!
//! A raw log is made if it is not there, and opened at its end; nobody has to count its rows.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("log.f64");
//! use std::fs::File;
//!
//! use ndarray::{Axis, array};
//! use ndarray_memmap::{MapOptions, Mode, SyncToDisk};
//!
//! File::options().append(true).create(true).open(&path)?; // empty, if it is new
//! let options = MapOptions::new(Mode::ReadWrite).rows_of(2).lock(true);
//! // SAFETY: programs that write to the log lock it, and readers look at whole rows.
//! let mut log = unsafe { options.open::<f64>(&path)? };
//! log.push(Axis(0), &array![0.0, 20.5])?;
//! log.push(Axis(0), &array![1.0, 20.7])?;
//! log.sync()?; // once in a while: what was not synced a power cut may take
//! assert_eq!(log.dim(), (2, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A power cut may leave part of a row, which `rows_of` refuses: cut it off by `set_len`, or
//! log into a `.npy` file, whose header counts whole rows (not synced, they may be zeros)
//! ([`durability`](crate::doc::durability)). Readers follow by
//! [`refresh`](MmapArray::refresh), in mode `r` and without a lock.
//!
//! # Editing privately, then committing
//!
//! NumPy has mode `c`, whose changes it can only throw away.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.u8");
//! # std::fs::write(&path, [0; 5])?;
//! use ndarray_memmap::{Error, MapOptions, Mode};
//!
//! // SAFETY: nobody changes the file while its bytes are borrowed.
//! let mut a = unsafe { MapOptions::new(Mode::CopyOnWrite).open::<u8>(&path)? };
//! a.view_mut()?[3] = 7;
//! if a.sum() > 5 {
//!     match a.commit() {
//!         Err(Error::Conflict { .. }) => eprintln!("somebody was faster; open it again"),
//!         done => done?, // on disk
//!     }
//! }
//! assert_eq!(std::fs::read(&path)?, [0, 0, 0, 7, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A power cut meanwhile can leave some pages new and some old. Where that must not be, a
//! [`Draft`](crate::Draft) replaces the file as a whole: [which to
//! choose](crate::doc::durability#which-call-to-use).
//!
//! # Sharing between threads and processes
//!
//! | to share | with | how |
//! |---|---|---|
//! | for reading | threads | `&a` in [`std::thread::scope`], or an `Arc` of the handle |
//! | for writing | threads | parts of one `view_mut`: `axis_chunks_iter_mut`, `split_at` |
//! | for writing | processes, machines | [`partition`](crate::partition): windows without a page in common |
//! | rows that are added | processes | [`append`](MmapArray::append) in one, [`refresh`](MmapArray::refresh) in the others |
//! | one version after the other | processes | a [`Draft`](crate::Draft) is published; readers keep theirs until they ask [`is_current`](MmapArray::is_current) |
//! | taking turns | processes | [`lock`](MapOptions::lock), again while it is [`Error::Locked`](crate::Error::Locked) |
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.f64");
//! use std::thread;
//!
//! use ndarray::Axis;
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: nobody else touches the file while `a` lives.
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
//! Both are gone through block by block, and the result is there whole or not at all. NumPy:
//! a loop over slices, which leaves both files in memory.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let [path, other] = ["raw.u16", "scaled.f32"].map(|name| dir.path().join(name));
//! # std::fs::write(&path, [2, 0].repeat(300))?;
//! use ndarray::{Axis, Zip};
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: nobody changes the file while `raw` lives.
//! let raw = unsafe { MapOptions::new(Mode::ReadOnly).rows_of(3).open::<u16>(&path)? };
//! let mut scaled = MapOptions::new(Mode::Create).shape(raw.dim()).draft::<f32>(&other)?;
//! let mut rest = raw.sweep(Axis(0), 8 << 20);
//! for mut to in scaled.sweep_mut(Axis(0), 16 << 20)? { // twice the bytes, as many rows
//!     let Some(from) = rest.next() else { break };
//!     Zip::from(&mut to).and(&from).for_each(|to, &x| *to = f32::from(x) * 0.5);
//! }
//! # drop(rest);
//! scaled.publish()?;
//! # assert_eq!(std::fs::read(&other)?, 1.0_f32.to_le_bytes().repeat(300));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where both are handles, [`sweep_zip`](crate::sweep_zip) keeps the rows together.
//!
//! # Slices of a huge file
//!
//! To open a file costs the same whatever its length, and a slice takes memory for what is
//! looked at. A [`region`](MmapArray::region) reads, syncs or gives back just that.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("volume.f32");
//! # std::fs::File::create(&path)?.set_len(100 * 64 * 64 * 4)?;
//! use ndarray::s;
//! use ndarray_memmap::{MapOptions, Mode};
//!
//! // SAFETY: nobody changes the file while `volume` lives.
//! let volume =
//!     unsafe { MapOptions::new(Mode::ReadOnly).rows_of((64, 64)).open::<f32>(&path)? };
//! let part = s![40..44, 8..24, ..];
//! volume.region(part).prefetch()?; // at once, rather than page by page
//! let mean = volume.slice(part).mean();
//! volume.region(part).evict()?;
//! # assert_eq!(mean, Some(0.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Along the slowest axis a slice is one piece of the file; along another it is spread over all
//! of it, page by page. What is often cut that way is worth a copy in the other order. How fast
//! each way is, [`doc::performance`](crate::doc::performance) says.
//!
//! [`gather`]: MmapArray::gather
//! [`sweep`]: MmapArray::sweep

#[cfg(doc)]
use crate::{MapOptions, MmapArray};
