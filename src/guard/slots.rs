//! The guarded mappings, found by address without a lock.
//!
//! A signal handler may interrupt any instruction of this program, also those that change what
//! is here, so nothing that it does may wait or allocate. Slots are in chunks, which are added
//! at the end and never removed. Each slot is a sequence lock: whoever changes it, one at a
//! time, makes its number odd before and even after; whoever reads it takes what was there only
//! if the number was even and has not changed meanwhile. The mapping that a fault lies in is
//! borrowed by the thread that faults, and so stays in its slot; a slot that is just changing
//! is another's.
//!
//! Uses nothing of this crate, so that `tests/loom/main.rs` can try all interleavings of it.
#![expect(unsafe_code, reason = "chunks are found by their addresses")]

use std::ops::Range;
use std::ptr;

#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};

/// How many pages are replaced one by one before the rest of a mapping is given up.
pub(crate) const SINGLE: usize = if cfg!(loom) { 2 } else { 16 };

/// A mapping of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    /// Its first address, that of a page.
    pub(crate) start: usize,
    /// The address after its last.
    pub(crate) end: usize,
    /// The byte of the file at the first address.
    pub(crate) offset: usize,
    /// The descriptor of the file, open as long as the mapping is in its slot.
    pub(crate) file: usize,
    /// Whether it can be written.
    pub(crate) writable: bool,
}

/// A place for one mapping, and what became of it.
#[derive(Debug)]
pub(crate) struct Slot {
    sequence: AtomicUsize,
    start: AtomicUsize,
    end: AtomicUsize,
    offset: AtomicUsize,
    file: AtomicUsize,
    writable: AtomicBool,
    pub(crate) losses: Losses,
}

/// What was lost of a mapping. Changed by handlers, of which one at a time has `busy`.
#[derive(Debug)]
pub(crate) struct Losses {
    /// The process of the handler at work; 0 if there is none.
    busy: AtomicUsize,
    count: AtomicUsize,
    /// The byte of the file at which the first fault was.
    first: AtomicUsize,
    /// Whether that was past the end of the file.
    past_end: AtomicBool,
    /// The pages that were replaced one by one.
    pages: [AtomicUsize; SINGLE],
    /// From where on all are replaced.
    tail: AtomicUsize,
}

/// The first fault of a mapping, and how many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) first: usize,
    pub(crate) past_end: bool,
    pub(crate) count: usize,
}

impl Slot {
    fn new() -> Self {
        let losses = Losses {
            busy: AtomicUsize::new(0),
            count: AtomicUsize::new(0),
            first: AtomicUsize::new(0),
            past_end: AtomicBool::new(false),
            pages: std::array::from_fn(|_| AtomicUsize::new(usize::MAX)),
            tail: AtomicUsize::new(usize::MAX),
        };
        Self {
            sequence: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            offset: AtomicUsize::new(0),
            file: AtomicUsize::new(0),
            writable: AtomicBool::new(false),
            losses,
        }
    }

    /// Puts a mapping into the slot, which is the caller's and empty.
    pub(crate) fn fill(&self, mapped: &Mapped) {
        self.losses.reset();
        self.change(mapped);
    }

    /// Takes the mapping out.
    pub(crate) fn clear(&self) {
        self.change(&Mapped { start: 0, end: 0, offset: 0, file: 0, writable: false });
    }

    fn change(&self, mapped: &Mapped) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        // No store of what follows comes before that of the odd number.
        fence(Ordering::Release);
        self.start.store(mapped.start, Ordering::Relaxed);
        self.end.store(mapped.end, Ordering::Relaxed);
        self.offset.store(mapped.offset, Ordering::Relaxed);
        self.file.store(mapped.file, Ordering::Relaxed);
        self.writable.store(mapped.writable, Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// Returns the mapping, unless it is just changing.
    fn read(&self) -> Option<Mapped> {
        let before = self.sequence.load(Ordering::Acquire);
        let mapped = Mapped {
            start: self.start.load(Ordering::Relaxed),
            end: self.end.load(Ordering::Relaxed),
            offset: self.offset.load(Ordering::Relaxed),
            file: self.file.load(Ordering::Relaxed),
            writable: self.writable.load(Ordering::Relaxed),
        };
        // No load of what is above comes after that of the second number.
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

    /// Returns what has happened before whatever this thread has seen.
    pub(crate) fn loss(&self) -> Option<Loss> {
        // No load of an element that may be a zero in place of it comes after that of the count.
        fence(Ordering::SeqCst);
        let count = self.count.load(Ordering::Acquire);
        (count > 0).then(|| Loss {
            first: self.first.load(Ordering::Relaxed),
            past_end: self.past_end.load(Ordering::Relaxed),
            count,
        })
    }

    /// Takes the right to change these, which one handler of a process at a time has.
    ///
    /// A process that was forked while another thread had it has nobody who gives it back.
    pub(crate) fn try_lock(&self, process: usize) -> bool {
        let found = self.busy.load(Ordering::Relaxed);
        let is_free = found != process;
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        is_free && self.busy.compare_exchange(found, process, success, failure).is_ok()
    }

    pub(crate) fn unlock(&self) {
        self.busy.store(0, Ordering::Release);
    }

    /// Tells whether a page is replaced already.
    pub(crate) fn has(&self, page: usize) -> bool {
        page >= self.tail.load(Ordering::Relaxed)
            || self.pages.iter().any(|lost| lost.load(Ordering::Relaxed) == page)
    }

    /// Tells whether one more page can be noted.
    pub(crate) fn has_room(&self) -> bool {
        self.pages.iter().any(|lost| lost.load(Ordering::Relaxed) == usize::MAX)
    }

    /// Notes that a range is replaced, one page or all to the end of the mapping.
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

    /// Notes that something is lost, before anybody can see zeros in its place.
    pub(crate) fn note(&self, first: usize, past_end: bool) {
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            self.first.store(first, Ordering::Relaxed);
            self.past_end.store(past_end, Ordering::Relaxed);
        }
        self.count.store(count.wrapping_add(1), Ordering::Release);
    }
}

/// Slots that were made together.
#[derive(Debug)]
struct Chunk {
    slots: Box<[Slot]>,
    next: AtomicPtr<Chunk>,
}

/// All slots. Chunks are never freed.
#[derive(Debug)]
pub(crate) struct Slots {
    first: AtomicPtr<Chunk>,
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

    /// Adds so many empty slots at the end, and returns them. One thread at a time.
    pub(crate) fn add(&'static self, count: usize) -> &'static [Slot] {
        let slots = (0..count).map(|_| Slot::new()).collect();
        let chunk = Box::new(Chunk { slots, next: AtomicPtr::new(ptr::null_mut()) });
        let chunk: &'static mut Chunk = Box::leak(chunk);
        let pointer = ptr::from_mut(chunk);
        let mut link = &self.first;
        while let Some(chunk) = follow(link) {
            link = &chunk.next;
        }
        link.store(pointer, Ordering::Release);
        follow(link).map_or(&[], |chunk| &chunk.slots)
    }

    /// Finds the mapping that an address lies in. Waits for nothing.
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

/// Returns the chunk that a link leads to.
fn follow(link: &'static AtomicPtr<Chunk>) -> Option<&'static Chunk> {
    let chunk = link.load(Ordering::Acquire);
    // SAFETY: the link is null or leads to a chunk that was leaked when it was complete, and of
    // which there are shared references only.
    unsafe { chunk.as_ref() }
}
