//! Runs a trial as a user who is subject to file permissions.

#[cfg(unix)]
pub(crate) use unix::{run_as_asked, run_as_non_root};

#[cfg(not(unix))]
pub(crate) use elsewhere::run_as_non_root;

#[cfg(unix)]
mod unix {
    use std::env;
    use std::fs::{self, File, Permissions};
    use std::io::{self, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use serde_json::{Value, json};
    use test_support::drop_privileges;

    use crate::json::{Fields, Result};
    use crate::{a_case_is_run_as_another_user, case::Case, trial::Trial};

    /// The environment variable that names the folder of a request.
    const REQUEST: &str = "NUMPY_CONFORMANCE_REQUEST";
    const PASSED: &str = "passed";

    /// Runs one trial of a case as a user who is subject to permissions.
    ///
    /// Another process runs the trial, since a process cannot become root again. Its working
    /// folder is the folder of the file, which may lie in a folder that is not open to all.
    pub(crate) fn run_as_non_root(case: &Value, trial: usize, path: &Path) -> Result<()> {
        let answer = ask(case, trial, path);
        let answer = answer.map_err(|e| format!("cannot run as another user: {e}"))?;
        if answer == PASSED { Ok(()) } else { Err(answer) }
    }

    fn ask(case: &Value, trial: usize, path: &Path) -> io::Result<String> {
        let parent = path.parent().ok_or(io::ErrorKind::NotFound)?;
        fs::set_permissions(parent, Permissions::from_mode(0o755))?;
        let folder = tempfile::tempdir()?;
        let request = json!({ "case": case, "trial": trial, "name": path.file_name().and_then(|name| name.to_str()) });
        fs::write(folder.path().join("request"), request.to_string())?;
        let mut command = test_support::command(a_case_is_run_as_another_user);
        let output = command.env(REQUEST, folder.path()).current_dir(parent).output()?;
        let answer = fs::read_to_string(folder.path().join("answer"))?;
        if answer.is_empty() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Ok(format!("no answer ({}): {words}", output.status));
        }
        Ok(answer)
    }

    /// Runs the trial that this process was started for, and writes its result to a file.
    pub(crate) fn run_as_asked() -> io::Result<()> {
        let folder = env::var_os(REQUEST).ok_or(io::ErrorKind::NotFound)?;
        let folder = Path::new(&folder);
        let request: Value = serde_json::from_slice(&fs::read(folder.join("request"))?)?;
        let mut to = File::create(folder.join("answer"))?;
        drop_privileges();
        let answer = answer(&request).err().unwrap_or_else(|| PASSED.to_owned());
        to.write_all(answer.as_bytes())
    }

    fn answer(request: &Value) -> Result<()> {
        let mut fields = Fields::of("request", request)?;
        let name: String = fields.need("name")?;
        let case: Value = fields.need("case")?;
        let trial: usize = fields.need("trial")?;
        let case = Case::read(&case)?;
        let trials = Trial::all(&case)?;
        trials.get(trial).ok_or("no such trial")?.run(&case, Path::new(&name))
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::path::Path;

    use serde_json::Value;

    use crate::json::Result;

    /// Returns an error, because this system has no user to switch to.
    pub(crate) fn run_as_non_root(_: &Value, _: usize, _: &Path) -> Result<()> {
        Err("permissions are not those of Unix".into())
    }
}
