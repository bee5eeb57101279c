//! A thread in which the kernel refuses some system calls, as a failing disk would.

use std::io;
use std::thread;

use ndarray_memmap::{Error, ErrorKind};
use rustix::io::Errno;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

/// Numbers of system calls.
#[cfg(target_arch = "x86_64")]
pub mod call {
    pub const MMAP: i64 = 9;
    pub const OPENAT: i64 = 257;
    pub const PREAD: i64 = 17;
    pub const PWRITE: i64 = 18;
    pub const LINKAT: i64 = 265;
    pub const RENAMEAT: i64 = 264;
    pub const MSYNC: i64 = 26;
    pub const MADVISE: i64 = 28;
    pub const FCNTL: i64 = 72;
    pub const FLOCK: i64 = 73;
    pub const FSYNC: i64 = 74;
    pub const FDATASYNC: i64 = 75;
    pub const FALLOCATE: i64 = 285;
    pub const MLOCK: i64 = 149;
    pub const SYNC_FILE_RANGE: i64 = 277;
}
#[cfg(target_arch = "aarch64")]
pub mod call {
    pub const MMAP: i64 = 222;
    pub const OPENAT: i64 = 56;
    pub const PREAD: i64 = 67;
    pub const PWRITE: i64 = 68;
    pub const LINKAT: i64 = 37;
    pub const RENAMEAT: i64 = 38;
    pub const MSYNC: i64 = 227;
    pub const MADVISE: i64 = 233;
    pub const FCNTL: i64 = 25;
    pub const FLOCK: i64 = 32;
    pub const FSYNC: i64 = 82;
    pub const FDATASYNC: i64 = 83;
    pub const FALLOCATE: i64 = 47;
    pub const MLOCK: i64 = 228;
    pub const SYNC_FILE_RANGE: i64 = 84;
}

/// Bits of an argument of a system call, and the value that they must have.
pub type Argument = (u8, u64, u64);

/// `PROT_READ` alone, `MAP_SHARED`.
pub const SHARED_FOR_READING: &[Argument] = &[(2, u64::MAX, 1), (3, 0x0f, 1)];
/// `PROT_READ | PROT_WRITE`, `MAP_SHARED`.
pub const SHARED_FOR_WRITING: &[Argument] = &[(2, u64::MAX, 3), (3, 0x0f, 1)];
/// The bits of `O_TMPFILE` without `O_DIRECTORY`.
pub const UNNAMED: &[Argument] = &[(2, 0x40_0000, 0x40_0000)];
pub const F_DUPFD_CLOEXEC: &[Argument] = &[(1, u64::MAX, 1030)];
pub const ZERO_RANGE: &[Argument] = &[(1, 0x10, 0x10)];

/// Runs `work` in a thread in which the kernel refuses calls with these arguments.
pub fn refusing<T: Send>(
    call: i64,
    arguments: &[Argument],
    errno: Errno,
    work: impl FnOnce() -> T + Send,
) -> T {
    let conditions = arguments.iter().map(|&(number, mask, value)| {
        let equal = SeccompCmpOp::MaskedEq(mask);
        SeccompCondition::new(number, SeccompCmpArgLen::Qword, equal, value).unwrap()
    });
    let rules = if arguments.is_empty() {
        Vec::new()
    } else {
        vec![SeccompRule::new(conditions.collect()).unwrap()]
    };
    let filter = SeccompFilter::new(
        [(call, rules)].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno.raw_os_error().unsigned_abs()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    thread::scope(|scope| {
        let thread = scope.spawn(move || {
            seccompiler::apply_filter(&program).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

#[track_caller]
pub fn assert_io(error: &Error, doing: &str, errno: Errno) {
    match error.kind() {
        ErrorKind::Io { action, source, .. } => {
            assert_eq!((*action, Errno::from_io_error(source)), (doing, Some(errno)));
        }
        error => panic!("{error:?}"),
    }
}

pub fn io_error(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.raw_os_error())
}

pub fn numbers() -> Vec<u8> {
    (0..=250).cycle().take(100_000).collect()
}
