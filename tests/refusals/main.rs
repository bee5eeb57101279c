//! Runs every public operation while the kernel refuses one system call after the other.
//!
//! `scenarios` lists the operations. Each runs in a child process whose system calls wait for
//! an answer of this process (seccomp user notification). A first run counts the calls. Then a
//! child runs the operation for each system call, each occurrence of the call and each error
//! that the call can return. That call fails, alone or with all later calls of its kind.
//! `supervisor` checks the results.
//!
//! `REFUSALS=all` runs all combinations. `REFUSALS=push` runs all combinations of the scenarios
//! whose name contains `push`. By default each combination of scenario, system call and error
//! runs once.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![expect(unsafe_code, reason = "files are mapped; processes fork")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the numbers are small; helpers of tests"
)]

mod calls;
mod contents;
mod kernel;
mod plan;
mod scenarios;
mod supervisor;
mod trial;
mod workers;

#[test]
#[ignore = "needs seccomp user notification and minutes; run by .ci/steps/refusals"]
fn every_operation_survives_the_refusal_of_each_system_call() {
    let report = workers::run_all();
    println!("\n{report}");
    assert!(report.runs >= report.least_runs, "{} runs", report.runs);
    assert!(report.violations.is_empty(), "{} violations", report.violations.len());
}
