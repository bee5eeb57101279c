//! What the system says of this process, elsewhere than on Linux.

#[cfg(unix)]
use rustix::process::{Resource, getrlimit};

/// Returns the largest size of a file that this process may write; `None` if there is no
/// limit.
#[cfg(unix)]
pub(crate) fn file_size() -> Option<u64> {
    getrlimit(Resource::Fsize).current
}

/// Returns how many bytes this process may lock in memory; `None` if there is no limit.
#[cfg(unix)]
pub(crate) fn locked_memory() -> Option<u64> {
    getrlimit(Resource::Memlock).current
}

/// Knows no limit.
#[cfg(not(unix))]
pub(crate) fn file_size() -> Option<u64> {
    None
}
