//! Runs all scenarios on all file systems, each in its own process, and counts the results.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::disk::Wiring;
use crate::file_system::{self, FileSystem};
use crate::job::{Budget, Job, Outcome};
use crate::scenarios;

/// A folder that is removed on drop.
#[derive(Debug)]
pub(crate) struct WorkFolder(PathBuf);

impl WorkFolder {
    /// Creates a folder in the temporary folder, which should be in memory.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        let name = format!("crash-states-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // File systems still mounted there stay until the process ends.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The jobs to run, from the environment.
#[derive(Debug)]
struct Plan {
    seed: usize,
    budget: Budget,
    /// Only jobs whose name contains this.
    only: String,
    /// The file systems that this machine has.
    systems: Vec<FileSystem>,
}

impl Plan {
    fn read() -> io::Result<Self> {
        let variable =
            |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let number = |name: &str, default: usize| match variable(name) {
            Some(value) => value.parse().map_err(io::Error::other),
            None => Ok(default),
        };
        let budget = match variable("CRASH_STATES").as_deref() {
            Some("all") => Budget { prefixes: usize::MAX, states: 2000 },
            _ => {
                let states = number("CRASH_STATES", 16)?;
                Budget { prefixes: states / 2, states }
            }
        };
        let seed = number("CRASH_SEED", 1)?;
        let only = variable("CRASH_ONLY").unwrap_or_default();
        let listed = variable("CRASH_SYSTEMS");
        let is_listed = |system: &&FileSystem| {
            let mut names =
                listed.as_deref().map(str::split_whitespace).into_iter().flatten();
            listed.is_none() || names.any(|name| name == system.name)
        };
        let systems = file_system::ALL.iter().filter(is_listed).copied().collect();
        Ok(Self { seed, budget, only, systems })
    }
}

/// Runs one job, and prints its results for the process that started it.
pub(crate) fn run_job(
    [system, scenario]: [&str; 2],
    [seed, prefixes, states]: [&str; 3],
    loses_flushes: bool,
) -> io::Result<bool> {
    let unknown = || io::Error::other(format!("no {system} or no {scenario}"));
    let system = file_system::find(system).ok_or_else(unknown)?;
    let scenario = scenarios::find(scenario).ok_or_else(unknown)?;
    let seed = seed.parse().map_err(io::Error::other)?;
    let parse = |number: &str| number.parse().map_err(io::Error::other);
    let budget = Budget { prefixes: parse(prefixes)?, states: parse(states)? };
    let wiring = Wiring { loses_flushes, ..Wiring::default() };
    let folder = WorkFolder::new(&format!("{}-{}", system.name, scenario.name))?;
    let job = Job { system, scenario, seed, wiring };
    let outcome = job.run(folder.path(), budget)?;
    let Outcome { requests, flushes, states, refused, violations } = outcome;
    println!("found {requests} {flushes} {states} {refused} {}", violations.len());
    violations.iter().for_each(|violation| println!("{violation}"));
    Ok(true)
}

/// One job and the output of its process.
#[derive(Debug)]
struct Report {
    system: &'static str,
    scenario: &'static str,
    /// Whether violations are expected.
    is_broken: bool,
    /// Requests, flushes, states, refused states and violations; `None` if the process failed.
    numbers: Option<[usize; 5]>,
    text: String,
}

impl Report {
    fn is_right(&self) -> bool {
        self.numbers.is_some_and(|[.., violations]| (violations > 0) == self.is_broken)
    }

    /// Prints the first `lines` of the output of the process.
    fn print(&self, lines: usize) {
        let text: String = self.text.split_inclusive('\n').take(lines).collect();
        println!("--- {}/{}\n{text}", self.system, self.scenario);
    }
}

/// Runs all jobs, one for each processor at the same time.
pub(crate) fn run_all() -> io::Result<bool> {
    let plan = Plan::read()?;
    println!("seed {}, {:?}", plan.seed, plan.budget);
    let mut jobs = Vec::new();
    for system in &plan.systems {
        for scenario in scenarios::all() {
            jobs.push((system.name, scenario.name, scenario.is_broken, false));
        }
        jobs.push((system.name, "store", true, true));
    }
    jobs.retain(|(system, scenario, ..)| {
        format!("{system}/{scenario}").contains(&plan.only)
    });
    jobs.reverse();
    let (jobs, reports) = (Mutex::new(jobs), Mutex::new(Vec::new()));
    let processors = thread::available_parallelism().map_or(2, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while let Some(job) = jobs.lock().ok().and_then(|mut jobs| jobs.pop()) {
                    let report = run_process(&plan, job);
                    if !report.is_right() {
                        report.print(if plan.only.is_empty() { 12 } else { usize::MAX });
                    }
                    reports.lock().map(|mut reports| reports.push(report)).unwrap_or(());
                }
            });
        }
    });
    let reports =
        reports.into_inner().map_err(|_| io::Error::other("a thread failed"))?;
    Ok(conclude(&plan, &reports))
}

fn run_process(
    plan: &Plan,
    (system, scenario, is_broken, loses_flushes): (
        &'static str,
        &'static str,
        bool,
        bool,
    ),
) -> Report {
    let Budget { prefixes, states } = plan.budget;
    let numbers = [plan.seed, prefixes, states].map(|number| number.to_string());
    let output = std::env::current_exe().and_then(|program| {
        Command::new("timeout")
            .args(["--kill-after=5", "600"])
            .arg(program)
            .args(["job", system, scenario])
            .args(numbers)
            .arg(loses_flushes.to_string())
            .stdin(Stdio::null())
            .output()
    });
    let (text, errors) = match &output {
        Ok(output) => (&output.stdout[..], &output.stderr[..]),
        Err(_) => (&[][..], &[][..]),
    };
    let [text, errors] =
        [text, errors].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let numbers: Vec<_> = first
        .strip_prefix("found ")
        .unwrap_or("")
        .split(' ')
        .flat_map(str::parse)
        .collect();
    let numbers = <[usize; 5]>::try_from(numbers).ok();
    let text = match numbers {
        Some(_) => format!("{rest}{errors}"),
        None => format!("the job failed: {output:?}"),
    };
    let scenario = if loses_flushes { "broken-disk" } else { scenario };
    Report { system, scenario, is_broken, numbers, text }
}

/// Prints the states of each file system and scenario; returns whether all results are right.
fn conclude(plan: &Plan, reports: &[Report]) -> bool {
    let mut table = BTreeMap::<_, BTreeMap<_, _>>::new();
    for report in reports {
        table.entry(report.scenario).or_default().insert(report.system, report);
    }
    let names = plan.systems.iter().map(|system| system.name);
    print!("{:22}", "states (violations)");
    names.clone().for_each(|name| print!(" {name:>12}"));
    println!();
    for (scenario, row) in &table {
        print!("{scenario:22}");
        for name in names.clone() {
            let cell =
                match row.get(name).map(|report| (report.numbers, report.is_right())) {
                    None => String::new(),
                    Some((None, _)) => "failed".to_owned(),
                    Some((Some([_, _, states, _, 0]), true)) => states.to_string(),
                    Some((Some([_, _, states, _, violations]), is_right)) => {
                        let mark = if is_right { "" } else { "!" };
                        format!("{states} ({violations}){mark}")
                    }
                };
            print!(" {cell:>12}");
        }
        println!();
    }
    let sum = |index: usize, is_broken: bool| -> usize {
        let reports = reports.iter().filter(|report| report.is_broken == is_broken);
        reports.filter_map(|report| report.numbers).map(|numbers| numbers[index]).sum()
    };
    let wrong = reports.iter().filter(|report| !report.is_right()).count();
    println!(
        "{} states of {} requests and {} flushes ({} more with writes in part did not mount): \
         {} violations; {} of programs and disks that are broken on purpose; {wrong} of {} jobs \
         are not as they should be",
        sum(2, false),
        sum(0, false),
        sum(1, false),
        sum(3, false),
        sum(4, false),
        sum(4, true),
        reports.len(),
    );
    wrong == 0 && sum(3, false) * 50 <= sum(2, false)
}
