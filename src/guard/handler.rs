//! The signal handler: finds the mapping of a fault and replaces the lost pages by zeros.
//!
//! Knows no array. All operations are async-signal-safe: the handler reads and writes atomic
//! numbers, and calls the kernel. The handler preserves `errno`, and neither waits nor allocates.
#![expect(unsafe_code, reason = "signal handlers and raw system calls")]

use std::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{fs::File, io, mem, ops::Range, ptr, sync::OnceLock};

use libc::{sigaction, siginfo_t};
use memmap2::MmapRaw;

use super::slots::{Loss, Mapped, Slot, Slots};
use super::{Fault, FaultKind};
use crate::sys::process::ForkLock;
use crate::sys::{self, process_number};

/// The number of slots allocated first; each later allocation doubles the number.
const FIRST_SLOTS: usize = 64;

/// The values of `si_code` for a fault of a mapping: `BUS_ADRERR`, `BUS_OBJERR`, `BUS_MCEERR_AR`.
const FAULTS: Range<c_int> = 2..5;
/// The values of `si_code` for which the access is repeated when the handler returns.
const COMES_AGAIN: Range<c_int> = 1..5;
/// `BUS_MCEERR_AR`: the memory itself has failed.
const MEMORY_FAILED: c_int = 4;

static SLOTS: Slots = Slots::new();

/// The slots without a mapping, for the next registration; no handler reads this list.
static FREE: ForkLock<FreeSlots> =
    ForkLock::new(FreeSlots { slots: Vec::new(), count: 0 });

/// The action for the signal before the guard was installed.
static PREVIOUS: OnceLock<sigaction> = OnceLock::new();
/// Whether the previous handler has restored the default action since.
static GIVEN_BACK: AtomicBool = AtomicBool::new(false);
/// Whether the handler is installed.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The size of a page, stored before the handler is installed.
static PAGE: AtomicUsize = AtomicUsize::new(4096);

/// A handler that was set with `SA_SIGINFO`.
type WithInfo = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
/// A handler that was set without `SA_SIGINFO`.
type Plain = extern "C" fn(c_int);

#[derive(Default)]
struct FreeSlots {
    slots: Vec<&'static Slot>,
    /// The number of all slots, used or free.
    count: usize,
}

/// A mapping in its slot. The registration must be dropped before the mapping.
#[derive(Debug)]
pub(crate) struct Registration {
    slot: &'static Slot,
}

impl Registration {
    /// Guards a mapping whose first byte is at `offset` of `file`, which must stay open.
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

/// Describes a mapping for handlers, from the start of its first page.
fn mapped(map: &MmapRaw, offset: u64, file: RawFd, writable: bool) -> Option<Mapped> {
    let first = map.as_mut_ptr().addr();
    let start = sys::round_down(first, sys::page_size());
    let end = first.checked_add(map.len())?;
    let offset = usize::try_from(offset).ok()?.checked_sub(first.checked_sub(start)?)?;
    Some(Mapped { start, end, offset, file: usize::try_from(file).ok()?, writable })
}

pub(crate) fn is_active() -> bool {
    INSTALLED.load(Ordering::Acquire)
}

pub(crate) fn install() -> io::Result<()> {
    /// One thread installs the guard while other threads wait.
    static INSTALLING: ForkLock<()> = ForkLock::new(());

    let _turn = INSTALLING.lock();
    if is_active() {
        return Ok(());
    }
    PAGE.store(sys::page_size(), Ordering::Relaxed);
    let previous = action().ok_or_else(io::Error::last_os_error)?;
    // Before the first signal can arrive: the handler reads `PREVIOUS`.
    let _ = PREVIOUS.set(previous);
    if !set_handler() {
        return Err(io::Error::last_os_error());
    }
    INSTALLED.store(true, Ordering::Release);
    Ok(())
}

/// Returns the current action for the signal.
fn action() -> Option<sigaction> {
    // SAFETY: all zeros are a value of this struct of numbers and pointers.
    let mut action: sigaction = unsafe { mem::zeroed() };
    // SAFETY: the kernel may write to `action`. A null pointer as the new action changes nothing.
    let failed =
        unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut action) } != 0;
    Some(action).filter(|_| !failed)
}

fn set_handler() -> bool {
    /// Signals of programming errors in the handler itself, which must not be blocked.
    const AT_ONCE: [c_int; 4] =
        [libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];

    // SAFETY: all zeros are a value of this struct of numbers and pointers.
    let mut action: sigaction = unsafe { mem::zeroed() };
    let handler: WithInfo = on_signal;
    action.sa_sigaction = (handler as *const ()).expose_provenance();
    // On the alternate stack if the thread has one, as the standard library's handler requires.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // Other signals are blocked: their handlers may access a guarded array too.
    // SAFETY: the set is a local variable of this function.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    for signal in AT_ONCE {
        // SAFETY: as above.
        unsafe { libc::sigdelset(&raw mut action.sa_mask, signal) };
    }
    // SAFETY: `on_signal` has the signature for `SA_SIGINFO`, and is async-signal-safe.
    let failed =
        unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) };
    failed == 0
}

/// Repairs a fault of a guarded array, and returns whether the signal was such a fault.
///
/// An application calls this function from its own signal handler, set after
/// [`install`](super::install). If the result is `true`, the handler must return; the processor
/// then repeats the access. The function is async-signal-safe. The handler should block all other
/// signals (`sa_mask`). Otherwise the handlers of these signals must not access guarded arrays.
///
/// # Safety
///
/// `info` must be the pointer that the kernel passed to a `SIGBUS` handler set with `SA_SIGINFO`.
/// This handler must still be running. There is no condition on `context`.
///
/// # Examples
///
/// ```
/// use std::ffi::{c_int, c_void};
///
/// use ndarray_memmap::guard;
///
/// extern "C" fn on_bus_error(_: c_int, info: *mut c_void, context: *mut c_void) {
///     // SAFETY: the kernel calls this handler and passes `info`.
///     if unsafe { guard::handle(info.cast(), context) } {
///         return;
///     }
///     std::process::abort();
/// }
/// # let _ = on_bus_error;
/// ```
pub unsafe fn handle(info: *mut c_void, context: *mut c_void) -> bool {
    let _ = context;
    // SAFETY: the caller guarantees that the kernel passed `info` to a handler that still runs.
    let info = unsafe { &*info.cast::<siginfo_t>() };
    let code = info.si_code;
    if !FAULTS.contains(&code) {
        return false;
    }
    // SAFETY: with these codes the kernel sets the address.
    let address = unsafe { info.si_addr() }.addr();
    let Some((slot, mapped)) = SLOTS.find(address) else { return false };
    // `install` has called `generation` before: here `generation` only reads memory.
    if !slot.losses.try_lock(usize::try_from(process_number()).unwrap_or(usize::MAX)) {
        // Another thread repairs this mapping: repeat the access.
        return true;
    }
    // SAFETY: the function has no conditions.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: `errno` belongs to this thread only.
    let errno = unsafe { *location };
    let repaired = repair(slot, &mapped, address, code == MEMORY_FAILED);
    // SAFETY: as above.
    unsafe { *location = errno };
    slot.losses.unlock();
    repaired
}

extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel calls this handler and passes `info`.
    if !unsafe { handle(info.cast(), context) } {
        hand_on(signal, info, context);
    }
}

/// Performs the action that was set before the guard.
fn hand_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(previous) = PREVIOUS.get() else { return };
    // SAFETY: the kernel passed `info` to the running handler.
    let comes_again = COMES_AGAIN.contains(&unsafe { (*info).si_code });
    let action = match GIVEN_BACK.load(Ordering::Relaxed) {
        true => libc::SIG_DFL,
        false => previous.sa_sigaction,
    };
    match action {
        // A signal that a process sent can be ignored, a fault cannot.
        libc::SIG_IGN if !comes_again => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: all zeros are a value of this struct: the default action.
            let default: sigaction = unsafe { mem::zeroed() };
            // SAFETY: the default action is a valid action.
            unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
            if !comes_again {
                // SAFETY: `raise` accesses no memory of this program.
                unsafe { libc::raise(signal) };
            }
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: the code that set this handler declared these arguments by `SA_SIGINFO`.
            let handler =
                unsafe { mem::transmute::<*const (), WithInfo>(function(handler)) };
            handler(signal, info, context);
            stay(comes_again);
        }
        handler => {
            // SAFETY: the code that set this handler declared the number as its only argument.
            let handler =
                unsafe { mem::transmute::<*const (), Plain>(function(handler)) };
            handler(signal);
            stay(comes_again);
        }
    }
}

/// Sets the guard's handler again if the previous handler has restored the default action.
///
/// The handler of the standard library restores the default action. The process continues if the
/// signal was only sent.
fn stay(comes_again: bool) {
    let is_given_back = action().is_some_and(|now| now.sa_sigaction == libc::SIG_DFL);
    if is_given_back && !comes_again {
        GIVEN_BACK.store(true, Ordering::Relaxed);
        let _ = set_handler();
    }
}

/// Returns the function at the address that the kernel stores.
fn function(handler: libc::sighandler_t) -> *const () {
    ptr::with_exposed_provenance(handler)
}

/// Replaces the page of an address by zeros, and more pages if they are lost too.
fn repair(slot: &Slot, mapped: &Mapped, address: usize, memory_failed: bool) -> bool {
    let size = PAGE.load(Ordering::Relaxed);
    let page = address.wrapping_sub(address.checked_rem(size).unwrap_or(0));
    if slot.losses.has(page) && !memory_failed {
        // Another thread has replaced the page.
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
    // Before the zeros are mapped: another thread may read them without a fault.
    slot.losses.note(in_file(address), past_end);
    // Replacing a page in the middle splits one mapping into three, which can exceed the limit of
    // mappings. Replacing the rest can fail for lack of memory if the system counts unused pages.
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
    // SAFETY: the kernel may write to `found`.
    let failed = unsafe { libc::fstat(file, &raw mut found) } != 0;
    usize::try_from(found.st_size).ok().filter(|_| !failed)
}

/// Maps pages of zeros over a part of a guarded mapping.
fn map_zeros(range: &Range<usize>, writable: bool) -> bool {
    let protection = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
    let flags =
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
    let start = ptr::without_provenance_mut(range.start);
    // POSIX does not list `mmap` as async-signal-safe. In glibc and musl, `mmap` is only the system
    // call, in the form of each processor. (s390x passes the arguments in memory.) musl's `mmap`
    // first waits for threads that are unlocking a lock shared with other processes. The wait
    // lasts a few instructions, and the faulting thread is not executing these instructions.
    // SAFETY: the range consists of whole pages of a mapping. The mapping is in its slot and
    // therefore still mapped. The contents of the range are lost.
    let mapped = unsafe { libc::mmap(start, range.len(), protection, flags, -1, 0) };
    mapped.addr() == range.start
}
