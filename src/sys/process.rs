//! Distinguishes a process from the processes that it was forked from.
//!
//! A process id is not enough. The ids of a PID namespace begin again at 1, and the kernel uses an
//! id again after its process has ended. Here each forked child gets a number of its own. Reading
//! the number costs no system call.
#![cfg_attr(unix, expect(unsafe_code, reason = "the kernel wipes a page of the child"))]

#[cfg(target_os = "linux")]
pub(crate) use lock::ForkLock;

/// Returns the number of this process, which no process that it was forked from has.
///
/// The number is not 0. The function is safe in a signal handler, once it has been called outside
/// one.
pub(crate) fn process_number() -> u64 {
    u64::try_from(imp::current()).unwrap_or(u64::MAX)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod imp {
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

    /// The first word of a page that the kernel fills with zeros in a forked child.
    static NUMBER: AtomicPtr<AtomicUsize> = AtomicPtr::new(ptr::null_mut());
    /// The last number given, in this process or in one that it was forked from.
    static LAST: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn current() -> usize {
        let mut page = NUMBER.load(Ordering::Acquire);
        if page.is_null() {
            page = first();
        }
        if page.is_null() {
            return super::hooked::current();
        }
        // SAFETY: the page is mapped until the process ends. It is aligned, and zeros at first.
        let number = unsafe { &*page };
        match number.load(Ordering::Relaxed) {
            0 => fresh(number),
            found => found,
        }
    }

    /// Numbers a process that has no number yet: the first one, or a forked child.
    #[cold]
    fn fresh(number: &AtomicUsize) -> usize {
        // Higher than the number of each process that this one was forked from.
        let next = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let order = Ordering::Relaxed;
        number
            .compare_exchange(0, next, order, order)
            .map_or_else(|found| found, |_| next)
    }

    /// Maps the page; returns null if the kernel does not wipe pages (before 4.14).
    #[cold]
    fn first() -> *mut AtomicUsize {
        let len = rustix::param::page_size();
        let (protection, flags) =
            (ProtFlags::READ.union(ProtFlags::WRITE), MapFlags::PRIVATE);
        // SAFETY: a new mapping where nothing is mapped.
        let mapped = unsafe { mmap_anonymous(ptr::null_mut(), len, protection, flags) };
        let Ok(page) = mapped else { return ptr::null_mut() };
        // SAFETY: the page belongs to this function.
        let wiped = unsafe { madvise(page, len, Advice::LinuxWipeOnFork) };
        let mine = page.cast::<AtomicUsize>();
        let order = (Ordering::AcqRel, Ordering::Acquire);
        let found = match wiped {
            Ok(()) => NUMBER.compare_exchange(ptr::null_mut(), mine, order.0, order.1),
            Err(_) => Err(ptr::null_mut()),
        };
        let Err(found) = found else { return mine };
        // SAFETY: no other thread has seen this page.
        let _ = unsafe { munmap(page, len) };
        found
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
use hooked as imp;

/// Counts the forks that the C library reports, but not forks by a system call alone.
#[cfg(unix)]
mod hooked {
    use std::ffi::c_int;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    static NUMBER: AtomicUsize = AtomicUsize::new(1);
    static IS_HOOKED: AtomicBool = AtomicBool::new(false);

    type Hook = Option<extern "C" fn()>;

    // SAFETY: this is how POSIX declares the function.
    unsafe extern "C" {
        fn pthread_atfork(prepare: Hook, parent: Hook, child: Hook) -> c_int;
    }

    extern "C" fn in_child() {
        NUMBER.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn current() -> usize {
        if !IS_HOOKED.load(Ordering::Relaxed) && !IS_HOOKED.swap(true, Ordering::Relaxed)
        {
            // SAFETY: the hook changes an atomic number, as a child may after a fork.
            let _ = unsafe { pthread_atfork(None, None, Some(in_child)) };
        }
        NUMBER.load(Ordering::Relaxed)
    }
}

/// The system has no `fork`.
#[cfg(not(unix))]
mod imp {
    pub(super) fn current() -> usize {
        1
    }
}

#[cfg(target_os = "linux")]
mod lock {
    use std::cell::UnsafeCell;
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::imp;

    /// A lock for a few instructions, which a forked child takes over.
    ///
    /// A lock of the standard library that another thread holds at the time of the fork stays
    /// locked in the child for ever. This lock starts with the default value in the child instead.
    /// The value that the other thread was changing is not dropped.
    pub(crate) struct ForkLock<T> {
        /// The process whose thread holds the lock; 0 if it is free.
        holder: AtomicUsize,
        value: UnsafeCell<T>,
    }

    // SAFETY: one thread at a time has access to the value, as with a `Mutex`.
    unsafe impl<T: Send> Sync for ForkLock<T> {}

    impl<T: Default> ForkLock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self { holder: AtomicUsize::new(0), value: UnsafeCell::new(value) }
        }

        /// Waits for the lock. The threads that hold it never wait for anything else.
        pub(crate) fn lock(&self) -> ForkGuard<'_, T> {
            let me = imp::current();
            let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
            loop {
                let found = self.holder.load(failure);
                let is_taken = found != me
                    && self.holder.compare_exchange(found, me, success, failure).is_ok();
                if is_taken {
                    if found != 0 {
                        // SAFETY: this thread has the lock. The old value may be half changed, and
                        // is leaked.
                        unsafe { self.value.get().write(T::default()) };
                    }
                    return ForkGuard { lock: self };
                }
                thread::yield_now();
            }
        }
    }

    /// The value of a [`ForkLock`] while it is locked.
    pub(crate) struct ForkGuard<'a, T> {
        lock: &'a ForkLock<T>,
    }

    impl<T> Deref for ForkGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: this thread has the lock.
            unsafe { &*self.lock.value.get() }
        }
    }

    impl<T> DerefMut for ForkGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: this thread has the lock, and lends the value once.
            unsafe { &mut *self.lock.value.get() }
        }
    }

    impl<T> Drop for ForkGuard<'_, T> {
        fn drop(&mut self) {
            self.lock.holder.store(0, Ordering::Release);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
pub(super) mod tests {
    use std::thread;

    use super::*;

    /// Returns whether `work` answers `true` in a forked child within 10 s.
    fn in_child(work: impl FnOnce() -> bool) -> bool {
        status_of_child(work) == 0
    }

    /// Runs `work` in a forked child, which dies if it has not ended within 10 s.
    pub(crate) fn status_of_child(work: impl FnOnce() -> bool) -> libc::c_int {
        // SAFETY: the child calls nothing that waits for another thread, and ends with `_exit`.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: the call takes a number of seconds.
            unsafe { libc::alarm(10) };
            let code = i32::from(!work());
            // SAFETY: nothing is left to do.
            unsafe { libc::_exit(code) };
        }
        let mut status = 0;
        // SAFETY: the system may write to `status`.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        assert_eq!(waited, pid);
        status
    }

    #[test]
    fn a_forked_child_has_another_number_and_its_child_another() {
        let parent = process_number();
        assert_ne!(parent, 0);
        let differ = in_child(|| {
            let child = process_number();
            let of_child = in_child(|| ![parent, child].contains(&process_number()));
            child != parent && child == process_number() && of_child
        });
        assert!(differ);
        assert_eq!(parent, process_number());
    }

    #[test]
    fn the_hook_of_the_c_library_counts_forks_too() {
        let parent = hooked::current();
        assert!(in_child(|| hooked::current() > parent));
        assert_eq!(parent, hooked::current());
    }

    #[test]
    fn a_lock_that_a_thread_of_the_parent_holds_is_free_in_the_child() {
        static LOCK: ForkLock<Vec<u8>> = ForkLock::new(Vec::new());

        let mut held = LOCK.lock();
        held.push(7);
        assert!(in_child(|| LOCK.lock().is_empty() && LOCK.lock().is_empty()));
        drop(held);
        assert_eq!(*LOCK.lock(), [7]);
        assert!(in_child(|| *LOCK.lock() == [7]));
    }

    #[test]
    fn threads_take_turns() {
        static LOCK: ForkLock<usize> = ForkLock::new(0);

        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| *LOCK.lock() += 1));
            }
        });
        assert_eq!(*LOCK.lock(), 4000);
    }
}
