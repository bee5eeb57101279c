//! Pauses a process at one of its system calls while other code runs (ptrace).

use std::ffi::CStr;
use std::io;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use libc::{c_long, c_void};

use crate::apart::{fork, wait};

/// The result of a traced process.
#[derive(Debug)]
pub(crate) struct Trace {
    /// The call at which the process was paused, if it made that call.
    pub(crate) paused_at: Option<&'static str>,
    /// Whether the process called `flock` before the pause.
    pub(crate) locked: bool,
    /// Whether the process opened or inspected the path after the pause.
    pub(crate) looked: bool,
    /// The exit status from `waitpid`.
    pub(crate) status: i32,
}

/// The descriptor of failing `close` calls that mark the beginning and end of the work.
const MARK: u64 = 0x5eed_5eed;
/// `PTRACE_GET_SYSCALL_INFO`.
const GET_SYSCALL_INFO: u32 = 0x420e;
const ENTRY: u8 = 1;

/// `struct ptrace_syscall_info` at the entry of a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Call {
    op: u8,
    padding: [u8; 3],
    arch: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    number: u64,
    arguments: [u64; 6],
}

/// Runs `work` in another process; at its `at`-th call, counted from 0, `between` runs here.
///
/// Only calls by which processes can see each other count: not calls without effect on files,
/// and not writes to `quiet`. The last call marks the end of the work.
pub(crate) fn pause_at(
    at: usize,
    path: &Path,
    quiet: u64,
    work: impl FnOnce(),
    between: impl FnOnce(),
) -> Trace {
    let pid = fork(|| {
        request(libc::PTRACE_TRACEME, 0, 0, 0);
        // SAFETY: stopping this process has no preconditions.
        let _ = unsafe { libc::raise(libc::SIGSTOP) };
        mark();
        work();
        mark();
    });
    let status = wait(pid);
    assert!(libc::WIFSTOPPED(status), "the process is not traced: {status}");
    let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
    request(libc::PTRACE_SETOPTIONS, pid, 0, i64::from(options));
    let (mut between, mut signal) = (Some(between), 0);
    let (mut marks, mut count) = (0, 0);
    let mut trace = Trace { paused_at: None, locked: false, looked: false, status };
    loop {
        let step = if marks < 2 { libc::PTRACE_SYSCALL } else { libc::PTRACE_CONT };
        request(step, pid, 0, i64::from(signal));
        trace.status = wait(pid);
        if !libc::WIFSTOPPED(trace.status) {
            return trace;
        }
        signal = libc::WSTOPSIG(trace.status);
        if signal != libc::SIGTRAP | 0x80 {
            continue;
        }
        signal = 0;
        let call = info(pid);
        if call.op != ENTRY {
            continue;
        }
        let is_mark = is_close(&call) && call.arguments[0] == MARK;
        marks += usize::from(is_mark);
        if marks == 0 || !(is_mark || counts(&call, quiet)) {
            continue;
        }
        if count == at
            && let Some(between) = between.take()
        {
            between();
            trace.paused_at = Some(if is_mark { "mark" } else { name(&call) });
        }
        count += 1;
        trace.locked |= trace.paused_at.is_none() && is(&call, libc::SYS_flock);
        trace.looked |= trace.paused_at.is_some() && names(pid, &call, path);
    }
}

fn mark() {
    // SAFETY: no descriptor has this number.
    let _ = unsafe { libc::syscall(libc::SYS_close, MARK) };
}

fn is_close(call: &Call) -> bool {
    is(call, libc::SYS_close)
}

fn is(call: &Call, number: c_long) -> bool {
    call.number == number.unsigned_abs()
}

/// Returns whether other processes can see the call, or the work done before it.
fn counts(call: &Call, quiet: u64) -> bool {
    const UNSEEN: [c_long; 16] = [
        libc::SYS_brk,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigaction,
        libc::SYS_sigaltstack,
        libc::SYS_madvise,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_getpid,
        libc::SYS_sched_yield,
        libc::SYS_fstatfs,
        libc::SYS_prlimit64,
        libc::SYS_exit_group,
        libc::SYS_exit,
    ];
    if is(call, libc::SYS_mmap) {
        return i32::try_from(call.arguments[4].cast_signed()).is_ok_and(|fd| fd >= 0);
    }
    let is_said = is(call, libc::SYS_write) && call.arguments[0] == quiet;
    !is_said && !UNSEEN.iter().any(|number| is(call, *number))
}

/// Returns whether a call opens or inspects a path.
fn names(pid: i32, call: &Call, path: &Path) -> bool {
    let looks = [libc::SYS_openat, libc::SYS_newfstatat, libc::SYS_statx];
    if !looks.iter().any(|number| is(call, *number)) {
        return false;
    }
    let mut bytes = vec![0_u8; path.as_os_str().len() + 1];
    let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let Ok(address) = usize::try_from(call.arguments[1]) else { return false };
    let remote = libc::iovec {
        iov_base: ptr::without_provenance_mut::<c_void>(address),
        iov_len: bytes.len(),
    };
    // SAFETY: `local` describes `bytes`; the kernel copies only mapped memory of the other process.
    let read = unsafe {
        libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0)
    };
    read > 0
        && CStr::from_bytes_until_nul(&bytes)
            .is_ok_and(|name| name.to_bytes() == path.as_os_str().as_bytes())
}

/// Returns the name of a system call that the tests use.
fn name(call: &Call) -> &'static str {
    let names = [
        (libc::SYS_openat, "openat"),
        (libc::SYS_close, "close"),
        (libc::SYS_flock, "flock"),
        (libc::SYS_fstat, "fstat"),
        (libc::SYS_newfstatat, "newfstatat"),
        (libc::SYS_statx, "statx"),
        (libc::SYS_ftruncate, "ftruncate"),
        (libc::SYS_fallocate, "fallocate"),
        (libc::SYS_pread64, "pread64"),
        (libc::SYS_pwrite64, "pwrite64"),
        (libc::SYS_fsync, "fsync"),
        (libc::SYS_fdatasync, "fdatasync"),
        (libc::SYS_msync, "msync"),
        (libc::SYS_mmap, "mmap"),
        (libc::SYS_munmap, "munmap"),
        (libc::SYS_linkat, "linkat"),
        (libc::SYS_fcntl, "fcntl"),
    ];
    let found = names.iter().find(|(number, _)| is(call, *number));
    found.map_or("another call", |(_, name)| name)
}

fn info(pid: i32) -> Call {
    let mut call = Call::default();
    let size = i64::try_from(mem::size_of::<Call>()).unwrap();
    let address = (&raw mut call).addr();
    // The kernel writes no more than `size` bytes there.
    request(GET_SYSCALL_INFO, pid, size, i64::try_from(address).unwrap());
    call
}

/// Makes a `ptrace` request whose arguments are numbers or the address of a `Call`.
fn request(request: u32, pid: i32, address: i64, data: i64) {
    // SAFETY: the only request that writes to this process has memory of the given size.
    let done = unsafe { libc::ptrace(request, pid, address, data) };
    assert!(done >= 0, "ptrace {request:#x}: {}", io::Error::last_os_error());
}
