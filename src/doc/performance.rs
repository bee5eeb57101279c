//! Which operations on a mapped array are fast, and why.
//!
//! The figures are from one machine: 2 cores of a virtual machine, Linux 6.18, ext4. The pages of a
//! warm file are cached; the pages of a cold file are not. The plots show warm files.
//! `cargo bench --bench plots` draws them from criterion's medians. The tables of `BENCHMARKS.md`
//! contain the other figures, each with its command and the peer that it is compared with.
//!
//! # Opening reads no data
//!
//! The kernel reads a mapped page when the program first accesses it. Therefore opening takes about 30 µs
//! for a file of any size, while the time to load a file grows with its size:
//!
#![doc = include_str!("../../benches/plots/open.svg")]
//!
//! Types with invalid bit patterns, such as `bool` and `char`, are the exception. Opening reads and
//! checks all their elements once.
//!
//! # The cost is the page fault
//!
//! The first access to a page is a page fault. It takes about 1 µs if the page is cached, and the
//! time of a disk read if not. The kernel maps neighbouring pages with each fault. Therefore a scan
//! has few faults, while distant single elements have one fault each. After the fault, a mapped
//! array is ordinary memory. Opening and summing 256 MiB through the handle takes 1.02 times as
//! long as through a bare mapping.
//!
#![doc = include_str!("../../benches/plots/scan.svg")]
//!
#![doc = include_str!("../../benches/plots/random.svg")]
//!
//! Reading a column of an array in C order accesses each page for one element. If the program
//! mostly reads columns, store the array in Fortran order.
//!
#![doc = include_str!("../../benches/plots/strided.svg")]
//!
//! # Which call for which pattern
//!
//! | task | call | reason |
//! |---|---|---|
//! | process all elements of an array that fits into memory | ndarray's own functions, and [`Reductions`](crate::Reductions) for sums | after the first access the array is ordinary memory |
//! | process all elements once, or of an array larger than memory | [`sweep`], [`sweep_mut`] instead of `axis_iter` or `sum`; 0.76 of the time of a plain sum if the file is cold | a sweep reads ahead in large pieces, and evicts the pages it has passed |
//! | process the rows of several arrays together | [`sweep_zip`](crate::sweep_zip) instead of `Zip` | the same |
//! | read rows in any order, cold | [`gather`] instead of `index_axis` in a loop, 43 times as fast | the array requests many rows from the disk before it waits for the first |
//! | change rows in any order | [`scatter`] instead of `index_axis_mut` in a loop, 23 times as fast if the file is cold and the changes are synced | see [few changes](#few-changes-to-a-large-file) |
//! | process all elements many times | [`advice(HugePage)`](crate::Advice), or [`load`] | fewer faults, and fewer misses in the page table |
//! | write a new file | [`Create`](crate::Mode::Create), [`sweep_mut`], `sync` | the array reserves the space first, and the sweep writes changed pages early, so that `sync` is short |
//! | add rows | [`push`], [`append`] | no existing page is accessed |
//! | make few changes durable | [`region`]`(..).sync()` | writes the pages of the region only, in whole folios of the page cache |
//! | change a copy a little | mode `c`, 14 times as fast as `load` for 1 % | the kernel copies a page at its first change |
//! | read, write or evict a part | [`region`] | affects the pages of that part only |
//! | compute in parallel | feature `rayon`: `par_for_each`, parallel sweeps | threads share the pages |
//!
//! If none of these calls suits, pass [`advice`](crate::MapOptions::advice) or
//! [`populate`](crate::MapOptions::populate) when you open the array.
//!
//! # Few changes to a large file
//!
//! The page cache can keep a file in folios, groups of pages of up to 2 MiB. A store into a mapping
//! marks the whole folio as changed, and `sync` then writes the whole folio to disk. On Linux,
//! [`scatter`] writes only the rows, and [`commit`] in mode `c` only the changed pages, both with
//! `pwrite`. The kernel then writes 4 KiB to disk for a small change. The table shows 1,000 changed
//! elements of a warm file of 1 GiB on ext4, durable, from BENCHMARKS.md (two runs):
//!
//! | changed by | written to the device |
//! |---|---|
//! | [`view_mut`] and `sync` | 550 and 820 MiB |
//! | [`scatter`] and `sync` | 3.9 and 4.2 MiB |
//!
//! Use `scatter` if the program knows the rows and their new values, and mode `c` with `commit` if
//! it edits through views. The difference is small if the changes fill most of their folios. On
//! overlayfs, FUSE, 9p and unknown file systems, and for rows that are not contiguous in the file,
//! `scatter` stores into the mapping and saves nothing.
//!
//! Measure the bytes written with the statistics of the block device
//! (`/sys/dev/block/MAJ:MIN/stat`). The field `write_bytes` of `/proc/self/io` counts whole folios
//! for `pwrite` too.
//!
//! # Memory
//!
//! The kernel owns the cached pages of a file, and evicts them when it needs memory. It writes
//! changed pages to disk first. Some tools count these pages as memory of the process, and show a
//! large number although the process does not need that memory. A sweep keeps this number small
//! too, and leaves the page cache to other processes:
//!
#![doc = include_str!("../../benches/plots/memory.svg")]
//!
//! # What is slow
//!
//! | slow | instead |
//! |---|---|
//! | [`Advice::Random`](crate::Advice) before a scan: 20 times as long | no advice, or `sweep` |
//! | `mapv` of numbers in another byte order before the computation | compute with `Be<T>` itself: a sum takes 1.4 times as long as of native numbers, or the same time with SSSE3 |
//! | `iter()` over a view that is not contiguous | `Zip`, `rows()`, [`outer_iter`](ndarray::ArrayRef::outer_iter) |
//! | thousands of small files | one file, [`rows_of`](crate::MapOptions::rows_of) |
//! | a mapped file on a network | [`load`], which requests large pieces, and returns an error instead of raising `SIGBUS` |
//!
//! [`sweep`]: crate::MmapArray::sweep
//! [`sweep_mut`]: crate::MmapArray::sweep_mut
//! [`gather`]: crate::MmapArray::gather
//! [`scatter`]: crate::MmapArray::scatter
//! [`push`]: crate::MmapArray::push
//! [`append`]: crate::MmapArray::append
//! [`commit`]: crate::MmapArray::commit
//! [`view_mut`]: crate::MmapArray::view_mut
//! [`region`]: crate::MmapArray::region
//! [`load`]: crate::MapOptions::load
