//! The slots of the guard in all interleavings of threads that memory orders allow.
//!
//! `.ci/steps/loom` runs this with `--cfg loom`; otherwise this program is empty.
#![cfg(loom)]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "files are mapped, the numbers are small, and a panic is a failed test"
)]

#[path = "../../src/guard/slots.rs"]
#[expect(dead_code, reason = "handlers use more of it")]
mod slots;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use slots::{Mapped, Slots};

/// Returns a mapping whose fields identify it.
fn mapped(number: usize) -> Mapped {
    Mapped {
        start: number * 1000,
        end: number * 1000 + 500,
        offset: number,
        file: number,
        writable: number % 2 == 1,
    }
}

fn slots() -> &'static Slots {
    Box::leak(Box::new(Slots::new()))
}

#[test]
fn a_mapping_is_found_while_others_come_and_go() {
    loom::model(|| {
        let slots = slots();
        let two = slots.add(2);
        two[1].fill(&mapped(1));
        two[0].fill(&mapped(2));
        let other = thread::spawn(move || {
            // Unmap the neighbour, and map another array in its slot.
            two[0].clear();
            two[0].fill(&mapped(3));
        });
        let (_, found) = slots.find(1200).unwrap();
        assert_eq!(found, mapped(1));
        other.join().unwrap();
    });
}

#[test]
fn no_mapping_is_found_that_is_part_of_two() {
    // The last address lies between the start of one mapping and the end of the other.
    for (address, expected) in [(1100, Some(1)), (2100, Some(2)), (1700, None)] {
        loom::model(move || {
            let slots = slots();
            let one = slots.add(1);
            one[0].fill(&mapped(1));
            let other = thread::spawn(move || {
                one[0].clear();
                one[0].fill(&mapped(2));
            });
            if let Some((_, found)) = slots.find(address) {
                assert_eq!(Some(found), expected.map(mapped));
            }
            other.join().unwrap();
            assert_eq!(slots.find(2100).unwrap().1, mapped(2));
        });
    }
}

#[test]
fn slots_that_are_added_are_complete_when_they_are_found() {
    loom::model(|| {
        let slots = slots();
        slots.add(1)[0].fill(&mapped(1));
        let other = thread::spawn(move || slots.add(1)[0].fill(&mapped(2)));
        assert_eq!(slots.find(1100).unwrap().1, mapped(1));
        if let Some((_, found)) = slots.find(2100) {
            assert_eq!(found, mapped(2));
        }
        other.join().unwrap();
        assert_eq!(slots.find(2100).unwrap().1, mapped(2));
    });
}

#[test]
fn two_handlers_note_one_loss_each_and_a_reader_sees_whole_ones() {
    loom::model(|| {
        let slots = slots();
        let slot = &slots.add(1)[0];
        slot.fill(&mapped(1));
        let handlers: Vec<thread::JoinHandle<usize>> = [4096, 8192]
            .map(|page| {
                thread::spawn(move || {
                    // A handler that finds another at work returns, and the access is retried.
                    if !slot.losses.try_lock(1) {
                        return 0;
                    }
                    let is_new = !slot.losses.has(page);
                    if is_new {
                        slot.losses.note(page, false);
                        slot.losses.replaced(&(page..page + 4096), false);
                    }
                    slot.losses.unlock();
                    usize::from(is_new)
                })
            })
            .into();
        if let Some(loss) = slot.losses.loss() {
            assert!([4096, 8192].contains(&loss.first) && !loss.past_end, "{loss:?}");
        }
        let noted = handlers.into_iter().map(|handler| handler.join().unwrap());
        let noted: Vec<usize> = noted.collect();
        assert_eq!(slot.losses.loss().unwrap().count, noted[0] + noted[1]);
        assert_eq!(slot.losses.has(4096), noted[0] == 1);
        assert_eq!(slot.losses.has(8192), noted[1] == 1);
        assert!(!slot.losses.has(0));
    });
}

#[test]
fn a_thread_that_sees_zeros_in_place_of_a_page_knows_of_the_loss() {
    loom::model(|| {
        let slots = slots();
        let slot = &slots.add(1)[0];
        slot.fill(&mapped(1));
        // The lock of the page table orders a new mapping before the threads that read it.
        let are_zeros: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        let handler = thread::spawn(move || {
            slot.losses.note(1100, true);
            are_zeros.store(true, Ordering::Release);
            slot.losses.replaced(&(1000..1500), true);
        });
        if are_zeros.load(Ordering::Acquire) {
            let loss = slot.losses.loss().unwrap();
            assert_eq!((loss.first, loss.past_end, loss.count), (1100, true, 1));
        }
        handler.join().unwrap();
    });
}

#[test]
fn a_process_takes_over_what_its_parent_has_left_locked() {
    loom::model(|| {
        let slot = &slots().add(1)[0];
        assert!(slot.losses.try_lock(1));
        assert!(!slot.losses.try_lock(1));
        let takers = [(); 2].map(|()| thread::spawn(move || slot.losses.try_lock(2)));
        let taken = takers.map(|taker| taker.join().unwrap());
        assert!(taken[0] != taken[1], "{taken:?}");
    });
}
