//! What a sweep does with the page cache.

/// What a sweep does with the page cache, the memory that all processes share (Linux).
///
/// Elsewhere it is left to the system, as it is for blocks that touch more than twice the pages
/// they fill. Of blocks whose pages lie apart, what the kernel reads ahead of its own accord may
/// stay, and of what threads share, pages that one has mapped while another would drop them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PageCache {
    /// What the sweep had to read goes, what was there stays.
    #[default]
    AsFound,
    /// What the sweep had to read stays.
    Keep,
    /// All pages that the sweep goes over go.
    Drop,
}
