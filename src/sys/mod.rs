//! What the operating system and its file systems guarantee.

pub(crate) mod file_system;
