//! The process that answers the system calls of a child, and its checks.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Signal, WaitOptions, kill_process, waitpid};

use crate::calls::{REFUSED, row};
use crate::contents::{Files, Left, of_folder};
use crate::kernel::{self, Answer, Call};
use crate::plan::{How, Refusal};
use crate::scenarios::Scenario;
use crate::trial::{SEPARATOR, play};

/// How long a run may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A system call, and whether the thread that runs the scenario makes it.
pub(crate) type Kind = (i64, bool);

/// The result of a run.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// How often each call was made during the operation.
    pub(crate) counts: BTreeMap<Kind, usize>,
    /// The result of the operation.
    pub(crate) outcome: Option<Result<(), Failure>>,
    /// Whether the operation made the call to refuse.
    pub(crate) is_refused: bool,
    pub(crate) files: Files,
    pub(crate) left: Option<Left>,
    pub(crate) complaints: Vec<String>,
}

/// An error of an operation.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) text: String,
}

/// A run in progress.
struct Run<'a> {
    refusal: Option<&'a Refusal>,
    child: i32,
    is_operating: bool,
    ended: Ended,
}

/// Runs a scenario in a child and refuses the planned calls.
pub(crate) fn run(
    scenario: &Scenario,
    dir: &Path,
    refusal: Option<&Refusal>,
    is_idle: bool,
) -> Ended {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir(dir).unwrap();
    let (here, there) = kernel::socket_pair();
    let Some(child) = kernel::fork() else {
        drop(here);
        play(scenario, dir, refusal, is_idle, there);
    };
    drop(there);
    let pid = child.as_raw_nonzero().get();
    let mut run =
        Run { refusal, child: pid, is_operating: false, ended: Ended::default() };
    if !run.serve(&here, dir) {
        run.ended.complaints.push("it hangs".to_owned());
        let _ = kill_process(child, Signal::KILL);
    }
    kernel::send(here.as_fd(), "exit", None);
    let status = waitpid(Some(child), WaitOptions::empty()).unwrap().unwrap().1;
    if let Some(signal) =
        status.terminating_signal().filter(|_| run.ended.complaints.is_empty())
    {
        run.ended.complaints.push(format!("killed by signal {signal}"));
    }
    run.ended
}

impl Run<'_> {
    /// Answers calls until the child ends; returns `false` if it does not end in time.
    fn serve(&mut self, socket: &OwnedFd, dir: &Path) -> bool {
        let deadline = Instant::now() + LIMIT;
        let mut listener: Option<OwnedFd> = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = i64::try_from(left.as_millis()).unwrap();
            let fd = listener.as_ref().map(AsFd::as_fd);
            let (has_text, has_call) = kernel::wait(socket.as_fd(), fd, left);
            if has_text {
                let Some((text, file)) = kernel::receive(socket.as_fd()) else {
                    return true;
                };
                if let Some(file) = file {
                    kernel::wake_here(file.as_fd());
                    listener = Some(file);
                    kernel::send(socket.as_fd(), "go", None);
                }
                if self.hear(&text, dir) {
                    return true;
                }
            } else if has_call && let Some(fd) = &listener {
                match kernel::next_call(fd.as_fd()) {
                    Some(call) => {
                        // The child sends the end of the operation before its next call.
                        if kernel::wait(socket.as_fd(), None, 0).0
                            && let Some((text, _)) = kernel::receive(socket.as_fd())
                        {
                            self.hear(&text, dir);
                        }
                        let answer = self.answer_to(&call);
                        kernel::answer(fd.as_fd(), &call, answer);
                    }
                    // The child has ended, or a signal has ended its call.
                    None if left == 0 => return false,
                    None => {}
                }
            } else if left == 0 {
                return false;
            }
        }
    }

    /// Handles a message of the child; returns `true` if it is the last.
    fn hear(&mut self, text: &str, dir: &Path) -> bool {
        let mut parts = text.split(SEPARATOR);
        match parts.next().unwrap() {
            "begin" => self.is_operating = true,
            "done" => {
                self.is_operating = false;
                self.ended.outcome = Some(Ok(()));
            }
            // The panic message follows at the end.
            "panicked" => self.is_operating = false,
            "failed" => {
                self.is_operating = false;
                let text = parts.next().unwrap().to_owned();
                self.ended.outcome = Some(Err(Failure { text }));
            }
            "end" => {
                self.ended.left = parts.next().map(Left::from_text);
                self.ended.complaints.extend(parts.map(str::to_owned));
                // The child still lives, so its locks are still held.
                self.ended.files = of_folder(dir, &mut self.ended.complaints);
                return true;
            }
            text => panic!("{text}"),
        }
        false
    }

    fn answer_to(&mut self, call: &Call) -> Answer {
        if !self.is_operating {
            return Answer::Made;
        }
        let is_main = call.thread == self.child;
        if !is_main && is_of_thread(call) {
            return Answer::Made;
        }
        if row(call.number).is_none() {
            let complaint =
                format!("system call {} is in no table of `calls`", call.number);
            self.ended.complaints.push(complaint);
            return Answer::Made;
        }
        let count = self.ended.counts.entry((call.number, is_main)).or_default();
        *count += 1;
        let Some(refusal) = self.refusal else { return Answer::Made };
        if refusal.kind != (call.number, is_main) || *count < refusal.number {
            return Answer::Made;
        }
        let after = *count - refusal.number;
        let error = Answer::Error(refusal.errno);
        let answer = match refusal.how {
            How::Once if after == 0 => error,
            // Assume that signals do not interrupt more calls in a row than that.
            How::From if refusal.errno == libc::EINTR && after > 2 => Answer::Made,
            How::From => error,
            How::Half if after == 0 => kernel::do_half(call).map_or(error, Answer::Value),
            How::Half if after == 1 => error,
            How::Once | How::Half => Answer::Made,
        };
        self.ended.is_refused |= !matches!(answer, Answer::Made);
        answer
    }
}

/// Returns whether the standard library makes the call to start a thread.
///
/// The standard library ends the process if it cannot allocate the signal stack.
fn is_of_thread(call: &Call) -> bool {
    let flags = i32::try_from(call.arguments[3] & 0xffff).unwrap();
    call.number == libc::SYS_mmap && flags & libc::MAP_ANONYMOUS != 0
        || call.number == libc::SYS_munmap
}

/// Returns the name of a call.
pub(crate) fn name_of(number: i64) -> &'static str {
    let row = REFUSED.iter().find(|row| row.number == number);
    row.map_or("?", |row| row.name.trim_start_matches("SYS_"))
}
