//! The guarantees of this crate to safe code: where each holds, and the test that shows it.
//!
//! # Why the constructors are unsafe
//!
//! Memory behind a Rust reference must not be modified except through that reference. Another
//! process, another mapping of the same file, or a plain write can modify the memory of a mapped
//! file. The compiler and this crate cannot see these changes. No lock and no permission of the
//! usual systems prevents them. Therefore [`MapOptions::open`], [`MapOptions::map`], [`npy::open`],
//! [`npy::create`] and [`Window::open`] are `unsafe`, and the caller promises [the
//! contract](crate#the-contract-of-a-mapping). `tests/meta` lists the files that may contain unsafe
//! code, and checks that each unsafe block has its proof.
//!
//! # What the crate checks itself
//!
//! The crate asks nothing of the caller beyond the contract. Opening a file with any contents
//! either succeeds or returns an error:
//!
//! - The crate maps only regular files, and only a range that lies within the file. It compares the
//!   length before and after mapping. All arithmetic is checked, also beside an axis of length 0.
//! - The crate checks alignment on the address itself. Opening checks each element of types with
//!   invalid bit patterns, and does not read the elements of other types.
//! - The handle lends views: `deref` borrows the handle, `view_mut` borrows it mutably, and no view
//!   outlives it. The pages stay in place when the handle moves.
//! - All modes except `r`, and [`view_mut`](crate::Layout::view_mut) of a layout, refuse strides
//!   that give two indices to one element.
//! - Elements have no padding, so no uninitialised byte reaches a file. Zeros are a valid value of
//!   each element type, so a new file contains valid elements.
//! - A handle is `Send` and `Sync` if its elements are.
//!
//! # What holds where
//!
//! The table names tests by module and function, in the folder `tests` of the repository.
//! `tests/meta` checks that each test exists. `cargo test` runs all tests except those that name a
//! step of `.ci`. The step `every-file-system` runs the same tests on each file system.
//!
//! | guarantee | where | test |
//! |---|---|---|
//! | **The contract** | | |
//! | other processes may change the file while no view is borrowed, and the array shows the change | all | `handle::two_handles_on_one_file_see_each_others_changes`, `modes::each_mode_does_as_its_row_says` |
//! | access beyond the end of a truncated file ends the process, unless the array is guarded | Unix | `lengths::an_access_beyond_the_end_of_a_file_that_was_cut_kills_the_process`, `guard::what_the_file_has_lost_is_zeros_and_known_from_then_on` |
//! | other processes may read a file that an array grows | all | `growth::a_file_that_is_opened_while_it_grows_has_whole_rows`, `growth_processes::one_process_appends_and_another_follows` |
//! | **Safe constructors** | | |
//! | [`MapOptions::scratch`]: the file has no name | all | `constructors::scratch_is_an_array_of_zeros_that_can_be_changed_and_synced`, `constructors::scratch_in_a_folder_leaves_nothing_there` |
//! | [`MapOptions::draft`]: no other process knows the file before it is unmapped | all; by a random name where files need one | `drafts::a_published_draft_replaces_the_file_whole`, `drafts::a_path_that_is_opened_has_a_whole_file` |
//! | [`MapOptions::open_immutable`]: the kernel refuses writes | Linux | `constructors::a_sealed_memfd_is_mapped_without_a_promise`, `constructors::an_unsealed_memfd_and_an_ordinary_file_are_no_proof` |
//! | [`MapOptions::load`]: the bytes are a copy | all | `constructors::load_shows_the_file_as_it_was` |
//! | [`Layout::view`](crate::Layout::view): the caller owns or borrows the bytes | all | `views::a_file_mapped_by_memmap2_is_viewed_safely` |
//! | **Any contents of a file** | | |
//! | a mapping lies within its file, for every shape, stride and offset | all | `layout_oracle::every_element_lies_where_the_oracle_says`, `layouts::numbers_without_a_sum_or_product_are_too_large_and_never_a_panic` |
//! | elements are aligned | all | `views::bytes_at_an_odd_address_are_refused_for_types_that_cannot_lie_there`, `layouts::elements_are_aligned_up_to_a_page_and_refused_beyond` |
//! | elements are valid values of their type | all | `views::invalid_elements_are_refused_by_their_index`, `elements::the_first_and_the_last_element_are_checked_in_both_orders` |
//! | a write that stops half-way leaves no invalid element | Linux | `scatter_faults::a_file_with_holes_on_a_full_disk_has_no_invalid_element`, `commit_faults::a_commit_that_stops_half_way_leaves_whole_elements` (step `file-systems`) |
//! | a rollback shows no invalid element | Linux | `commit_faults::a_rollback_shows_no_invalid_element` |
//! | a guarded array has no invalid half elements | Linux | `halves::elements_that_a_lost_page_would_cut_to_an_invalid_half_are_not_guarded` |
//! | a page of `scratch` or a draft that was not written shows no old block of the disk | Linux | `each_file_system::elements_that_are_checked_have_their_blocks_on_the_disk` (step `file-systems`) |
//! | a follower checks new elements too | all | `growth::a_follower_stays_as_it_was_if_it_cannot_refresh` |
//! | no two indices of a writable view name one element | all | `layouts::overlapping_strides_can_be_read_and_never_written` |
//! | no header of a `.npy` file causes a panic or takes long | all | `npy_headers::brackets_nest_no_deeper_than_sense_allows`, `npy_headers::no_more_is_read_than_the_file_has_whatever_its_header_says`, and the fuzz targets (step `fuzz`) |
//! | only regular files are mapped, and opening does not wait | Unix | `files::what_is_no_regular_file_is_refused_without_waiting` |
//! | an operation survives the refusal of each of its system calls | Linux | `refusals::every_operation_survives_the_refusal_of_each_system_call` (step `refusals`) |
//! | **Views and threads** | | |
//! | elements stay in place when the handle moves | all | `handle::a_handle_that_is_moved_leaves_its_elements_where_they_are` |
//! | `view_mut` is the only view while it lives, and no row is appended | all | by borrowing: `compile_fail` in [`append`](MmapArray::append) |
//! | a handle is as `Send` and `Sync` as its elements | all | `threads::a_handle_is_no_more_send_or_sync_than_its_elements` |
//! | threads can read one handle, sync it, and write parts of one view | all | `threads::many_threads_read_one_handle`, `sync::several_threads_sync_one_handle`, `threads::threads_write_disjoint_parts_of_one_view` |
//! | a sweep releases no page that a thread has changed in mode `c` | all | `sweeps::private_changes_of_other_threads_are_not_lost` |
//! | an array that is mapped again keeps its elements | all | `growth_model::random_histories_agree_with_a_vec_of_rows` |
//! | **Mode `c`** | | |
//! | only `commit` changes the file | all | `modes::copy_on_write_keeps_its_changes_to_itself` |
//! | `commit` writes only changed pages | Linux | `commits::only_changed_pages_are_written` |
//! | `commit` does not overwrite a file that has changed | Unix, within the limits of [`file_changed`](MmapArray::file_changed) | `commits::a_file_that_has_changed_is_left_alone`, `commits::another_file_of_the_name_is_left_alone_by_all` |
//! | a file that is published over the path during a commit keeps its contents | Linux | `commit_faults::a_file_that_is_published_during_a_commit_keeps_its_contents`, `windows::a_commit_notices_that_the_file_is_another_or_has_changed` (step `races`) |
//! | **The guard** | | |
//! | the handler finds the mapping of a fault while others come and go | Linux | `loom::a_mapping_is_found_while_others_come_and_go`, `loom::no_mapping_is_found_that_is_part_of_two` (step `loom`) |
//! | a thread that sees zeros can ask for the loss | Linux | `loom::a_thread_that_sees_zeros_in_place_of_a_page_knows_of_the_loss`, `guard::threads_that_see_zeros_know_of_the_loss` |
//! | a mapping is registered as long as it exists | Linux | `guard::an_array_that_has_grown_is_guarded_as_a_whole`, `guard::arrays_come_and_go_while_others_fault` |
//! | a child that was forked during a registration continues | Linux | `loom::a_process_takes_over_what_its_parent_has_left_locked` |
//! | signals of other origin have the effect that they have without the guard | Linux | `guard::signals_that_are_sent_are_answered_as_without_the_guard` |
//! | **Locks** | | |
//! | readers share a file, a writer has it alone, no call waits | all | `locks::readers_share_a_file_and_a_writer_has_it_alone` |
//! | the locked file is the one that the path names | Unix | `lock_races::a_path_that_is_replaced_before_it_is_locked_is_opened_again`, `lock_races::a_path_that_is_removed_before_it_is_locked_is_missing_or_created_again`, `lock_races::all_that_locks_looks_at_the_path_again` |
//! | a draft does not replace a file that another handle has locked to write | Unix | `lock_races::a_draft_does_not_replace_a_file_that_is_locked_to_write`, `lock_races::a_draft_replaces_a_file_that_is_read_unless_it_locks_too`, `lock_races::the_holder_of_a_lock_has_the_file_that_drafts_replace` |
//! | a lock that the caller holds through a file stays, also if `map` fails | Unix | `lock_races::a_lock_that_the_caller_holds_stays_as_it_is`, `lock_races::a_failed_map_gives_its_own_lock_up_and_another_handle_keeps_its_own` |
//! | the lock is held as long as the array lives | all | `locks::a_new_file_is_locked_until_its_array_is_dropped`, `locks::closing_the_mapped_file_does_not_end_the_lock`, `growth::a_follower_keeps_its_lock`, `each_file_system::a_lock_lasts_as_long_as_its_array` (step `file-systems`) |
//! | no lock outlives its array, also if a sweep is leaked | Unix | `lock_races::a_leaked_sweep_keeps_no_lock` |
//! | a call that is refused with [`ErrorKind::Locked`] has changed nothing | all | `locks::growing_a_locked_file_leaves_it_as_short_as_it_was` |
//! | a file system without locks refuses [`lock`](MapOptions::lock) and keeps the file | Linux | `failures::a_file_system_without_locks_refuses_to_lock_and_keeps_the_file` |
//! | where no shared mapping is possible, mode `r` maps privately | Linux | `failures::where_nothing_can_be_mapped_shared_mode_read_only_maps_privately` |
//! | **Fork** | | |
//! | a child waits for no thread of its parent | Linux | `forks::a_child_syncs_and_closes_while_a_thread_of_its_parent_syncs`, `forks::a_child_goes_on_with_the_sweep_of_its_parent`, `halves::a_child_registers_while_threads_of_its_parent_do` |
//! | a child with the process id of its parent is another process | Linux | `forks::a_child_with_the_process_id_of_its_parent_is_another_process` (step `file-systems`) |
//! | parent and child share the knowledge of a failed write | Linux | `forks::what_one_process_was_told_of_a_failed_sync_the_other_knows`, `sync_errors::each_array_of_one_file_is_told_of_a_failed_write` (step `file-systems`) |
//! | a child does not remove the draft of its parent | Linux | `forks::a_child_that_drops_a_draft_leaves_its_file_to_the_parent` |
//! | a child does not truncate the growing file of its parent | Unix | `growth::a_process_that_forks_leaves_the_file_to_the_one_that_goes_on` |
//! | **Windows of a partition** | | |
//! | the windows have each element once | all | `partitions::the_windows_are_the_array_element_by_element` |
//! | a window maps only its own pages and changes no length | all | `partitions::a_window_maps_only_its_bytes`, `partitions::a_window_neither_grows_nor_follows` |
//! | a window that was read from JSON lies within its array | all | `windows_json::what_is_no_window_is_refused` |
//! | two machines lose nothing if their windows are aligned to pages | Linux | `two_caches::windows_of_two_machines_lose_nothing_if_they_share_no_page` (step `two-caches`) |
//! | **Errors** | | |
//! | a failed sync is an error, and so are all later ones | all | `failures::a_failed_sync_poisons_the_handle_and_no_other` |
//! | each array of one `File` learns of a failed write | Linux | `sync_errors::each_array_of_one_file_is_told_of_a_failed_write` (step `file-systems`) |
//! | a write that a sweep began and that failed is an error of the next sync | Linux | `sweeps::what_a_sweep_could_not_write_the_next_sync_reports` |
//! | a truncated file is an error of the next sync, and of all later ones | Unix | `sync_errors::a_file_that_was_cut_is_an_error_of_sync_and_of_close`, `sync_errors::a_guarded_array_says_what_was_lost` |
//! | a full disk is an error and changes nothing | Linux | `space::a_full_disk_is_an_error_and_leaves_everything_as_it_was`, `file_systems::a_full_disk_ends_growth_and_changes_nothing` (step `file-systems`) |
//!
//! # What does not hold
//!
//! - **A failing disk and checked elements.** If a device fails to write a page and the kernel
//!   evicts this page, ext2 and FAT may show old contents of the block. On every file system, an
//!   element that lies across two blocks may be half old and half new. The crate cannot detect
//!   this. After an error of `sync`, do not read arrays whose type has invalid values (`bool`,
//!   `char`, records with them).
//! - **Mode `c` is no snapshot.** A page that was not changed in the array is the page of the file.
//!   The page shows later changes of the file, and is lost if the file is truncated. An element
//!   that lies in two pages is half private if one of them was changed; a later change of the file
//!   may then make it invalid. Only [`load`](MapOptions::load) copies.
//! - **The guard does not change the contract.** Elements that become zeros while they are borrowed
//!   are a change like any other. The handler reads and writes atomic numbers and calls the kernel
//!   (`fstat`, `mmap`, `sigaction`). The chapter [`faults`](super::faults) lists each fault.
//! - **Locks are advisory on Unix.** They exclude only processes that lock as well. Two processes
//!   that publish over the same path need a separate lock file: a draft replaces the locked file.
//! - **Network file systems.** Another machine can change a file without the knowledge of this
//!   kernel. The contract holds only if no machine does. A server that fails raises a bus error.
//!   Use [`load`](MapOptions::load) for data that are read once. Locks depend on the file system.
//!   The tests simulate the answers of such file systems and do not mount one.
//! - **Fork.** Parent and child share the mapping, and the contract holds between them as between
//!   any two processes. Both may read, sync and drop the array. Only one of them may append: the
//!   other does not see the new length and overwrites the rows. Private changes of mode `c` are
//!   private to each process. A lock lasts until both processes have ended.
//!
//! The chapter [`durability`](super::durability) states which data are on disk after which call.

#[cfg(doc)]
use crate::{ErrorKind, MapOptions, MmapArray, npy, partition::Window};
