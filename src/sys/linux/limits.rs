//! Limits and user of this process, and the version of the kernel, unless the kernel refuses
//! (Linux).
//!
//! rustix assumes that these calls succeed. A sandbox (seccomp) may refuse them, and then nothing
//! is known.
#![expect(unsafe_code, reason = "rustix does not check whether these calls fail")]

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

/// Returns the largest size of a file that this process may write; `None` if there is no
/// limit, or it is not known.
pub(crate) fn file_size_limit() -> Option<u64> {
    limit(libc::RLIMIT_FSIZE)
}

/// Returns how many bytes this process may lock in memory; `None` if there is no limit, or it
/// is not known.
pub(crate) fn locked_memory_limit() -> Option<u64> {
    limit(libc::RLIMIT_MEMLOCK)
}

fn limit(resource: Resource) -> Option<u64> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the C library may write to `limit`.
    let failed = unsafe { libc::getrlimit64(resource, &raw mut limit) } != 0;
    Some(limit.rlim_cur).filter(|found| !failed && *found != libc::RLIM64_INFINITY)
}

/// Returns the number of the user whose permissions this process has.
pub(super) fn effective_user() -> u32 {
    // SAFETY: the call takes no argument, and always succeeds.
    unsafe { libc::geteuid() }
}

/// Returns the version of the kernel, as in `6.11.0-rc1`; `None` if it is not known.
pub(crate) fn kernel_release() -> Option<String> {
    // SAFETY: all zeros are a valid value of this struct of characters.
    let mut found: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the C library may write to `found`.
    let failed = unsafe { libc::uname(&raw mut found) } != 0;
    // Characters are signed on some processors only.
    let bytes = found.release.iter().flat_map(|character| character.to_ne_bytes());
    let bytes = bytes.take_while(|byte| *byte != 0).collect();
    String::from_utf8(bytes).ok().filter(|_| !failed)
}
