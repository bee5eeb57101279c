//! A number of 64 bits that changes through a shared reference.

#[cfg(target_has_atomic = "64")]
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(target_has_atomic = "64"))]
use std::sync::{Mutex, PoisonError};

/// A number that changes through a shared reference.
#[derive(Debug, Default)]
pub(crate) struct SharedU64 {
    #[cfg(target_has_atomic = "64")]
    value: AtomicU64,
    /// Held for no longer than it takes to copy the number.
    #[cfg(not(target_has_atomic = "64"))]
    value: Mutex<u64>,
}

#[cfg(target_has_atomic = "64")]
impl SharedU64 {
    pub(crate) fn load(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&mut self, value: u64) {
        *self.value.get_mut() = value;
    }

    /// Returns the number and sets it to 0.
    pub(crate) fn take(&self) -> u64 {
        self.value.swap(0, Ordering::Relaxed)
    }
}

#[cfg(not(target_has_atomic = "64"))]
impl SharedU64 {
    pub(crate) fn load(&self) -> u64 {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&mut self, value: u64) {
        *self.value.get_mut().unwrap_or_else(PoisonError::into_inner) = value;
    }

    /// Returns the number and sets it to 0.
    pub(crate) fn take(&self) -> u64 {
        std::mem::take(&mut *self.value.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
