//! Reads pages before their use, on a thread of its own; knows addresses only.
//!
//! The iterating thread sends a read request with `begin`, uses other pages, and then waits for the
//! answer with `wait`. The answer names the pages to evict from the page cache after use. At most
//! one request has no answer yet.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::{fs::File, io, ops::Range, sync::Arc};

use super::policy::PageCache;
use crate::file;
use crate::mapping::Backing;
use crate::mode::{Advice, Mode};
use crate::sys::{self, FOLIO, FileSystem, ReadAlias, descriptor, map, process_number};

/// Addresses of pages.
pub(crate) type Ranges = Vec<Range<usize>>;

/// The pages to read in each array, and the policy for the page cache.
#[derive(Debug)]
pub(crate) struct ReadRequest {
    pub(crate) pages: Vec<Ranges>,
    pub(crate) cache: PageCache,
}

/// The thread that reads pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadBy {
    /// The iterating thread, which waits.
    Caller,
    /// The thread of `Readahead`, while the iterating thread uses other pages.
    Thread,
}

/// Carries out read requests, at once or on its thread.
#[derive(Debug)]
pub(crate) struct Readahead {
    targets: Arc<Targets>,
    thread: Option<Thread>,
    /// The process that has the thread; a forked child has no such thread.
    process: u64,
}

#[derive(Debug)]
struct Thread {
    requests: Sender<ReadRequest>,
    answers: Receiver<Vec<Ranges>>,
    handle: JoinHandle<()>,
}

/// The arrays to read.
#[derive(Debug)]
struct Targets(Vec<Target>);

/// One array of a sweep, as the code that reads its pages sees it.
#[derive(Debug, Default)]
struct Target {
    alias: Option<ReadAlias>,
    /// The file, and the number to add (wrapping) to an address for the byte of the file.
    file: Option<(File, u64)>,
    /// Whether the pages that the kernel counts for the file are those of the mapping.
    counts_mapped_pages: bool,
    /// Whether the kernel merges a mapping again that advice for a part of it has split.
    merges_advice: bool,
    /// Whether the kernel reports to this process which pages are cached.
    reports_residency: bool,
}

impl Readahead {
    /// Prepares to read pages of arrays; starts a thread if wanted and possible.
    pub(crate) fn new<'a>(
        arrays: impl Iterator<Item = &'a Backing>,
        wants_thread: bool,
    ) -> Self {
        let targets = Arc::new(Targets(arrays.map(Target::new).collect()));
        let thread = (sys::CONTROLS_PAGE_CACHE && wants_thread)
            .then(|| Thread::start(Arc::clone(&targets)).ok())
            .flatten();
        Self { targets, thread, process: process_number() }
    }

    /// Returns the file of an array, if it could be opened.
    pub(crate) fn file(&self, number: usize) -> Option<&File> {
        self.targets.0.get(number)?.file.as_ref().map(|(file, _)| file)
    }

    /// Returns whether pages can be read while the iterating thread does something else.
    pub(crate) fn reads_ahead(&self) -> bool {
        // Systems other than Linux only request pages.
        self.thread().is_some() || !sys::CONTROLS_PAGE_CACHE
    }

    /// Reads pages, and returns for each array those to evict from the page cache after use.
    ///
    /// Until other advice is passed for the pages, a fault in one of them reads nothing beyond it.
    pub(crate) fn read(&self, request: &ReadRequest) -> Vec<Ranges> {
        self.targets.read_all(request, ReadBy::Caller)
    }

    /// Starts to read pages. The caller must have waited for the request before.
    ///
    /// Without a thread, reads the pages at once and returns what [`read`](Self::read) returns.
    pub(crate) fn begin(&self, request: ReadRequest) -> Option<Vec<Ranges>> {
        let Some(thread) = self.thread() else { return Some(self.read(&request)) };
        thread.requests.send(request).err().map(|request| self.read(&request.0))
    }

    /// Waits for the pages of the request that was begun, and returns what `read` returns.
    pub(crate) fn wait(&self) -> Option<Vec<Ranges>> {
        self.thread()?.answers.recv().ok()
    }

    fn thread(&self) -> Option<&Thread> {
        self.thread.as_ref().filter(|_| self.process == process_number())
    }
}

impl Drop for Readahead {
    fn drop(&mut self) {
        let is_here = self.thread().is_some();
        match self.thread.take() {
            Some(Thread { requests, handle, .. }) if is_here => {
                drop(requests);
                let _ = handle.join();
            }
            elsewhere => std::mem::forget(elsewhere),
        }
    }
}

impl Thread {
    fn start(targets: Arc<Targets>) -> io::Result<Self> {
        let (requests, inbox) = channel::<ReadRequest>();
        let (outbox, answers) = channel();
        let work = move || {
            // Ends when the `Readahead` is dropped.
            for request in inbox {
                if outbox.send(targets.read_all(&request, ReadBy::Thread)).is_err() {
                    break;
                }
            }
        };
        let thread = Builder::new().name("ndarray-memmap".to_owned()).stack_size(1 << 17);
        Ok(Self { requests, answers, handle: thread.spawn(work)? })
    }
}

impl Targets {
    /// Reads the pages of all arrays. A refusal by the kernel costs speed only.
    fn read_all(&self, request: &ReadRequest, by: ReadBy) -> Vec<Ranges> {
        let arrays = self.0.iter().zip(&request.pages);
        arrays.map(|(array, pages)| array.read(pages, request.cache, by)).collect()
    }
}

impl Target {
    fn new(backing: &Backing) -> Self {
        if !sys::CONTROLS_PAGE_CACHE {
            return Self::default();
        }
        let (mode, offset) = (backing.mode(), backing.offset());
        let Backing { mapping, file, path, holds_lock, snapshot, .. } = backing;
        let again = || {
            let system = FileSystem::of_path(path)?;
            let id = snapshot.id();
            system.opens_without_loss().then(|| file::open_again(path, id))?
        };
        // A leaked sweep keeps its thread, file and mapping. None of these may hold the lock of the
        // array.
        let file = match file {
            Some(locked) if *holds_lock => {
                let (system, writes) = (FileSystem::of(locked), mode.writes_file());
                system
                    .opens_without_loss()
                    .then(|| descriptor::reopen(locked, writes).ok())
            }
            Some(kept) => Some(kept.try_clone().ok()),
            None => None,
        };
        let file = file.unwrap_or_else(again);
        let map = |len| {
            let file = file.as_ref()?;
            map::map(file, offset, len, Mode::ReadOnly).ok()
        };
        let alias = match holds_lock {
            true => backing.alias_of(map),
            false => backing.alias(map),
        };
        let address = u64::try_from(mapping.as_mut_ptr().addr()).unwrap_or(0);
        let counts_mapped_pages =
            file.as_ref().is_some_and(|f| FileSystem::of(f).reports_residency);
        let system = file.as_ref().map(FileSystem::of);
        let system = system.or_else(|| FileSystem::of_path(path));
        let merges_advice = system.is_none_or(FileSystem::merges_mappings);
        let file = file.map(|file| (file, offset.wrapping_sub(address)));
        Self {
            alias,
            file,
            counts_mapped_pages,
            merges_advice,
            reports_residency: mode.writes_file() || sys::reports_residency_of(path),
        }
    }

    /// Returns the pages that are not cached; all pages on systems other than Linux.
    fn absent(&self, pages: &[Range<usize>]) -> Ranges {
        match self.cached(pages) {
            Some(true) => Vec::new(),
            Some(false) => pages.to_vec(),
            // Checked twice: the kernel reports a page as absent while it moves the page.
            None => absent(&absent(pages)),
        }
    }

    /// Returns whether all pages are cached, or none; `None` if that is not easy to find out.
    fn cached(&self, pages: &[Range<usize>]) -> Option<bool> {
        let (file, first) = self.file.as_ref().filter(|_| self.counts_mapped_pages)?;
        let page = u64::try_from(sys::page_size()).ok()?;
        let (mut all, mut there) = (0_u64, 0_u64);
        for range in pages {
            let at = |at: usize| u64::try_from(at).unwrap_or(0).wrapping_add(*first);
            let start = at(sys::round_down(range.start, sys::page_size()));
            let len = sys::round_up(at(range.end).saturating_sub(start), page)?;
            let bytes = start..start.saturating_add(len);
            all = all.saturating_add(len.checked_div(page)?);
            there = there.saturating_add(sys::cached_pages(file, &bytes).ok()?);
        }
        match there {
            0 => Some(false),
            there if there == all => Some(true),
            _ => None,
        }
    }

    /// Reads pages, and returns those to evict from the page cache after use.
    ///
    /// Puts the pages into the page table, unless the iterating thread waits and no page is
    /// missing.
    fn read(&self, pages: &[Range<usize>], cache: PageCache, by: ReadBy) -> Ranges {
        let missing = match cache {
            PageCache::AsFound => self.absent(pages),
            PageCache::Keep => perhaps_absent(pages),
            PageCache::Drop => pages.to_vec(),
        };
        // Advice for pages that are not contiguous needs a mapping for each run of them. A process
        // has a limited number of mappings. These pages are requested, and read without advice.
        let lies_together = pages.len() <= 1;
        for range in &missing {
            let _ = match self.alias.as_ref().filter(|_| lies_together) {
                Some(alias) => alias.read(range),
                None => sys::request(range),
            };
        }
        // Every page of this chunk is cached or being read. Turn kernel readahead off here: it
        // would read the next chunk before its residency is recorded.
        let is_known = sys::CONTROLS_PAGE_CACHE && cache != PageCache::Keep;
        let is_known = is_known
            && self.merges_advice
            && (self.reports_residency || !missing.is_empty());
        for range in pages {
            if is_known && lies_together {
                let _ = sys::advise(range, Advice::Random);
            }
            // Page faults map cached pages faster than this call, but on the iterating thread.
            if by == ReadBy::Thread || !missing.is_empty() {
                let _ = sys::populate(range);
            }
        }
        if cache == PageCache::Keep { Vec::new() } else { missing }
    }
}

/// Returns the pages that are not cached; all pages on systems other than Linux.
fn absent(pages: &[Range<usize>]) -> Ranges {
    if !sys::CONTROLS_PAGE_CACHE {
        return pages.to_vec();
    }
    let mut absent = Vec::new();
    for range in pages {
        let note = |run, is_in: bool| {
            if !is_in {
                absent.push(run);
            }
        };
        let _ = sys::residency(range, note);
    }
    absent
}

/// Returns pieces whose first page is not cached, which is much cheaper than checking all pages.
fn perhaps_absent(pages: &[Range<usize>]) -> Ranges {
    let pieces = pages.iter().flat_map(|range| sys::pieces(range, FOLIO));
    let is_absent = |piece: &Range<usize>| {
        let first = piece.start..piece.start.saturating_add(1).min(piece.end);
        !absent(std::slice::from_ref(&first)).is_empty()
    };
    pieces.filter(is_absent).collect()
}
