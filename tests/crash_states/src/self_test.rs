//! Shows that the log of a disk has all writes and flushes, in order and without delay.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

use crate::disk::{Disk, Wiring};
use crate::log::{Entry, Log};
use crate::random::Random;
use crate::runner::WorkFolder;

const BLOCK: usize = 4096;
const BLOCKS: usize = 512;

/// Direct I/O requires aligned memory.
#[repr(align(4096))]
struct Block([u8; BLOCK]);

/// Tries each configuration of the disk; each must fail if flushes are lost.
pub(crate) fn run() -> io::Result<bool> {
    let folder = WorkFolder::new("wiring")?;
    let mut is_right = true;
    for (is_cached, is_direct) in
        [(false, false), (false, true), (true, false), (true, true)]
    {
        for loses_flushes in [false, true] {
            let wiring = Wiring { is_cached, is_direct, loses_flushes };
            let found = try_wiring(folder.path(), wiring)?;
            let is_expected = found.is_err() == loses_flushes;
            is_right &= is_expected;
            let verdict = if is_expected { "as expected" } else { "WRONG" };
            let found = found.err().unwrap_or_else(|| "all in order".to_owned());
            println!("{wiring:?}: {found} ({verdict})");
        }
    }
    Ok(is_right)
}

/// Writes, discards and flushes, and checks after each call that the log ends with it.
fn try_wiring(dir: &Path, wiring: Wiring) -> io::Result<Result<(), String>> {
    let image = dir.join("image");
    File::create(&image)?.set_len((BLOCK * BLOCKS) as u64)?;
    let disk = Disk::start(dir, wiring)?;
    let path = disk.device.as_ref().map(|device| device.path.clone()).unwrap_or_default();
    let mut options = File::options();
    let device =
        options.read(true).write(true).custom_flags(libc::O_DIRECT).open(path)?;
    // The loop device has already flushed its file once.
    let start = disk.requests()?;
    let mut random = Random::new(1, "wiring");
    let mut block = Block([0; BLOCK]);
    let mut expected = Vec::new();
    let mut late = None;
    for round in 0..200 {
        let number = random.below(BLOCKS);
        let offset = (number * BLOCK) as u64;
        let what = random.below(10);
        match what {
            0..=6 => {
                block.0.fill(1 + u8::try_from(random.below(255)).unwrap_or(0));
                device.write_all_at(&block.0, offset)?;
                expected.push((offset, Some(block.0[0])));
            }
            7 => {
                let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                fallocate(&device, mode, offset, BLOCK as u64)?;
                expected.push((offset, Some(0)));
            }
            _ => {
                device.sync_all()?;
                expected.push((0, None));
            }
        }
        if late.is_none() && disk.requests()? < start + expected.len() {
            late =
                Some(format!("request {round} is not in the log when its call returns"));
        }
    }
    drop(device);
    let count = disk.requests()?;
    disk.stop()?;
    let found = compare(&Log::read(dir, count)?, start, &expected);
    fs::remove_file(image)?;
    Ok(found.and(late.map_or(Ok(()), Err)))
}

/// Compares a log with the offset and the byte of each request; flushes have none.
fn compare(
    log: &Log,
    start: usize,
    expected: &[(u64, Option<u8>)],
) -> Result<(), String> {
    let found: Vec<_> = log.entries[start..]
        .iter()
        .map(|entry| match entry {
            Entry::Write { offset, .. } => (*offset, log.bytes(*entry).first().copied()),
            Entry::Zero { offset, .. } => (*offset, Some(0)),
            Entry::Flush => (0, None),
        })
        .collect();
    let flushes =
        |list: &[(u64, Option<u8>)]| list.iter().filter(|e| e.1.is_none()).count();
    if flushes(&found) < flushes(expected) {
        return Err(format!("{} of {} flushes", flushes(&found), flushes(expected)));
    }
    // Closing the device may flush it once more.
    if !found.starts_with(expected)
        || found[expected.len()..].iter().any(|e| e.1.is_some())
    {
        let at =
            found.iter().zip(expected).position(|(found, expected)| found != expected);
        let at = at.unwrap_or(expected.len().min(found.len()));
        let [found, expected] = [found.get(at), expected.get(at)];
        return Err(format!("request {at} is {found:?} and should be {expected:?}"));
    }
    Ok(())
}
