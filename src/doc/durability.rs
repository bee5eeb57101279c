//! What is there afterwards: after a crash, a power cut, a full disk and a failing one.
//!
//! A store into a view goes to the page cache, which is the kernel's: all processes see it, and
//! it outlives the program. The kernel writes it to disk when it likes, page by page, in any
//! order; [`sync`], [`close`], [`publish`] and [`commit`] return when it is there.
//!
//! # What each call promises once it has returned
//!
//! | call | program killed | power cut | full disk | failing disk |
//! |---|---|---|---|---|
//! | a store, by [`view_mut`] or a [`Window`](crate::partition::Window) | kept | some pages kept, some not | no error where space is reserved; in a hole, `SIGBUS` | an error of the next `sync` |
//! | [`scatter`] | kept | as a store | [`Error::Io`], earlier rows are written | as a store |
//! | [`sync`] | kept | kept, and the file's length | [`Error::Io`], then [`Error::Poisoned`] | the same |
//! | `sync` of a [`region`](MmapArray::region) | kept | that part kept, the rest as a store | as `sync` | as `sync`, for the whole array |
//! | [`start_sync`](crate::Region::start_sync), [`sweep_mut`](MmapArray::sweep_mut) | kept | as a store | as a store | an error of the next `sync` |
//! | [`close`] | kept | as `sync` | as `sync`; unmapped either way | as `sync`; unmapped either way |
//! | drop | kept | as a store | nobody hears | nobody hears |
//! | a store in mode `c`, without [`commit`] | lost | lost | none needed | none needed |
//! | [`commit`] | kept | kept | [`Error::NoSpace`], nothing written | [`Error::Io`], some pages may be |
//! | [`publish`] | kept | kept, and the name | [`Error::NoSpace`], the old file as before | [`Error::Io`], the old file as before (but see there) |
//! | [`append`], [`push`](MmapArray::push), [`resize`](MmapArray::resize) | kept | as a store; see below | [`Error::NoSpace`], array and file as before | [`Error::Io`], or an error of the next `sync` |
//!
//! If it has not returned, the file has afterwards:
//!
//! | call | program killed | power cut |
//! |---|---|---|
//! | `sync`, `close` | what was stored | of what was stored since the last `sync`, some pages |
//! | `commit` | some changed pages | some changed pages |
//! | `publish` | the old contents or the new, whole | the same |
//! | `append`, `push`, raw | may end with part of the `append` | also before the next `sync`: what was synced; may end with part of a row |
//! | `append`, `push`, `.npy` | the old length or the new | also before the next `sync`: what was synced; later rows may be zeros |
//!
//! The tests are in [`soundness`](super::soundness#durability), the faults one by one in
//! [`faults`](super::faults).
//!
//! # Choosing
//!
//! | after a crash, | use |
//! |---|---|
//! | the file is the old one or the new one, whole | a [`Draft`](crate::Draft) |
//! | each change is there once the program has said so | mode `r+` and `sync` |
//! | rows that were acknowledged are there | `append`, then `sync` |
//! | small edits, which may be given up until the end | mode `c` and `commit` |
//! | the result is computed again | nothing: drop |
//!
//! Mode `r+`, `commit` and `append` change a file in place; only a draft needs the space of two
//! files, and only it leaves the old one to those who have it open. What is changed in place has
//! no order on disk: to have one thing there before another, `sync` between them.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("state.npy");
//! # // SAFETY: the file is ours.
//! # drop(unsafe { ndarray_memmap::npy::create::<u64, _>(&path, 2)? });
//! use ndarray::Ix1;
//! use ndarray_memmap::{Mode, SyncToDisk, npy};
//!
//! // SAFETY: nobody else touches the file while `a` lives.
//! let mut a = unsafe { npy::open::<u64, Ix1>(&path, Mode::ReadWrite)? };
//! a.view_mut()?[0] = 17; // the work
//! a.sync()?;
//! a.view_mut()?[1] = 1; // the mark that it is complete, on disk after the work
//! a.sync()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How often
//!
//! As seldom as the program can bear to lose what came between: a sync waits for the disk, and
//! writes whole folios of the page cache for single elements, which [`scatter`] avoids. A `.npy`
//! file that grows waits for the disk once more at the first growth after each sync, so sync by
//! batches. `start_sync`, and `sweep_mut` by itself, spread the writing over the time between.
//! To be seen by other processes nothing need be synced.
//!
//! # What errors mean
//!
//! | error | on disk is | what to do |
//! |---|---|---|
//! | [`Error::Io`] of `sync` or `close` | anything between the last `sync` and now | save the array elsewhere, at once |
//! | [`Error::Poisoned`] | the same, as said before | open the file again, look at what is there, write again |
//! | [`Error::Io`] of `commit`, [`Error::NoSpace`] too if the disk has less than it says | some changed pages, perhaps | save the array elsewhere; if the disk did not take what was written, a second `commit` is [`Error::Poisoned`] |
//! | [`Error::Io`] of `publish` | the old file | make the draft again |
//! | [`Error::NoSpace`] otherwise | what was there before | make room and call again |
//! | [`Error::Conflict`] | what others have written | open the file again, or [`commit_anyway`](MmapArray::commit_anyway) |
//! | [`Error::PrivateChanges`] | nothing of mode `c` | `commit` |
//!
//! The kernel reports a failed write once, forgets it, and may drop the data; a second call can
//! succeed over the loss. Therefore all later syncs of a handle that has failed fail too. Its
//! elements can still be read; if the kernel takes their memory, they come back as the disk has
//! them. On Linux each handle, also of one `File` that is mapped twice, is told by the kernel if it
//! was open when the write failed (where `/proc` is mounted), and a handle that a forked child
//! shares with its parent has failed for both when one of them was told. A sync that was killed
//! counts as failed for the other. Elsewhere other handles know of it only if the kernel tells them.
//!
//! A `sync` also compares the length of the file with the end of the array: what was stored beyond
//! the end of a file that another process has truncated is lost, which is
//! [`Error::FileTooShort`] ([`Error::Faulted`] for guarded arrays) and final in the same way.
//!
//! # What works on which file system
//!
//! The crate asks the kernel for the file system of each file. One that it does not know gets the
//! column "other".
//!
//! | | ext2, ext3, ext4, XFS, tmpfs | btrfs, F2FS, ZFS, NFS | overlayfs, FUSE, 9p, other |
//! |---|---|---|---|
//! | small rows of a `.npy` file that grows | stored into reserved pages (4 KiB pages; not ext2) | written | written |
//! | `append` to a raw file | written | written | written; stored into the mapping too if it shows something else |
//! | `commit`, `rollback`, `refresh` | the mapping shows the file | the mapping shows the file | the file is mapped again and compared |
//! | `scatter` | written | written | stored into the mapping |
//! | `lock` | lasts as long as the array | the same; NFS as its server does | the same |
//! | page cache of a sweep | left as it was found | the same; ZFS by `mincore` | overlayfs and other by `mincore`; FUSE not evicted |
//! | `sync`, `close`, drafts, the guard | as above | as above | as above; shared mappings may be refused, see below |
//!
//! A FUSE file system with direct I/O refuses shared mappings that are written: the modes `r+`,
//! `w+` and `x+` are [`Error::Io`] there (`ENODEV`) before anything is changed.
//!
//! # What file systems and drives add
//!
//! - ext4, XFS, btrfs and overlayfs on ext4 are tested by mounting what a power cut can leave:
//!   all that was flushed, and any part of the sectors since then. There `sync` brings the name
//!   of a new file to disk too. That is no promise elsewhere: sync the folder as
//!   well, by [`File::sync_all`](std::fs::File::sync_all) of it, or publish a draft, which on
//!   Unix does so.
//! - A drive may keep what it was told to write in a cache of its own. The file system orders it
//!   to disk, if it is not mounted to do without; on Apple systems `sync` itself does. What
//!   drives lose was not tested.
//! - Where reserved space does not suffice, or cannot be had, says [the
//!   crate](crate#when-things-go-wrong).
//! - On a network, `sync` returns when the server says so, and is as good as its word.
//! - tmpfs and `/dev/shm` are memory: a sync succeeds, and a power cut takes all.
//!
//! [`append`]: MmapArray::append
//! [`close`]: MmapArray::close
//! [`commit`]: MmapArray::commit
//! [`publish`]: crate::Draft::publish
//! [`scatter`]: MmapArray::scatter
//! [`sync`]: crate::SyncToDisk::sync
//! [`view_mut`]: MmapArray::view_mut

#[cfg(doc)]
use crate::{Error, MmapArray};
