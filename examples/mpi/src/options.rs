//! The options of the command line.

use std::env;
use std::path::PathBuf;
use std::str::FromStr;

use crate::Result;

const USAGE: &str = "\
usage: mpirun -n N hillshade --ranks N [--shape ROWSxCOLUMNS] \
[--check | --scaling ROUNDS | --die-rank RANK --die-at-row ROW] DIR
       hillshade --inspect FILE.npy";

pub(crate) enum Options {
    /// Inspects a field that a killed run has left behind.
    Inspect(PathBuf),
    Run(Run),
}

/// The work of all ranks.
pub(crate) struct Run {
    pub(crate) ranks: usize,
    /// 512 MiB by default.
    pub(crate) shape: (usize, usize),
    pub(crate) task: Task,
    pub(crate) dir: PathBuf,
}

pub(crate) enum Task {
    Shade { check: bool },
    Scaling { rounds: usize },
    Die(Death),
}

/// A rank that dies while it fills the middle of a row.
#[derive(Clone, Copy)]
pub(crate) struct Death {
    pub(crate) rank: usize,
    pub(crate) row: usize,
}

impl Options {
    pub(crate) fn parse() -> Result<Self> {
        let (mut ranks, mut shape, mut dir) = (None, (16_384, 8192), None);
        let (mut check, mut rounds, mut rank, mut row) = (false, None, None, None);
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(USAGE);
            match argument.as_str() {
                "--inspect" => return Ok(Self::Inspect(value()?.into())),
                "--ranks" => ranks = Some(value()?.parse()?),
                "--shape" => shape = parse_shape(&value()?)?,
                "--check" => check = true,
                "--scaling" => rounds = Some(value()?.parse()?),
                "--die-rank" => rank = Some(value()?.parse()?),
                "--die-at-row" => row = Some(value()?.parse()?),
                _ if argument.starts_with('-') || dir.is_some() => {
                    return Err(USAGE.into());
                }
                _ => dir = Some(argument.into()),
            }
        }
        let task = match (check, rounds, rank, row) {
            (check, None, None, None) => Task::Shade { check },
            (false, Some(rounds), None, None) => Task::Scaling { rounds },
            (false, None, Some(rank), Some(row)) => Task::Die(Death { rank, row }),
            _ => return Err(USAGE.into()),
        };
        let (ranks, dir) = ranks.zip(dir).ok_or(USAGE)?;
        Ok(Self::Run(Run { ranks, shape, task, dir }))
    }
}

fn parse_shape(text: &str) -> Result<(usize, usize)> {
    let (rows, columns) = text.split_once('x').ok_or(USAGE)?;
    Ok((usize::from_str(rows)?, usize::from_str(columns)?))
}
