//! Documentation that is longer than an item's.

pub mod faults;
pub mod for_numpy_users;
pub mod soundness;
