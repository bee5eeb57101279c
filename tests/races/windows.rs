//! Every pair of operations, at every system call of the first.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

use crate::apart::{Said, alone, fork, heard, wait};
use crate::rows::{Form, row};
use crate::session::{ROWS, Session, Work};
use crate::tracer::pause_at;
use crate::verdict::{Part, Rule, Story};

/// The operations of the two processes.
mod operations {
    pub(crate) use crate::outside::*;
    pub(crate) use crate::session::*;
}

/// A process: a name, its work, and whether it locks.
#[derive(Clone, Copy, Debug)]
struct Side(&'static str, Work, bool);

/// Lists sides by the names of their functions.
macro_rules! sides {
    ($lock:literal: $($name:ident)*) => {
        &[$(Side(stringify!($name), operations::$name, $lock)),*]
    };
}

/// Sides that lock the file and change it.
const LOCKING: &[Side] = sides![true: push append_many resize commit scatter];
/// The locking sides that add few rows; the number does not matter after they are complete.
const SHORT: &[Side] = sides![true: push resize commit scatter];
const LOCKING_RAW: &[Side] = sides![true: open_grow open_grow_fails];
const LOCKING_NPY: &[Side] = sides![true: make_growable_and_push];
/// Sides that only read.
const READING: &[Side] = sides![true: refresh read];
const READING_FREELY: &[Side] = sides![false: refresh read];
/// A side with a shared lock, which a second side that replaces the file may hold too.
const PUBLISHING: &[Side] = sides![true: publish];
/// Sides that read before they lock, so that they cannot be first.
const SECOND: &[Side] = sides![
    true: publish_locked rename_over_locked write_and_restore_time_locked
];
const FOREIGN: &[Side] = sides![false: rename_over];
const REPLACING: &[Side] = sides![false: publish rename_over];

/// Runs all pairs of two lists, and returns the violations.
#[must_use]
fn meet(rule: Rule, form: Form, firsts: &[&[Side]], seconds: &[&[Side]]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(form.file_name());
    let start = Instant::now();
    let (mut runs, mut faults) = (0, Vec::new());
    for first in firsts.iter().copied().flatten() {
        for second in seconds.iter().copied().flatten() {
            let (count, of_pair) = sweep(rule, form, &path, *first, *second);
            runs += count;
            let pair = format!("{form:?} {rule:?}: {} | {}", first.0, second.0);
            faults.extend(of_pair.iter().take(4).map(|(fault, calls)| {
                format!("{pair}: {fault}, at {} calls: {}", calls.len(), calls.join(", "))
            }));
        }
    }
    println!("{form:?} {rule:?}: {runs} runs in {:.1} s", start.elapsed().as_secs_f64());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert!(left.len() == 1, "files are left: {left:?}");
    faults
}

/// Runs a pair at each call of the first side. Returns the number of calls, and each fault with
/// the calls at which it occurred.
fn sweep(
    rule: Rule,
    form: Form,
    path: &Path,
    first: Side,
    second: Side,
) -> (usize, BTreeMap<String, Vec<String>>) {
    let rows: Vec<_> = (0..ROWS).map(|number| row((0, number))).collect();
    let bytes = form.bytes(&rows);
    let (mut faults, mut calls) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
    let mut last = None;
    for at in 0.. {
        fs::write(path, &bytes).unwrap();
        let Some(story) = run(rule, form, path, first, second, at) else { break };
        let call = story.call;
        let mut new = story.faults();
        if let (false, Err(e)) = (rule == Rule::Cut, form.load(path, false)) {
            new.push(format!("the file does not open: {e}"));
        }
        for fault in new {
            faults.entry(fault).or_default().push(format!("{at} {call}"));
        }
        if at == 0 {
            assert_works(second, &story.second);
        }
        calls.push(call);
        last = Some(story);
    }
    // If the second side runs after all calls of the first, the first is undisturbed.
    assert_works(first, &last.unwrap().first);
    assert!(calls.len() > 10 && calls.contains(&"openat"), "{first:?}: {calls:?}");
    let is_locked = calls.contains(&"flock");
    assert!(is_locked || !first.2, "{first:?}: {calls:?}");
    (calls.len(), faults)
}

/// Asserts that an undisturbed side does what its name says.
fn assert_works(side: Side, part: &Part) {
    let fails = side.0.ends_with("_fails");
    let errors = part.lines.iter().filter(|line| line.starts_with("err ")).count();
    assert_eq!(errors, usize::from(fails), "{side:?}: {part:?}");
}

#[track_caller]
fn assert_none(faults: impl IntoIterator<Item = Vec<String>>) {
    let faults: Vec<_> = faults.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Runs the second side at one call of the first; `None` if the first has no such call.
fn run(
    rule: Rule,
    form: Form,
    path: &Path,
    first: Side,
    second: Side,
    at: usize,
) -> Option<Story> {
    let (mut pipe, said) = io::pipe().unwrap();
    let mut said = Said(said);
    let (mut before, mut other) = (Vec::new(), None);
    let quiet = said.fd();
    let (work, between) = (
        || Session::new(path, form, first.2, 1, &mut said).run(first.1),
        || {
            before = heard(&mut pipe);
            let (mut pipe, said) = io::pipe().unwrap();
            let mut said = Said(said);
            let pid =
                fork(|| Session::new(path, form, second.2, 2, &mut said).run(second.1));
            drop(said);
            let status = wait(pid);
            let mut text = String::new();
            let _ = pipe.read_to_string(&mut text).unwrap();
            let lines = text.lines().map(str::to_owned).collect();
            other = Some(Part { lines, status });
        },
    );
    let trace = pause_at(at, path, quiet, work, between);
    drop(said);
    let call = trace.paused_at?;
    let mut lines = before;
    let before = lines.len();
    lines.extend(heard(&mut pipe));
    let bytes = form.read(path).unwrap();
    let first = Part { lines, status: trace.status };
    let second = other?;
    Some(Story {
        rule,
        form,
        call,
        first,
        before,
        locked: trace.locked,
        looked: trace.looked,
        second,
        bytes,
    })
}

#[test]
#[ignore = "needs ptrace and a minute; run by .ci/steps/races"]
fn two_that_lock_a_raw_file_lose_nothing() {
    alone(two_that_lock_a_raw_file_lose_nothing, || {
        let firsts = [LOCKING, LOCKING_RAW, READING];
        let seconds = [SHORT, LOCKING_RAW];
        assert_none([
            meet(
                Rule::Locks,
                Form::Raw,
                &firsts,
                &[&seconds[..], &[PUBLISHING, SECOND]].concat(),
            ),
            meet(
                Rule::Locks,
                Form::Raw,
                &[PUBLISHING],
                &[&seconds[..], &[SECOND]].concat(),
            ),
        ]);
    });
}

#[test]
#[ignore = "needs ptrace and a minute; run by .ci/steps/races"]
fn two_that_lock_an_npy_file_lose_nothing() {
    alone(two_that_lock_an_npy_file_lose_nothing, || {
        let firsts = [LOCKING, READING];
        assert_none([
            meet(Rule::Locks, Form::Npy, &firsts, &[SHORT, PUBLISHING, SECOND]),
            meet(Rule::Locks, Form::Npy, &[PUBLISHING], &[SHORT, SECOND]),
        ]);
    });
}

#[test]
#[ignore = "needs ptrace; run by .ci/steps/races"]
fn a_header_is_given_room_while_others_work() {
    alone(a_header_is_given_room_while_others_work, || {
        let seconds = [sides![true: push commit publish], LOCKING_NPY, SECOND];
        let make = sides![false: make_growable];
        assert_none([
            meet(Rule::Locks, Form::Tight, &[LOCKING_NPY], &seconds),
            meet(Rule::Notices, Form::Tight, &[make], &[REPLACING]),
        ]);
    });
}

#[test]
#[ignore = "needs ptrace; run by .ci/steps/races"]
fn a_lock_is_on_the_file_that_the_path_names() {
    alone(a_lock_is_on_the_file_that_the_path_names, || {
        let firsts = sides![true: push resize commit scatter];
        let forms = [Form::Raw, Form::Npy];
        assert_none(forms.map(|form| meet(Rule::Opens, form, &[firsts], &[FOREIGN])));
    });
}

#[test]
#[ignore = "needs ptrace; run by .ci/steps/races"]
fn a_commit_notices_that_the_file_is_another_or_has_changed() {
    alone(a_commit_notices_that_the_file_is_another_or_has_changed, || {
        let (commit, anyway) = (sides![false: commit], sides![false: force_commit]);
        let changing = sides![false: write_and_restore_time scatter];
        assert_none([Form::Raw, Form::Npy].map(|form| {
            let mut faults = meet(Rule::Notices, form, &[commit], &[REPLACING, changing]);
            faults.extend(meet(Rule::Notices, form, &[anyway], &[REPLACING]));
            faults
        }));
    });
}

#[test]
#[ignore = "needs ptrace; run by .ci/steps/races"]
fn an_operation_that_fails_leaves_what_others_have_written() {
    alone(an_operation_that_fails_leaves_what_others_have_written, || {
        let writers = sides![false: push append_many resize];
        let fails = sides![false: open_grow_fails];
        assert_none([meet(Rule::Leaves, Form::Raw, &[fails], &[writers])]);
    });
}

#[test]
#[ignore = "needs ptrace; run by .ci/steps/races"]
fn a_reader_of_a_file_that_grows_finds_whole_rows() {
    alone(a_reader_of_a_file_that_grows_finds_whole_rows, || {
        let writers = sides![false: push append_many commit scatter rename_over publish];
        let forms = [Form::Raw, Form::Npy];
        let meet = |form| meet(Rule::Leaves, form, &[READING_FREELY], &[writers]);
        assert_none(forms.map(meet));
    });
}

#[test]
#[ignore = "needs ptrace; run by .ci/steps/races"]
fn a_file_that_is_cut_is_an_error_or_the_end() {
    alone(a_file_that_is_cut_is_an_error_or_the_end, || {
        let firsts = sides![
            false: push append_many resize commit force_commit scatter refresh read publish
        ];
        let cut = sides![false: cut];
        let forms = [Form::Raw, Form::Npy];
        assert_none(forms.map(|form| meet(Rule::Cut, form, &[firsts], &[cut])));
    });
}
