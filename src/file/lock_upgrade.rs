//! A shared lock of a file that is exclusive for a time; knows nothing of arrays.

use std::fs::{File, TryLockError};
use std::time::Duration;

use crate::sys;

/// An exclusive lock; dropping it restores the shared lock that it replaced.
#[derive(Debug)]
#[must_use]
pub(crate) struct LockUpgrade {
    shared: File,
    /// The file that holds the exclusive lock, if `shared` cannot hold it.
    writer: Option<File>,
}

impl LockUpgrade {
    /// Makes the lock that `shared` holds exclusive, or fails at once.
    ///
    /// Where a descriptor for reading cannot hold an exclusive lock (NFS, Windows), `writer` takes
    /// it. A file has at most one of the two locks, and for a moment it has none. If another
    /// process takes a lock in that moment, this function fails too.
    pub(crate) fn new(shared: &File, writer: &File) -> Result<Self, TryLockError> {
        let kept = shared.try_clone().map_err(TryLockError::Error)?;
        let upgraded = match sys::upgrade_lock(shared) {
            Err(TryLockError::Error(_)) => shared
                .unlock()
                .map_err(TryLockError::Error)
                .and_then(|()| writer.try_lock())
                .and_then(|()| writer.try_clone().map(Some).map_err(TryLockError::Error)),
            converted => converted.map(|()| None),
        };
        if upgraded.is_err() {
            // The kernel has released the lock that it could not convert.
            regain(shared);
        }
        upgraded.map(|writer| Self { shared: kept, writer })
    }
}

impl Drop for LockUpgrade {
    fn drop(&mut self) {
        if let Some(writer) = &self.writer {
            let _ = writer.unlock();
        }
        // The kernel releases the exclusive lock before it grants the shared lock.
        regain(&self.shared);
    }
}

/// Takes a shared lock again, after another handle has done its work under an exclusive lock.
///
/// If a handle keeps its exclusive lock for longer than a second, this array has no lock until its
/// next commit.
fn regain(shared: &File) {
    const PAUSE: Duration = Duration::from_millis(1);

    for _ in 0..1000 {
        match shared.try_lock_shared() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            _ => return,
        }
    }
}
