//! The state of one process, on systems where processes do not share the report of an error.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Failure;
use crate::sys::process_number;

/// Whether writes have failed, in this process.
#[derive(Debug)]
pub(crate) struct WriteState {
    turn: Mutex<()>,
    has_failed: AtomicBool,
    owner: u64,
}

impl WriteState {
    /// Starts without a failure.
    pub(crate) fn new() -> io::Result<Self> {
        let (turn, has_failed) = (Mutex::default(), AtomicBool::new(false));
        Ok(Self { turn, has_failed, owner: process_number() })
    }

    /// Writes to disk unless an earlier write has failed; notes whether this write fails.
    ///
    /// A forked child does not wait for a lock that a thread of its parent may have held.
    pub(crate) fn attempt<E>(
        &self,
        write: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), Failure<E>> {
        let is_ours = self.owner == process_number();
        let turn = || self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _turn = is_ours.then(turn);
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(Failure::Earlier);
        }
        write().map_err(Failure::Now).inspect_err(|_| {
            self.has_failed.store(true, Ordering::Relaxed);
        })
    }

    /// Makes the call at once: no other process shares the state.
    pub(crate) fn between<T>(&self, call: impl FnOnce() -> T) -> T {
        call()
    }

    /// Makes every later write fail.
    pub(crate) fn note(&self, _: &io::Error) {
        self.has_failed.store(true, Ordering::Relaxed);
    }
}
