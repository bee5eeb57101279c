//! Reads pages ahead of their use, on a thread of its own; knows addresses only.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use crate::Advice;
use crate::address::{self, Twin};
use crate::region::Place;

/// Addresses of pages.
pub(crate) type Ranges = Vec<Range<usize>>;

/// What to find out, then what to read.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Of which pages to find out those that are not in memory.
    pub(crate) ask: Vec<Ranges>,
    /// What to read of each array.
    pub(crate) read: Vec<Wanted>,
}

/// Pages of one array.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Those to be mapped.
    pub(crate) pages: Ranges,
    /// Those of them that may not be in memory.
    pub(crate) missing: Ranges,
}

/// Carries out orders, at once or on its thread.
#[derive(Debug)]
pub(crate) struct Reader {
    desk: Arc<Desk>,
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    orders: Sender<Order>,
    answers: Receiver<Vec<Ranges>>,
    handle: JoinHandle<()>,
    is_busy: bool,
}

/// The arrays, by what it takes to read their pages.
#[derive(Debug)]
struct Desk(Vec<(Option<Twin>, Advice)>);

impl Reader {
    /// Prepares to read pages of arrays; ahead only on a thread, where it waits for them.
    pub(crate) fn new<'a>(
        arrays: impl Iterator<Item = Place<'a>>,
        wants_thread: bool,
    ) -> Self {
        let desk =
            arrays.map(|place| (place.pages.twin(), place.pages.advice())).collect();
        let desk = Arc::new(Desk(desk));
        let thread = (cfg!(target_os = "linux") && wants_thread)
            .then(|| Thread::start(Arc::clone(&desk)).ok())
            .flatten();
        Self { desk, thread }
    }

    /// Carries out an order, and answers what it asks.
    pub(crate) fn now(&self, order: &Order) -> Vec<Ranges> {
        self.desk.carry_out(order)
    }

    /// Tells whether orders can be carried out while something else is done.
    pub(crate) fn reads_ahead(&self) -> bool {
        // Elsewhere than on Linux pages are only requested.
        self.thread.is_some() || !cfg!(target_os = "linux")
    }

    /// Begins to carry out an order; the last one must be settled.
    pub(crate) fn begin(&mut self, order: Order) -> Option<Vec<Ranges>> {
        let Some(thread) = &mut self.thread else {
            return Some(self.desk.carry_out(&order));
        };
        match thread.orders.send(order) {
            Ok(()) => {
                thread.is_busy = true;
                None
            }
            Err(order) => Some(self.desk.carry_out(&order.0)),
        }
    }

    /// Waits for the order that was begun, if one was, and answers what it asked.
    pub(crate) fn settle(&mut self) -> Option<Vec<Ranges>> {
        let thread = self.thread.as_mut()?;
        std::mem::take(&mut thread.is_busy).then(|| thread.answers.recv().ok())?
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(Thread { orders, handle, .. }) = self.thread.take() {
            drop(orders);
            let _ = handle.join();
        }
    }
}

impl Thread {
    fn start(desk: Arc<Desk>) -> io::Result<Self> {
        let (orders, inbox) = channel::<Order>();
        let (outbox, answers) = channel();
        let work = move || {
            // Ends when the reader is dropped.
            for order in inbox {
                if outbox.send(desk.carry_out(&order)).is_err() {
                    break;
                }
            }
        };
        // What is called takes less than a page of it.
        let thread = Builder::new().name("ndarray-memmap".to_owned()).stack_size(1 << 17);
        Ok(Self { orders, answers, handle: thread.spawn(work)?, is_busy: false })
    }
}

impl Desk {
    /// What the kernel refuses costs speed only.
    fn carry_out(&self, order: &Order) -> Vec<Ranges> {
        let answers = order.ask.iter().map(|pages| absent(pages)).collect();
        for (wanted, (twin, advice)) in order.read.iter().zip(&self.0) {
            for range in &wanted.missing {
                let _ = match twin {
                    Some(twin) => twin.read(range),
                    None => address::request(range),
                };
            }
            // Where all pages are in memory, or nobody tells, the kernel reads as it is wont
            // to; else it has read what it should, and is not to read ahead of that.
            let quiet = advice == &Advice::Normal || advice == &Advice::Sequential;
            let quiet = quiet && !wanted.missing.is_empty();
            for range in &wanted.pages {
                if quiet {
                    let _ = address::advise(range, Advice::Random);
                }
                let _ = address::populate(range);
                if quiet {
                    let _ = address::advise(range, *advice);
                }
            }
        }
        answers
    }
}

/// Finds the pages that are not in memory; elsewhere than on Linux they all may not be.
fn absent(pages: &[Range<usize>]) -> Ranges {
    if !cfg!(target_os = "linux") {
        return pages.to_vec();
    }
    let mut absent = Vec::new();
    for range in pages {
        let note = |run, is_in: bool| {
            if !is_in {
                absent.push(run);
            }
        };
        let _ = address::residency(range, note);
    }
    absent
}
