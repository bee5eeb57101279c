//! Files in their own folders.
#![expect(unsafe_code, reason = "mapping is unsafe; the one place where tests do it")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ndarray::{Dimension, s};
use ndarray_memmap::{Element, Error, MapOptions, MmapArray, Mode, Result};
use tempfile::TempDir;

/// A path in a folder used by one test only, removed at the end of the test.
pub struct Place {
    folder: TempDir,
    path: PathBuf,
}

impl Place {
    /// Returns a path without a file.
    pub fn missing() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("array.bin");
        Self { folder, path }
    }

    /// Returns a file that holds `bytes`, written to disk and not cached.
    #[cfg(target_os = "linux")]
    pub fn cold(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir_in(on_disk()).expect("a folder for the test");
        let path = folder.path().join("array.bin");
        fs::write(&path, bytes).expect("a file for the test");
        let place = Self { folder, path };
        place.chill();
        place
    }

    /// Evicts the file, which must not be mapped, from the page cache.
    #[cfg(target_os = "linux")]
    pub fn chill(&self) {
        use rustix::fs::{Advice, fadvise};

        let file = self.file();
        file.sync_all().expect("the file is written");
        fadvise(&file, 0, None, Advice::DontNeed).expect("the page cache drops it");
        let whole = open::<u8, _>(&MapOptions::new(Mode::ReadOnly), self);
        let residency = whole.expect("it opens").region(s![..]).residency();
        assert!(residency < 0.01, "{residency} of the file is still cached");
    }

    /// Returns a field of all mappings of the file in `/proc/self/smaps`, in KiB.
    #[cfg(target_os = "linux")]
    pub fn mapped(&self, field: &str) -> u64 {
        let maps =
            fs::read_to_string("/proc/self/smaps").expect("this process's mappings");
        let path = self.path.to_str().expect("a path of plain letters");
        let mut is_ours = false;
        let mut sum = 0;
        for line in maps.lines() {
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            match name.strip_suffix(':') {
                None => is_ours = line.ends_with(path),
                Some(name) if is_ours && name == field => {
                    let number = rest.trim().split(' ').next();
                    let number = number.and_then(|number| number.parse::<u64>().ok());
                    sum += number.expect("a number of KiB");
                }
                Some(_) => {}
            }
        }
        sum
    }

    /// Returns a file that holds `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let place = Self::missing();
        fs::write(&place.path, bytes).expect("a file for the test");
        place
    }

    /// Returns a sparse file of `len` bytes without data.
    pub fn sparse(len: u64) -> Self {
        let place = Self::of(b"");
        place.file().set_len(len).expect("a sparse file for the test");
        place
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Opens the file for reading and writing.
    pub fn file(&self) -> File {
        let mut options = File::options();
        options.read(true).write(true).open(&self.path).expect("the file of the test")
    }

    /// Returns the bytes of the file, or `None` if there is no file.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.path.exists().then(|| fs::read(&self.path).expect("the file of the test"))
    }

    /// Asserts that the file holds `bytes`; the message names the first difference.
    #[track_caller]
    pub fn assert_holds(&self, bytes: &[u8]) {
        let found = self.bytes().expect("a file");
        if found == bytes {
            return;
        }
        let different = found.iter().zip(bytes).position(|(found, byte)| found != byte);
        assert_eq!(
            (found.len(), different),
            (bytes.len(), None),
            "length, first difference"
        );
    }

    pub fn len(&self) -> u64 {
        fs::metadata(&self.path).expect("the file of the test").len()
    }
}

impl AsRef<Path> for Place {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// Returns a folder for temporary files whose page cache a test can observe.
///
/// The first choice is `TMPDIR`, then the folder of the build, then a usual one. Pages of tmpfs
/// are never evicted, and FUSE evicts the pages of a file whenever the file is opened.
#[cfg(target_os = "linux")]
fn on_disk() -> PathBuf {
    let program = std::env::current_exe().expect("the path of the test");
    // cargo creates this folder beside the folders of the profiles.
    let build = program.ancestors().map(|folder| folder.join("tmp"));
    let usual = ["/var/tmp", "/tmp"].map(PathBuf::from);
    std::env::var_os("TMPDIR")
        .map(PathBuf::from)
        .into_iter()
        .chain(build.filter(|folder| folder.is_dir()))
        .chain(usual)
        .find(|folder| !matches!(crate::file_system(folder), "tmpfs" | "fuse"))
        .expect("a folder that is neither in memory nor on FUSE")
}

/// Asserts that an error names the file at `path`; returns the text that follows the path.
#[track_caller]
pub fn text_at(error: &Error, path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    assert_eq!(error.path(), Some(path), "{error}");
    let text = error.to_string();
    let rest = text.strip_prefix(&format!("`{}`: ", path.display()));
    rest.unwrap_or_else(|| panic!("the path is not first: {text}")).to_owned()
}

/// Opens a file of a test.
pub fn open<A: Element, D: Dimension>(
    options: &MapOptions<D>,
    path: impl AsRef<Path>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: the file lies in the test's own folder; no test changes its length or reads it
    // by reference while another handle, or a write to the file, changes its bytes.
    unsafe { options.open(path) }
}

/// Maps an open file of a test.
pub fn map<A: Element, D: Dimension>(
    options: &MapOptions<D>,
    file: &File,
) -> Result<MmapArray<A, D>> {
    // SAFETY: as in `open`.
    unsafe { options.map(file) }
}
