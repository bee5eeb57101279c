//! Enumerates the states that a power cut can leave, on real file systems, and checks promises.
//!
//! A scenario runs on a file system whose disk logs each request (`disk`). When a call returns,
//! `recorder` notes its promise together with the length of the log. `states` then builds states
//! of the disk from prefixes of the log and subsets of the writes since the last flush. `check`
//! mounts each state and compares it with the promises made by then.

mod check;
mod disk;
mod element;
mod file_system;
mod image;
mod job;
mod log;
mod model;
mod preparation;
mod random;
mod recorder;
mod runner;
mod scenarios;
mod self_test;
mod states;
mod system;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["serve", dir, is_cached, loses_flushes] => {
            disk::serve(Path::new(dir), *is_cached == "true", *loses_flushes == "true")
                .map(|()| true)
        }
        ["wiring"] => self_test::run(),
        ["job", system, scenario, seed, prefixes, states, loses_flushes] => {
            runner::run_job(
                [system, scenario],
                [seed, prefixes, states],
                *loses_flushes == "true",
            )
        }
        [] => runner::run_all(),
        _ => Err(std::io::Error::other(
            "run without arguments; see `.ci/steps/crash-states`",
        )),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
