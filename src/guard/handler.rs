//! The signal handler: finds the mapping of a fault and puts zeros in its place.
//!
//! All that it does is safe in a signal handler: it reads and writes atomic numbers, and calls
//! the kernel. It keeps `errno`, waits for nothing and allocates nothing.
#![expect(unsafe_code, reason = "signal handlers and raw system calls")]

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io;
use std::mem;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use libc::{sigaction, siginfo_t};
use memmap2::MmapRaw;

use super::slots::{Loss, Mapped, Slot, Slots};
use super::{Fault, FaultKind};
use crate::sys::memory;
use crate::sys::process::{ForkLock, generation};

/// How many slots are made at first; then as many more as there are.
const FIRST_SLOTS: usize = 64;

/// What `si_code` says of a fault of a mapping: `BUS_ADRERR`, `BUS_OBJERR`, `BUS_MCEERR_AR`.
const FAULTS: Range<c_int> = 2..5;
/// With what codes an access is tried again when the handler returns.
const COMES_AGAIN: Range<c_int> = 1..5;
/// The memory itself has failed.
const MEMORY_FAILED: c_int = 4;

static SLOTS: Slots = Slots::new();

/// The slots that have no mapping, for whoever registers one; no handler looks here.
static FREE: ForkLock<FreeSlots> =
    ForkLock::new(FreeSlots { slots: Vec::new(), count: 0 });

/// What was done about the signal before the guard.
static PREVIOUS: OnceLock<sigaction> = OnceLock::new();
/// Whether that has given the signal back to the system since.
static GIVEN_BACK: AtomicBool = AtomicBool::new(false);
/// Whether the handler is installed.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The size of a page, which is known before there is a handler.
static PAGE: AtomicUsize = AtomicUsize::new(4096);

/// A handler that was set with `SA_SIGINFO`.
type WithInfo = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
/// A handler that was set without.
type Plain = extern "C" fn(c_int);

#[derive(Default)]
struct FreeSlots {
    slots: Vec<&'static Slot>,
    /// How many there are in all.
    count: usize,
}

/// A mapping in its slot. It must be dropped before the mapping.
#[derive(Debug)]
pub(crate) struct Registration {
    slot: &'static Slot,
}

impl Registration {
    /// Guards a mapping whose first byte is `offset` of a file, which stays open.
    pub(crate) fn new(
        map: &MmapRaw,
        offset: u64,
        file: &File,
        writable: bool,
    ) -> io::Result<Self> {
        let mapped = mapped(map, offset, file.as_raw_fd(), writable);
        let mapped = mapped.ok_or(io::ErrorKind::FileTooLarge)?;
        let mut free = FREE.lock();
        if free.slots.is_empty() {
            let more = SLOTS.add(free.count.max(FIRST_SLOTS));
            free.count = free.count.saturating_add(more.len());
            free.slots.extend(more.iter().rev());
        }
        let slot = free.slots.pop().ok_or(io::ErrorKind::OutOfMemory)?;
        drop(free);
        slot.fill(&mapped);
        Ok(Self { slot })
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        let Loss { first, past_end, count } = self.slot.losses.loss()?;
        let kind = if past_end { FaultKind::PastEnd } else { FaultKind::Io };
        Some(Fault { offset: u64::try_from(first).unwrap_or(u64::MAX), kind, count })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.slot.clear();
        let mut free = FREE.lock();
        free.slots.push(self.slot);
    }
}

/// Describes a mapping as handlers see it: by whole pages.
fn mapped(map: &MmapRaw, offset: u64, file: RawFd, writable: bool) -> Option<Mapped> {
    let first = map.as_mut_ptr().addr();
    let start = memory::page_of(first);
    let end = first.checked_add(map.len())?;
    let offset = usize::try_from(offset).ok()?.checked_sub(first.checked_sub(start)?)?;
    Some(Mapped { start, end, offset, file: usize::try_from(file).ok()?, writable })
}

pub(crate) fn is_active() -> bool {
    INSTALLED.load(Ordering::Acquire)
}

pub(crate) fn install() -> io::Result<()> {
    /// One installs while others wait.
    static INSTALLING: ForkLock<()> = ForkLock::new(());

    let _turn = INSTALLING.lock();
    if is_active() {
        return Ok(());
    }
    PAGE.store(memory::page_size(), Ordering::Relaxed);
    let previous = action().ok_or_else(io::Error::last_os_error)?;
    // Before the first signal can come: the handler looks for it.
    let _ = PREVIOUS.set(previous);
    if !set_handler() {
        return Err(io::Error::last_os_error());
    }
    INSTALLED.store(true, Ordering::Release);
    Ok(())
}

/// Returns what is done about the signal now.
fn action() -> Option<sigaction> {
    // SAFETY: all zeros are a value of this struct of numbers and pointers.
    let mut action: sigaction = unsafe { mem::zeroed() };
    // SAFETY: `action` is where the kernel may write; nothing is changed.
    let failed =
        unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut action) } != 0;
    Some(action).filter(|_| !failed)
}

fn set_handler() -> bool {
    /// A program that does this in the handler has an error that is not to wait.
    const AT_ONCE: [c_int; 4] =
        [libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];

    // SAFETY: all zeros are a value of this struct of numbers and pointers.
    let mut action: sigaction = unsafe { mem::zeroed() };
    let handler: WithInfo = on_signal;
    action.sa_sigaction = (handler as *const ()).expose_provenance();
    // On a stack of its own where the thread has one, as the standard library's has to be.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // Other signals wait: their handlers may look at a guarded array too.
    // SAFETY: the set is this function's own.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    for signal in AT_ONCE {
        // SAFETY: as above.
        unsafe { libc::sigdelset(&raw mut action.sa_mask, signal) };
    }
    // SAFETY: `on_signal` is a handler of this kind, and does only what a handler may.
    let failed =
        unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) };
    failed == 0
}

/// Repairs a fault of a guarded array, and tells whether it was one.
///
/// For a signal handler of the application's own, set after [`install`](super::install): if
/// the answer is `true`, it returns, and the access is tried again. Safe in a signal handler,
/// which should have all other signals wait (`sa_mask`), or theirs may not look at guarded
/// arrays.
///
/// # Safety
///
/// `info` is what the kernel has given to a handler of `SIGBUS` that was set with `SA_SIGINFO`,
/// and the handler is still running; nothing is asked of `context`.
///
/// # Examples
///
/// ```
/// use std::ffi::{c_int, c_void};
///
/// use ndarray_memmap::{guard, libc};
///
/// extern "C" fn on_bus_error(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
///     // SAFETY: the kernel calls this, with what it has to say of the signal.
///     if unsafe { guard::handle(info, context) } {
///         return;
///     }
///     std::process::abort();
/// }
/// # let _ = on_bus_error;
/// ```
pub unsafe fn handle(info: *mut siginfo_t, context: *mut c_void) -> bool {
    let _ = context;
    // SAFETY: the caller has it from the kernel.
    let info = unsafe { &*info };
    let code = info.si_code;
    if !FAULTS.contains(&code) {
        return false;
    }
    // SAFETY: with these codes the kernel tells the address.
    let address = unsafe { info.si_addr() }.addr();
    let Some((slot, mapped)) = SLOTS.find(address) else { return false };
    // `install` has asked for the number before; here it is read from memory.
    if !slot.losses.try_lock(usize::try_from(generation()).unwrap_or(usize::MAX)) {
        // Another thread is at it: try the access again.
        return true;
    }
    // SAFETY: nothing is asked.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: the number is this thread's own.
    let errno = unsafe { *location };
    let repaired = repair(slot, &mapped, address, code == MEMORY_FAILED);
    // SAFETY: as above.
    unsafe { *location = errno };
    slot.losses.unlock();
    repaired
}

extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel calls this, with what it has to say of the signal.
    if !unsafe { handle(info, context) } {
        hand_on(signal, info, context);
    }
}

/// Does what would have been done without the guard.
fn hand_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(previous) = PREVIOUS.get() else { return };
    // SAFETY: `info` is from the kernel.
    let comes_again = COMES_AGAIN.contains(&unsafe { (*info).si_code });
    let action = match GIVEN_BACK.load(Ordering::Relaxed) {
        true => libc::SIG_DFL,
        false => previous.sa_sigaction,
    };
    match action {
        // What somebody has sent can be ignored, a fault cannot.
        libc::SIG_IGN if !comes_again => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: all zeros are the default action.
            let default: sigaction = unsafe { mem::zeroed() };
            // SAFETY: the default action is one.
            unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
            if !comes_again {
                // SAFETY: to raise a signal touches no memory.
                unsafe { libc::raise(signal) };
            }
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: whoever set this handler said that it takes these arguments.
            let handler =
                unsafe { mem::transmute::<*const (), WithInfo>(function(handler)) };
            handler(signal, info, context);
            stay(comes_again);
        }
        handler => {
            // SAFETY: whoever set this handler said that it takes the number alone.
            let handler =
                unsafe { mem::transmute::<*const (), Plain>(function(handler)) };
            handler(signal);
            stay(comes_again);
        }
    }
}

/// Keeps the guard where a handler has given the signal back to the system, as that of the
/// standard library does, and the process goes on, since somebody had only sent it.
fn stay(comes_again: bool) {
    let is_given_back = action().is_some_and(|now| now.sa_sigaction == libc::SIG_DFL);
    if is_given_back && !comes_again {
        GIVEN_BACK.store(true, Ordering::Relaxed);
        let _ = set_handler();
    }
}

/// Returns the function that the kernel has the number of.
fn function(handler: libc::sighandler_t) -> *const () {
    ptr::with_exposed_provenance(handler)
}

/// Puts zeros in the place of the page of an address, or more if more is lost.
fn repair(slot: &Slot, mapped: &Mapped, address: usize, memory_failed: bool) -> bool {
    let size = PAGE.load(Ordering::Relaxed);
    let page = address.wrapping_sub(address.checked_rem(size).unwrap_or(0));
    if slot.losses.has(page) && !memory_failed {
        // Another thread was first.
        return true;
    }
    let in_file =
        |address: usize| mapped.offset.wrapping_add(address.wrapping_sub(mapped.start));
    let end_of_file = length(mapped.file).unwrap_or(usize::MAX);
    let past_end = in_file(page) >= end_of_file;
    let rest = page..mapped.end;
    let (lost, is_tail) = if past_end {
        let kept = end_of_file.saturating_sub(mapped.offset);
        let kept = kept.checked_next_multiple_of(size).unwrap_or(kept);
        (mapped.start.wrapping_add(kept).min(page)..mapped.end, true)
    } else if slot.losses.has_room() {
        (page..page.wrapping_add(size), false)
    } else {
        (rest.clone(), true)
    };
    // Before there are zeros, which another thread may see without a fault of its own.
    slot.losses.note(in_file(address), past_end);
    // One page in the middle makes three mappings of one, of which there may be no more; and
    // for all that follows there may be no memory, where the system counts what is not used.
    let (one, whole) = (page..page.wrapping_add(size), mapped.start..mapped.end);
    for (range, is_tail) in [(lost, is_tail), (one, false), (rest, true), (whole, true)] {
        if map_zeros(&range, mapped.writable) {
            slot.losses.replaced(&range, is_tail);
            return true;
        }
    }
    false
}

/// Returns the length of an open file.
fn length(file: usize) -> Option<usize> {
    // SAFETY: all zeros are a value of this struct of numbers.
    let mut found: libc::stat = unsafe { mem::zeroed() };
    let file = c_int::try_from(file).ok()?;
    // SAFETY: `found` is where the kernel may write.
    let failed = unsafe { libc::fstat(file, &raw mut found) } != 0;
    usize::try_from(found.st_size).ok().filter(|_| !failed)
}

/// Maps pages of zeros in the place of a part of a guarded mapping.
fn map_zeros(range: &Range<usize>, writable: bool) -> bool {
    let protection = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
    let flags =
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
    let start = ptr::without_provenance_mut(range.start);
    // POSIX does not list `mmap` among the functions for signal handlers. In glibc and musl it
    // is the system call alone, in the form of each processor (s390x passes its arguments in
    // memory). musl's waits first for threads that are unlocking a lock shared with other
    // processes: for a few instructions in which this thread, which has faulted, is not.
    // SAFETY: the range is of whole pages of a mapping that is in its slot, and so not unmapped
    // before; its contents are lost.
    let mapped = unsafe { libc::mmap(start, range.len(), protection, flags, -1, 0) };
    mapped.addr() == range.start
}
