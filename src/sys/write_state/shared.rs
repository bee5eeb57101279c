//! The state in memory that a forked child shares, behind a lock that works across processes.
#![expect(unsafe_code, reason = "the standard library has no lock across processes")]

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::{cell::UnsafeCell, io, mem::MaybeUninit, panic::RefUnwindSafe};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use super::Failure;
use crate::sys::process::ForkLock;
use crate::sys::process_number;

/// The state of one array that the processes share.
///
/// The kernel releases the lock if its holder dies.
#[repr(C)]
struct StateSlot {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    /// The number of arrays that have had this slot. A child may still have an earlier array, whose
    /// failures concern the child alone.
    epoch: AtomicU32,
    /// The epoch of the array that holds the lock; without a meaning while the lock is free.
    holder: AtomicU32,
    /// The number of failures, including those of earlier arrays of this slot.
    failures: AtomicU32,
    /// The error number of a failure that is not reported yet; 0 if there is none.
    noted: AtomicI32,
}

// SAFETY: only the lock functions of the C library use the lock; the other fields are atomic.
unsafe impl Sync for StateSlot {}

// Like a `Mutex`: a panic in a write leaves the lock free.
impl RefUnwindSafe for StateSlot {}

/// The slots that no array uses.
#[derive(Default)]
struct Pool {
    /// The process that has mapped the slots. A child takes none of them: the parent gives them to
    /// other arrays.
    owner: u64,
    free: Vec<&'static StateSlot>,
    /// The number of all slots, free or not.
    count: usize,
}

static POOL: ForkLock<Pool> =
    ForkLock::new(Pool { owner: 0, free: Vec::new(), count: 0 });

/// Whether writes have failed, for this process and the children that it has forked since.
pub(crate) struct WriteState {
    slot: &'static StateSlot,
    epoch: u32,
    /// The number of failures that the slot had before.
    before: u32,
    owner: u64,
    /// Whether a write has failed in a child whose parent has given the slot to another array.
    has_failed_alone: AtomicBool,
}

impl WriteState {
    /// Starts without a failure.
    pub(crate) fn new() -> io::Result<Self> {
        let owner = process_number();
        let mut pool = POOL.lock();
        if pool.owner != owner {
            *pool = Pool { owner, ..Pool::default() };
        }
        if pool.free.is_empty() {
            let more = slots(pool.count)?;
            pool.count = pool.count.saturating_add(more.len());
            pool.free.extend(more);
        }
        let slot = pool.free.pop().ok_or(io::ErrorKind::OutOfMemory)?;
        drop(pool);
        // A child may still have the earlier array: it must see a failure that was not reported.
        if slot.noted.swap(0, Ordering::Relaxed) != 0 {
            slot.fail();
        }
        let epoch = slot.epoch.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let before = slot.failures.load(Ordering::Relaxed);
        Ok(Self { slot, epoch, before, owner, has_failed_alone: AtomicBool::new(false) })
    }

    /// Writes to disk unless an earlier write has failed; notes whether this write fails.
    ///
    /// A process that was killed while it wrote may have taken the report of a failure with it. Its
    /// death counts as a failure.
    pub(crate) fn attempt<E>(
        &self,
        write: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), Failure<E>> {
        let _turn = Turn::take(self.slot, self.epoch);
        if self.slot.failures.load(Ordering::Relaxed) != self.before
            || self.has_failed_alone.load(Ordering::Relaxed)
        {
            return Err(Failure::Earlier);
        }
        if !self.has_slot() {
            let failed = |_: &E| self.has_failed_alone.store(true, Ordering::Relaxed);
            return write().inspect_err(failed).map_err(Failure::Now);
        }
        let noted = self.slot.noted.swap(0, Ordering::Relaxed);
        let written = match noted {
            0 => write().map_err(Failure::Now),
            noted => Err(Failure::Noted(io::Error::from_raw_os_error(noted))),
        };
        written.inspect_err(|_| self.slot.fail())
    }

    /// Keeps the report of a failed write, which the kernel makes once, for the next write.
    pub(crate) fn note(&self, error: &io::Error) {
        if !self.has_slot() {
            return self.has_failed_alone.store(true, Ordering::Relaxed);
        }
        let number = error.raw_os_error().unwrap_or(libc::EIO);
        self.slot.noted.store(number, Ordering::Relaxed);
    }

    /// Returns whether the slot still belongs to this array.
    fn has_slot(&self) -> bool {
        self.slot.epoch.load(Ordering::Relaxed) == self.epoch
    }

    /// Makes a call while no process is in [`attempt`](Self::attempt).
    pub(crate) fn between<T>(&self, call: impl FnOnce() -> T) -> T {
        let _turn = Turn::take(self.slot, self.epoch);
        call()
    }
}

impl Drop for WriteState {
    fn drop(&mut self) {
        let mut pool = POOL.lock();
        if self.owner == pool.owner && pool.owner == process_number() {
            pool.free.push(self.slot);
        }
    }
}

impl std::fmt::Debug for WriteState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let failures = self.slot.failures.load(Ordering::Relaxed);
        let has_failed = failures != self.before;
        f.debug_struct("WriteState").field("has_failed", &has_failed).finish()
    }
}

impl StateSlot {
    fn fail(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

/// The right to write, which one thread of all processes has at a time.
struct Turn<'a>(&'a StateSlot);

impl<'a> Turn<'a> {
    fn take(slot: &'a StateSlot, epoch: u32) -> Self {
        // SAFETY: the lock was initialised when the slot was made, and is never destroyed.
        match unsafe { libc::pthread_mutex_lock(slot.lock.get()) } {
            0 => {}
            libc::EOWNERDEAD => {
                if slot.holder.load(Ordering::Relaxed)
                    == slot.epoch.load(Ordering::Relaxed)
                {
                    slot.fail();
                }
                // SAFETY: this thread has the lock, whose last holder has died.
                let _ = unsafe { libc::pthread_mutex_consistent(slot.lock.get()) };
            }
            _ => slot.fail(),
        }
        slot.holder.store(epoch, Ordering::Relaxed);
        Self(slot)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // SAFETY: the lock is initialised; if this thread does not hold it, this is an error.
        let _ = unsafe { libc::pthread_mutex_unlock(self.0.lock.get()) };
    }
}

/// Doubles the number of slots, and adds at least one page of slots.
#[cold]
fn slots(count: usize) -> io::Result<impl ExactSizeIterator<Item = &'static StateSlot>> {
    let len = count.saturating_mul(size_of::<StateSlot>()).max(1);
    let page = rustix::param::page_size();
    let len = len.checked_next_multiple_of(page).ok_or(io::ErrorKind::OutOfMemory)?;
    let (protection, flags) = (ProtFlags::READ.union(ProtFlags::WRITE), MapFlags::SHARED);
    // SAFETY: a new mapping where nothing is mapped.
    let first = unsafe { mmap_anonymous(ptr::null_mut(), len, protection, flags) }?;
    let first = first.cast::<StateSlot>();
    let count = len.checked_div(size_of::<StateSlot>()).unwrap_or(0);
    let mut attributes = MaybeUninit::uninit();
    let attributes = attributes.as_mut_ptr();
    // SAFETY: the attributes belong to this function.
    check(unsafe { libc::pthread_mutexattr_init(attributes) })?;
    let shared = libc::PTHREAD_PROCESS_SHARED;
    // SAFETY: the attributes belong to this function, and are initialised.
    check(unsafe { libc::pthread_mutexattr_setpshared(attributes, shared) })?;
    let robust = libc::PTHREAD_MUTEX_ROBUST;
    // SAFETY: the attributes belong to this function, and are initialised.
    check(unsafe { libc::pthread_mutexattr_setrobust(attributes, robust) })?;
    for number in 0..count {
        let slot = first.wrapping_add(number);
        // SAFETY: the slot lies within the new mapping, which no other thread knows.
        let lock = unsafe { &raw mut (*slot).lock };
        let lock = UnsafeCell::raw_get(lock);
        // SAFETY: the lock is in that mapping too, and not used yet.
        check(unsafe { libc::pthread_mutex_init(lock, attributes) })?;
    }
    Ok((0..count).map(move |number| {
        let slot =
            NonNull::new(first.wrapping_add(number)).unwrap_or(NonNull::dangling());
        // SAFETY: the mapping is never unmapped, begins at a page, and has `count` slots. Their
        // numbers are zeros and their locks are initialised. Only shared references are made.
        unsafe { slot.as_ref() }
    }))
}

fn check(failed: i32) -> io::Result<()> {
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::tests::status_of_child;

    fn is_earlier(state: &WriteState) -> bool {
        matches!(state.attempt(|| Ok::<(), ()>(())), Err(Failure::Earlier))
    }

    #[test]
    fn a_failure_of_a_process_is_one_of_its_parent_and_of_no_other_array() {
        let (state, other) = (WriteState::new().unwrap(), WriteState::new().unwrap());
        assert!(state.attempt(|| Ok::<(), ()>(())).is_ok());
        let fails = || matches!(state.attempt(|| Err(7)), Err(Failure::Now(7)));
        assert_eq!(status_of_child(fails), 0);
        assert!(is_earlier(&state) && !is_earlier(&other));
        drop(state);
        // The slot is used again.
        let again = WriteState::new().unwrap();
        assert!(!is_earlier(&again));
        // A child still has the array that had the slot before.
        let old = WriteState {
            slot: again.slot,
            epoch: again.epoch.wrapping_sub(1),
            before: again.before,
            owner: 0,
            has_failed_alone: AtomicBool::new(false),
        };
        assert!(matches!(old.attempt(|| Err(7)), Err(Failure::Now(7))));
        assert!(is_earlier(&old) && !is_earlier(&again));
        old.has_failed_alone.store(false, Ordering::Relaxed);
        old.note(&io::Error::from_raw_os_error(libc::EIO));
        assert!(is_earlier(&old) && !is_earlier(&again));
        again.note(&io::Error::from_raw_os_error(libc::ENOSPC));
        assert_eq!(
            status_of_child(|| matches!(
                again.attempt(|| Ok::<(), ()>(())),
                Err(Failure::Noted(e)) if e.raw_os_error() == Some(libc::ENOSPC)
            )),
            0
        );
        assert!(is_earlier(&again));
    }

    #[test]
    fn a_process_that_dies_in_a_write_leaves_a_failure_and_no_lock() {
        let state = WriteState::new().unwrap();
        let dies = || {
            // SAFETY: the call takes no argument.
            let child = unsafe { libc::getpid() };
            // SAFETY: the call sends a signal to this process, the child.
            let killed = unsafe { libc::kill(child, libc::SIGKILL) };
            if killed == 0 { Ok(()) } else { Err(()) }
        };
        assert_eq!(status_of_child(|| state.attempt(dies).is_ok()), libc::SIGKILL);
        assert!(is_earlier(&state));
        assert!(is_earlier(&state), "the lock is free");
    }

    #[test]
    fn many_arrays_have_a_slot_each() {
        let states: Vec<_> = (0..1000).map(|_| WriteState::new().unwrap()).collect();
        let _ = states.first().unwrap().attempt(|| Err(()));
        assert_eq!(states.iter().filter(|state| is_earlier(state)).count(), 1);
    }
}
