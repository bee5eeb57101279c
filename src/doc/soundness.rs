//! What is promised, by whom, on what it rests, and the test that shows it.
//!
//! Tests are named by their module in one of the programs of `tests/` and their function; that
//! each exists is itself a test. The file `tests/meta/floors.rs` holds the list of the files that may have unsafe code, and
//! sees to it that each unsafe block stands in one of them, under its proof.
//!
//! # Why the constructors are unsafe
//!
//! A reference of Rust promises that what it leads to does not change but by itself. A mapped
//! file is memory that others can change: another process, another mapping of the same file,
//! a plain write. Neither the compiler nor this crate can see them, and no lock or permission
//! of the usual systems keeps them out. So [`MapOptions::open`] and [`MapOptions::map`],
//! [`npy::open`], [`npy::create`] and [`Window::open`] are `unsafe`, and the caller promises [the
//! contract](crate#the-contract-of-a-mapping).
//!
//! | the contract | test |
//! |---|---|
//! | others may change the file while nothing is borrowed, and it shows | `handle::two_handles_on_one_file_see_each_others_changes`, `modes::each_mode_does_as_its_row_says` |
//! | a file that is cut kills whoever looks beyond its end, unless it is guarded | `guard::what_the_file_has_lost_is_zeros_and_known_from_then_on` |
//! | a file that another array grows may be read by others meanwhile | `growth::whoever_opens_a_file_while_it_grows_finds_whole_rows`, `growth_processes::one_process_appends_and_another_follows` |
//!
//! # What the safe constructors rest on
//!
//! | constructor | on | test |
//! |---|---|---|
//! | [`MapOptions::scratch`] | the file has no name | `constructors::scratch_is_an_array_of_zeros_that_can_be_changed_and_synced`, `constructors::scratch_in_a_folder_leaves_nothing_there` |
//! | [`MapOptions::draft`] | nobody knows the file before it is unmapped | `drafts::a_published_draft_replaces_the_file_whole`, `drafts::whoever_opens_the_path_finds_a_whole_file` |
//! | [`MapOptions::open_immutable`] | the kernel keeps everybody from writing | `constructors::a_sealed_memfd_is_mapped_without_a_promise`, `constructors::an_unsealed_memfd_and_an_ordinary_file_are_no_proof` |
//! | [`MapOptions::load`] | the bytes are a copy | `constructors::load_shows_the_file_as_it_was` |
//! | [`Layout::view`](crate::Layout::view) | the caller has the bytes | `views::a_file_mapped_by_memmap2_is_viewed_safely` |
//!
//! # Whatever a file contains
//!
//! | claim | test |
//! |---|---|
//! | a mapping lies within its file, whatever shape, strides and offset are asked for | `layout_oracle::every_element_lies_where_the_oracle_says`, `layouts::numbers_without_a_sum_or_product_are_too_large_and_never_a_panic` |
//! | elements lie at addresses that their type allows | `views::bytes_at_an_odd_address_are_refused_for_types_that_cannot_lie_there`, `layouts::elements_are_aligned_up_to_a_page_and_refused_beyond` |
//! | elements are values of their type | `views::invalid_elements_are_refused_by_their_index`, `elements::the_first_and_the_last_element_are_checked_in_both_orders` |
//! | a guarded array has no half elements that are invalid | `halves::elements_that_a_lost_page_would_cut_to_an_invalid_half_are_not_guarded` |
//! | a page of `scratch` or a draft that could not be written shows no old block of the disk | `each_file_system::elements_that_are_checked_have_their_blocks_on_the_disk` (step `file-systems`) |
//! | also those that a follower gets | `growth::a_follower_stays_as_it_was_if_it_cannot_refresh` |
//! | no two indices of what can be written name one element | `layouts::overlapping_strides_can_be_read_and_never_written` |
//! | no header of a `.npy` file is a panic or takes long | `npy_headers::brackets_nest_no_deeper_than_sense_allows`, `npy_headers::no_more_is_read_than_the_file_has_whatever_its_header_says`, and the fuzz targets |
//! | what cannot be mapped is refused, without waiting for it | `files::what_is_no_regular_file_is_refused_without_waiting` |
//!
//! One case is left, for types of which not all bytes are valid: a disk that fails while it writes
//! an element that lies across two of its blocks (a packed struct with a `char`) may keep half of
//! the old value and half of the new. The kernel shows that only once it has dropped the page, and
//! no call of this crate can know. Do not use elements from [`MapOptions::scratch`] or a draft
//! after a sync of it has failed, or use types of which all bytes are valid.
//!
//! # Views and threads
//!
//! | claim | test |
//! |---|---|
//! | a handle may be moved while its elements stay | `handle::a_handle_that_is_moved_leaves_its_elements_where_they_are` |
//! | `view_mut` is the only view while it lives; nothing is appended meanwhile | by borrowing: `compile_fail` in [`append`](MmapArray::append) |
//! | a handle is as `Send` and `Sync` as its elements | `threads::a_handle_is_no_more_send_or_sync_than_its_elements` |
//! | threads read one handle, sync it, write parts of one view | `threads::many_threads_read_one_handle`, `sync::several_threads_sync_one_handle`, `threads::threads_write_disjoint_parts_of_one_view` |
//! | what a sweep gives back has no private change of any thread | `sweeps::private_changes_of_other_threads_are_not_lost_meanwhile` |
//! | an array that is mapped anew keeps its elements | `growth_model::random_histories_agree_with_a_vec_of_rows` |
//!
//! # What `MAP_PRIVATE` does not promise
//!
//! Mode `c` is no snapshot. A page that was not changed in the array is the file's: it shows
//! later changes of the file, and is gone if the file is cut. Only [`load`](MapOptions::load)
//! is a copy. Private changes are lost with the array; `sync` and `close` say so.
//!
//! | claim | test |
//! |---|---|
//! | the file never changes but by `commit` | `modes::copy_on_write_keeps_its_changes_to_itself` |
//! | `commit` writes the changed pages, and these alone | `commits::only_changed_pages_are_written` |
//! | it does not write over what others have written meanwhile | `commits::a_file_that_has_changed_is_left_alone`, `commits::another_file_of_the_name_is_left_alone_by_all` |
//!
//! # When a file goes away
//!
//! A bus error ends the process. With the feature `sigbus-guard` an application can have the
//! guard put zeros in the place of what is lost and go on. It does not change the contract:
//! elements that turn into zeros while they are borrowed are a change like any other. What
//! happens at each fault that we know is a chapter of its own, [`faults`](super::faults).
//!
//! The handler of the guard does only what a signal handler may: it reads and writes atomic
//! numbers and calls the kernel (`fstat`, `mmap`, `sigaction`).
//!
//! | claim | test |
//! |---|---|
//! | it finds the mapping of a fault while others come and go, and never one made of two | `loom::a_mapping_is_found_while_others_come_and_go`, `loom::no_mapping_is_found_that_is_part_of_two` (step `loom`) |
//! | whoever sees zeros knows of the loss | `loom::whoever_sees_zeros_in_place_of_a_page_knows_of_the_loss`, `guard::threads_that_see_zeros_know_of_the_loss` |
//! | a mapping leaves its slot before it is unmapped, its file is closed after; one mapped anew is in a slot first | `guard::an_array_that_has_grown_is_guarded_as_a_whole`, `guard::arrays_come_and_go_while_others_fault` |
//! | a child that was forked meanwhile goes on | `loom::a_process_takes_over_what_its_parent_has_left_locked` |
//! | signals that are not its own are answered as without it | `guard::signals_that_are_sent_are_answered_as_without_the_guard` |
//!
//! # Network file systems
//!
//! Others may change a file on a server without this system's knowing, and when it finds out
//! is up to it: the contract can be kept only if nobody does. A server that goes away is a bus
//! error. Use [`load`](MapOptions::load) for what is read once. Locks are as good as the file
//! system makes them; where it has none, [`lock`](MapOptions::lock) is an error
//! (`failures::a_file_system_without_locks_refuses_to_lock_and_keeps_the_file`), and where it
//! cannot map shared, mode `r` maps privately
//! (`failures::where_nothing_can_be_mapped_shared_mode_read_only_maps_privately`). No such
//! file system is part of the tests: its answers are.
//!
//! # Locks
//!
//! [`lock`](MapOptions::lock) is advisory on Unix: it keeps those out who lock as well, and
//! nobody else.
//!
//! | claim | test |
//! |---|---|
//! | readers share, a writer is alone, nobody waits | `locks::readers_share_a_file_and_a_writer_has_it_alone` |
//! | the file that is locked is the one that the path names | `lock_races::a_path_that_is_replaced_before_it_is_locked_is_opened_again`, `lock_races::a_path_that_is_removed_before_it_is_locked_is_missing_or_created_again`, `lock_races::all_that_locks_looks_at_the_path_again` |
//! | a draft replaces no file that another handle has locked to write | `lock_races::a_draft_does_not_replace_a_file_that_is_locked_to_write`, `lock_races::a_draft_replaces_a_file_that_is_read_unless_it_locks_too`, `lock_races::the_holder_of_a_lock_has_the_file_that_drafts_replace` |
//! | a lock that the caller holds through a file stays, whatever becomes of `map` | `lock_races::a_lock_that_the_caller_holds_stays_as_it_is`, `lock_races::a_failed_map_gives_its_own_lock_up_and_another_handle_keeps_its_own` |
//! | no lock outlives its array, also if a sweep is leaked | `lock_races::a_leaked_sweep_keeps_no_lock` |
//! | all that is so on overlayfs, FUSE, ext2 to ext4, XFS, btrfs and tmpfs | `each_file_system::a_lock_lasts_as_long_as_its_array` (step `file-systems`) |
//! | the lock lasts as long as the array | `locks::a_new_file_is_locked_until_its_array_is_dropped`, `locks::closing_the_mapped_file_does_not_end_the_lock`, `growth::a_follower_keeps_its_lock` |
//! | whoever is refused has changed nothing | `locks::growing_a_locked_file_leaves_it_as_short_as_it_was` |
//!
//! # `fork`
//!
//! Parent and child share the mapping, and the contract holds between them as between any two
//! processes. In the child a handle can be used and dropped; a lock lasts until both have
//! ended; a file that is longer than its array while it grows is the parent's to cut off,
//! until the child grows it (`growth::a_process_that_forks_leaves_the_file_to_whoever_goes_on`).
//! A child is told from its parent by memory that the kernel wipes at a fork, not by its id.
//!
//! | claim | test |
//! |---|---|
//! | a child waits for no thread of its parent that it has not got | `forks::a_child_syncs_and_closes_while_a_thread_of_its_parent_syncs`, `forks::a_child_goes_on_with_the_sweep_of_its_parent`, `halves::a_child_registers_while_threads_of_its_parent_do` |
//! | also if it has the id of its parent | `forks::a_child_with_the_process_id_of_its_parent_is_another_process` (step `file-systems`) |
//! | what one of them was told of a failed write, the other knows (Linux) | `forks::what_one_process_was_told_of_a_failed_sync_the_other_knows`, `sync_errors::each_array_of_one_file_is_told_of_a_failed_write` (step `file-systems`) |
//! | a draft with a name is its creator's to remove | `forks::a_child_that_drops_a_draft_leaves_its_file_to_the_parent` |
//!
//! # Windows
//!
//! | claim | test |
//! |---|---|
//! | the windows of a partition have each element once | `partitions::the_windows_are_the_array_element_by_element` |
//! | a window maps its rows and no page more, and changes no length | `partitions::a_window_maps_only_its_bytes`, `partitions::a_window_neither_grows_nor_follows` |
//! | what is read as a window lies within its array | `windows_json::what_is_no_window_is_refused` |
//! | two machines lose nothing if their windows are aligned to pages | `two_caches::windows_of_two_machines_lose_nothing_if_they_share_no_page` (step `two-caches`) |
//!
//! # Durability
//!
//! | claim | test |
//! |---|---|
//! | what was synced, published, committed or grown and synced survives a power cut | all scenarios of `tests/crash_states` (step `crash-states`) |
//! | so does the header of a `.npy` file that grows, synced or not | the same |
//! | a process that is killed loses nothing that was stored | `growth_processes::a_process_that_is_killed_leaves_a_file_that_opens_with_all_synced_rows` |
//! | a failed sync is an error, and so are all later ones | `failures::a_failed_sync_poisons_the_handle_and_no_other` |
//! | each array of one `File` is told (Linux) | `sync_errors::each_array_of_one_file_is_told_of_a_failed_write` (step `file-systems`) |
//! | a file that was truncated is an error of the next sync, and of all later ones | `sync_errors::a_file_that_was_cut_is_an_error_of_sync_and_of_close`, `sync_errors::a_guarded_array_says_what_was_lost` |
//! | also if a sweep has begun the write that failed | `sweeps::what_a_sweep_could_not_write_the_next_sync_reports` |
//! | a full disk is an error and changes nothing | `space::a_full_disk_is_an_error_and_leaves_everything_as_it_was`, `file_systems::a_full_disk_ends_growth_and_changes_nothing` (step `file-systems`) |
//!
//! What each call promises, and what file systems and drives add, says
//! [`durability`](super::durability).

#[cfg(doc)]
use crate::{MapOptions, MmapArray, npy, partition::Window};
