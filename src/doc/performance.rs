//! Which ways to work on a mapped array are fast, and why.
//!
//! The figures are those of one machine: 2 cores of a virtual machine, Linux 6.18, ext4. The
//! plots are of warm files, whose pages are in memory already; `cargo bench --bench plots` draws
//! them from criterion's medians. The tables of `BENCHMARKS.md` have the rest, each with its
//! command and the peer beside it.
//!
//! # To open is to read nothing
//!
//! A mapping is a promise of the kernel to bring pages when they are touched. So it takes 20 µs to
//! open any file, where loading takes as long as the file is large:
//!
#![doc = include_str!("../../benches/plots/open.svg")]
//!
//! Types that not every byte is valid for, such as `bool` and `char`, are the exception: they are
//! checked once, by reading all.
//!
//! # What costs is the page
//!
//! The first touch of a page is a fault: about 1 µs if it is in memory, the disk's time if it is not.
//! The kernel maps its neighbours with it, so that a scan has few faults, and single elements far
//! apart have one each. After that a mapped array is memory like any other: opened and summed
//! through the handle, 256 MiB take 1.02 times as long as through a bare mapping.
//!
#![doc = include_str!("../../benches/plots/scan.svg")]
//!
#![doc = include_str!("../../benches/plots/random.svg")]
//!
//! A column of an array in C order touches each page for one element. If that is what is done most,
//! store the array in Fortran order.
//!
#![doc = include_str!("../../benches/plots/strided.svg")]
//!
//! # Which call for which pattern
//!
//! | to do | take | because |
//! |---|---|---|
//! | one thing with all elements, which memory can hold | ndarray's own functions | after the first touch it is memory |
//! | one thing with all elements, once, or of more than memory | [`sweep`], 0.76 of the time of a plain sum if the file is cold | it reads ahead in large pieces and gives memory back behind |
//! | rows in no order, cold | [`gather`], 43 times as fast as one row after the other | the disk is asked for all before the first is waited for |
//! | rows changed in no order | [`scatter`], 23 times as fast when durable | a store dirties a folio of up to 2 MiB, a write 4 KiB |
//! | all elements many times | [`advice(HugePage)`](crate::Advice), or [`load`] | fewer faults, and fewer misses of the page table |
//! | a new file | [`Create`](crate::Mode::Create), [`sweep_mut`], `sync` | space is reserved first, written behind, so that the sync is short |
//! | rows added | [`push`], [`append`] | no page of what is there is touched |
//! | few changes, made durable | [`region`]`(..).sync()` | only the pages that it has |
//! | a copy, changed a little | mode `c`, 14 times as fast as `load` for 1 % | a page is copied when it is changed |
//! | in parallel | feature `rayon`: `par_for_each`, parallel sweeps | threads share the pages |
//!
//! # Memory
//!
//! Pages of a file belong to the system, which takes them back when it needs some; those that have
//! been changed it writes first. A tool that counts them as the process's own shows a large number
//! that is no need. A sweep keeps it small also for such tools, and leaves the page cache to
//! others:
//!
#![doc = include_str!("../../benches/plots/memory.svg")]
//!
//! # What is slow
//!
//! | | instead |
//! |---|---|
//! | [`Advice::Random`](crate::Advice) before a scan: 20 times as long | no advice, or `sweep` |
//! | integers of another byte order through `mapv` first | work on `Be<T>` itself: a sum takes 1.4 times that of native numbers, or the same from SSSE3 on |
//! | `iter()` over a view that is not contiguous | `Zip`, `rows()`, [`outer_iter`](ndarray::ArrayRef::outer_iter) |
//! | thousands of small files | one file, [`rows_of`](crate::MapOptions::rows_of) |
//! | a file on a network | [`load`], which asks for large pieces, and fails with an error instead of `SIGBUS` |
//!
//! [`sweep`]: crate::MmapArray::sweep
//! [`sweep_mut`]: crate::MmapArray::sweep_mut
//! [`gather`]: crate::MmapArray::gather
//! [`scatter`]: crate::MmapArray::scatter
//! [`push`]: crate::MmapArray::push
//! [`append`]: crate::MmapArray::append
//! [`region`]: crate::MmapArray::region
//! [`load`]: crate::MapOptions::load
