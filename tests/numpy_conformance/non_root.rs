//! Running a trial as a user whom the permissions of files bind.

#[cfg(unix)]
pub(crate) use unix::{NonRoot, run_as_asked};

#[cfg(not(unix))]
pub(crate) use elsewhere::{NonRoot, run_as_asked};

#[cfg(unix)]
mod unix {
    use std::cell::OnceCell;
    use std::env;
    use std::fs::{self, Permissions};
    use std::io;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::thread;
    use std::time::Duration;

    use serde_json::{Value, json};
    use tempfile::TempDir;

    use crate::case::Case;
    use crate::json::{Fields, Result};
    use crate::trial::Trial;

    /// The test that does nothing but run what it is asked to.
    const TEST: &str = "a_case_is_run_as_another_user_if_asked";
    /// Names the folder in which a request lies.
    const REQUEST: &str = "NUMPY_CONFORMANCE_REQUEST";
    /// The user and the group `nobody`.
    const NOBODY: u32 = 65534;
    const PASSED: &str = "passed";

    /// A way to become somebody else than root.
    #[derive(Default)]
    pub(crate) struct NonRoot {
        /// This program where anybody can run it.
        program: OnceCell<TempDir>,
    }

    impl NonRoot {
        /// Runs one trial of a case.
        pub(crate) fn run(&self, case: &Value, trial: usize, path: &Path) -> Result<()> {
            if !rustix::process::geteuid().is_root() {
                return run_trial(case, trial, path);
            }
            let answer = self.ask(case, trial, path);
            let answer =
                answer.map_err(|e| format!("cannot run as another user: {e}"))?;
            if answer == PASSED { Ok(()) } else { Err(answer) }
        }

        fn ask(&self, case: &Value, trial: usize, path: &Path) -> io::Result<String> {
            let program = self.program()?;
            let open_to_all = |path: &Path, mode| {
                fs::set_permissions(path, Permissions::from_mode(mode))
            };
            if let Some(folder) = path.parent() {
                open_to_all(folder, 0o755)?;
            }
            let request = json!({ "case": case, "trial": trial, "path": path.to_str() });
            let text = program.join("request");
            fs::write(&text, request.to_string())?;
            open_to_all(&text, 0o644)?;
            let answer = program.join("answer");
            fs::write(&answer, "")?;
            open_to_all(&answer, 0o666)?;
            let mut command = Command::new(program.join("program"));
            command
                .args([TEST, "--exact", "--test-threads=1"])
                .env(REQUEST, program)
                .current_dir(program)
                .stdin(Stdio::null())
                .uid(NOBODY)
                .gid(NOBODY);
            let output = loop {
                match command.output() {
                    // A child that another thread just forked has the copy open for writing.
                    Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy => {
                        thread::sleep(Duration::from_millis(10));
                    }
                    output => break output?,
                }
            };
            let answer = fs::read_to_string(answer)?;
            if answer.is_empty() {
                let words = String::from_utf8_lossy(&output.stderr);
                return Ok(format!("no answer ({}): {words}", output.status));
            }
            Ok(answer)
        }

        fn program(&self) -> io::Result<&Path> {
            if self.program.get().is_none() {
                let folder = tempfile::tempdir()?;
                fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
                let program = folder.path().join("program");
                fs::copy(env::current_exe()?, &program)?;
                fs::set_permissions(program, Permissions::from_mode(0o755))?;
                let _ = self.program.set(folder);
            }
            let folder = self.program.get().ok_or(io::ErrorKind::NotFound)?;
            Ok(folder.path())
        }
    }

    /// Runs a trial if this process was started to, and writes down what came of it.
    pub(crate) fn run_as_asked() -> io::Result<()> {
        let Some(folder) = env::var_os(REQUEST) else {
            return Ok(());
        };
        let folder = Path::new(&folder);
        let request: Value = serde_json::from_slice(&fs::read(folder.join("request"))?)?;
        let answer = answer(&request).err().unwrap_or_else(|| PASSED.to_owned());
        fs::write(folder.join("answer"), answer)
    }

    fn answer(request: &Value) -> Result<()> {
        if rustix::process::geteuid().is_root() {
            return Err("still root".into());
        }
        let mut fields = Fields::of("request", request)?;
        let path: String = fields.need("path")?;
        let case: Value = fields.need("case")?;
        run_trial(&case, fields.need("trial")?, Path::new(&path))
    }

    fn run_trial(case: &Value, trial: usize, path: &Path) -> Result<()> {
        let case = Case::read(case)?;
        let trials = Trial::all(&case)?;
        trials.get(trial).ok_or("no such trial")?.run(&case, path)
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::path::Path;

    use serde_json::Value;

    use crate::json::Result;

    /// Nobody else to become.
    #[derive(Default)]
    pub(crate) struct NonRoot;

    impl NonRoot {
        pub(crate) fn run(&self, _: &Value, _: usize, _: &Path) -> Result<()> {
            Err("permissions are not those of Unix".into())
        }
    }

    pub(crate) fn run_as_asked() -> std::io::Result<()> {
        Ok(())
    }
}
