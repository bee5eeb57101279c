//! The guard where there is none: nothing is installed, and so nothing registered.

use std::fs::File;
use std::io;

use memmap2::MmapRaw;

use super::Fault;

/// A mapping that is guarded; there is none here.
#[derive(Debug)]
pub(crate) enum Registration {}

impl Registration {
    pub(crate) fn new(_: &MmapRaw, _: u64, _: &File, _: bool) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        match *self {}
    }
}

pub(crate) fn install() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn is_active() -> bool {
    false
}
