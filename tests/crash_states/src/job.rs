//! One scenario on one file system: record it, then check the states that a power cut can leave.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::check;
use crate::disk::{Disk, Wiring};
use crate::file_system::FileSystem;
use crate::image::Image;
use crate::log::Log;
use crate::model::{Files, Mark};
use crate::preparation::Preparation;
use crate::random::Random;
use crate::recorder::Recorder;
use crate::scenarios::Scenario;
use crate::states::{State, States};
use crate::system::LoopDevice;

/// How many states are built: at most `prefixes` from prefixes of the log, and `states` in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) prefixes: usize,
    pub(crate) states: usize,
}

/// The results of a job.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) requests: usize,
    pub(crate) flushes: usize,
    pub(crate) states: usize,
    /// States with a partial write that the file system refused to mount; not violations.
    pub(crate) refused: usize,
    pub(crate) violations: Vec<String>,
}

/// Why a state breaks a promise.
#[derive(Debug)]
enum Wrong {
    NotMounted(io::Error),
    Broken(String),
}

/// A scenario, its file system, and its seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) system: FileSystem,
    pub(crate) scenario: &'a Scenario,
    pub(crate) seed: u64,
    pub(crate) wiring: Wiring,
}

/// The recording of a scenario.
#[derive(Debug)]
struct Recording {
    base: Image,
    log: Log,
    marks: Vec<Mark>,
}

impl Job<'_> {
    pub(crate) fn run(self, dir: &Path, budget: Budget) -> io::Result<Outcome> {
        let name = format!("{}/{}", self.system.name, self.scenario.name);
        let random = Random::new(self.seed, &name);
        let Recording { base, log, marks } = self.record(dir, random.clone())?;
        let (start, end) = (marks.first().map_or(0, |mark| mark.at), log.entries.len());
        let ats = marks.iter().map(|mark| mark.at).collect();
        let mut states =
            States::new(&log, base, start..end, ats, self.system.sector, random);
        let flushes =
            log.entries[start..].iter().filter(|entry| entry.is_flush()).count();
        let mut outcome =
            Outcome { requests: end - start, flushes, ..Outcome::default() };
        let mut seen = HashSet::new();
        let mut checked = 0;
        let mut check = |state: State, outcome: &mut Outcome| {
            checked += 1;
            let after = marks.partition_point(|mark| mark.at <= state.at);
            let Mark { label, files, .. } = &marks[after - 1];
            let why = match self.check(dir, &state, files) {
                Ok(()) => None,
                // A sector is 512 bytes here, and some file systems require a whole first block.
                Err(Wrong::NotMounted(_)) if state.is_torn => {
                    outcome.refused += 1;
                    return true;
                }
                Err(Wrong::NotMounted(e)) => Some(format!("it does not mount: {e}")),
                Err(Wrong::Broken(why)) => Some(why),
            };
            seen.insert(state.image.hash());
            outcome.states = seen.len();
            outcome.violations.extend(why.map(|why| {
                let kept = keep(dir, &name, checked);
                format!(
                    "{name}: {why}\n    after: {label}\n    left: {}{kept}",
                    state.story
                )
            }));
            outcome.violations.len() < 20
        };
        for state in states.prefixes(budget.prefixes) {
            if !check(state, &mut outcome) {
                return Ok(outcome);
            }
        }
        while outcome.states < budget.states {
            let Some(state) = states.random() else { break };
            if !check(state, &mut outcome) {
                break;
            }
        }
        Ok(outcome)
    }

    /// Runs the scenario on a new disk.
    fn record(self, dir: &Path, random: Random) -> io::Result<Recording> {
        let image = dir.join("image");
        self.system.make(&image)?;
        let base = Image::read(&image)?;
        let disk = Disk::start(dir, self.wiring)?;
        let device = disk.device.as_ref().map(|device| device.path.clone());
        let mut mounted = self.system.mount(&device.unwrap_or_default(), dir)?;
        let mut files = Files::new();
        mounted.prepare(dir, |root| {
            let mut preparation = Preparation { root, files: Files::new() };
            (self.scenario.prepare)(&mut preparation)?;
            files = preparation.files;
            Ok(())
        })?;
        let mut recorder = Recorder::new(&disk, &mounted, files, random);
        (self.scenario.run)(&mut recorder);
        let end = recorder.end();
        let marks = recorder.marks;
        mounted.close()?;
        disk.stop()?;
        let log = Log::read(dir, end)?;
        fs::remove_file(image)?;
        Ok(Recording { base, log, marks })
    }

    /// Mounts a state, so that the file system replays its own log, and checks the files.
    fn check(self, dir: &Path, state: &State, files: &Files) -> Result<(), Wrong> {
        let failed = |what: &str, e: io::Error| Wrong::Broken(format!("{what}: {e}"));
        let image = dir.join("state");
        let file = state.image.save(&image).map_err(|e| failed("saving the state", e))?;
        let device =
            LoopDevice::attach(&file, false).map_err(|e| failed("attaching it", e))?;
        let mounted = self.system.mount(&device.path, dir);
        let mounted = mounted.map_err(Wrong::NotMounted)?;
        let checked = check::check(mounted.root(), files).map_err(Wrong::Broken);
        mounted.close().map_err(|e| failed("unmounting", e))?;
        checked
    }
}

/// Keeps the image of a state if the environment names a folder for images.
fn keep(dir: &Path, name: &str, number: usize) -> String {
    let Some(folder) = std::env::var_os("CRASH_KEEP").map(PathBuf::from) else {
        return String::new();
    };
    let path = folder.join(format!("{}-{number}", name.replace('/', "-")));
    match fs::copy(dir.join("state"), &path) {
        Ok(_) => format!("\n    kept, as it was after the check: {}", path.display()),
        Err(e) => format!("\n    not kept: {e}"),
    }
}
