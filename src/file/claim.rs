//! A caller's file as an array uses it: a file description and a lock of the array's own.

use std::{fs::File, path::Path};

use crate::error::{Error, ErrorKind, Result};
use crate::file;
use crate::mode::Mode;
use crate::sys;
use crate::sys::descriptor::{self, Held};

/// The file of a caller, as an array uses it.
#[derive(Debug)]
pub(crate) struct Claim<'f> {
    caller: &'f File,
    /// The file opened again, so that this array gets the kernel's reports of failed writes.
    own: Option<File>,
    /// A duplicate of the caller's descriptor, if that descriptor has the lock.
    lock: Option<File>,
    /// Whether to unlock the caller's descriptor on drop: it was locked here.
    is_to_unlock: bool,
}

impl<'f> Claim<'f> {
    /// Opens a file again if it is written or locked and, with `locks`, locks it.
    ///
    /// A lock that the caller already holds through the file stays as it is. The lock suffices if
    /// it is exclusive, or if a shared lock is enough. A shared lock is not made exclusive: the
    /// kernel would release the shared lock first.
    pub(crate) fn new(caller: &'f File, mode: Mode, locks: bool) -> Result<Self> {
        let path = Path::new("");
        let needs_own = mode.writes_file() || locks;
        file::regular(caller, path)?;
        let own = needs_own.then(|| descriptor::reopen(caller, mode.writes_file()).ok());
        let mut claim =
            Self { caller, own: own.flatten(), lock: None, is_to_unlock: false };
        if locks {
            claim.lock(mode, path)?;
        }
        Ok(claim)
    }

    fn lock(&mut self, mode: Mode, path: &Path) -> Result<()> {
        if let Some(own) = &self.own {
            match file::lock(own, mode, path) {
                Err(error) if error.is_locked() => {}
                locked => return locked,
            }
        }
        let held = descriptor::held(self.caller);
        let suffices = match held {
            Ok(Held::Exclusive) => true,
            Ok(Held::Shared) => !mode.writes_file(),
            Ok(Held::Nothing) | Err(_) => false,
        };
        // Before the lock: no later step may fail.
        let kept = self.caller.try_clone().map_err(Error::io("keep open", path))?;
        if !suffices {
            if self.own.is_some() || matches!(held, Ok(Held::Shared)) {
                return Err(ErrorKind::Locked.at(path));
            }
            file::lock(self.caller, mode, path)?;
            // If the system does not report locks, the caller may have held the lock before.
            // Windows would have refused a second lock then.
            self.is_to_unlock = held.is_ok() || !sys::CONVERTS_LOCKS;
        }
        self.lock = Some(kept);
        Ok(())
    }

    /// Returns the file to map and to keep.
    pub(crate) fn file(&self) -> &File {
        self.own.as_ref().unwrap_or(self.caller)
    }

    /// Returns the file that has the lock, if it is the caller's; the array keeps the lock.
    pub(crate) fn keep(mut self) -> Option<File> {
        self.is_to_unlock = false;
        self.lock.take()
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.is_to_unlock {
            let _ = self.caller.unlock();
        }
    }
}
