//! Arrays of `.npy` files, opened with the Rust element type that matches the file's type.
#![expect(unsafe_code, reason = "mapping a file is unsafe")]

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use bytemuck::{Pod, Zeroable};
use ndarray::{IxDyn, ShapeBuilder};
use ndarray_memmap::npy::{self, Header, Kind, NpyElement, Options, Version};
use ndarray_memmap::{Error, ErrorKind, Mode, NpyErrorKind};

use crate::array::{self, Array, Refusal};
use crate::dtype::DType;
use crate::element::{self, Item};

/// The parameters for opening or creating a `.npy` file.
pub(crate) struct NpyRequest {
    pub(crate) mode: Mode,
    pub(crate) max_header_size: Option<u64>,
    /// `None` opens the existing file.
    pub(crate) creation: Option<Creation>,
    pub(crate) sparse: bool,
}

/// The contents of a new `.npy` file.
pub(crate) struct Creation {
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
    pub(crate) fortran: bool,
    pub(crate) version: Option<Version>,
}

/// An array, and its element type as the crate parsed it.
pub(crate) struct Opened {
    pub(crate) array: Box<dyn Array>,
    pub(crate) dtype: DType,
}

/// How to open the array of a `.npy` file.
#[derive(Clone, Copy)]
pub(crate) enum Way<'a> {
    Map,
    Load,
    Create(&'a Creation),
}

/// Opens a `.npy` file of one element type.
pub(crate) type OpenNpy = fn(&Options, Way<'_>, &Path) -> Result<Box<dyn Array>, Error>;

/// An element type that no file has: the error for opening a file names the file's type.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
struct Unlike(u8);

impl NpyElement for Unlike {
    fn dtype() -> npy::DType {
        npy::DType::scalar(Kind::Void, npy::ByteOrder::None, 1)
    }

    fn check(found: &npy::DType) -> Result<(), NpyErrorKind> {
        let (found, expected) = (found.to_string(), "nothing".to_owned());
        Err(NpyErrorKind::ElementType { found, expected })
    }
}

pub(crate) fn open_as<A: Item + NpyElement>(
    options: &Options,
    way: Way<'_>,
    path: &Path,
) -> Result<Box<dyn Array>, Error> {
    let array = match way {
        Way::Load => options.load::<A, IxDyn>(path)?,
        // SAFETY: the file lies in a folder made for this case, which no other code uses.
        // The case itself writes to the file or maps it again only while no view is borrowed.
        Way::Map => unsafe { options.open::<A, IxDyn>(path)? },
        Way::Create(Creation { shape, fortran, .. }) => {
            let shape = IxDyn(shape).set_f(*fortran);
            // SAFETY: as above.
            unsafe { options.create::<A, IxDyn>(path, shape)? }
        }
    };
    Ok(Box::new(array))
}

impl NpyRequest {
    pub(crate) fn of(mode: Mode, max_header_size: Option<u64>) -> Self {
        Self { mode, max_header_size, creation: None, sparse: false }
    }

    pub(crate) fn options(&self) -> Options {
        let options = Options::new(self.mode).sparse(self.sparse);
        let options = match self.max_header_size {
            Some(cap) => options.max_header_size(cap),
            None => options,
        };
        match &self.creation {
            Some(Creation { fortran, version: Some(version), .. }) => {
                options.order(test_support::memory_order(*fortran)).version(*version)
            }
            Some(Creation { fortran, .. }) => {
                options.order(test_support::memory_order(*fortran))
            }
            None => options,
        }
    }

    /// Opens or creates a file of any element type.
    pub(crate) fn open(&self, path: &Path) -> Result<Opened, Refusal> {
        match &self.creation {
            Some(creation) => self.create(creation, path),
            None => self.open_file(path),
        }
    }

    fn open_file(&self, path: &Path) -> Result<Opened, Refusal> {
        // SAFETY: nothing is mapped.
        let opened = unsafe { self.options().open::<Unlike, IxDyn>(path) };
        let text = match opened.map_err(ndarray_memmap::Error::into_kind) {
            Err(ErrorKind::Npy(NpyErrorKind::ElementType { found, .. })) => found,
            Err(error) => return Err(ndarray_memmap::Error::from(error).into()),
            Ok(_) => return misuse("an element like no other was found"),
        };
        let header = self.read_header(path)?;
        if text.parse::<npy::DType>()? != *header.dtype() {
            return misuse(format!("`{text}` is not read as what it was printed of"));
        }
        let dtype = found(header.dtype())?;
        let array = match element::npy_opener(&dtype) {
            Some(open) => open(&self.options(), Way::Map, path)?,
            None => self.map(&header, &dtype, path)?,
        };
        Ok(Opened { array, dtype })
    }

    fn create(&self, creation: &Creation, path: &Path) -> Result<Opened, Refusal> {
        let dtype: npy::DType = creation.dtype.descr().parse()?;
        let header = Header::new(
            dtype,
            &creation.shape,
            test_support::memory_order(creation.fortran),
        )?;
        let header = match creation.version {
            Some(version) => header.with_version(version)?,
            None => header,
        };
        let dtype = found(header.dtype())?;
        // For elements of bytes, Rust writes only the first type that it reads.
        let writes = |_: &OpenNpy| !matches!(dtype, DType::Plain { kind: 'V', .. });
        if let Some(create) = element::npy_opener(&dtype).filter(writes) {
            let array = create(&self.options(), Way::Create(creation), path)?;
            return Ok(Opened { array, dtype });
        }
        let array = self.map(&header, &dtype, path)?;
        let file = OpenOptions::new().write(true).open(path);
        header.write(file.map_err(|e| unreadable(&e))?)?;
        Ok(Opened { array, dtype })
    }

    /// Reads the header of a file without mapping it, in every way that the crate has.
    fn read_header(&self, path: &Path) -> Result<Header, Refusal> {
        let bytes = fs::read(path).map_err(|e| unreadable(&e))?;
        let Some(cap) = self.max_header_size else {
            let header = Header::parse(&bytes)?;
            let file = File::open(path).map_err(|e| unreadable(&e))?;
            if Header::read(&file)? != header {
                return misuse("a header is not parsed as it is read");
            }
            return Ok(header);
        };
        Ok(Header::parse_with_limit(&bytes, cap)?)
    }

    /// Maps the elements after a header without regard to the format.
    fn map(
        &self,
        header: &Header,
        dtype: &DType,
        path: &Path,
    ) -> Result<Box<dyn Array>, Refusal> {
        let mut request = array::Request {
            mode: self.mode,
            offset: header.data_offset(),
            shape: Some(header.shape().to_vec()),
            fortran: header.fortran_order(),
            grow: false,
            sparse: self.sparse,
        };
        if let Some(open) = element::opener(dtype) {
            return Ok(open(&request, path)?);
        }
        // Elements of bytes suffice to check the length of the file.
        request.shape.iter_mut().for_each(|shape| shape.push(dtype.item_size()));
        array::open::<u8>(&request, path)?;
        misuse(format!("no element type for {dtype:?}"))
    }
}

/// Converts a type that the crate has parsed, and checks that it prints like NumPy's.
fn found(dtype: &npy::DType) -> Result<DType, Refusal> {
    let Some(found) = DType::of(dtype) else {
        return misuse(format!("`{dtype}` is no type of NumPy's"));
    };
    let (text, descr) = (dtype.to_string(), found.descr());
    // Only Python knows which characters of other scripts it prints unescaped.
    if text == descr || !text.is_ascii() || !descr.is_ascii() {
        return Ok(found);
    }
    misuse(format!("the type is printed as `{text}` instead of `{descr}`"))
}

fn misuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Misuse(reason.into()))
}

fn unreadable(error: &std::io::Error) -> Refusal {
    Refusal::Misuse(format!("cannot look into the file: {error}"))
}
