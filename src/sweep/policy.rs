//! The policies of a sweep for the page cache; knows nothing of pages.

/// Selects what a sweep does with the page cache, the memory that all processes share (Linux).
///
/// On other systems the sweep leaves the page cache to the system. The same holds on Linux for
/// blocks that touch more than twice the pages that they fill. Pages that the kernel reads ahead by
/// itself may stay if the pages of a block are not contiguous. If threads share pages, a page that
/// one thread has mapped may stay when another tries to evict it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PageCache {
    /// Evicts the pages that the sweep had to read, and keeps the pages that were cached before.
    #[default]
    AsFound,
    /// Keeps the pages that the sweep had to read.
    Keep,
    /// Evicts all pages that the sweep passes over.
    Drop,
}
