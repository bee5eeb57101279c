//! Finds the guarded mapping of an address without a lock; makes no system call.
//!
//! A signal handler may interrupt any instruction of this program, including a change of these
//! slots. The handler must therefore neither wait nor allocate. Slots are in chunks, which are
//! added at the end and never removed.
//!
//! Each slot is a sequence lock. One writer at a time changes a slot. The writer makes the
//! sequence number odd before the change, and even after the change. A reader uses the values
//! only if the number was even and has not changed during the read. The faulting thread borrows
//! the mapping, so that this mapping stays in its slot. A slot that is being changed belongs to
//! another mapping.
//!
//! Uses nothing of this crate, so that `tests/loom/main.rs` can test all interleavings.
#![expect(unsafe_code, reason = "chunks are found by their addresses")]

#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};
use std::{ops::Range, ptr};

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};

/// The number of pages replaced one by one, before the guard replaces the rest of a mapping.
pub(crate) const SINGLE: usize = if cfg!(loom) { 2 } else { 16 };

/// A mapping of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    /// The first address, which is the address of a page.
    pub(crate) start: usize,
    /// The address after the last byte.
    pub(crate) end: usize,
    /// The byte offset in the file of the first address.
    pub(crate) offset: usize,
    /// The descriptor of the file, open as long as the mapping is in its slot.
    pub(crate) file: usize,
    /// Whether the mapping is writable.
    pub(crate) writable: bool,
}

/// A slot for one mapping, and the losses of that mapping.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    sequence: AtomicUsize,
    start: AtomicUsize,
    end: AtomicUsize,
    offset: AtomicUsize,
    file: AtomicUsize,
    writable: AtomicBool,
    pub(crate) losses: Losses,
}

/// The losses of a mapping. Handlers record losses; one handler at a time holds `busy`.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// The process of the running handler; 0 if no handler runs.
    busy: AtomicUsize,
    count: AtomicUsize,
    /// The byte offset in the file of the first fault.
    first: AtomicUsize,
    /// Whether the first fault was past the end of the file.
    past_end: AtomicBool,
    /// The pages that were replaced one by one.
    pages: [AtomicUsize; SINGLE],
    /// The address from which all pages are replaced.
    tail: AtomicUsize,
}

/// The first fault of a mapping, and the number of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) first: usize,
    pub(crate) past_end: bool,
    pub(crate) count: usize,
}

impl Slot {
    /// Puts a mapping into the slot. The slot must be empty, and the caller its only writer.
    pub(crate) fn fill(&self, mapped: &Mapped) {
        self.losses.reset();
        self.change(mapped);
    }

    /// Removes the mapping from the slot.
    pub(crate) fn clear(&self) {
        self.change(&Mapped { start: 0, end: 0, offset: 0, file: 0, writable: false });
    }

    fn change(&self, mapped: &Mapped) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        // The stores below are not reordered before the store of the odd number.
        fence(Ordering::Release);
        self.start.store(mapped.start, Ordering::Relaxed);
        self.end.store(mapped.end, Ordering::Relaxed);
        self.offset.store(mapped.offset, Ordering::Relaxed);
        self.file.store(mapped.file, Ordering::Relaxed);
        self.writable.store(mapped.writable, Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// Returns the mapping, or `None` if the slot is being changed.
    fn read(&self) -> Option<Mapped> {
        let before = self.sequence.load(Ordering::Acquire);
        let mapped = Mapped {
            start: self.start.load(Ordering::Relaxed),
            end: self.end.load(Ordering::Relaxed),
            offset: self.offset.load(Ordering::Relaxed),
            file: self.file.load(Ordering::Relaxed),
            writable: self.writable.load(Ordering::Relaxed),
        };
        // The loads above are not reordered after the load of the second number.
        fence(Ordering::Acquire);
        let after = self.sequence.load(Ordering::Relaxed);
        (before == after && before.is_multiple_of(2)).then_some(mapped)
    }
}

impl Losses {
    fn reset(&self) {
        self.count.store(0, Ordering::Relaxed);
        self.tail.store(usize::MAX, Ordering::Relaxed);
        for page in &self.pages {
            page.store(usize::MAX, Ordering::Relaxed);
        }
    }

    /// Returns the losses, including every loss whose zeros this thread has read.
    pub(crate) fn loss(&self) -> Option<Loss> {
        // Earlier loads of elements, which may be such zeros, are not reordered after the load of
        // the count.
        fence(Ordering::SeqCst);
        let count = self.count.load(Ordering::Acquire);
        (count > 0).then(|| Loss {
            first: self.first.load(Ordering::Relaxed),
            past_end: self.past_end.load(Ordering::Relaxed),
            count,
        })
    }

    /// Takes the lock for changes, which one handler of a process at a time holds.
    ///
    /// In a child that was forked while another thread held the lock, no thread releases it. A lock
    /// of another process therefore counts as free.
    pub(crate) fn try_lock(&self, process: usize) -> bool {
        let found = self.busy.load(Ordering::Relaxed);
        let is_free = found != process;
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        is_free && self.busy.compare_exchange(found, process, success, failure).is_ok()
    }

    pub(crate) fn unlock(&self) {
        self.busy.store(0, Ordering::Release);
    }

    /// Returns whether a page is already replaced.
    pub(crate) fn has(&self, page: usize) -> bool {
        page >= self.tail.load(Ordering::Relaxed)
            || self.pages.iter().any(|lost| lost.load(Ordering::Relaxed) == page)
    }

    /// Returns whether one more single page can be recorded.
    pub(crate) fn has_room(&self) -> bool {
        self.pages.iter().any(|lost| lost.load(Ordering::Relaxed) == usize::MAX)
    }

    /// Records a replaced range: one page, or all pages to the end of the mapping.
    pub(crate) fn replaced(&self, range: &Range<usize>, is_tail: bool) {
        if is_tail {
            self.tail.fetch_min(range.start, Ordering::Relaxed);
            return;
        }
        let is_free = |lost: &&AtomicUsize| lost.load(Ordering::Relaxed) == usize::MAX;
        if let Some(free) = self.pages.iter().find(is_free) {
            free.store(range.start, Ordering::Relaxed);
        }
    }

    /// Records a fault, before any thread can read zeros in place of the lost bytes.
    pub(crate) fn note(&self, first: usize, past_end: bool) {
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            self.first.store(first, Ordering::Relaxed);
            self.past_end.store(past_end, Ordering::Relaxed);
        }
        self.count.store(count.wrapping_add(1), Ordering::Release);
    }
}

/// Slots that were allocated together.
#[derive(Debug)]
struct SlotChunk {
    slots: Box<[Slot]>,
    next: AtomicPtr<SlotChunk>,
}

/// All slots. Chunks are never freed.
#[derive(Debug)]
pub(crate) struct Slots {
    first: AtomicPtr<SlotChunk>,
}

impl Slots {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { first: AtomicPtr::new(ptr::null_mut()) }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self { first: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Adds `count` empty slots at the end, and returns them. One thread at a time may call this.
    pub(crate) fn add(&'static self, count: usize) -> &'static [Slot] {
        let slots = (0..count).map(|_| Slot::default()).collect();
        let chunk = Box::new(SlotChunk { slots, next: AtomicPtr::new(ptr::null_mut()) });
        let chunk: &'static mut SlotChunk = Box::leak(chunk);
        let pointer = ptr::from_mut(chunk);
        let mut link = &self.first;
        while let Some(chunk) = follow(link) {
            link = &chunk.next;
        }
        link.store(pointer, Ordering::Release);
        follow(link).map_or(&[], |chunk| &chunk.slots)
    }

    /// Finds the mapping that contains an address, without waiting.
    pub(crate) fn find(&'static self, address: usize) -> Option<(&'static Slot, Mapped)> {
        let mut link = &self.first;
        while let Some(chunk) = follow(link) {
            for slot in &chunk.slots {
                let mapped = slot.read();
                let holds = |m: &Mapped| m.start <= address && address < m.end;
                if let Some(mapped) = mapped.filter(holds) {
                    return Some((slot, mapped));
                }
            }
            link = &chunk.next;
        }
        None
    }
}

/// Returns the chunk that a link points to.
fn follow(link: &'static AtomicPtr<SlotChunk>) -> Option<&'static SlotChunk> {
    let chunk = link.load(Ordering::Acquire);
    // SAFETY: the link is null, or points to a chunk that was complete when it was leaked. All
    // references to this chunk are shared.
    unsafe { chunk.as_ref() }
}
