//! The costs of a run besides time (Linux).

use std::fmt;
use std::fs;
use std::path::Path;

use crate::disk;
use crate::rounds::median;

/// KiB of the largest resident memory during the run above that before it, minor and major
/// page faults, bytes that the block device reads and writes. NaN if the system reports none.
#[derive(Clone, Copy)]
pub(crate) struct Cost([f64; 5]);

impl Cost {
    /// Runs `work`, whose files are in `folder`. Returns `None` on systems other than Linux.
    pub(crate) fn of(folder: &Path, work: impl FnOnce()) -> Option<Self> {
        let [read, written] = traffic(folder);
        // Resets the largest resident memory to the present one.
        fs::write("/proc/self/clear_refs", "5").ok()?;
        let [peak, minor, major] = counters()?;
        work();
        let [peak_after, minor_after, major_after] = counters()?;
        let [read_after, written_after] = traffic(folder);
        Some(Self([
            (peak_after - peak).max(0.0),
            minor_after - minor,
            major_after - major,
            read_after - read,
            written_after - written,
        ]))
    }

    /// Returns the medians of each cost.
    pub(crate) fn median(rounds: &[Self]) -> Self {
        Self(std::array::from_fn(|i| {
            median(rounds.iter().map(|cost| cost.0[i]).collect())
        }))
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([resident, minor, major, read, written]) = self;
        let mib = |bytes: f64| match bytes / 1_048_576.0 {
            unknown if unknown.is_nan() => "–".to_owned(),
            few if few < 10.0 => format!("{few:.1}"),
            many => format!("{many:.0}"),
        };
        let [resident, read, written] = [resident * 1024.0, *read, *written].map(mib);
        write!(
            f,
            "{resident} MiB resident, faults {minor} + {major}, read {read} MiB, \
             wrote {written} MiB"
        )
    }
}

fn traffic(folder: &Path) -> [f64; 2] {
    disk::traffic(folder).unwrap_or([f64::NAN; 2])
}

/// Returns the largest resident memory in KiB, the minor and the major page faults.
fn counters() -> Option<[f64; 3]> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may itself contain spaces.
    let (_, stat) = stat.rsplit_once(") ")?;
    let field = |number| stat.split(' ').nth(number)?.parse().ok();
    Some([peak.split_whitespace().next()?.parse().ok()?, field(7)?, field(9)?])
}
