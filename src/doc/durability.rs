//! The contents of a file after a crash, a power cut, a full disk and a failing disk.
//!
//! A store into a view changes the page cache of the kernel. All processes see the change, and the
//! change outlives the program. A crash of the program loses no store, except in mode `c`. A crash of
//! the machine can lose stores that were not synced. The kernel writes changed pages to disk in any order and at
//! any time. [`sync`], [`close`], [`publish`] and [`commit`] return when the data are on disk.
//!
//! # What each call promises
//!
//! Each number links to the tests of the cell, and to the file systems that they run on.
//!
//! | call that has returned | the process is killed | the power is cut | the disk is full | the disk fails |
//! |---|---|---|---|---|
//! | a store, by [`view_mut`] or a [`Window`](crate::partition::Window) | kept [^killed] | some pages are kept, others not [^cut-store] | no error where space is reserved [^full-reserved]; `SIGBUS` in a hole [^full-hole] | an error of the next `sync` [^failed-sync] |
//! | [`scatter`] | kept [^killed-scatter] | as a store [^cut-scatter] | [`ErrorKind::Io`], earlier rows are written [^full-scatter]; `SIGBUS` on overlayfs, and on btrfs in the case [below](#when-the-disk-is-full) | as a store [^failed-scatter] |
//! | [`sync`] | kept [^killed] | kept, and the length of the file [^cut-store] | [`ErrorKind::Io`], then [`ErrorKind::Poisoned`] [^full-sync] | the same [^failed-sync] |
//! | `sync` of a [`region`](MmapArray::region) | kept [^killed] | that part is kept, the rest as a store [^cut-region] | as `sync` [^full-sync] | as `sync`, for the whole array [^failed-region] |
//! | [`start_sync`](crate::Region::start_sync), [`sweep_mut`](MmapArray::sweep_mut) | kept [^killed] | as a store [^cut-sweep] | an error of the next `sync` [^failed-sweep] | an error of the next `sync` [^failed-sweep] |
//! | [`close`] | kept [^killed] | as `sync` [^cut-close] | as `sync`; the array is unmapped [^full-sync] | as `sync`; the array is unmapped [^failed-close] |
//! | drop | kept [^killed] | as a store [^cut-drop] | no report [^failed-drop] | no report [^failed-drop] |
//! | a store in mode `c` | lost [^private] | lost [^private] | needs no space [^private] | changes no file [^private] |
//! | [`commit`] | kept [^killed-commit] | kept [^cut-commit] | [`ErrorKind::NoSpace`], nothing is written [^full-commit] | [`ErrorKind::Io`], some pages may be written [^failed-commit] |
//! | [`publish`] | kept [^killed-publish] | kept, and the name [^cut-publish] | [`ErrorKind::NoSpace`], the old file as before [^full-publish] | [`ErrorKind::Io`], the old file as before, with the exception that `publish` names [^failed-publish] |
//! | [`append`], [`push`](MmapArray::push), [`resize`](MmapArray::resize) of a `.npy` file | kept [^killed-npy] | synced rows are kept, later rows may be missing or zeros [^cut-npy] | [`ErrorKind::NoSpace`], array and file as before [^full-append] | [`ErrorKind::Io`], or an error of the next `sync` [^failed-append] |
//! | the same of a raw file | kept [^killed-raw] | synced rows are kept; the file may end with part of a row [^cut-raw] | [`ErrorKind::NoSpace`], array and file as before [^full-append] | [`ErrorKind::Io`], or an error of the next `sync` [^failed-append] |
//!
//! | call that has not returned | the process is killed | the power is cut |
//! |---|---|---|
//! | `sync`, `close` | all stores are kept [^killed] | as a store [^cut-store] |
//! | `commit` | some changed pages are written [^killed-commit] | the same [^cut-commit] |
//! | `publish` | the old file or the new file, complete [^killed-publish] | the same [^cut-publish] |
//! | `append`, `push`, `resize` of a `.npy` file | the old length or the new [^killed-npy] | the same; the file always opens [^cut-npy] |
//! | the same of a raw file | the file may end with part of the new rows [^killed-raw] | the same [^cut-raw] |
//!
//! [^killed]: `processes::what_was_stored_before_a_kill_is_in_the_file` (every file system)
//! [^cut-store]: crash states `store`, `create-sync` and `mixed-raw`
//! [^full-reserved]: `file_systems::a_new_file_has_its_blocks_before_the_disk_fills_up`,
//!     `file_systems::a_grown_file_has_its_blocks_before_the_disk_fills_up` (tmpfs, ext4, XFS;
//!     btrfs needs space for each overwrite)
//! [^full-hole]: `disks::a_store_into_a_hole_of_a_full_disk_kills_the_process` (ext4); with the
//!     guard `guarded_disks::a_store_into_a_hole_of_a_full_disk_is_an_error`
//! [^failed-sync]: `syncs::a_disk_that_fails_to_flush_its_cache_poisons_the_array`,
//!     `sync_errors::each_array_of_one_file_is_told_of_a_failed_write` (ext4)
//! [^killed-scatter]: `gathers::scatter_replaces_rows_in_the_array_and_in_the_file` (every file
//!     system)
//! [^cut-scatter]: crash state `scatter`
//! [^full-scatter]: `scatter_faults::a_file_with_holes_on_a_full_disk_has_no_invalid_element` (ext4)
//! [^failed-scatter]: refusal `scatter and sync`
//! [^full-sync]: `syncs::a_disk_that_has_less_space_than_it_reports_poisons_the_array` (ext4)
//! [^cut-region]: crash states `create-region-raw`, `create-region-npy`, `reopen-region` and
//!     `append-region`
//! [^failed-region]: `regions::a_failed_sync_of_a_region_poisons_the_array` (every file system)
//! [^cut-sweep]: crash state `sweep`
//! [^failed-sweep]: `sweeps::what_a_sweep_could_not_write_the_next_sync_reports` (every file system)
//! [^cut-close]: crash state `create-close`
//! [^failed-close]: refusal `close r+`; `sync_errors::a_file_that_was_cut_is_an_error_of_sync_and_of_close`
//!     (every file system)
//! [^cut-drop]: crash states `reopen` and `mixed-npy`
//! [^failed-drop]: refusal `drop r+`
//! [^private]: `modes::copy_on_write_keeps_its_changes_to_itself` (every file system)
//! [^killed-commit]: `commits::the_file_has_the_changes_and_the_array_goes_on_without_them` (every
//!     file system), `storm::six_processes_lose_nothing_that_was_acknowledged` (ext4)
//! [^cut-commit]: crash state `commit`
//! [^full-commit]: `commit_faults::a_commit_without_room_gives_its_space_back` (ext4, ext2, XFS,
//!     btrfs), `file_systems::changes_that_have_no_room_are_not_committed`
//! [^failed-commit]: `commits::a_failed_commit_keeps_the_changes`,
//!     `commits::a_commit_that_the_disk_did_not_take_never_succeeds_later` (every file system)
//! [^killed-publish]: `drafts::a_draft_whose_process_is_killed_leaves_the_old_file_and_nothing_else`,
//!     `drafts::a_path_that_is_opened_has_a_whole_file` (every file system)
//! [^cut-publish]: crash states `publish-new` and `publish-over`
//! [^full-publish]: `file_systems::a_draft_larger_than_its_disk_leaves_the_old_file_and_nothing_else`
//!     (tmpfs, ext4, XFS, btrfs)
//! [^failed-publish]: `drafts::a_draft_that_cannot_be_published_leaves_the_old_file` (every file
//!     system)
//! [^killed-npy]: `growth_processes::a_process_that_is_killed_leaves_a_file_that_opens_with_all_synced_rows`,
//!     `order::a_writer_that_was_killed_leaves_a_file_that_grows_on` (every file system)
//! [^killed-raw]: `growth::a_raw_file_has_each_row_when_it_is_pushed_and_nothing_else` (every file
//!     system), `storm::six_processes_lose_nothing_that_was_acknowledged` (ext4)
//! [^cut-npy]: crash states `append-synced`, `append-unsynced`, `push`, `digits`, `resize-npy` and
//!     `make-growable`
//! [^cut-raw]: crash states `append-raw` and `resize-raw`
//! [^full-append]: `file_systems::a_full_disk_ends_growth_and_changes_nothing`,
//!     `mounts::what_has_no_space_leaves_the_disk_as_free_as_it_was` (tmpfs, ext4, XFS, btrfs)
//! [^failed-append]: `order::a_refused_append_leaves_the_file_as_it_was` (every file system)
//!
//! - *Every file system* means ext4, ext4 with blocks of 1 KiB, ext2, XFS, btrfs, tmpfs, overlayfs
//!   and FUSE. The step `every-file-system` of `.ci` runs the whole test suite on each.
//! - *Crash state* names a scenario of the step `crash-states`. The step records the writes and
//!   flushes of a file system. Then it mounts the states that a power cut can leave: all flushed
//!   data, and any part of the sectors written since. The file systems are ext4, ext4 with blocks
//!   of 1 KiB, XFS, btrfs and overlayfs on ext4.
//! - *Refusal* names an operation of the step `refusals`. The step makes each system call of an
//!   operation fail in turn, with each error that the call can return.
//! - Tests with another list of file systems run in the steps `file-systems`, `faults` and `races`.
//!
//! # Which call to use
//!
//! | after a crash, | use |
//! |---|---|
//! | the file is the old one or the new one, complete | a [`Draft`](crate::Draft) |
//! | the file has each change that the program has reported | mode `r+` and `sync` |
//! | the file has each row that the program has acknowledged | `append`, then `sync` |
//! | the file has no edit that the program did not commit | mode `c` and `commit` |
//! | the program computes the result again | no call: drop the array |
//!
//! Mode `r+`, `commit` and `append` change a file in place. A draft needs the space of two files,
//! and leaves the old file to processes that have it open. Changes in place reach the disk in any
//! order. Call `sync` between two changes to order them:
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("state.npy");
//! # // SAFETY: the file is ours.
//! # drop(unsafe { ndarray_memmap::npy::create::<u64, _>(&path, 2)? });
//! use ndarray::Ix1;
//! use ndarray_memmap::{Mode, npy};
//!
//! // SAFETY: no other code uses the file while `a` lives.
//! let mut a = unsafe { npy::open::<u64, Ix1>(&path, Mode::ReadWrite)? };
//! a.view_mut()?[0] = 17; // the work
//! a.sync()?;
//! a.view_mut()?[1] = 1; // the flag "complete", on disk after the work
//! a.sync()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How often to sync
//!
//! A sync waits for the disk. Call `sync` as rarely as the program can afford to lose the changes
//! in between. A sync writes whole folios of the page cache for single elements. [`scatter`] avoids
//! that: see [`performance`](super::performance#few-changes-to-a-large-file). A growing `.npy` file
//! waits for the disk once more at the first growth after each sync: sync by batches. `start_sync`
//! starts to write before the next sync, and `sweep_mut` does so by itself. Other processes see
//! changes without a sync.
//!
//! # What errors mean
//!
//! | error | the disk has | what to do |
//! |---|---|---|
//! | [`ErrorKind::Io`] of `sync` or `close` | any state between the last `sync` and now | save the array to another disk at once |
//! | [`ErrorKind::Poisoned`] | the same; an earlier call returned the error | open the file again, compare, write again |
//! | [`ErrorKind::Io`] of `commit`, and [`ErrorKind::NoSpace`] if space could not be reserved | perhaps some changed pages | save the array to another disk; if the disk did not take the data, a second `commit` is [`ErrorKind::Poisoned`] |
//! | [`ErrorKind::Io`] of `publish` | the old file | make the draft again |
//! | any other [`ErrorKind::NoSpace`] | the state before the call | free space and call again |
//! | [`ErrorKind::Conflict`] | the changes of another process | open the file again, or [`force_commit`](MmapArray::force_commit) |
//! | [`ErrorKind::PrivateChanges`] | no change of mode `c` | `commit` |
//!
//! The kernel reports a failed write once, forgets it, and may drop the data. A second call can
//! then succeed although the data are lost. Therefore every later sync of the array fails too. The
//! program can still read the elements. If the kernel evicts their pages, the array shows the
//! contents of the disk.
//!
//! On Linux the kernel reports a failed write to each array that was open, also to two arrays of
//! one `File` (where `/proc` is mounted). A forked child and its parent share the state of an
//! array: an error of one process is an error of both. If one of them is killed during a sync, the
//! sync counts as failed for the other. On other systems another array learns of a failed write
//! only if the kernel reports the failure again.
//!
//! `sync` also compares the length of the file with the end of the array. If another process has
//! truncated the file, stores beyond the new end are lost. The error is [`ErrorKind::FileTooShort`], or
//! [`ErrorKind::Faulted`] for guarded arrays. Every later sync fails too.
//!
//! # When the disk is full
//!
//! The kernel cannot report a missing block at a store into a mapping except by `SIGBUS`.
//! Therefore modes `w+` and `x+`, [`grow`](crate::MapOptions::grow) and [`append`] reserve the
//! space first, and return [`ErrorKind::NoSpace`] if the disk is full. A store can still raise `SIGBUS`
//! in these cases:
//!
//! - The file was created with [`sparse`](crate::MapOptions::sparse).
//! - The file system cannot reserve space: some network file systems, FAT, all file systems on
//!   macOS.
//! - The file system copies overwritten blocks: btrfs, ZFS, snapshots and reflinks.
//! - Mode `r+` opens a file that already has holes, such as a file of NumPy's `w+`.
//! - The pages of the system are larger than 4 KiB, and a hole for later rows of a growing `.npy`
//!   file shares the page of the stored row.
//! - [`scatter`] on overlayfs: it stores into the mapping.
//! - [`scatter`] on btrfs, if the type of the elements has invalid values, and the kernel writes a
//!   part of an element: the crate stores the old bytes back.
//! - The file lies in a full tmpfs and has holes. Reading a hole allocates a page as well, in every
//!   mode; only [`load`](crate::MapOptions::load) and [`commit`] do not map it.
//!
//! # What works on which file system
//!
//! The crate asks the kernel for the file system of each file. Containers (Docker, Podman) have
//! overlayfs. The last column holds for unknown file systems. Hugetlbfs maps files, and refuses to
//! write them: `scatter`, `commit`, `append` and the creation of `.npy` files return an error there.
//!
//! | | ext2, ext3, ext4, XFS, tmpfs | btrfs, F2FS, ZFS, NFS, ramfs, hugetlbfs | overlayfs, FUSE, 9p, other |
//! |---|---|---|---|
//! | small rows of a growing `.npy` file | stored into reserved pages, if pages are 4 KiB; written on ext2 [^fs-grow] | written [^fs-grow] | written [^fs-grow] |
//! | `append` to a raw file | written [^fs-grow] | written [^fs-grow] | written, and stored into the mapping if that differs [^fs-grow] |
//! | `commit`, `rollback`, `refresh` | the mapping shows the file [^fs-commit] | the same [^fs-commit] | the array maps the file again and compares [^fs-commit] |
//! | `scatter` | written [^fs-scatter] | written [^fs-scatter] | stored into the mapping [^fs-scatter] |
//! | `lock` | held as long as the array lives [^fs-lock] | the same; NFS depends on its server [^fs-lock] | the same [^fs-lock] |
//! | page cache after a sweep | as before the sweep [^fs-sweep] | the same; ZFS by `mincore` [^fs-sweep] | overlayfs and other by `mincore`; pages of FUSE, and of overlayfs files that no path leads to, may stay [^fs-sweep] |
//! | `start_sync` | starts to write [^fs-start] | the same [^fs-start] | does nothing on overlayfs: the next sync writes [^fs-start] |
//! | detects a change within one tick of the clock | from Linux 6.13 on; never on ext2 [^fs-tick] | the same [^fs-tick] | the same [^fs-tick] |
//! | unnamed drafts | yes [^fs-draft] | yes; drafts on NFS have a name [^fs-draft] | yes on overlayfs; drafts on FUSE and other have a name [^fs-draft] |
//! | `sync`, `close`, the guard | as above [^fs-sync] | as above [^fs-sync] | as above; FUSE with direct I/O refuses writable shared mappings [^fs-direct] |
//!
//! [^fs-grow]: `growth_model::random_histories_agree_with_a_vec_of_rows` (every file system)
//! [^fs-commit]: `commit_faults::commits_add_up_here` (every file system),
//!     `mounts::a_follower_shows_a_file_that_left_its_lower_layer` (overlayfs)
//! [^fs-scatter]: `scatter_faults::array_and_file_show_what_was_scattered` (every file system),
//!     `scatter_faults::a_limit_of_the_size_of_files_is_an_error_and_no_signal`
//! [^fs-lock]: `each_file_system::a_lock_lasts_as_long_as_its_array` (ext2, ext4, XFS, btrfs, tmpfs,
//!     overlayfs, FUSE)
//! [^fs-sweep]: `each_file_system::a_sweep_leaves_in_memory_what_it_found_there` (the same)
//! [^fs-start]: `regions::start_sync_begins_to_write_the_region_and_nothing_else` (every file
//!     system)
//! [^fs-tick]: `commit_faults::two_handles_notice_each_other_however_soon` (every file system)
//! [^fs-draft]: `drafts::a_published_draft_replaces_the_file_whole` (every file system)
//! [^fs-sync]: `sync::sync_and_close_answer_by_mode` (every file system)
//! [^fs-direct]: `each_file_system::what_cannot_be_mapped_to_write_is_refused_and_left_alone`,
//!     `modes::each_mode_does_as_its_row_says` (FUSE with direct I/O)
//!
//! The tests do not cover F2FS, ZFS, NFS and 9p. FUSE with direct I/O refuses writable shared
//! mappings: all modes that write return [`ErrorKind::Io`] (`ENODEV`) before any change. A FUSE
//! server such as bindfs holds one open file for each mapping.
//!
//! # What file systems and drives add
//!
//! - On ext4, XFS, btrfs and overlayfs on ext4, `sync` also writes the name of a new file to disk.
//!   On other file systems, sync the folder by [`File::sync_all`](std::fs::File::sync_all), or
//!   publish a draft, which syncs the folder on Unix.
//! - A drive has a cache of its own. The file system flushes this cache, unless a mount option
//!   turns that off. On Apple systems `sync` flushes the cache. The tests do not cover data that
//!   drives lose.
//! - Some file systems need space for an overwrite: see [above](#when-the-disk-is-full).
//! - On a network, `sync` returns when the server reports that the data are on disk.
//! - tmpfs and `/dev/shm` are memory. A sync succeeds, and a power cut loses all data.
//!
//! [`append`]: MmapArray::append
//! [`close`]: MmapArray::close
//! [`commit`]: MmapArray::commit
//! [`publish`]: crate::Draft::publish
//! [`scatter`]: MmapArray::scatter
//! [`sync`]: crate::MmapArray::sync
//! [`view_mut`]: MmapArray::view_mut

#[cfg(doc)]
use crate::{ErrorKind, MmapArray};
