//! Reads pages ahead of their use, on a thread of its own; knows addresses only.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use super::policy::PageCache;
use crate::file;
use crate::mapping::Backing;
use crate::mode::{Advice, Mode};
use crate::sys::file_system::FileSystem;
use crate::sys::process::generation;
use crate::sys::{self, FOLIO, ReadAlias, descriptor, map};

/// Addresses of pages.
pub(crate) type Ranges = Vec<Range<usize>>;

/// The pages to read of each array, and for which treatment of the page cache.
#[derive(Debug)]
pub(crate) struct ReadRequest {
    pub(crate) pages: Vec<Ranges>,
    pub(crate) cache: PageCache,
}

/// Who reads pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadBy {
    /// The caller, which waits.
    Caller,
    /// The thread, while the caller uses other pages.
    Thread,
}

/// Carries out requests, at once or on its thread.
#[derive(Debug)]
pub(crate) struct Readahead {
    targets: Arc<Targets>,
    thread: Option<Thread>,
    /// The process that has the thread; a fork of it has none.
    process: u64,
}

#[derive(Debug)]
struct Thread {
    requests: Sender<ReadRequest>,
    answers: Receiver<Vec<Ranges>>,
    handle: JoinHandle<()>,
}

/// The arrays that are read.
#[derive(Debug)]
struct Targets(Vec<Target>);

/// What it takes to read the pages of an array.
#[derive(Debug)]
struct Target {
    alias: Option<ReadAlias>,
    /// The file, and which of its bytes is at address 0, by wrapping arithmetic.
    file: Option<(File, u64)>,
    /// Whether what the kernel counts of the file are the pages of the mapping.
    counts: bool,
    /// Whether advice for some of the pages leaves no more mappings behind.
    advises: bool,
    /// Whether the kernel tells this process which pages are in memory.
    is_told: bool,
}

impl Readahead {
    /// Prepares to read pages of arrays, on a thread if that is wanted and to be had.
    pub(crate) fn new<'a>(
        arrays: impl Iterator<Item = &'a Backing>,
        wants_thread: bool,
    ) -> Self {
        let targets = Arc::new(Targets(arrays.map(Target::new).collect()));
        let thread = (sys::CONTROLS_PAGE_CACHE && wants_thread)
            .then(|| Thread::start(Arc::clone(&targets)).ok())
            .flatten();
        Self { targets, thread, process: generation() }
    }

    /// Returns the file of one of the arrays, if it could be opened.
    pub(crate) fn file(&self, number: usize) -> Option<&File> {
        self.targets.0.get(number)?.file.as_ref().map(|(file, _)| file)
    }

    /// Tells whether requests can be carried out while something else is done.
    pub(crate) fn reads_ahead(&self) -> bool {
        // Elsewhere than on Linux pages are only requested.
        self.thread().is_some() || !sys::CONTROLS_PAGE_CACHE
    }

    /// Reads pages, and returns of each array those that are to leave the page cache again.
    ///
    /// Until they are advised otherwise, the pages are such that a fault in one of them reads
    /// nothing beyond.
    pub(crate) fn read(&self, request: &ReadRequest) -> Vec<Ranges> {
        self.targets.read_all(request, ReadBy::Caller)
    }

    /// Begins to read pages; the request before must have been waited for.
    pub(crate) fn begin(&self, request: ReadRequest) -> Option<Vec<Ranges>> {
        let Some(thread) = self.thread() else { return Some(self.read(&request)) };
        thread.requests.send(request).err().map(|request| self.read(&request.0))
    }

    /// Waits for the pages of the request that was begun, and answers as `read` does.
    pub(crate) fn wait(&self) -> Option<Vec<Ranges>> {
        self.thread()?.answers.recv().ok()
    }

    fn thread(&self) -> Option<&Thread> {
        self.thread.as_ref().filter(|_| self.process == generation())
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
            // Ends when the reader is dropped.
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
    /// What the kernel refuses costs speed only.
    fn read_all(&self, request: &ReadRequest, by: ReadBy) -> Vec<Ranges> {
        let arrays = self.0.iter().zip(&request.pages);
        arrays.map(|(array, pages)| array.read(pages, request.cache, by)).collect()
    }
}

impl Target {
    fn new(backing: &Backing) -> Self {
        let Backing { mapping, file, mode, offset, path, holds_lock, snapshot, .. } =
            backing;
        let again = || {
            let system = FileSystem::of_path(path)?;
            let id = snapshot.id();
            system.opens_without_loss().then(|| file::open_again(path, id))?
        };
        // A sweep that is leaked keeps its thread, file and mapping: they must not be what has
        // the lock.
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
            map::map(file, *offset, len, Mode::ReadOnly).ok()
        };
        let alias = match holds_lock {
            true => backing.alias_of(map),
            false => backing.alias(map),
        };
        let address = u64::try_from(mapping.as_mut_ptr().addr()).unwrap_or(0);
        let counts = file.as_ref().is_some_and(|f| FileSystem::of(f).reports_residency);
        let system = file.as_ref().map(FileSystem::of);
        let system = system.or_else(|| FileSystem::of_path(path));
        let advises = system.is_none_or(FileSystem::merges_mappings);
        let file = file.map(|file| (file, offset.wrapping_sub(address)));
        Self {
            alias,
            file,
            counts,
            advises,
            is_told: mode.writes_file() || sys::reports_residency_of(path),
        }
    }

    /// Finds the pages that are not in memory; elsewhere than on Linux all may not be.
    fn absent(&self, pages: &[Range<usize>]) -> Ranges {
        match self.cached(pages) {
            Some(true) => Vec::new(),
            Some(false) => pages.to_vec(),
            // Asked twice: a page that the kernel is just moving about is not there for once.
            None => absent(&absent(pages)),
        }
    }

    /// Tells whether all pages are in memory, or none, if it is easy to tell.
    fn cached(&self, pages: &[Range<usize>]) -> Option<bool> {
        let (file, first) = self.file.as_ref().filter(|_| self.counts)?;
        let page = u64::try_from(sys::page_size()).ok()?;
        let (mut all, mut there) = (0_u64, 0_u64);
        for range in pages {
            let at =
                |address: usize| u64::try_from(address).unwrap_or(0).wrapping_add(*first);
            let start = at(sys::round_down(range.start, sys::page_size()));
            let bytes = start
                ..start.saturating_add(
                    at(range.end).saturating_sub(start).next_multiple_of(page),
                );
            all = all.saturating_add(bytes.end.saturating_sub(start).checked_div(page)?);
            there = there.saturating_add(sys::cached_pages(file, &bytes).ok()?);
        }
        match there {
            0 => Some(false),
            there if there == all => Some(true),
            _ => None,
        }
    }

    /// Reads pages, and returns those that are to leave the page cache again.
    ///
    /// Puts them into the page table, unless nothing else would be done meanwhile.
    fn read(&self, pages: &[Range<usize>], cache: PageCache, by: ReadBy) -> Ranges {
        let missing = match cache {
            PageCache::AsFound => self.absent(pages),
            PageCache::Keep => perhaps_absent(pages),
            PageCache::Drop => pages.to_vec(),
        };
        // Advice for pages that lie apart takes a mapping for each run of them, and a process
        // has not many; they are requested, and read without it.
        let lies_together = pages.len() <= 1;
        for range in &missing {
            let _ = match self.alias.as_ref().filter(|_| lies_together) {
                Some(alias) => alias.read(range),
                None => sys::request(range),
            };
        }
        // All pages are in memory or on their way: to read ahead of them would be to read
        // what nobody has asked about yet.
        let is_known = sys::CONTROLS_PAGE_CACHE && cache != PageCache::Keep;
        let is_known = is_known && self.advises && (self.is_told || !missing.is_empty());
        for range in pages {
            if is_known && lies_together {
                let _ = sys::advise(range, Advice::Random);
            }
            // Faults map pages that were in memory faster than this does, but not meanwhile.
            if by == ReadBy::Thread || !missing.is_empty() {
                let _ = sys::populate(range);
            }
        }
        if cache == PageCache::Keep { Vec::new() } else { missing }
    }
}

/// Finds the pages that are not in memory; elsewhere than on Linux all may not be.
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

/// Finds pieces whose first page is not in memory, which is cheaper by far.
fn perhaps_absent(pages: &[Range<usize>]) -> Ranges {
    let pieces = pages.iter().flat_map(|range| sys::pieces(range, FOLIO));
    let is_absent = |piece: &Range<usize>| {
        let first = piece.start..piece.start.saturating_add(1).min(piece.end);
        !absent(std::slice::from_ref(&first)).is_empty()
    };
    pieces.filter(is_absent).collect()
}
