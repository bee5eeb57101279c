//! Several processes that use one file: forks, kills, halves.

use std::fs;
use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Stdio;

use ndarray::Array1;
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray1};

use crate::{child, open};
use test_support::Place;

/// Odd, so that the halves meet in the middle of a page.
const LEN: usize = 300_001;

fn forked(work: impl FnOnce()) {
    // SAFETY: this process has one other thread, which waits for this one, and the child ends by
    // `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let failed = catch_unwind(AssertUnwindSafe(work)).is_err();
        // SAFETY: this process has nothing to clean up.
        unsafe { libc::_exit(i32::from(failed)) }
    }
    assert!(pid > 0);
    let mut status = 0;
    // SAFETY: `status` is valid for the write of the kernel.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((waited, status), (pid, 0));
}

#[test]
fn a_child_that_was_forked_reads_and_drops_and_its_parent_goes_on() {
    if let Some((_, file)) = child::part() {
        let numbers = Array1::from_iter(0..LEN as u32);
        let options = MapOptions::new(Create).lock(true).shape(LEN);
        let mut shared: MmapArray1<u32> = open(&options, &file).unwrap();
        shared.view_mut().unwrap().assign(&numbers);
        let other = Place::of(&[1; LEN]);
        let mut private: MmapArray1<u8> =
            open(&MapOptions::new(CopyOnWrite), &other).unwrap();
        private.view_mut().unwrap()[0] = 2;
        let (mut shared, mut private) = (Some(shared), Some(private));
        forked(|| {
            let a = shared.take().unwrap();
            let mut b = private.take().unwrap();
            assert!(a == numbers && (b[0], b[1]) == (2, 1));
            assert_eq!(
                a.sweep(ndarray::Axis(0), 100_000).unwrap().flatten().count(),
                LEN
            );
            b.view_mut().unwrap().fill(3);
            drop((a, b));
        });
        let (mut a, mut b) = (shared.unwrap(), private.unwrap());
        assert!(a == numbers, "the child's unmapping has no effect here");
        assert_eq!((b[0], b[1]), (2, 1), "private changes belong to one process");
        let lock = MapOptions::new(ReadOnly).lock(true);
        let refused = open::<u32, _>(&lock, &file).map(drop);
        assert!(
            matches!(refused.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Locked)),
            "{refused:?}"
        );
        a.view_mut().unwrap().fill(7);
        a.close().unwrap();
        drop(open::<u32, _>(&lock, &file).unwrap());
        b.commit().unwrap();
        assert_eq!(other.bytes().unwrap()[..2], [2, 1]);
        return child::done();
    }
    let place = Place::missing();
    let test = a_child_that_was_forked_reads_and_drops_and_its_parent_goes_on;
    child::passes(test, "fork", place.path());
    place.assert_holds([7_u32.to_ne_bytes(); LEN].as_flattened());
}

#[test]
fn what_was_stored_before_a_kill_is_in_the_file() {
    let test = what_was_stored_before_a_kill_is_in_the_file;
    if let Some((_, file)) = child::part() {
        let mut a: MmapArray1<u8> =
            open(&MapOptions::new(Create).shape(LEN), &file).unwrap();
        a.view_mut().unwrap().fill(1);
        a.sync().unwrap();
        a.view_mut().unwrap().slice_mut(ndarray::s![..LEN / 2]).fill(2);
        println!("\nsynced");
        loop {
            a.view_mut().unwrap()[LEN - 1] ^= 1;
        }
    }
    for _ in 0..5 {
        let place = Place::missing();
        let mut command = child::command(test, "store", place.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let said = output.lines().map_while(Result::ok).any(|line| line == "synced");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(said, "the child ended before its sync");
        let bytes = place.bytes().unwrap();
        assert_eq!(bytes.len(), LEN);
        assert!(bytes[..LEN / 2].iter().all(|&x| x == 2), "stored, not synced");
        assert!(bytes[LEN / 2..LEN - 1].iter().all(|&x| x == 1), "synced");
    }
}

#[test]
fn two_processes_that_write_a_half_each_do_not_disturb_each_other() {
    const ROUNDS: u8 = 100;

    if let Some((half, file)) = child::part() {
        let middle = LEN / 2;
        let (start, len, step) =
            if half == "low" { (0, middle, 1) } else { (middle, LEN - middle, 2) };
        let options = MapOptions::new(ReadWrite).offset(start as u64).shape(len);
        let mut a: MmapArray1<u8> = open(&options, &file).unwrap();
        for round in 0..ROUNDS {
            assert!(a.iter().all(|&x| x == round * step), "{half}, round {round}");
            *a.view_mut().unwrap() += step;
            if round % 10 == 0 {
                a.sync().unwrap();
            }
        }
        a.close().unwrap();
        return child::done();
    }
    let place = Place::of(&[0; LEN]);
    let test = two_processes_that_write_a_half_each_do_not_disturb_each_other;
    let children = ["low", "high"].map(|half| {
        let mut command = child::command(test, half, place.path());
        command.stdout(Stdio::null()).spawn().unwrap()
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let mut expected = vec![ROUNDS; LEN / 2];
    expected.resize(LEN, 2 * ROUNDS);
    place.assert_holds(&expected);
    assert!(fs::metadata(&place).unwrap().len() == LEN as u64);
}
