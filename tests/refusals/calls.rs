//! The system calls: the possible errors of each call, and the calls that are never refused.

use libc::{
    EACCES, EAGAIN, EDQUOT, EFBIG, EINTR, EINVAL, EIO, EMFILE, EMLINK, ENODEV, ENOLCK,
    ENOMEM, ENOSPC, ENOSYS, ENOTTY, EOPNOTSUPP, EPERM, EROFS,
};

/// The numbers of system calls.
pub(crate) mod numbers {
    pub(crate) use libc::*;

    /// The same number on both processors; libc does not define it yet.
    #[expect(non_upper_case_globals, reason = "named like those of libc")]
    pub(crate) const SYS_cachestat: c_long = 451;
}

/// A system call that the tests refuse.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) errors: &'static [i32],
}

macro_rules! rows {
    ($($(#[$meta:meta])* $number:ident: $($error:ident)*;)*) => {
        /// The calls that the tests refuse.
        pub(crate) const REFUSED: &[Row] = &[
            $($(#[$meta])* Row {
                number: numbers::$number,
                name: stringify!($number),
                errors: &[$($error),*],
            },)*
        ];
    };
}

#[rustfmt::skip]
rows! {
    // Files by their paths.
    SYS_openat: EPERM EACCES EIO ENOSPC EDQUOT EINTR EAGAIN ENOMEM EMFILE EINVAL EOPNOTSUPP EROFS;
    SYS_statx: EPERM EACCES ENOSYS EIO ENOMEM EINTR;
    SYS_newfstatat: EPERM EACCES EIO ENOMEM EINTR;
    #[cfg(target_arch = "x86_64")]
    SYS_access: EPERM EACCES EIO ENOMEM ENOSYS;
    SYS_faccessat: EPERM EACCES EIO ENOMEM ENOSYS;
    SYS_faccessat2: EPERM EACCES EIO ENOMEM ENOSYS;
    #[cfg(target_arch = "x86_64")]
    SYS_readlink: EPERM EACCES EIO ENOMEM;
    SYS_readlinkat: EPERM EACCES EIO ENOMEM;
    #[cfg(target_arch = "x86_64")]
    SYS_unlink: EPERM EACCES EIO EROFS;
    SYS_unlinkat: EPERM EACCES EIO EROFS;
    SYS_linkat: EPERM EACCES EIO ENOSPC EDQUOT EMLINK EOPNOTSUPP EROFS;
    #[cfg(target_arch = "x86_64")]
    SYS_rename: EPERM EACCES EIO ENOSPC EDQUOT EROFS;
    SYS_renameat: EPERM EACCES EIO ENOSPC EDQUOT EROFS;
    SYS_renameat2: EPERM EACCES ENOSYS EINVAL EIO ENOSPC EDQUOT EROFS;
    #[cfg(target_arch = "x86_64")]
    SYS_stat: EPERM EACCES EIO ENOMEM;
    #[cfg(target_arch = "x86_64")]
    SYS_lstat: EPERM EACCES EIO ENOMEM;
    #[cfg(target_arch = "x86_64")]
    SYS_chmod: EPERM EACCES EIO EROFS;
    // Open files.
    SYS_fstat: EPERM EACCES EIO ENOMEM;
    SYS_fstatfs: EPERM ENOSYS EIO EACCES EINTR;
    SYS_statfs: EPERM ENOSYS EIO EACCES EINTR;
    SYS_read: EIO EINTR EAGAIN EPERM EINVAL ENOMEM;
    SYS_pread64: EIO EINTR EAGAIN EPERM EINVAL ENOMEM;
    SYS_lseek: EINVAL EIO;
    SYS_write: EIO ENOSPC EDQUOT EINTR EAGAIN EFBIG EPERM EINVAL ENOMEM;
    SYS_pwrite64: EIO ENOSPC EDQUOT EINTR EAGAIN EFBIG EPERM EINVAL ENOMEM;
    SYS_fcntl: EPERM EACCES ENOSYS EMFILE EINVAL;
    SYS_flock: EPERM ENOSYS EIO EINTR EAGAIN EINVAL ENOLCK EOPNOTSUPP;
    SYS_ftruncate: EPERM EACCES EIO ENOSPC EDQUOT EINTR EFBIG EINVAL ENOMEM;
    SYS_fallocate: EPERM ENOSYS EIO ENOSPC EDQUOT EINTR EFBIG EINVAL EOPNOTSUPP ENODEV ENOMEM;
    SYS_fsync: EPERM ENOSYS EIO ENOSPC EDQUOT EINTR EINVAL EROFS;
    SYS_fdatasync: EPERM ENOSYS EIO ENOSPC EDQUOT EINTR EINVAL EROFS;
    SYS_sync_file_range: EPERM ENOSYS EIO ENOSPC EDQUOT EINTR EINVAL ENOMEM;
    SYS_cachestat: EPERM ENOSYS EINVAL EOPNOTSUPP;
    SYS_fadvise64: EPERM ENOSYS EINVAL;
    SYS_fchmod: EPERM EACCES EIO ENOSPC EROFS;
    SYS_fchown: EPERM EACCES EIO ENOSPC EDQUOT EROFS;
    SYS_ioctl: EPERM ENOSYS ENOTTY EOPNOTSUPP EINVAL EIO;
    // Pages.
    SYS_mmap: EPERM EACCES EAGAIN EINVAL ENODEV ENOMEM ENOSYS;
    SYS_mremap: EPERM ENOSYS EAGAIN EINVAL ENOMEM;
    SYS_munmap: ENOMEM;
    SYS_madvise: EPERM ENOSYS EIO EINTR EAGAIN ENOMEM EINVAL EACCES;
    SYS_mincore: EPERM ENOSYS EAGAIN ENOMEM EINVAL;
    SYS_msync: EPERM ENOSYS EIO ENOSPC EDQUOT EINTR ENOMEM EINVAL;
    SYS_mlock: EPERM ENOSYS EAGAIN ENOMEM EINVAL;
    SYS_munlock: EPERM ENOSYS EAGAIN ENOMEM EINVAL;
    // Processes.
    SYS_prlimit64: EPERM ENOSYS EINVAL;
    #[cfg(target_arch = "x86_64")]
    SYS_getrlimit: EPERM ENOSYS EINVAL;
    SYS_clone3: EPERM ENOSYS EAGAIN ENOMEM;
    SYS_clone: EPERM EAGAIN ENOMEM;
    SYS_getrandom: EPERM ENOSYS EINTR;
    SYS_uname: EPERM ENOSYS;
    SYS_rt_sigaction: EPERM EINVAL;
}

/// The calls that are never refused.
///
/// They cannot fail with valid arguments, or the crate does not make them. The C library and
/// the standard library make them to allocate memory and to start and end threads. Both end
/// the process if they fail. The list includes the calls for the messages of the harness.
pub(crate) const FREE: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_mprotect,
    libc::SYS_prctl,
    libc::SYS_recvmsg,
    libc::SYS_rseq,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
];

pub(crate) fn row(number: i64) -> Option<&'static Row> {
    REFUSED.iter().find(|row| row.number == number)
}

/// Returns whether an operation must succeed without a call that a sandbox refuses.
///
/// These calls only query, advise or prepare. Their effect is not necessary, or the crate
/// achieves it in another way.
pub(crate) fn has_alternative(operation: &str, number: i64, errno: i32) -> bool {
    const OPTIONAL: &[i64] = &[
        numbers::SYS_cachestat,
        libc::SYS_fadvise64,
        libc::SYS_fallocate,
        libc::SYS_fstatfs,
        libc::SYS_mincore,
        libc::SYS_mremap,
        libc::SYS_prlimit64,
        libc::SYS_sync_file_range,
        libc::SYS_uname,
    ];
    // Operations that pass advice to read pages ahead.
    const READS: &[&str] = &["populate", "region prefetch", "gather", "sweep", "scatter"];
    let is_advice =
        number == libc::SYS_madvise && READS.iter().any(|name| operation.contains(name));
    (is_advice || OPTIONAL.contains(&number)) && matches!(errno, EPERM | ENOSYS)
}
