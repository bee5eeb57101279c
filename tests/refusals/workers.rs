//! The processes that run scenarios, and the report of their results.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::io::{Read, Write, pipe};
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Instant;

use rustix::process::{WaitOptions, waitpid};

use crate::calls::has_alternative;
use crate::contents::Left;
use crate::kernel;
use crate::plan::{self, How, Refusal};
use crate::scenarios::{self, Scenario};
use crate::supervisor::{Ended, run};

/// The minimum number of runs if no scenarios are chosen.
const LEAST_RUNS: usize = 5000;

/// The results of all runs.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) runs: usize,
    pub(crate) least_runs: usize,
    scenarios: usize,
    /// The number of runs of all combinations.
    possible: usize,
    missed: usize,
    seconds: u64,
    pub(crate) violations: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "VIOLATION: {violation}")?;
        }
        write!(
            f,
            "{} runs of {} scenarios in {} s, {} of which did not make the call, of {} \
             possible ones; {} violations",
            self.runs,
            self.scenarios,
            self.seconds,
            self.missed,
            self.possible,
            self.violations.len()
        )
    }
}

/// Runs all requested scenarios, in one process for each processor.
pub(crate) fn run_all() -> Report {
    let asked = env::var("REFUSALS").unwrap_or_default();
    let is_all = asked == "all";
    let name = if is_all { "" } else { &asked };
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let (queue, mut numbers) = pipe().unwrap();
    let all = scenarios::all();
    let chosen = all.iter().enumerate().filter(|(_, s)| s.name.contains(name));
    let chosen: Vec<u8> =
        chosen.map(|(number, _)| u8::try_from(number).unwrap()).collect();
    numbers.write_all(&chosen).unwrap();
    drop(numbers);
    let workers = available_parallelism().map_or(1, usize::from);
    let children: Vec<_> = (0..workers)
        .map(|number| {
            kernel::fork().unwrap_or_else(|| {
                let dir = folder.path().join(format!("files-{number}"));
                let report = folder.path().join(format!("report-{number}"));
                kernel::die_with_parent();
                let _ = std::panic::catch_unwind(|| {
                    work(&all, &queue, &dir, &report, is_all || !name.is_empty());
                });
                kernel::exit_now();
            })
        })
        .collect();
    for child in children {
        waitpid(Some(child), WaitOptions::empty()).unwrap();
    }
    let mut report = Report { scenarios: chosen.len(), ..Report::default() };
    let mut ended = 0;
    for number in 0..workers {
        let path = folder.path().join(format!("report-{number}"));
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            match line.split_once(' ').unwrap() {
                ("runs", count) => {
                    report.runs += count.parse::<usize>().unwrap();
                    ended += 1;
                }
                ("possible", count) => report.possible += count.parse::<usize>().unwrap(),
                ("missed", count) => report.missed += count.parse::<usize>().unwrap(),
                (_, violation) => report.violations.push(violation.to_owned()),
            }
        }
    }
    assert_eq!(ended, chosen.len(), "a worker has ended too early");
    report.seconds = started.elapsed().as_secs();
    report.least_runs = if name.is_empty() { LEAST_RUNS } else { 1 };
    report
}

/// Takes scenarios from the queue until there are no more.
fn work(all: &[Scenario], mut queue: impl Read, dir: &Path, report: &Path, is_all: bool) {
    let mut report = fs::File::create(report).unwrap();
    let mut number = [0];
    while queue.read(&mut number).unwrap() == 1 {
        let number = usize::from(number[0]);
        let scenario = &all[number];
        let mut found: BTreeMap<String, (usize, String)> = BTreeMap::new();
        let (runs, missed, possible) =
            examine(scenario, dir, number, is_all, &mut |refusal, said| {
                // The report needs only one example of each kind.
                let example =
                    refusal.map_or_else(String::new, |r| format!("{} ", r.described()));
                let key = refusal.map_or_else(String::new, |r| {
                    format!(
                        "{:?} {}",
                        r.kind,
                        said.split(['0', '1', '2', '3', '4', '5']).next().unwrap()
                    )
                });
                found.entry(key).or_insert_with(|| (0, format!("{example}{said}"))).0 +=
                    1;
            });
        for (count, example) in found.values() {
            writeln!(report, "violation {} ({count} times): {example}", scenario.name)
                .unwrap();
        }
        writeln!(report, "possible {possible}\nmissed {missed}\nruns {runs}").unwrap();
    }
}

/// Runs a scenario with each refusal. Returns the number of runs, of runs that missed the call,
/// and of possible runs.
fn examine(
    scenario: &Scenario,
    dir: &Path,
    number: usize,
    is_all: bool,
    violation: &mut dyn FnMut(Option<&Refusal>, &str),
) -> (usize, usize, usize) {
    let idle = run(scenario, dir, None, true);
    let done = run(scenario, dir, None, false);
    for complaint in idle.complaints.iter().chain(&done.complaints) {
        violation(None, complaint);
    }
    if !matches!(done.outcome, Some(Ok(()))) {
        violation(None, &format!("without refusals: {:?}", done.outcome));
        return (2, 0, 2);
    }
    let mut refusals = plan::all(&done.counts);
    let possible = refusals.len() + 2;
    if !is_all {
        refusals = plan::sample(&refusals, number);
    }
    let mut missed = 0;
    for refusal in &refusals {
        let ended = run(scenario, dir, Some(refusal), false);
        if !ended.is_refused {
            missed += 1;
        }
        for complaint in complaints(scenario, refusal, &ended, &idle, &done) {
            violation(Some(refusal), &complaint);
        }
    }
    let _ = fs::remove_dir_all(dir);
    (refusals.len() + 2, missed, possible)
}

/// Returns the complaints about a run.
fn complaints(
    scenario: &Scenario,
    refusal: &Refusal,
    ended: &Ended,
    idle: &Ended,
    done: &Ended,
) -> Vec<String> {
    let mut complaints = ended.complaints.clone();
    if refusal.kind.0 == libc::SYS_munmap {
        // A mapping that cannot be unmapped stays mapped.
        complaints.retain(|complaint| {
            !complaint.starts_with("a mapping is left")
                && !complaint.ends_with("is locked")
        });
    }
    if refusal.how == How::From && is_past_help(scenario.name, refusal.kind.0) {
        complaints.retain(|complaint| complaint != "killed by signal 7");
    }
    let Some(outcome) = &ended.outcome else { return complaints };
    if let Err(failure) = outcome {
        if has_alternative(scenario.name, refusal.kind.0, refusal.errno) {
            complaints.push(format!("fails though it need not: {}", failure.text));
        }
        let names = failure.text.contains(&format!("(os error {})", refusal.errno));
        if !names && !is_known(refusal.errno, &failure.text) {
            complaints.push(format!("names another cause: {}", failure.text));
        }
    }
    let left = ended.left.unwrap_or(Left::Same);
    let files = left.complaint(outcome.is_ok(), &idle.files, &done.files, &ended.files);
    complaints.extend(files.filter(|_| ended.left.is_some()).map(
        |files| match outcome {
            Ok(()) => format!("Ok, but {files}"),
            Err(failure) => format!("{files} after {}", failure.text),
        },
    ));
    complaints
}

/// Returns whether the guard cannot map anything: the process then ends as without the guard.
fn is_past_help(operation: &str, number: i64) -> bool {
    operation == "guarded sum of a file that was cut" && number == libc::SYS_mmap
}

/// Returns whether an error of the crate represents an error number of the kernel.
fn is_known(errno: i32, text: &str) -> bool {
    match errno {
        // The crate reports a missing proof for every error of the kernel.
        _ if text.contains("NotImmutable") => true,
        libc::ENOSPC | libc::EDQUOT => text.contains("NoSpace"),
        libc::EAGAIN | libc::ENOMEM | libc::EPERM => {
            text.contains("Locked") || text.contains("MemoryLock")
        }
        _ => false,
    }
}
