//! Small disks of several file systems, too small for an array or full to the last block.
//!
//! The tests run on the file system of `TEST_FILE_SYSTEM`, an empty folder of a disk that may be
//! filled. `.ci/steps/file-systems` mounts one file system after the other.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ndarray::{Array2, Axis};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray, MmapArray2, Mode, Result, npy};
use rustix::fs::{FallocateFlags, fallocate, statfs, statvfs, syncfs};
use rustix::io::Errno;

/// The space that a file system may keep for itself after all files are removed.
const SLACK: u64 = 1 << 20;

const MIB: u64 = 1 << 20;

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_file_larger_than_its_disk_is_not_created() {
    let disk = Disk::that_reserves();
    for mode in [Mode::Create, Mode::CreateNew] {
        let path = disk.path("new");
        let free = disk.free();
        let needed = 2 * disk.size();
        assert_no_space(open(MapOptions::new(mode), needed, &path), needed);
        assert!(!path.exists());
        disk.assert_free(free);
    }
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_private_file_larger_than_its_disk_leaves_nothing() {
    let disk = Disk::that_reserves();
    let free = disk.free();
    let needed = 2 * disk.size();
    let len = usize::try_from(needed).unwrap();
    assert_no_space(MapOptions::scratch_in::<u8, _>(&disk.dir, len), needed);
    disk.assert_free(free);
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_file_that_cannot_be_replaced_stays_as_it_was() {
    let disk = Disk::that_reserves();
    let path = disk.path("old");
    let free = disk.free();
    let old = Old::write(&path, 100_003);
    let needed = 2 * disk.size();
    let options = MapOptions::new(Mode::Create);
    assert_no_space(open(options, needed, &path), needed);
    old.assert_unchanged();
    drop(fs::remove_file(&path));
    disk.assert_free(free);
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_draft_larger_than_its_disk_leaves_the_old_file_and_nothing_else() {
    let disk = Disk::that_reserves();
    let path = disk.path("old");
    let old = Old::write(&path, 100_003);
    let free = disk.free();
    let needed = 2 * disk.size();
    let options = MapOptions::new(Mode::Create).shape(usize::try_from(needed).unwrap());
    let error = options.draft::<u8>(&path).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NoSpace { expected: n } if *n == needed),
        "{error:?}"
    );
    old.assert_unchanged();
    let draft = MapOptions::new(Mode::Create).shape(100_000).draft::<u8>(&path);
    let mut draft = draft.unwrap();
    draft.view_mut().fill(3);
    draft.publish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), vec![3; 100_000]);
    let names = fs::read_dir(&disk.dir).unwrap().map(|entry| entry.unwrap().path());
    let names: Vec<_> = names.filter(|path| path.is_file()).collect();
    assert_eq!(names, std::slice::from_ref(&path));
    drop(fs::remove_file(&path));
    disk.assert_free(free);
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn changes_that_have_no_room_are_not_committed() {
    let disk = Disk::that_reserves();
    let path = disk.path("holes");
    let len = 2 * disk.free();
    File::create_new(&path).unwrap().set_len(len).unwrap();
    let mut array = open(MapOptions::new(Mode::CopyOnWrite), len, &path).unwrap();
    array.view_mut().unwrap().fill(1);
    let error = array.commit().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NoSpace { expected } if *expected == len),
        "{error:?}"
    );
    assert_eq!(array[0], 1);
    drop(array);
    let contents = fs::read(&path).unwrap();
    assert!(contents.len() as u64 == len && contents.iter().all(|byte| *byte == 0));
    drop(fs::remove_file(&path));
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_file_with_holes_that_cannot_be_replaced_stays_as_it_was() {
    let disk = Disk::that_reserves();
    let path = disk.path("old");
    let old = Old::write(&path, 100_003);
    let len = 2 * disk.size();
    File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
    assert_no_space(open(MapOptions::new(Mode::Create), len, &path), len);
    assert_eq!(fs::metadata(&path).unwrap().len(), len);
    assert!(fs::read(&path).unwrap().starts_with(&old.contents));
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_file_that_cannot_grow_stays_as_it_was() {
    let disk = Disk::that_reserves();
    let path = disk.path("old");
    let old = Old::write(&path, 100_003);
    let free = disk.free();
    let needed = 2 * disk.size();
    let options = MapOptions::new(Mode::ReadWrite).grow(true);
    assert_no_space(open(options, needed, &path), needed);
    old.assert_unchanged();
    disk.assert_free(free);
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_full_disk_ends_growth_and_changes_nothing() {
    let disk = Disk::that_reserves();
    for (is_npy, rows) in [(false, 1), (false, 1024), (true, 1), (true, 1024)] {
        disk.clear();
        let free = disk.free();
        let path = disk.path("log");
        // Fill the disk except some MiB, so that rows soon fill the rest.
        let filling = File::create(disk.path("filling")).unwrap();
        let taken = (free / 2).max(free.saturating_sub(6 * MIB));
        fallocate(&filling, FallocateFlags::empty(), 0, taken).unwrap();
        disk.write_back();
        let mut log = grown(&path, is_npy);
        let start = log.offset();
        let block =
            Array2::from_shape_vec((rows, 1000), vec![3_u8; rows * 1000]).unwrap();
        let error = loop {
            if let Err(error) = log.append(Axis(0), &block) {
                break error;
            }
        };
        let needed = start + u64::try_from((log.nrows() + rows) * 1000).unwrap();
        assert!(
            matches!(error.kind(), ErrorKind::NoSpace { expected: n } if *n == needed),
            "{error:?}"
        );
        let len = start + u64::try_from(log.nrows() * 1000).unwrap();
        assert!(len > MIB, "only {len} bytes fit");
        assert_holds(&log, &path, len);

        let most = usize::try_from(free / 1000).unwrap();
        let error = log.resize(Axis(0), 2 * most).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error:?}");
        assert_holds(&log, &path, len);
        let error = log.append(Axis(0), &Array2::from_elem((most, 1000), 1)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error:?}");
        assert_holds(&log, &path, len);
        log.sync().unwrap();
        // With free space again, the array grows.
        drop(filling);
        fs::remove_file(disk.path("filling")).unwrap();
        disk.write_back();
        log.append(Axis(0), &block).unwrap();
        let count = log.nrows();
        log.close().unwrap();
        disk.write_back();
        let expected = start + u64::try_from(count * 1000).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), expected);
    }
}

/// Returns an array of 1000-byte rows that begins with two rows.
fn grown(path: &Path, is_npy: bool) -> MmapArray2<u8> {
    let mut log: MmapArray2<u8> = match is_npy {
        // SAFETY: no other program uses the disk, and these tests run one at a time.
        true => unsafe { npy::create(path, (2, 1000)) },
        // SAFETY: as above.
        false => unsafe { MapOptions::new(Mode::Create).shape((2, 1000)).open(path) },
    }
    .unwrap();
    log.view_mut().unwrap().fill(3);
    log
}

#[track_caller]
fn assert_holds(log: &MmapArray2<u8>, path: &Path, len: u64) {
    let contents = fs::read(path).unwrap();
    assert_eq!(contents.len() as u64, len);
    let start = usize::try_from(log.offset()).unwrap();
    if start > 0 {
        assert_eq!(npy::Header::parse(&contents).unwrap().shape(), log.shape());
    }
    assert!(contents.iter().skip(start).all(|byte| *byte == 3));
    assert!(log.iter().all(|byte| *byte == 3));
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_sparse_file_may_be_larger_than_its_disk() {
    let disk = Disk::get();
    let len = 4 * disk.size();
    let created = MapOptions::new(Mode::CreateNew).sparse(true);
    let grown = MapOptions::new(Mode::ReadWrite).sparse(true).grow(true);
    let replaced = MapOptions::new(Mode::Create).sparse(true);
    for (options, len) in [(created, len), (grown, 2 * len), (replaced, len)] {
        let path = disk.path("sparse");
        let mut array = open(options, len, &path).unwrap();
        array.view_mut().unwrap()[99_999] = 7;
        array.close().unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.len(), len);
        assert!(allocated(&metadata) <= MIB, "{metadata:?}");
        let mut byte = [0];
        File::open(&path).unwrap().read_exact_at(&mut byte, 99_999).unwrap();
        assert_eq!(byte, [7]);
    }
}

/// On such a file system `sparse(false)` also makes a sparse file, as documented.
#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn where_no_space_can_be_reserved_a_file_is_extended_all_the_same() {
    let disk = Disk::get();
    assert!(!disk.reserves());
    let path = disk.path("extended");
    let len = disk.free() / 2;
    drop(open(MapOptions::new(Mode::CreateNew), len, &path).unwrap());
    let grown = MapOptions::new(Mode::ReadWrite).grow(true);
    let mut array = open(grown, len + 5000, &path).unwrap();
    array.view_mut().unwrap().fill(9);
    array.close().unwrap();
    assert!(fs::read(&path).unwrap() == vec![9; usize::try_from(len + 5000).unwrap()]);
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_full_disk_replaces_a_file_in_its_own_space_or_leaves_it() {
    let disk = Disk::get();
    for (offset, len) in [(0, 3 * MIB), (0, MIB + 1), (5000, 2 * MIB), (0, 0)] {
        disk.clear();
        let path = disk.path("old");
        let old = Old::write(&path, 3 * MIB);
        disk.fill();
        let options = MapOptions::new(Mode::Create).offset(offset);
        let mut array = match open(options, len, &path)
            .map_err(ndarray_memmap::Error::into_kind)
        {
            Err(ErrorKind::NoSpace { expected }) if !disk.writes_in_place() => {
                assert_eq!(expected, offset + len);
                old.assert_unchanged();
                continue;
            }
            opened => opened.unwrap_or_else(|e| panic!("{len} bytes at {offset}: {e}")),
        };
        assert!(array.iter().all(|byte| *byte == 0));
        let end = usize::try_from(offset + len).unwrap();
        assert!(fs::read(&path).unwrap() == vec![0; end]);

        array.view_mut().unwrap().fill(5);
        array.close().unwrap();
        let start = usize::try_from(offset).unwrap();
        let expected = [vec![0; start], vec![5; end - start]].concat();
        assert!(fs::read(&path).unwrap() == expected);
    }
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_new_file_has_its_blocks_before_the_disk_fills_up() {
    let disk = Disk::that_reserves();
    let path = disk.path("new");
    let len = 2 * MIB + 77;
    let array = open(MapOptions::new(Mode::CreateNew), len, &path).unwrap();
    disk.fill();
    // Without allocated blocks, a store would kill the process.
    fill_and_read(array, 0);
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_grown_file_has_its_blocks_before_the_disk_fills_up() {
    let disk = Disk::that_reserves();
    let path = disk.path("grown");
    drop(Old::write(&path, 10_001));
    let grown = MapOptions::new(Mode::ReadWrite).grow(true);
    let array = open(grown, 4 * MIB + 5, &path).unwrap();
    disk.fill();
    // Skip the old blocks: btrfs does not overwrite blocks that hold data.
    fill_and_read(array, 12_288);
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn a_replaced_file_has_its_blocks_before_the_disk_fills_up() {
    let disk = Disk::that_reserves();
    for (old, new) in [(10_001, 4 * MIB + 5), (4 * MIB, 2 * MIB + 77)] {
        let path = disk.path("replaced");
        drop(Old::write(&path, old));
        let array = open(MapOptions::new(Mode::Create), new, &path).unwrap();
        disk.fill();
        fill_and_read(array, 0);
        disk.clear();
    }
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn what_was_synced_is_in_the_file() {
    let disk = Disk::get();
    let path = disk.path("synced");
    let options = MapOptions::new(Mode::Create).offset(4097);
    let mut array = open(options, 300_000, &path).unwrap();
    for (byte, value) in array.view_mut().unwrap().iter_mut().zip(noise(300_000)) {
        *byte = value;
    }
    array.sync().unwrap();
    let expected = [vec![0; 4097], noise(300_000)].concat();
    assert!(fs::read(&path).unwrap() == expected);
    drop(array);
    disk.write_back();
    assert!(fs::read(&path).unwrap() == expected);
}

/// The file system under test, for one test at a time.
struct Disk {
    dir: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Disk {
    fn get() -> Self {
        static TURN: Mutex<()> = Mutex::new(());

        let dir = std::env::var_os("TEST_FILE_SYSTEM");
        let dir = dir.expect("TEST_FILE_SYSTEM names a disk");
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let disk = Self { dir: dir.into(), _turn };
        disk.clear();
        disk
    }

    fn that_reserves() -> Self {
        let disk = Self::get();
        assert!(disk.reserves());
        disk
    }

    fn reserves(&self) -> bool {
        let path = self.path("probe");
        let file = File::create(&path).unwrap();
        let reserved = fallocate(&file, FallocateFlags::empty(), 0, 4096);
        fs::remove_file(path).unwrap();
        reserved != Err(Errno::OPNOTSUPP)
    }

    /// Returns whether a full disk can still write to the allocated blocks of a file.
    ///
    /// False on btrfs, which copies on write, and on XFS, which first needs space for its own
    /// records.
    fn writes_in_place(&self) -> bool {
        let magic = statfs(&self.dir).unwrap().f_type;
        ![0x9123_683e, 0x5846_5342].contains(&magic)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn size(&self) -> u64 {
        let disk = statvfs(&self.dir).unwrap();
        disk.f_blocks * disk.f_frsize
    }

    fn free(&self) -> u64 {
        self.write_back();
        let disk = statvfs(&self.dir).unwrap();
        disk.f_bavail * disk.f_frsize
    }

    /// Waits until the file system reports the freed space as free.
    #[track_caller]
    fn assert_free(&self, expected: u64) {
        for _ in 0..50 {
            if self.free() + SLACK >= expected {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{} bytes are free, {expected} were free before", self.free());
    }

    fn write_back(&self) {
        syncfs(File::open(&self.dir).unwrap()).unwrap();
    }

    /// Fills the disk.
    fn fill(&self) {
        let file = File::create(self.path("filling")).unwrap();
        let reserves = self.reserves();
        let block = noise(MIB);
        let (mut end, mut len) = (0, block.len());
        while len >= 512 {
            let taken = if reserves {
                let len = u64::try_from(len).unwrap();
                fallocate(&file, FallocateFlags::empty(), end, len)
                    .map(|()| len)
                    .map_err(io::Error::from)
            } else {
                let taken = file.write_at(block.split_at(len).0, end);
                taken.map(|len| u64::try_from(len).unwrap())
            };
            match taken {
                Ok(taken) => end += taken,
                Err(e) if e.kind() == io::ErrorKind::StorageFull => {
                    self.write_back();
                    len /= 2;
                }
                Err(e) => panic!("{e}"),
            }
        }
        file.sync_all().unwrap();
    }

    fn clear(&self) {
        for entry in fs::read_dir(&self.dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::remove_file(path).unwrap();
            }
        }
        self.write_back();
    }
}

/// A file that a new array would replace.
struct Old {
    path: PathBuf,
    contents: Vec<u8>,
    allocated: u64,
}

impl Old {
    fn write(path: &Path, len: u64) -> Self {
        let contents = noise(len);
        let mut file = File::create(path).unwrap();
        file.write_all(&contents).unwrap();
        file.sync_all().unwrap();
        let allocated = allocated(&file.metadata().unwrap());
        Self { path: path.to_owned(), contents, allocated }
    }

    #[track_caller]
    fn assert_unchanged(&self) {
        assert!(fs::read(&self.path).unwrap() == self.contents);
        let allocated = allocated(&fs::metadata(&self.path).unwrap());
        // ext4 keeps a block that it allocated for the list of other blocks.
        assert!(allocated <= self.allocated + 4096, "{allocated} > {}", self.allocated);
    }
}

fn open(options: MapOptions, len: u64, path: &Path) -> Result<MmapArray> {
    let options = options.shape(usize::try_from(len).unwrap());
    // SAFETY: no other program uses the disk, and these tests run one at a time.
    unsafe { options.open(path) }
}

#[track_caller]
fn assert_no_space(opened: Result<MmapArray>, expected: u64) {
    match opened.map_err(ndarray_memmap::Error::into_kind) {
        Err(ErrorKind::NoSpace { expected: found }) => assert_eq!(found, expected),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn fill_and_read(array: MmapArray, start: usize) {
    let path = array.path().unwrap().to_owned();
    let metadata = fs::metadata(&path).unwrap();
    assert!(allocated(&metadata) >= metadata.len(), "{metadata:?}");
    let mut array = array;
    let mut view = array.view_mut().unwrap();
    view.iter_mut().skip(start).for_each(|byte| *byte = 3);
    let len = view.len();
    array.close().unwrap();
    assert!(fs::read(&path).unwrap().split_at(start).1 == vec![3; len - start]);
}

fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.blocks() * 512
}

/// Returns bytes that no file system can compress.
fn noise(len: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3] | 1
    };
    std::iter::repeat_with(next).take(usize::try_from(len).unwrap()).collect()
}
