//! The arrays, threads and drafts of a parent in a forked child.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::fs;
use std::io::{PipeReader, Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ndarray::Axis;
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::{Element, ErrorKind, MapOptions, MmapArray1, Mode, PageCache, npy};
use rustix::io::Errno;
use test_support::kernel::{UNNAMED, call, refusing};

fn open<A: Element>(mode: Mode, path: &Path) -> MmapArray1<A> {
    // SAFETY: parent and child do not store to bytes that the other has borrowed.
    unsafe { MapOptions::new(mode).open(path) }.unwrap()
}

/// Forks; the child answers `true` within 20 s, or fails.
struct Child(libc::pid_t);

impl Child {
    fn run(work: impl FnOnce() -> bool) -> Self {
        // SAFETY: the test checks that the calls of the child do not wait for threads of the
        // parent. The child ends by `_exit`, or by a signal if it does wait.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: the call takes a number of seconds.
            unsafe { libc::alarm(20) };
            let code = i32::from(!work());
            // SAFETY: this process has nothing to clean up.
            unsafe { libc::_exit(code) };
        }
        assert!(pid > 0);
        Self(pid)
    }

    /// Sends a signal to a child that has not ended in time.
    fn dies_of(&self, signal: libc::c_int, time: std::time::Duration) {
        let pid = self.0.to_string();
        let start = std::time::Instant::now();
        let has_ended = || {
            // SAFETY: all zeros are a valid value of this struct of numbers.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            let id = pid.parse().unwrap();
            let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            // SAFETY: `info` is valid for the write of the kernel.
            unsafe { libc::waitid(libc::P_PID, id, &raw mut info, options) };
            // SAFETY: the kernel has filled the struct, or it is zeros.
            unsafe { info.si_pid() != 0 }
        };
        while !has_ended() && start.elapsed() < time {
            thread::sleep(std::time::Duration::from_millis(10));
        }
        if !has_ended() {
            // SAFETY: the call sends a signal to a child of this process.
            unsafe { libc::kill(self.0, signal) };
        }
    }

    #[track_caller]
    fn succeeds(self) {
        let mut status = 0;
        // SAFETY: `status` is valid for the write of the kernel.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        assert_eq!((waited, status), (self.0, 0), "the child hung (14) or failed (256)");
    }
}

fn wait_for(pipe: &mut PipeReader) {
    pipe.read_exact(&mut [0]).unwrap();
}

/// Ends the loops of other threads, also when a test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_child_syncs_and_closes_while_a_thread_of_its_parent_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    fs::write(&path, vec![0; 4 << 20]).unwrap();
    let a = open::<u8>(ReadWrite, &path);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = Done(&is_done);
        scope.spawn(|| {
            let mut other = open::<u8>(ReadWrite, &path);
            while !is_done.load(Ordering::Relaxed) {
                other.view_mut().unwrap().iter_mut().step_by(4096).for_each(|x| *x ^= 1);
                a.sync().unwrap();
            }
        });
        for _ in 0..20 {
            Child::run(|| a.sync().is_ok() && a.sync().is_ok()).succeeds();
        }
    });
    Child::run(|| a.close().is_ok()).succeeds();
    assert_eq!(fs::metadata(&path).unwrap().len(), 4 << 20);
}

#[test]
fn what_one_process_was_told_of_a_failed_sync_the_other_knows() {
    for is_told_first in ["parent", "child"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("array");
        fs::write(&path, [0; 9000]).unwrap();
        let mut a = open::<u8>(ReadWrite, &path);
        a.view_mut().unwrap().fill(1);
        let fails = || {
            refusing(call::FSYNC, &[], Errno::IO, || a.sync().map_err(|e| e.to_string()))
        };
        let (mut told, tell) = std::io::pipe().unwrap();
        if is_told_first == "parent" {
            let child = Child::run(|| {
                wait_for(&mut told);
                matches!(
                    a.sync().as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::Poisoned)
                )
            });
            assert!(fails().is_err());
            rustix::io::write(&tell, &[1]).unwrap();
            child.succeeds();
        } else {
            Child::run(|| {
                // Start no thread: threads of the parent may have left allocator locks held.
                let failed = fails().is_err();
                failed && rustix::io::write(&tell, &[1]) == Ok(1)
            })
            .succeeds();
            wait_for(&mut told);
        }
        assert!(
            matches!(a.sync().as_ref().map_err(|e| e.kind()), Err(ErrorKind::Poisoned)),
            "{is_told_first}"
        );
        // An array that is opened now is not affected.
        let b = open::<u8>(ReadWrite, &path);
        Child::run(|| b.sync().is_ok()).succeeds();
        b.sync().unwrap();
        assert!(matches!(
            a.close().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Poisoned)
        ));
        assert_eq!(fs::read(&path).unwrap(), [1; 9000]);
    }
}

#[test]
fn arrays_that_a_child_opens_are_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    fs::write(&path, [0; 9000]).unwrap();
    let before = open::<u8>(ReadWrite, &path);
    drop(open::<u8>(ReadWrite, &path));
    let (mut told, tell) = std::io::pipe().unwrap();
    let child = Child::run(|| {
        let mine = open::<u8>(ReadWrite, &path);
        wait_for(&mut told);
        mine.sync().is_ok() && before.sync().is_ok()
    });
    let other = open::<u8>(ReadWrite, &path);
    refusing(call::FSYNC, &[], Errno::IO, || other.sync().unwrap_err());
    rustix::io::write(&tell, &[1]).unwrap();
    child.succeeds();
    before.sync().unwrap();
}

#[test]
fn a_child_that_drops_a_draft_leaves_its_file_to_the_parent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    for replaces in [false, true] {
        // A file system that has no files without a name.
        let mut draft = refusing(call::OPENAT, UNNAMED, Errno::OPNOTSUPP, || {
            MapOptions::new(Create).shape(3).draft::<u8>(&path).unwrap()
        });
        draft.view_mut().fill(7);
        let names = || fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names(), 1 + usize::from(replaces));
        let mut draft = Some(draft);
        Child::run(|| {
            drop(draft.take());
            true
        })
        .succeeds();
        assert_eq!(names(), 1 + usize::from(replaces));
        draft.unwrap().publish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), [7; 3]);
        assert_eq!(names(), 1);
    }
    drop(MapOptions::new(Create).shape(3).draft::<u8>(&path).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_child_goes_on_with_the_sweep_of_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    sweep_in_child(&folder.path().join("array"));
}

fn sweep_in_child(path: &Path) {
    fs::write(path, vec![1; 24 << 20]).unwrap();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        for cache in [PageCache::AsFound, PageCache::Keep, PageCache::Drop] {
            let a = open::<u8>(mode, path);
            let mut sweep = a.sweep(Axis(0), 1 << 20).unwrap().cache(cache);
            let first: usize = sweep.by_ref().take(3).map(|block| block.len()).sum();
            let mut sweep = Some(sweep);
            Child::run(|| {
                let rest: usize = sweep.take().unwrap().map(|block| block.len()).sum();
                rest == 21 << 20
            })
            .succeeds();
            let rest: usize = sweep.take().unwrap().map(|block| block.len()).sum();
            assert_eq!((first, rest), (3 << 20, 21 << 20));
        }
    }
}

const NESTED: &str = "NDARRAY_MEMMAP_TEST_NESTED";

/// Process 1 of a PID namespace forks process 1 of another.
#[test]
#[ignore = "needs root; run by .ci/steps/file-systems"]
fn a_child_with_the_process_id_of_its_parent_is_another_process() {
    let name = "forks::a_child_with_the_process_id_of_its_parent_is_another_process";
    if std::env::var_os(NESTED).is_none() {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork"]).arg(std::env::current_exe().unwrap());
        command.args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        let output = command.env(NESTED, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    fs::write(&path, vec![1; 24 << 20]).unwrap();
    assert_eq!(std::process::id(), 1);
    let a = open::<u8>(ReadOnly, &path);
    let mut sweep = a.sweep(Axis(0), 1 << 20).unwrap();
    assert_eq!(sweep.by_ref().take(3).map(|block| block.len()).sum::<usize>(), 3 << 20);
    let draft = refusing(call::OPENAT, UNNAMED, Errno::OPNOTSUPP, || {
        MapOptions::new(Create).shape(3).draft::<u8>(folder.path().join("new")).unwrap()
    });
    // SAFETY: from now on, children of this process are in their own namespace.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0);
    let (mut sweep, mut draft) = (Some(sweep), Some(draft));
    let child = Child::run(|| {
        drop(draft.take());
        let rest: usize = sweep.take().unwrap().map(|block| block.len()).sum();
        std::process::id() == 1 && rest == 21 << 20
    });
    // An alarm does not kill the first process of a namespace.
    child.dies_of(libc::SIGKILL, std::time::Duration::from_secs(20));
    child.succeeds();
    draft.unwrap().publish().unwrap();
    assert_eq!(fs::read(folder.path().join("new")).unwrap(), [0; 3]);
}

#[test]
fn a_child_learns_of_a_write_that_failed_when_its_parent_dropped_the_array() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    // SAFETY: parent and child store to different files or at different times.
    let mut a = unsafe { npy::create::<u32, _>(&path, 0) }.unwrap();
    for number in 0..2 {
        a.push(Axis(0), &ndarray::arr0(number)).unwrap();
    }
    let waits = fs::metadata(&path).unwrap().len() > 136;
    let (mut dropped, mut drops) = std::io::pipe().unwrap();
    let mut array = Some(a);
    let child = Child::run(|| {
        wait_for(&mut dropped);
        // On a file system without such a call, the drop has synced, without an error.
        array.take().unwrap().sync().is_err() == waits
    });
    // The drop writes the header, and takes the report of the kernel.
    let a = array.take();
    refusing(call::SYNC_FILE_RANGE, &[], Errno::IO, || {
        refusing(call::FDATASYNC, &[], Errno::IO, || drop(a));
    });
    drops.write_all(b"x").unwrap();
    child.succeeds();
}
