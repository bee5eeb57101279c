//! Whether a benchmark is to be timed.

/// Tells whether the benchmark is to be run once, without measuring.
pub(crate) fn is_smoke() -> bool {
    // As criterion decides: without `--bench`, as under `cargo test`, nothing is timed.
    let asked = |flag: &str| std::env::args().any(|arg| arg == flag);
    !asked("--bench") || asked("--test") || asked("--list")
}
