//! A limit of memory: the process in a control group of its own (Linux, as root).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Limits the memory of the process, its part of the page cache included, until it is dropped.
pub(crate) struct Pressure {
    group: PathBuf,
    parent: PathBuf,
}

impl Pressure {
    /// Limits the memory to `bytes`. Returns `None` if the system does not allow it.
    pub(crate) fn of(bytes: usize) -> Option<Self> {
        let groups = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        groups.into_iter().find_map(|(parent, limit)| {
            let parent = PathBuf::from(parent);
            let group = parent.join(format!("larger_than_memory-{}", std::process::id()));
            fs::create_dir(&group).ok()?;
            let pressure = Self { group, parent };
            let limited = fs::write(pressure.group.join(limit), bytes.to_string());
            limited.and_then(|()| enter(&pressure.group)).ok()?;
            Some(pressure)
        })
    }
}

impl Drop for Pressure {
    fn drop(&mut self) {
        let left = enter(&self.parent).and_then(|()| fs::remove_dir(&self.group));
        if let Err(e) = left {
            eprintln!("{} remains: {e}", self.group.display());
        }
    }
}

fn enter(group: &Path) -> io::Result<()> {
    fs::write(group.join("cgroup.procs"), std::process::id().to_string())
}
