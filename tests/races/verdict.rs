//! The conditions that must hold after two processes have used a file at the same time.

use std::collections::{BTreeMap, BTreeSet};

use crate::apart::bad_end;
use crate::rows::{Form, Name, Row, WIDTH, name};
use crate::session::ROWS;

/// The guarantee for a pair of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Both processes lock: no acknowledged row is lost.
    Locks,
    /// The second process replaces the file without locks. The first uses the file that is at the
    /// path when it gets its lock.
    Opens,
    /// The second process replaces or changes the file: the first notices before it writes.
    Notices,
    /// The first process only fails or only reads: the second loses nothing.
    Leaves,
    /// The second process truncates the file: the first acknowledges no missing rows.
    Cut,
}

/// The lines of a process, and its exit status.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) lines: Vec<String>,
    pub(crate) status: i32,
}

/// The result of a run of two processes.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) rule: Rule,
    pub(crate) form: Form,
    /// The call of the first process at which the second ran.
    pub(crate) call: &'static str,
    /// The first process, which is writer 1, and how many lines it had written at the pause.
    pub(crate) first: Part,
    pub(crate) before: usize,
    /// Whether the first process requested a lock before the pause.
    pub(crate) locked: bool,
    /// Whether the first process opened or inspected the path after the pause.
    pub(crate) looked: bool,
    /// The second process, which is writer 2.
    pub(crate) second: Part,
    pub(crate) bytes: Vec<u8>,
}

/// Returns the rows that a line reports as attempted or acknowledged.
fn names(writer: u64, what: &str) -> Vec<(Name, Option<u64>)> {
    let words: Vec<&str> = what.split(' ').collect();
    let number = |at: usize| words[at].parse::<u64>().unwrap();
    match words[0] {
        "rows" => (number(1)..number(2)).map(|of| ((writer, of), None)).collect(),
        _ => vec![((writer, number(2)), Some(number(1)))],
    }
}

impl Part {
    fn said(&self, writer: u64, verb: &str) -> Vec<(usize, Name, Option<u64>)> {
        let lines = self.lines.iter().enumerate();
        lines
            .filter_map(|(at, line)| Some((at, line.strip_prefix(verb)?)))
            .flat_map(|(at, what)| {
                names(writer, what).into_iter().map(move |(name, cell)| (at, name, cell))
            })
            .collect()
    }

    fn errors(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.lines.iter().enumerate();
        lines.filter_map(|(at, line)| Some((at, line.strip_prefix("err ")?)))
    }

    fn has_told(&self, after: usize) -> bool {
        self.errors().any(|(at, error)| at > after && names_another(error))
    }
}

/// Returns whether an error reports another process.
fn names_another(error: &str) -> bool {
    ["Locked", "Replaced", "Conflict"].iter().any(|kind| error.ends_with(kind))
}

impl Story {
    /// Returns the violations of the rule.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (who, part) in [("the first", &self.first), ("the second", &self.second)] {
            let end = bad_end(part.status);
            // A truncation may kill a process that has mapped the file, as documented.
            let end = end.filter(|end| self.rule != Rule::Cut || end != "SIGBUS");
            faults.extend(end.map(|end| format!("{who} ended: {end}")));
            let bad = part.lines.iter().filter_map(|line| line.strip_prefix("bad "));
            faults.extend(bad.map(|bad| format!("{who} found: {bad}")));
        }
        if self.rule != Rule::Cut {
            faults.extend(self.wrong_errors());
        }
        match self.form.rows(&self.bytes) {
            Ok(rows) => {
                faults.extend(self.wrong_rows(&rows));
                faults.extend(self.losses(&rows));
            }
            Err(_) if self.rule == Rule::Cut => {
                faults.extend(self.losses(&[]));
            }
            Err(why) => faults.push(format!("the file does not open: {why}")),
        }
        faults
    }

    /// Returns errors that do not state the actual cause.
    fn wrong_errors(&self) -> Vec<String> {
        let all = self.first.errors().chain(self.second.errors());
        let fails = |error: &str| {
            names_another(error)
                || error.ends_with("InvalidElement")
                // `make_growable` was not called, or the header has been replaced.
                || error == "append: Npy(NoRoom"
        };
        all.filter(|(_, error)| !fails(error))
            .map(|(_, error)| format!("a wrong error: {error}"))
            .collect()
    }

    /// Returns rows that neither process wrote as a whole, once, and at their place.
    fn wrong_rows(&self, rows: &[Row]) -> Vec<String> {
        let mut attempted: BTreeMap<Name, Option<u64>> =
            (0..ROWS).map(|index| ((0, index), Some(index))).collect();
        attempted.extend(self.first.said(1, "try ").into_iter().map(|(_, n, c)| (n, c)));
        attempted.extend(self.second.said(2, "try ").into_iter().map(|(_, n, c)| (n, c)));
        let mut seen = BTreeSet::new();
        let mut faults = Vec::new();
        // An added row is zeros at first, and a process may copy the file at that moment.
        let may_be_zero = self.rule != Rule::Locks
            || self.lines().any(|line| line.starts_with("err resize") || line == "zeros");
        for (index, row) in (0_u64..).zip(rows) {
            let fault = match name(*row) {
                None if *row == [0; WIDTH] && may_be_zero && index >= 100 => None,
                None => Some(format!("{row:?}, which neither wrote")),
                Some(name) if !seen.insert(name) => Some(format!("{name:?} again")),
                Some(name) => match attempted.get(&name) {
                    Some(Some(cell)) if *cell == index => None,
                    Some(None) if index >= ROWS || self.rule == Rule::Cut => None,
                    place => Some(format!("{name:?}, whose place is {place:?}")),
                },
            };
            faults.extend(fault.map(|fault| format!("row {index} is {fault}")));
        }
        faults.truncate(3);
        faults
    }

    fn lines(&self) -> impl Iterator<Item = &String> {
        self.first.lines.iter().chain(&self.second.lines)
    }

    /// Returns acknowledged rows that are lost although the rule protects them.
    fn losses(&self, rows: &[Row]) -> Vec<String> {
        let found: BTreeMap<Name, u64> = (0_u64..)
            .zip(rows)
            .filter_map(|(index, row)| Some((name(*row)?, index)))
            .collect();
        let mut faults = Vec::new();
        let mut look = |who: &str, part: &Part, writer, must: &dyn Fn(usize) -> bool| {
            let cells: Vec<_> = part.said(writer, "try ");
            let cells: Vec<_> =
                cells.iter().filter(|(_, _, cell)| cell.is_some()).collect();
            for (at, name, cell) in &part.said(writer, "ack ") {
                // A later change of the same cell counts instead.
                let is_there = found.contains_key(name)
                    || cells.iter().any(|(_, next, other)| {
                        other == cell && next.1 > name.1 && found.contains_key(next)
                    });
                if !is_there && must(*at) {
                    faults
                        .push(format!("{name:?} of {who} was acknowledged and is lost"));
                }
            }
        };
        look("the first", &self.first, 1, &|at| self.first_keeps(at));
        look("the second", &self.second, 2, &|_| self.second_keeps());
        faults.truncate(3);
        faults
    }

    /// Returns whether a line of the first process must be true afterwards.
    fn first_keeps(&self, at: usize) -> bool {
        let first = &self.first;
        let is_before = at < self.before;
        let later =
            |line: &String| ["ok commit", "ok sync", "ok close"].contains(&line.as_str());
        match self.rule {
            Rule::Locks => true,
            Rule::Leaves => true,
            // The second process copied earlier rows. With a lock, the first can check the path.
            Rule::Opens => is_before || !self.locked,
            Rule::Notices => {
                is_before
                    || first.lines[at + 1..].iter().any(later) && !first.has_told(at)
            }
            // The second process can truncate the file after any check by the first.
            Rule::Cut => !is_before && self.step().is_none(),
        }
    }

    fn second_keeps(&self) -> bool {
        match self.rule {
            Rule::Locks => true,
            // Another process may extend the file between a check of the length and a truncation:
            // no call does both.
            Rule::Leaves => self.call != "ftruncate",
            // The first process does not write to the new file without noticing it.
            Rule::Opens => true,
            Rule::Notices if self.step() == Some("commit") => {
                // Without locks, the other process may write between a check and a write.
                self.second
                    .lines
                    .iter()
                    .any(|line| line == "ok rename" || line == "ok publish")
            }
            Rule::Notices => self.step() != Some("make_growable") || self.looked,
            Rule::Cut => false,
        }
    }

    /// Returns the step in which the first process was paused, if the step reports its start.
    fn step(&self) -> Option<&str> {
        let last = self.first.lines.get(..self.before)?.last()?;
        last.strip_prefix("start ")
    }
}
