//! Chapters about topics that concern more than one item of the crate.

pub mod beyond_one_machine;
pub mod cookbook;
pub mod durability;
pub mod faults;
pub mod for_library_authors;
pub mod for_numpy_users;
pub mod performance;
pub mod soundness;
