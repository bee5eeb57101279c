//! The calls that programs make until the power fails.

mod broken;
mod changes;
mod created;
mod growing;
mod headers;
mod mixed;
mod replaced;

use std::io;

use ndarray_memmap::Mode;
use ndarray_memmap::npy;

use crate::element::PLAIN;
use crate::model::Format;
use crate::preparation::Preparation;
use crate::recorder::Recorder;

/// Calls of the crate on prepared files.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) prepare: fn(&mut Preparation<'_>) -> io::Result<()>,
    pub(crate) run: fn(&mut Recorder<'_>),
    /// Whether the scenario breaks promises on purpose, which the checks must detect.
    pub(crate) is_broken: bool,
}

impl Scenario {
    const fn new(name: &'static str, run: fn(&mut Recorder<'_>)) -> Self {
        Self { name, prepare: |_| Ok(()), run, is_broken: false }
    }

    const fn prepared(
        name: &'static str,
        prepare: fn(&mut Preparation<'_>) -> io::Result<()>,
        run: fn(&mut Recorder<'_>),
    ) -> Self {
        Self { name, prepare, run, is_broken: false }
    }

    const fn broken(self) -> Self {
        Self { is_broken: true, ..self }
    }
}

/// Returns all scenarios.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    let groups = [
        created::SCENARIOS,
        growing::SCENARIOS,
        headers::SCENARIOS,
        changes::SCENARIOS,
        replaced::SCENARIOS,
        mixed::SCENARIOS,
        broken::SCENARIOS,
    ];
    groups.into_iter().flatten()
}

/// Finds a scenario by name.
pub(crate) fn find(name: &str) -> Option<&'static Scenario> {
    all().find(|scenario| scenario.name == name)
}

fn plain() -> Format {
    Format::Npy { descr: PLAIN.to_owned() }
}

fn create_options() -> npy::Options {
    npy::Options::new(Mode::Create)
}
