//! Criterion measures resident memory instead of time.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};

/// Measures bytes of resident memory, which `iter_custom` returns.
pub(crate) struct Resident;

/// Returns the resident bytes of this process, pages of files included.
pub(crate) fn bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    // The kernel counts pages, which have 4 KiB on the machines of the plots.
    pages.unwrap_or(0_u64) * 4096
}

impl Measurement for Resident {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        bytes()
    }

    fn end(&self, before: u64) -> u64 {
        bytes().saturating_sub(before)
    }

    fn add(&self, a: &u64, b: &u64) -> u64 {
        a + b
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Resident {
    fn scale_values(&self, _typical: f64, values: &mut [f64]) -> &'static str {
        values.iter_mut().for_each(|value| *value /= 1_048_576.0);
        "MiB"
    }

    fn scale_throughputs(&self, _: f64, _: &Throughput, _: &mut [f64]) -> &'static str {
        "B"
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "B"
    }
}
