//! Six processes that run all operations on four files at the same time, and are killed.
//!
//! `STORM_SECONDS` is the duration. `STORM_SEED` repeats the choices of another storm.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ndarray_memmap::Mode::{ReadOnly, ReadWrite};

use crate::apart::PATIENCE;
use crate::rows::{Name, WIDTH, name, row};
use crate::storm_part::{self, CELLS, FILES, PROCESSES};

const PART: &str = "NDARRAY_MEMMAP_STORM_PART";

/// A line of a process, or `None` after its end.
type Line = (u64, Option<String>);

/// The state of the process that runs the storm.
#[derive(Debug)]
struct Storm {
    folder: PathBuf,
    seed: u64,
    children: BTreeMap<u64, Child>,
    /// When each process last began an operation.
    begun: BTreeMap<u64, Instant>,
    starts: u64,
    sender: Sender<Line>,
    /// The process that is stopped for a moment, so that others interrupt its operation.
    stopped: Option<u64>,
    next_stop: Instant,
    random: u64,
}

#[test]
fn six_processes_lose_nothing_that_was_acknowledged() {
    if let Ok(part) = env::var(PART) {
        let words: Vec<&str> = part.splitn(3, ' ').collect();
        let [slot, seed] = [0, 1].map(|at| words[at].parse().unwrap());
        storm_part::run(Path::new(words[2]), slot, seed);
        return;
    }
    let number =
        |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seconds = number("STORM_SECONDS").unwrap_or(2);
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let seed = number("STORM_SEED").unwrap_or(since.as_micros() as u64);
    println!("STORM_SEED={seed} STORM_SECONDS={seconds}");
    let folder = tempfile::tempdir().unwrap();
    make_files(folder.path());
    let (sender, receiver) = channel();
    let mut storm = Storm {
        folder: folder.path().to_owned(),
        seed,
        children: BTreeMap::new(),
        begun: BTreeMap::new(),
        starts: 0,
        sender,
        stopped: None,
        next_stop: Instant::now(),
        random: seed | 1,
    };
    (1..=PROCESSES).for_each(|slot| storm.start(slot));
    let (kills, mut faults) = storm.rage(&receiver, Duration::from_secs(seconds));
    faults.extend(losses(folder.path()));
    faults.extend(leftovers(&folder.path().join("files"), kills));
    faults.truncate(30);
    assert!(faults.is_empty(), "STORM_SEED={seed}\n{}", faults.join("\n"));
}

fn make_files(folder: &Path) {
    for sub in ["files", "said", "locks"] {
        fs::create_dir(folder.join(sub)).unwrap();
    }
    let cells: Vec<_> = (0..PROCESSES * CELLS).map(|index| row((0, index))).collect();
    for (file, form, is_log) in FILES {
        let rows = if is_log { &[][..] } else { &cells };
        fs::write(folder.join("files").join(file), form.bytes(rows)).unwrap();
    }
}

impl Storm {
    fn start(&mut self, slot: u64) {
        let seed = self.seed.wrapping_add(self.starts.wrapping_mul(0x9e37_79b9));
        self.starts += 1;
        let mut command = Command::new(env::current_exe().unwrap());
        let test = "storm::six_processes_lose_nothing_that_was_acknowledged";
        command.args([test, "--exact", "--nocapture"]);
        command.env(PART, format!("{slot} {seed} {}", self.folder.display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let sender = self.sender.clone();
        let _ = thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                let _ = sender.send((slot, Some(line)));
            }
            let _ = sender.send((slot, None));
        });
        let _ = self.children.insert(slot, child);
        let _ = self.begun.insert(slot, Instant::now());
    }

    /// Runs the processes for some time and ends them. Returns how many were killed, and the
    /// faults.
    fn rage(
        &mut self,
        receiver: &Receiver<Line>,
        time: Duration,
    ) -> (usize, Vec<String>) {
        let (start, mut kills, mut counts) = (Instant::now(), 0, BTreeMap::new());
        let (mut faults, mut stops) = (Vec::new(), false);
        while !self.children.is_empty() {
            if !stops && start.elapsed() > time {
                stops = true;
                fs::write(self.folder.join("stop"), b"").unwrap();
            }
            self.stop_another();
            match receiver.recv_timeout(Duration::from_millis(1)) {
                Ok((slot, Some(line))) => {
                    let _ = self.begun.insert(slot, Instant::now());
                    let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
                    match verb {
                        "at" | "done" => *counts.entry(line.clone()).or_insert(0) += 1,
                        "bad" => faults.push(format!("process {slot}: {rest}")),
                        "kill" if !stops => {
                            kills += 1;
                            let victim = rest.parse().unwrap();
                            if let Some(child) = self.children.get_mut(&victim) {
                                child.kill().unwrap();
                            }
                        }
                        _ => {}
                    }
                }
                Ok((slot, None)) => faults.extend(self.end_of(slot, stops)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(error) => panic!("{error}"),
            }
            faults.extend(self.hanging());
        }
        println!("{} starts, {kills} kills, {counts:#?}", self.starts);
        (kills, faults)
    }

    /// Restarts a process that was killed; any other end is a fault.
    fn end_of(&mut self, slot: u64, stops: bool) -> Option<String> {
        let status = self.children.remove(&slot)?.wait().unwrap();
        let was_killed =
            std::os::unix::process::ExitStatusExt::signal(&status) == Some(libc::SIGKILL);
        if !stops {
            self.start(slot);
        }
        let is_right = was_killed || stops && status.success();
        (!is_right).then(|| format!("process {slot} ended with {status}"))
    }

    /// Continues the stopped process after some time, and stops another.
    fn stop_another(&mut self) {
        if self.next_stop > Instant::now() {
            return;
        }
        for shift in [13_i32, -7, 17] {
            self.random ^=
                if shift > 0 { self.random << shift } else { self.random >> -shift };
        }
        let slot = (self.random >> 16) % (2 * PROCESSES);
        let (old, new) = (self.stopped.take(), Some(slot).filter(|slot| *slot > 0));
        for (slot, signal) in [(old, libc::SIGCONT), (new, libc::SIGSTOP)] {
            let child = slot.and_then(|slot| self.children.get(&slot));
            let Some(pid) = child.map(|child| i32::try_from(child.id()).unwrap()) else {
                continue;
            };
            // SAFETY: the call has no preconditions. The process has not been waited for, so that
            // no other process has its number.
            let _ = unsafe { libc::kill(pid, signal) };
        }
        self.stopped = new;
        let time = Duration::from_micros((self.random >> 32) % 30_000);
        self.next_stop = Instant::now() + time;
    }

    fn hanging(&mut self) -> Vec<String> {
        let patience = Duration::from_secs(u64::from(PATIENCE));
        let mut faults = Vec::new();
        for (slot, child) in &mut self.children {
            let begun = self.begun.get_mut(slot).unwrap();
            if begun.elapsed() > patience {
                faults.push(format!("process {slot} hangs for {PATIENCE} s"));
                *begun = Instant::now();
                child.kill().unwrap();
            }
        }
        faults
    }
}

/// Returns the rows of a file that the processes reported as attempted or acknowledged.
fn said(folder: &Path, file: &str, verb: &str) -> Vec<(Name, Option<u64>)> {
    let mut said = Vec::new();
    for slot in 1..=PROCESSES {
        let text = fs::read_to_string(storm_part::said_path(folder, slot)).unwrap();
        let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        for line in complete.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            match words[..] {
                [first, second, ..] if first != verb || second != file => {}
                [_, _, "rows", ..] => {
                    said.extend((number(3)..number(4)).map(|n| ((slot, n), None)));
                }
                [_, _, "cell", ..] => said.push(((slot, number(4)), Some(number(3)))),
                // A line truncated by a kill.
                _ => {}
            }
        }
    }
    said
}

/// Reads the files, and returns differences from the acknowledged rows.
fn losses(folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, form, is_log) in FILES {
        let path = folder.join("files").join(file);
        let mut fault = |text: String| faults.push(format!("{file}: {text}"));
        storm_part::repair(&path, form);
        for mode in [ReadOnly, ReadWrite] {
            if let Err(error) = form.open(&path, mode, true) {
                fault(format!("does not open in mode {mode}: {error}"));
            }
        }
        let rows = match form.rows(&form.read(&path).unwrap()) {
            Ok(rows) => rows,
            Err(why) => {
                fault(why);
                continue;
            }
        };
        let attempted: BTreeMap<_, _> = said(folder, file, "try").into_iter().collect();
        let mut found = BTreeSet::new();
        for (index, row) in (0_u64..).zip(&rows) {
            match name(*row) {
                None if *row == [0; WIDTH] => fault(format!("row {index} is zeros")),
                None => fault(format!("row {index} is {row:?}")),
                Some((0, number)) if !is_log && number == index => {}
                Some(name) => match attempted.get(&name) {
                    None => {
                        fault(format!("row {index} is {name:?}, which no process wrote"))
                    }
                    Some(Some(cell)) if *cell != index => {
                        fault(format!("{name:?} is row {index}, not {cell}"));
                    }
                    Some(_) if found.insert(name) => {}
                    Some(_) => fault(format!("{name:?} is there twice")),
                },
            }
        }
        let acknowledged = said(folder, file, "ack");
        println!("{file}: {} rows, {} acknowledged", rows.len(), acknowledged.len());
        for (name, cell) in acknowledged {
            let is_there = match cell {
                None => found.contains(&name),
                // A later change of the cell counts instead.
                Some(cell) => found.iter().any(|(writer, number)| {
                    (*writer, true) == (name.0, *number >= name.1)
                        && attempted.get(&(*writer, *number)) == Some(&Some(cell))
                }),
            };
            if !is_there {
                fault(format!("{name:?} was acknowledged and is lost"));
            }
        }
    }
    faults
}

/// Returns the drafts that remain; only killed processes may leave any.
fn leftovers(files: &Path, kills: usize) -> Vec<String> {
    let names = fs::read_dir(files).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    let is_file = |name: &String| FILES.iter().any(|(file, ..)| file == name);
    let (drafts, other): (Vec<_>, Vec<_>) = names
        .into_iter()
        .filter(|name| !is_file(name))
        .partition(|name| name.starts_with(".draft-"));
    let mut faults = Vec::new();
    if drafts.len() > kills {
        faults.push(format!("{kills} kills, but {drafts:?} are left"));
    }
    let other: Vec<_> =
        other.into_iter().filter(|name| !name.ends_with(".new")).collect();
    if !other.is_empty() {
        faults.push(format!("{other:?} are left"));
    }
    faults
}
