//! Faults of mapped files, disks and processes, and how a program reacts to each.
//!
//! Each row has a test in `tests/`. The step `faults` of `.ci/run` runs these tests, and makes the
//! same faults in NumPy.
//!
//! | fault | NumPy | this crate |
//! |---|---|---|
//! | an access beyond the end of a file that was truncated | killed by SIGBUS | killed by SIGBUS |
//! | a file is truncated, then as long as before | wrong values, no error | zeros, `file_changed`, `commit` is `ErrorKind::Conflict` |
//! | a hole is punched into a file | wrong values, no error | zeros, `file_changed`, `commit` is `ErrorKind::Conflict` |
//! | a file is removed | correct values, no warning | contents stay, `file_changed`, not `is_same_file` |
//! | a file is replaced by another | correct values, no warning | contents stay, `file_changed`, not `is_same_file`, the other file is left alone |
//! | a file with private changes is written to by others | – | `commit` is `ErrorKind::Conflict`, nothing written |
//! | no permission to open a file | PermissionError (EACCES) | `ErrorKind::Io` (EACCES), file as before |
//! | a disk mounted for reading only | OSError (EROFS) | `ErrorKind::Io` (EROFS) from all that writes, private changes stay |
//! | a FIFO | waits for ever | `ErrorKind::NotAFile` at once |
//! | a directory | IsADirectoryError (EISDIR) | `ErrorKind::NotAFile` |
//! | `/dev/null` | OSError (ENODEV) | `ErrorKind::NotAFile` |
//! | `/dev/zero` | an array of zeros | `ErrorKind::NotAFile` |
//! | a file of `/proc` | OSError (EINVAL) | an empty array; with a shape `ErrorKind::FileTooShort` |
//! | a file of `/sys` | OSError (ENODEV) | `ErrorKind::Io` (ENODEV); by `load` `ErrorKind::FileTooShort` |
//! | a new array larger than its disk, tmpfs | killed by SIGBUS | `ErrorKind::NoSpace`, no file |
//! | a new array larger than its disk, ext4 | killed by SIGBUS | `ErrorKind::NoSpace`, no file |
//! | a store into a hole of a full disk, tmpfs | killed by SIGBUS | killed by SIGBUS; with space reserved first, `ErrorKind::NoSpace` |
//! | a store into a hole of a full disk, ext4 | killed by SIGBUS | killed by SIGBUS; with space reserved first, `ErrorKind::NoSpace` |
//! | a store into a hole of a full disk, XFS | killed by SIGBUS | killed by SIGBUS; with space reserved first, `ErrorKind::NoSpace` |
//! | rows are appended until the disk is full | – | `ErrorKind::NoSpace`, array and file as before; continues when space is free |
//! | private changes into holes of a full disk | – | `commit` is `ErrorKind::NoSpace`, nothing written |
//! | a draft larger than its disk | – | `ErrorKind::NoSpace`, the old file as before |
//! | `sync` on a disk with less space than it reports | `flush`: OSError (ENOSPC), then success, then success | `ErrorKind::Io`, then `ErrorKind::Poisoned` for ever |
//! | `sync`, pages cannot be written (EIO of `msync`) | – | `ErrorKind::Io`, then `ErrorKind::Poisoned` for ever |
//! | `sync`, the disk fails to flush its cache (EIO of `fsync`) | – | `ErrorKind::Io`, then `ErrorKind::Poisoned` for ever |
//! | pages of a sweep cannot be written (EIO of `sync_file_range`) | – | the next `sync` is `ErrorKind::Io` |
//! | a page that cannot be read, XFS | killed by SIGBUS | killed by SIGBUS; `prefetch` and `load` are `ErrorKind::Io` |
//! | a file that the kernel does not map | – | `ErrorKind::Io`, file as before |
//! | a file system without locks | – | `ErrorKind::Io` from `lock(true)`, file as before |
//! | a file system without shared mappings | – | mode `r` maps privately |
//! | the limit of file sizes (`RLIMIT_FSIZE`) | OSError (EFBIG), the file is emptied | `ErrorKind::Io` (EFBIG), file as before |
//! | the limit of file sizes, lowered while an array grows | – | `ErrorKind::Io`, array and file as before |
//! | the limit of address space (`RLIMIT_AS`) | OSError (ENOMEM), the file is emptied | `ErrorKind::Io` (ENOMEM), file as before |
//! | 10,000 arrays to read with 64 descriptors (`RLIMIT_NOFILE`) | OSError (EMFILE) after 59 | all open; arrays opened for writing are `ErrorKind::Io` (EMFILE) beyond 64 |
//! | more arrays than the kernel maps (`vm.max_map_count`) | OSError (ENOMEM) | `ErrorKind::Io` (ENOMEM), file as before, the others go on |
//! | the limit of locked memory (`RLIMIT_MEMLOCK`) | – | `ErrorKind::MemoryLock` |
//! | a signal every 0.2 ms (EINTR) | all calls succeed, correct values | all calls succeed, correct values |
//! | a signal every 1 ms while space is reserved, tmpfs | – | finishes |
//! | `fork`, the child reads and drops | the parent goes on | the parent goes on, its lock too |
//! | `fork`, both have an array that grows | – | the file is left to the process that goes on |
//! | `kill -9` after stores | all that was stored is in the file | all that was stored is in the file |
//! | `kill -9` while a file grows | – | the file opens, with whole rows |
//! | `kill -9` before a file is whole | the old file is gone, half a new one opens | of a draft nothing is left, the old file as before |
//! | two processes write a half each | correct values | correct values |
//! | a file is created over one that is in use | wrong values, no error | `ErrorKind::Locked` by `lock(true)`, file as before |
//! | a file is truncated by another process under eight readers, guarded | killed by SIGBUS | `ErrorKind::Faulted`, zeros from there on |
//! | a file is truncated by another process under eight writers, guarded | killed by SIGBUS | `ErrorKind::Faulted`, what lies before is stored |
//! | `sync`, `append` or `commit` of what was truncated, guarded | – | `ErrorKind::Faulted` |
//! | a store into a hole of a full disk, tmpfs, guarded | killed by SIGBUS | `ErrorKind::Faulted`, also from `sync` |
//! | a store into a hole of a full disk, ext4, guarded | killed by SIGBUS | `ErrorKind::Faulted`, also from `sync` |
//! | a store into a hole of a full disk, XFS, guarded | killed by SIGBUS | `ErrorKind::Faulted`, also from `sync` |
//! | a page that cannot be read, XFS, guarded | killed by SIGBUS | `ErrorKind::Faulted`, zeros |
//! | 64 MiB that cannot be read, XFS, guarded | killed by SIGBUS | `ErrorKind::Faulted` within a minute |
//! | a fault in one of several guarded arrays, nested | – | `ErrorKind::Faulted` of that array alone |
//! | a SIGBUS elsewhere, with a guard installed | – | killed by SIGBUS, as without |
//! | a stack overflow, with a guard installed | – | Rust's message, SIGABRT, as without |
//! | another handler of SIGBUS, there before the guard | – | gets its own faults, as without |
//! | an array is to be guarded and no guard is installed | – | `ErrorKind::NotGuarded`, file as before |
//!
//! # What holds for all faults
//!
//! - **A wrong call changes no file.** The crate checks shape, offset, type, lock and space before
//!   it changes a file. After such an error the file is as before, and a file that did not exist
//!   does not exist. There are two exceptions, in which the old contents may be lost: mode `w+` if
//!   the kernel fails while it clears a file, and `npy::create` if the header cannot be written.
//! - **A disk or server that fails while a file is mapped** raises `SIGBUS` at the next access to
//!   pages that are not cached. Use [`load`](crate::MapOptions::load) for files on a network.
//! - **`fork`** shares mappings with the child. [The contract](crate#the-contract-of-a-mapping)
//!   holds as between any two processes. A child continues a sweep without readahead. Growing files
//!   and the named files of drafts stay with the parent: the child does not truncate or remove
//!   them. On Linux, a sync that fails in one process counts as failed in both.
//!
//! The chapter [`durability`](super::durability) states the contents of a file after a crash, a
//! power cut, a full disk or a failed sync.
//!
//! # The guard
//!
//! The feature `sigbus-guard` adds the module `guard` on Linux. An application calls its `install`
//! once, and opens arrays with `guarded(true)`. If a guarded array raises a bus error, the guard
//! replaces the lost pages by zeros, the thread continues, and the array reports the loss:
//!
//! | | without the guard | with the guard |
//! |---|---|---|
//! | an access to lost pages | the process ends | reads zeros; stores are lost |
//! | `array.fault()` | – | where and why the first fault happened, and the number of faults |
//! | `array.try_with(\|view\| ..)` | the result | the result, or [`ErrorKind::Faulted`] |
//! | `sync`, `start_sync`, `close`, `append`, `push`, `resize`, `scatter`, `commit`, `rollback`, `refresh` | as usual | [`ErrorKind::Faulted`], and nothing is written |
//! | an access to an element | as usual | as usual, without an additional instruction |
//! | opening | as usual | less than 100 ns longer; the array keeps the file open, as it does for writing |
//!
//! The guard takes the `SIGBUS` handler of the process. It passes every other bus error to the
//! handler that was installed before. Only an application may install the guard, not a library.
//!
//! # Limits
//!
//! - The whole array is one mapping. It must fit into the address space, not into memory. On Linux
//!   about 65,500 arrays can be open at a time.
//! - An array that [grows](crate::MmapArray::append) or [follows](crate::MmapArray::refresh) a file
//!   reserves twice its length of address space, and at least 64 MiB.
//! - An array keeps a descriptor open only if its changes go to the file, if it is guarded or
//!   locked, and always on Windows.
//! - If a process closes any descriptor of a file, the kernel ends the locks that the process holds
//!   on that file by `fcntl`. Opening an array opens and closes a descriptor, and so does a sweep
//!   on Linux.
//! - Files in `/proc` and similar file systems have length 0, and are mapped as empty arrays.
//! - A process over its limit of file size (`RLIMIT_FSIZE`) gets an error. If the limit is lowered
//!   during the call, the process gets `SIGXFSZ`.

#[cfg(doc)]
use crate::ErrorKind;
