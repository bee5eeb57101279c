//! What the operating system and its file systems guarantee.

pub(crate) mod atomic_u64;
pub(crate) mod description;
pub(crate) mod file_system;
#[cfg_attr(not(target_os = "linux"), path = "limits_elsewhere.rs")]
pub(crate) mod limits;
pub(crate) mod memory;
#[cfg(target_os = "linux")]
pub(crate) mod memory_lock;
#[cfg(target_os = "linux")]
pub(crate) mod page_cache;
#[cfg(target_os = "linux")]
pub(crate) mod pagemap;
pub(crate) mod process;
pub(crate) mod write_state;
