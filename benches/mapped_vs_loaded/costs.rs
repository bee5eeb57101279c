//! What a run costs beside time (Linux).

use std::fmt;
use std::fs;

/// Memory in KiB, pages, bytes.
pub(crate) struct Cost {
    /// The most memory of all kinds during the run, above that before it.
    resident: u64,
    minor_faults: u64,
    major_faults: u64,
    read: u64,
    written: u64,
}

impl Cost {
    /// Runs `work` and returns what it costs; `None` where that is not to be had.
    pub(crate) fn of(work: impl FnOnce()) -> Option<Self> {
        // Makes the peak of memory the memory of now.
        fs::write("/proc/self/clear_refs", "5").ok()?;
        let before = Counters::read()?;
        work();
        let after = Counters::read()?;
        Some(Self {
            resident: after.peak.saturating_sub(before.peak),
            minor_faults: after.minor_faults - before.minor_faults,
            major_faults: after.major_faults - before.major_faults,
            read: after.read - before.read,
            written: after.written - before.written,
        })
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resident, minor_faults, major_faults, read, written } = self;
        let mib = |bytes: u64| bytes >> 20;
        write!(
            f,
            "{} MiB resident, faults {minor_faults} + {major_faults}, ",
            resident >> 10
        )?;
        write!(f, "read {} MiB, wrote {} MiB", mib(*read), mib(*written))
    }
}

struct Counters {
    peak: u64,
    minor_faults: u64,
    major_faults: u64,
    read: u64,
    written: u64,
}

impl Counters {
    fn read() -> Option<Self> {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(file).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix(name))?.to_owned();
            line.split_whitespace().next()?.parse().ok()
        };
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program, in parentheses, may itself have spaces.
        let (_, stat) = stat.rsplit_once(") ")?;
        let stat: Vec<&str> = stat.split(' ').collect();
        Some(Self {
            peak: field("/proc/self/status", "VmHWM:")?,
            minor_faults: stat.get(7)?.parse().ok()?,
            major_faults: stat.get(9)?.parse().ok()?,
            read: field("/proc/self/io", "read_bytes:")?,
            written: field("/proc/self/io", "write_bytes:")?,
        })
    }
}
