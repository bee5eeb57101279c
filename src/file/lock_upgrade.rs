//! A shared lock of a file that is exclusive for a time.

use std::fs::{File, TryLockError};
use std::time::Duration;

use crate::sys;

/// An exclusive lock; when dropped, the shared lock that it replaced is back.
#[derive(Debug)]
#[must_use]
pub(crate) struct LockUpgrade {
    shared: File,
    /// What holds the exclusive lock, if `shared` cannot.
    writer: Option<File>,
}

impl LockUpgrade {
    /// Makes the lock that `shared` holds exclusive, or fails at once.
    ///
    /// Where a descriptor for reading cannot hold an exclusive lock (NFS, Windows), `writer`
    /// takes it. A file has at most one of the two locks: for a moment it has none, in which
    /// another process may take one. Then this fails too.
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
            // The kernel has given up the lock that could not be converted.
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
        // The kernel gives up the exclusive lock before it gives the shared one.
        regain(&self.shared);
    }
}

/// Takes a shared lock again, once another handle has ended what it does under an exclusive one.
///
/// A handle that keeps its exclusive lock for longer than a second has the file: this array is then
/// without a lock until its next commit.
fn regain(shared: &File) {
    const PAUSE: Duration = Duration::from_millis(1);

    for _ in 0..1000 {
        match shared.try_lock_shared() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            _ => return,
        }
    }
}
