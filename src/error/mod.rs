//! The error of this crate: a fact, the file, and the way out; knows nothing of the code that
//! returns it.

mod kind;
pub(crate) mod npy;

pub(crate) use kind::CREATE_IN;
pub use kind::ErrorKind;
pub use npy::NpyErrorKind;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::{error, fmt, io};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a file cannot be used as an array, and the path of the file.
///
/// A call that returns an error has changed no file, unless its documentation says otherwise.
/// [`kind`](Self::kind) returns the reason as an enum, to match on. [`path`](Self::path) returns
/// the file. [`source`](error::Error::source) returns the error of the operating system, if there
/// is one.
///
/// `Display` prints one sentence: the path, the reason, and how to avoid the error. `Debug` prints
/// the same sentence and the [`ErrorKind`], so that `main` and `unwrap` show both.
/// [`doc::cookbook`](crate::doc::cookbook#how-do-i-find-out-why-a-file-does-not-open) explains
/// frequent causes.
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("a.bin");
/// # std::fs::write(&path, [0; 7])?;
/// use ndarray_memmap::{ErrorKind, MapOptions, Mode};
///
/// let error = MapOptions::new(Mode::ReadOnly).load::<f32>(&path).unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::PartialElement { available: 7, size: 4 }));
/// assert_eq!(error.path(), Some(&*path));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    /// Empty if the caller passed an open file, or no file.
    path: PathBuf,
    /// How the caller avoids the error, if the place of the error knows better than the kind.
    way_out: Option<Cow<'static, str>>,
}

impl Error {
    /// Returns the reason of the error.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Takes the reason of the error, without the path.
    pub fn into_kind(self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the path of the file, or `None` if the caller passed an open file or no file.
    pub fn path(&self) -> Option<&Path> {
        let path = &*self.0.path;
        (!path.as_os_str().is_empty()).then_some(path)
    }

    /// Names the file, unless the error names one already.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        if self.0.path.as_os_str().is_empty() {
            path.clone_into(&mut self.0.path);
        }
        self
    }

    /// Says how the caller avoids the error, in place of the usual way out of the kind.
    pub(crate) fn with_way_out(mut self, way_out: impl Into<Cow<'static, str>>) -> Self {
        self.0.way_out = Some(way_out.into());
        self
    }

    pub(crate) fn is_locked(&self) -> bool {
        matches!(self.kind(), ErrorKind::Locked)
    }

    /// Returns the kind of an error of the operating system.
    pub(crate) fn io_kind(&self) -> Option<io::ErrorKind> {
        match self.kind() {
            ErrorKind::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// Returns a closure that wraps an I/O error, for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| ErrorKind::Io { action, source }.at(path)
    }
}

impl ErrorKind {
    /// Makes an error that names a file.
    pub(crate) fn at(self, path: &Path) -> Error {
        Error::from(self).at(path)
    }
}

/// Names the file in the error of a result.
pub(crate) trait AtPath {
    fn at(self, path: &Path) -> Self;
}

impl<T> AtPath for Result<T> {
    fn at(self, path: &Path) -> Self {
        self.map_err(|error| error.at(path))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, way_out, .. } = &*self.0;
        if let Some(path) = self.path() {
            write!(f, "`{}`: ", path.display())?;
        }
        kind.fmt(f)?;
        match way_out.clone().or_else(|| kind.way_out()) {
            Some(way_out) => write!(f, " ({way_out})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({:?})", self.kind())
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.kind().source()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(Inner { kind, path: PathBuf::new(), way_out: None }))
    }
}

impl From<NpyErrorKind> for Error {
    fn from(kind: NpyErrorKind) -> Self {
        ErrorKind::from(kind).into()
    }
}

/// Returns the [`Error`] that an `io::Error` was made of; any other becomes [`ErrorKind::Io`].
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Error::io("use", Path::new("")))
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind().io_kind(), error)
    }
}

/// Displays a number of axes.
pub(crate) struct Axes<'a>(pub(crate) &'a usize);

impl fmt::Display for Axes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if *self.0 == 1 { "axis" } else { "axes" })
    }
}

/// Displays a text of which a file determines the length, shortened to 60 bytes.
pub(crate) struct Short<'a>(pub(crate) &'a str);

impl Short<'_> {
    pub(crate) const MOST: usize = 60;
}

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= Self::MOST {
            return f.write_str(self.0);
        }
        let end = (0..=Self::MOST).rev().find(|end| self.0.is_char_boundary(*end));
        write!(f, "{}…", self.0.get(..end.unwrap_or(0)).unwrap_or_default())
    }
}
