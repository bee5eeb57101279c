//! Calls of NumPy's functions in a case; some cannot be expressed in Rust.

use std::str::FromStr;

use ndarray_memmap::Mode;
use ndarray_memmap::npy::Version;
use serde_json::Value;

use crate::array::Request;
use crate::dtype::DType;
use crate::json::{Fields, Result, one_or_many};
use crate::npy::{Creation, NpyRequest};

/// A call; converted late, because only its mode is valid for every advice.
pub(crate) enum Call {
    Memmap(Memmap),
    OpenMemmap(OpenMemmap),
}

/// A call of `numpy.memmap`.
pub(crate) struct Memmap {
    mode: Value,
    dtype: Value,
    shape: Value,
    offset: Value,
    order: Value,
}

/// A call of `numpy.lib.format.open_memmap`.
pub(crate) struct OpenMemmap {
    mode: Value,
    dtype: Value,
    shape: Value,
    fortran_order: bool,
    version: Value,
    max_header_size: Option<u64>,
}

impl Call {
    pub(crate) fn read(mut fields: Fields) -> Result<Self> {
        let call = match fields.need::<String>("fn")?.as_str() {
            "memmap" => Self::Memmap(Memmap::read(&mut fields)?),
            "open_memmap" => Self::OpenMemmap(OpenMemmap::read(&mut fields)?),
            _ => return Err("unknown `fn` in `call`".into()),
        };
        fields.done()?;
        Ok(call)
    }

    /// Returns the name of the mode, which need not exist.
    pub(crate) fn mode(&self) -> Result<&str> {
        let (Self::Memmap(Memmap { mode, .. })
        | Self::OpenMemmap(OpenMemmap { mode, .. })) = self;
        mode.as_str().ok_or_else(|| format!("`mode` cannot be {mode}"))
    }

    /// Returns whether the call creates a new file.
    pub(crate) fn creates(&self) -> Result<bool> {
        let mode = Mode::from_str(self.mode()?);
        Ok(matches!(mode, Ok(Mode::Create | Mode::CreateNew)))
    }
}

impl Memmap {
    fn read(fields: &mut Fields) -> Result<Self> {
        let mut field = |name| fields.raw(name).ok_or(format!("no `{name}` in `call`"));
        Ok(Self {
            mode: field("mode")?,
            dtype: field("dtype")?,
            shape: field("shape")?,
            offset: field("offset")?,
            order: field("order")?,
        })
    }

    pub(crate) fn dtype(&self) -> Result<DType> {
        DType::read(&self.dtype)
    }

    pub(crate) fn offset(&self) -> Result<u64> {
        self.offset.as_u64().ok_or_else(|| format!("`offset` cannot be {}", self.offset))
    }

    pub(crate) fn shape(&self) -> Result<Option<Vec<usize>>> {
        read_shape(&self.shape)
    }

    /// Translates the call for the given mode.
    pub(crate) fn request(&self, mode: Mode) -> Result<Request> {
        let fortran = match self.order.as_str() {
            Some("C") => false,
            Some("F") => true,
            _ => return Err(format!("unknown `order` {}", self.order)),
        };
        let (offset, shape) = (self.offset()?, self.shape()?);
        Ok(Request { mode, offset, shape, fortran, grow: false, sparse: false })
    }
}

impl OpenMemmap {
    fn read(fields: &mut Fields) -> Result<Self> {
        Ok(Self {
            mode: fields.need("mode")?,
            dtype: fields.raw("dtype").unwrap_or_default(),
            shape: fields.raw("shape").unwrap_or_default(),
            fortran_order: fields.get("fortran_order")?.unwrap_or_default(),
            version: fields.raw("version").unwrap_or_default(),
            max_header_size: fields.get("max_header_size")?,
        })
    }

    /// Translates the call for the given mode.
    pub(crate) fn request(&self, mode: Mode) -> Result<NpyRequest> {
        let creates = matches!(mode, Mode::Create | Mode::CreateNew);
        let creation = creates.then(|| self.creation()).transpose()?;
        Ok(NpyRequest {
            mode,
            max_header_size: self.max_header_size,
            creation,
            sparse: false,
        })
    }

    fn creation(&self) -> Result<Creation> {
        let dtype = match &self.dtype {
            Value::Null => DType::read(&"<f8".into())?,
            dtype => DType::read(dtype)?,
        };
        let version = match one_or_many::<u64>(&self.version).as_deref() {
            None if self.version.is_null() => None,
            Some([1, 0]) => Some(Version::V1),
            Some([2, 0]) => Some(Version::V2),
            Some([3, 0]) => Some(Version::V3),
            _ => return Err(format!("`version` cannot be {}", self.version)),
        };
        let shape =
            read_shape(&self.shape)?.ok_or("a new `.npy` file without `shape`")?;
        Ok(Creation { dtype, shape, fortran: self.fortran_order, version })
    }
}

fn read_shape(value: &Value) -> Result<Option<Vec<usize>>> {
    match value {
        Value::Null => Ok(None),
        shape => match one_or_many(shape) {
            Some(shape) => Ok(Some(shape)),
            None => Err(format!("`shape` cannot be {shape}")),
        },
    }
}
