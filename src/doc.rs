//! Documentation that is longer than an item's.

pub mod for_numpy_users;
