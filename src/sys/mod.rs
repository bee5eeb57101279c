//! What the operating system and its file systems guarantee.

pub(crate) mod description;
pub(crate) mod file_system;
pub(crate) mod holes;
#[cfg_attr(not(target_os = "linux"), path = "limits_elsewhere.rs")]
pub(crate) mod limits;
pub(crate) mod lock_upgrade;
#[cfg(target_os = "linux")]
pub(crate) mod memory_lock;
pub(crate) mod process;
pub(crate) mod reach;
pub(crate) mod whole_write;
pub(crate) mod write_state;
pub(crate) mod zeros;
