//! What the operating system and its file systems guarantee.

pub(crate) mod description;
pub(crate) mod file_system;
#[cfg_attr(not(target_os = "linux"), path = "limits_elsewhere.rs")]
pub(crate) mod limits;
pub(crate) mod process;
pub(crate) mod reach;
pub(crate) mod write_state;
pub(crate) mod zeros;
