//! What must hold after two processes have met.

use std::collections::{BTreeMap, BTreeSet};

use crate::apart::bad_end;
use crate::rows::{Form, Name, Row, WIDTH, name};
use crate::session::ROWS;

/// What a pair of processes promises to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Both lock: nothing that was acknowledged is lost.
    Locks,
    /// The second process replaces the file and knows no locks: the first works with the file
    /// that the path names when it has its lock.
    Opens,
    /// The second replaces or changes the file: the first notices before it writes.
    Notices,
    /// The first process only fails, or only reads: the second loses nothing.
    Leaves,
    /// The second truncates the file: the first acknowledges nothing that is not there.
    Cut,
}

/// What a process said, and how it ended.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) lines: Vec<String>,
    pub(crate) status: i32,
}

/// What came of two processes.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) rule: Rule,
    pub(crate) form: Form,
    /// The call of the first at which the second ran.
    pub(crate) call: &'static str,
    /// The first process, which is writer 1, and how many lines it had said at the pause.
    pub(crate) first: Part,
    pub(crate) before: usize,
    /// Whether it asked for a lock before the pause.
    pub(crate) locked: bool,
    /// Whether it opened or inspected the path after the pause.
    pub(crate) looked: bool,
    /// The second, which is writer 2.
    pub(crate) second: Part,
    pub(crate) bytes: Vec<u8>,
}

/// What a line says was attempted or acknowledged.
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

/// Tells whether an error says that another process was there.
fn names_another(error: &str) -> bool {
    ["Locked", "Replaced", "Conflict"].iter().any(|kind| error.ends_with(kind))
}

impl Story {
    /// Returns what must not be.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (who, part) in [("the first", &self.first), ("the second", &self.second)] {
            let end = bad_end(part.status);
            // A process that has mapped a file that is cut may die of it, as documented.
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

    /// Errors must say what has happened.
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

    /// Each row was written by one of the two, whole, once, and to its place.
    fn wrong_rows(&self, rows: &[Row]) -> Vec<String> {
        let mut attempted: BTreeMap<Name, Option<u64>> =
            (0..ROWS).map(|index| ((0, index), Some(index))).collect();
        attempted.extend(self.first.said(1, "try ").into_iter().map(|(_, n, c)| (n, c)));
        attempted.extend(self.second.said(2, "try ").into_iter().map(|(_, n, c)| (n, c)));
        let mut seen = BTreeSet::new();
        let mut faults = Vec::new();
        // A row that is added is zeros at first, and who copies the file then copies them.
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

    /// Nothing that was acknowledged is lost, as far as the rule goes.
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

    /// Tells whether what the first process said in a line must be true afterwards.
    fn first_keeps(&self, at: usize) -> bool {
        let first = &self.first;
        let is_before = at < self.before;
        let later =
            |line: &String| ["ok commit", "ok sync", "ok close"].contains(&line.as_str());
        match self.rule {
            Rule::Locks => true,
            Rule::Leaves => true,
            // What was there before was copied; with the lock it can look at the path again.
            Rule::Opens => is_before || !self.locked,
            Rule::Notices => {
                is_before
                    || first.lines[at + 1..].iter().any(later) && !first.has_told(at)
            }
            // No step can keep the other from cutting the file after it has looked.
            Rule::Cut => !is_before && self.step().is_none(),
        }
    }

    fn second_keeps(&self) -> bool {
        match self.rule {
            Rule::Locks => true,
            // Between a look at the length and a truncation another process may extend the
            // file: no call does both.
            Rule::Leaves => self.call != "ftruncate",
            // The file that another process has put there is not written to unseen.
            Rule::Opens => true,
            Rule::Notices if self.step() == Some("commit") => {
                // Without locks the other may write between a look and a write.
                self.second
                    .lines
                    .iter()
                    .any(|line| line == "ok rename" || line == "ok publish")
            }
            Rule::Notices => self.step() != Some("make_growable") || self.looked,
            Rule::Cut => false,
        }
    }

    /// Returns the step in which the first process was paused, of those that say so.
    fn step(&self) -> Option<&str> {
        let last = self.first.lines.get(..self.before)?.last()?;
        last.strip_prefix("start ")
    }
}
