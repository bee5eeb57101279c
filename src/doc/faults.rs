//! What can happen to a mapped file, and what becomes of the program.
//!
//! Each row is a test in `tests/`, and the step `faults` of `.ci/run` runs them all, with NumPy
//! at its side.
//!
//! | fault | NumPy | this crate |
//! |---|---|---|
//! | a look beyond the end of a file that was truncated | killed by SIGBUS | killed by SIGBUS |
//! | a file is truncated, then as long as before | wrong numbers, no error | zeros, `file_changed`, `commit` is `Error::Conflict` |
//! | a hole is punched into a file | wrong numbers, no error | zeros, `file_changed`, `commit` is `Error::Conflict` |
//! | a file is removed | right numbers, nothing tells | contents stay, `file_changed`, not `is_current` |
//! | a file is replaced by another | right numbers, nothing tells | contents stay, `file_changed`, not `is_current`, the other file is left alone |
//! | a file with private changes is written to by others | – | `commit` is `Error::Conflict`, nothing written |
//! | no permission to open a file | PermissionError (EACCES) | `Error::Io` (EACCES), file as before |
//! | a disk mounted for reading only | OSError (EROFS) | `Error::Io` (EROFS) from all that writes, private changes stay |
//! | a FIFO | waits for ever | `Error::NotAFile` at once |
//! | a directory | IsADirectoryError (EISDIR) | `Error::NotAFile` |
//! | `/dev/null` | OSError (ENODEV) | `Error::NotAFile` |
//! | `/dev/zero` | an array of zeros | `Error::NotAFile` |
//! | a file of `/proc` | OSError (EINVAL) | an empty array; with a shape `Error::FileTooShort` |
//! | a file of `/sys` | OSError (ENODEV) | `Error::Io` (ENODEV); by `load` `Error::FileTooShort` |
//! | a new array larger than its disk, tmpfs | killed by SIGBUS | `Error::NoSpace`, no file |
//! | a new array larger than its disk, ext4 | killed by SIGBUS | `Error::NoSpace`, no file |
//! | a store into a hole of a full disk, tmpfs | killed by SIGBUS | killed by SIGBUS; with space reserved first, `Error::NoSpace` |
//! | a store into a hole of a full disk, ext4 | killed by SIGBUS | killed by SIGBUS; with space reserved first, `Error::NoSpace` |
//! | a store into a hole of a full disk, XFS | killed by SIGBUS | killed by SIGBUS; with space reserved first, `Error::NoSpace` |
//! | rows are appended until the disk is full | – | `Error::NoSpace`, array and file as before; goes on with room |
//! | private changes into holes of a full disk | – | `commit` is `Error::NoSpace`, nothing written |
//! | a draft larger than its disk | – | `Error::NoSpace`, the old file as before |
//! | `sync` on a disk with less space than it says | `flush`: OSError (ENOSPC), then success, then success | `Error::Io`, then `Error::Poisoned` for ever |
//! | `sync`, pages cannot be written (EIO of `msync`) | – | `Error::Io`, then `Error::Poisoned` for ever |
//! | `sync`, the disk does not take its cache (EIO of `fsync`) | – | `Error::Io`, then `Error::Poisoned` for ever |
//! | pages of a sweep cannot be written (EIO of `sync_file_range`) | – | the next `sync` is `Error::Io` |
//! | a page that cannot be read, XFS | killed by SIGBUS | killed by SIGBUS; `prefetch` and `load` are `Error::Io` |
//! | a file that the kernel does not map | – | `Error::Io`, file as before |
//! | a file system without locks | – | `Error::Io` from `lock(true)`, file as before |
//! | a file system without shared mappings | – | mode `r` maps privately |
//! | the limit of file sizes (`RLIMIT_FSIZE`) | OSError (EFBIG), the file is emptied | `Error::Io` (EFBIG), file as before |
//! | the limit of file sizes, lowered while an array grows | – | `Error::Io`, array and file as before |
//! | the limit of address space (`RLIMIT_AS`) | OSError (ENOMEM), the file is emptied | `Error::Io` (ENOMEM), file as before |
//! | 10,000 arrays to read with 64 descriptors (`RLIMIT_NOFILE`) | OSError (EMFILE) after 59 | all open; those to write are `Error::Io` (EMFILE) beyond 64 |
//! | more arrays than the kernel maps (`vm.max_map_count`) | OSError (ENOMEM) | `Error::Io` (ENOMEM), file as before, the others go on |
//! | the limit of locked memory (`RLIMIT_MEMLOCK`) | – | `Error::MemoryLock` |
//! | a signal every 0.2 ms (EINTR) | all calls succeed, right numbers | all calls succeed, right numbers |
//! | a signal every 1 ms while space is reserved, tmpfs | – | comes to an end |
//! | `fork`, the child reads and drops | the parent goes on | the parent goes on, its lock too |
//! | `fork`, both have an array that grows | – | the file is left to whoever goes on |
//! | `kill -9` after stores | all that was stored is in the file | all that was stored is in the file |
//! | `kill -9` while a file grows | – | the file opens, with whole rows |
//! | `kill -9` before a file is whole | the old file is gone, half a new one opens | of a draft nothing is left, the old file as before |
//! | two processes write a half each | right numbers | right numbers |
//! | a file is created over one that is in use | wrong numbers, no error | `Error::Locked` by `lock(true)`, file as before |
//! | a file is truncated by another process under eight readers, guarded | killed by SIGBUS | `Error::Faulted`, zeros from there on |
//! | a file is truncated by another process under eight writers, guarded | killed by SIGBUS | `Error::Faulted`, what lies before is stored |
//! | `sync`, `append` or `commit` of what was truncated, guarded | – | `Error::Faulted` |
//! | a store into a hole of a full disk, tmpfs, guarded | killed by SIGBUS | `Error::Faulted`, also from `sync` |
//! | a store into a hole of a full disk, ext4, guarded | killed by SIGBUS | `Error::Faulted`, also from `sync` |
//! | a store into a hole of a full disk, XFS, guarded | killed by SIGBUS | `Error::Faulted`, also from `sync` |
//! | a page that cannot be read, XFS, guarded | killed by SIGBUS | `Error::Faulted`, zeros |
//! | 64 MiB that cannot be read, XFS, guarded | killed by SIGBUS | `Error::Faulted` within a minute |
//! | a fault in one of several guarded arrays, nested | – | `Error::Faulted` of that array alone |
//! | a SIGBUS elsewhere, with a guard installed | – | killed by SIGBUS, as without |
//! | a stack overflow, with a guard installed | – | Rust's message, SIGABRT, as without |
//! | another handler of SIGBUS, there before the guard | – | gets its own faults, as without |
//! | an array is to be guarded and no guard is installed | – | `Error::NotGuarded`, file as before |
//!
//! # The guard
//!
//! The module `guard`, with the feature `sigbus-guard`, on Linux. An application calls its
//! `install` once and opens arrays with `guarded(true)`; when a bus error happens in one of
//! them, zeros take the place of what is lost, the thread goes on, and the array says so:
//!
//! | | without the guard | with it |
//! |---|---|---|
//! | an access to what is lost | the process ends | reads zeros; what is stored there is lost |
//! | `array.fault()` | – | where the first fault was, why, and how many there were |
//! | `array.guarded(\|view\| ..)` | the result | the result, or [`Error::Faulted`] |
//! | `sync`, `append`, `commit` and the like | as ever | [`Error::Faulted`], and nothing is written |
//! | any other access | as ever | as ever: no instruction more |
//! | opening | as ever | less than 100 ns more, and the file is kept open, as it is for writing |
//!
//! It costs an application its `SIGBUS` handler: what is not the guard's goes to the handler
//! that was there before. A library has no business to install it.

#[cfg(doc)]
use crate::Error;
