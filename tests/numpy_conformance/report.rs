//! Runs the cases of a file and reports the results.

use std::fmt::Write as _;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use serde_json::Value;

use crate::case::{Advice, Case};
use crate::json::Result;
use crate::non_root::run_as_non_root;
use crate::trial::Trial;

/// The results of the cases of a file.
#[derive(Default)]
pub(crate) struct Report {
    families: [Family; 2],
    /// The ids of the failed cases, and why they failed.
    pub(crate) failures: Vec<(String, String)>,
}

/// The numbers of cases of related groups, by result.
#[derive(Default)]
struct Family {
    passed: usize,
    /// Cases that the types of Rust do not allow.
    typed_out: usize,
    /// Cases that only other systems can run.
    elsewhere: usize,
    failed: usize,
}

/// The prefixes of group names.
const FAMILIES: [&str; 2] = ["raw", "npy"];

/// The result of a case that did not fail.
enum Pass {
    Passed,
    TypedOut,
    Elsewhere,
}

impl Report {
    /// Runs cases, each in its own folder.
    pub(crate) fn of(cases: &[Value]) -> Self {
        let mut report = Self::default();
        for value in cases {
            let field = |name| value.get(name).and_then(Value::as_str).unwrap_or("?");
            let (id, group) = (field("id"), field("group"));
            let of_group = |(_, name): &(_, &&str)| {
                group.strip_prefix(**name).is_some_and(|rest| rest.starts_with('-'))
            };
            let mut families = report.families.iter_mut().zip(&FAMILIES);
            let Some((family, _)) = families.find(of_group) else {
                let reason = format!("unknown group `{group}`");
                report.failures.push((id.to_owned(), reason));
                continue;
            };
            let count = match run_guarded(value) {
                Ok(Pass::Passed) => &mut family.passed,
                Ok(Pass::TypedOut) => &mut family.typed_out,
                Ok(Pass::Elsewhere) => &mut family.elsewhere,
                Err(reason) => {
                    report.failures.push((id.to_owned(), reason.replace('\n', " ")));
                    &mut family.failed
                }
            };
            *count = count.saturating_add(1);
        }
        report
    }

    pub(crate) fn failed_ids(&self) -> Vec<&str> {
        self.failures.iter().map(|(id, _)| id.as_str()).collect()
    }

    pub(crate) fn passed(&self) -> usize {
        self.families.iter().map(|family| family.passed).sum()
    }

    /// Returns a summary in one line.
    pub(crate) fn summary(&self) -> String {
        let mut line = String::new();
        for (family, name) in self.families.iter().zip(FAMILIES) {
            let Family { passed, typed_out, elsewhere, failed } = family;
            let before = if line.is_empty() { "" } else { "; " };
            let _ = write!(line, "{before}{name}: {passed} passed");
            let _ = write!(line, ", {typed_out} typed-out skipped");
            let counts = [(failed, "failed"), (elsewhere, "not for this system")];
            for (count, what) in counts.iter().filter(|(count, _)| **count > 0) {
                let _ = write!(line, ", {count} {what}");
            }
        }
        line
    }

    /// Returns an error that lists the failures, also if no case ran.
    pub(crate) fn verdict(&self) -> Result<()> {
        if self.passed() == 0 && self.failures.is_empty() {
            return Err(format!("no case was run ({})", self.summary()));
        }
        if self.failures.is_empty() {
            return Ok(());
        }
        let lines = self.failures.iter().map(|(id, reason)| format!("{id}: {reason}\n"));
        Err(format!("{}\n{}", self.summary(), lines.collect::<String>()))
    }
}

/// Reads the cases of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Value>> {
    let shown = path.display();
    let text = fs::read(path).map_err(|e| format!("cannot read `{shown}`: {e}"))?;
    let file: Value = serde_json::from_slice(&text)
        .map_err(|e| format!("`{shown}` is not JSON: {e}"))?;
    let cases = file.get("cases").and_then(Value::as_array);
    cases.cloned().ok_or_else(|| format!("no cases in `{shown}`"))
}

fn run_guarded(value: &Value) -> Result<Pass> {
    let run = AssertUnwindSafe(|| run_case(value));
    panic::catch_unwind(run).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

fn run_case(value: &Value) -> Result<Pass> {
    let case = Case::read(value)?;
    if case.advice == Advice::TypedOut {
        return Ok(Pass::TypedOut);
    }
    let wants_linux = case.advice == Advice::MatchLinux;
    let wants_unix = case.requires_non_root || case.chmod.is_some();
    if wants_linux && !cfg!(target_os = "linux") || wants_unix && !cfg!(unix) {
        return Ok(Pass::Elsewhere);
    }
    let mut reasons = Vec::new();
    let mut fits = false;
    for (at, trial) in Trial::all(&case)?.iter().enumerate() {
        match try_out(value, &case, at, trial) {
            Err(reason) if trial.grow => return Err(format!("with `grow`, {reason}")),
            Err(reason) => reasons.push(reason),
            Ok(()) => fits = fits || !trial.grow,
        }
    }
    if fits { Ok(Pass::Passed) } else { Err(reasons.join("; or ")) }
}

/// Runs a trial and checks the files that it leaves.
fn try_out(value: &Value, case: &Case, at: usize, trial: &Trial) -> Result<()> {
    let failed = |e| format!("cannot make the file of the case: {e}");
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join("f");
    case.file.make(&path).map_err(failed)?;
    set_permissions(&path, case.chmod).map_err(failed)?;
    let ran = if case.requires_non_root {
        run_as_non_root(value, at, &path)
    } else {
        trial.run(case, &path)
    };
    set_permissions(&path, case.chmod.map(|_| 0o666)).map_err(failed)?;
    let compared = trial.compare_file(&path);
    let others = fs::read_dir(folder.path()).map_err(failed)?;
    let others = others.flatten().filter(|entry| entry.file_name() != "f").count();
    match (ran, compared) {
        (Err(reason), Err(file)) => Err(format!("{reason}; afterwards {file}")),
        (Ok(()), Ok(())) if others > 0 => Err(format!("{others} other files remain")),
        (ran, compared) => ran.and(compared),
    }
}

/// Sets the permissions of a file, if any. Without root, the owner gets the rights of others.
#[cfg(unix)]
fn set_permissions(path: &Path, mode: Option<u32>) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let Some(mode) = mode else {
        return Ok(());
    };
    let is_root = rustix::process::geteuid().is_root();
    let mode = if is_root { mode } else { (mode & 0o7).saturating_mul(0o111) };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_permissions(_: &Path, _: Option<u32>) -> std::io::Result<()> {
    Ok(())
}
