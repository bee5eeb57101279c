//! The guard on platforms without one: `install` returns `Unsupported`; registers nothing.

use std::{fs::File, io};

use memmap2::MmapRaw;

use super::Fault;

/// A guarded mapping; this platform has none.
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
