//! The files of a scenario, and the contents that an operation may leave.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How many bytes of a file are compared; longer files end with a hole.
const MOST: u64 = 64 << 20;

/// The compared properties of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    len: u64,
    permissions: u32,
    bytes: Vec<u8>,
}

/// The files of a folder by their names.
pub(crate) type Files = BTreeMap<String, Contents>;

/// The files that a failed operation may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// The files as they were before.
    Same,
    /// The files as they were before, or as a successful operation leaves them.
    Either,
    /// The bytes before or after the operation, for each unit of this many bytes.
    Mixed(usize),
    /// The files as they were, or followed by zeros.
    Longer,
    /// The files as a successful operation leaves them, or followed by zeros.
    DoneOrLonger,
    /// Other bytes: the replaced contents are lost.
    Lost,
}

impl Left {
    pub(crate) fn to_text(self) -> String {
        match self {
            Self::Same => "same".to_owned(),
            Self::Either => "either".to_owned(),
            Self::Mixed(unit) => format!("mixed {unit}"),
            Self::Longer => "longer".to_owned(),
            Self::DoneOrLonger => "done or longer".to_owned(),
            Self::Lost => "lost".to_owned(),
        }
    }

    pub(crate) fn from_text(text: &str) -> Self {
        match text {
            "same" => Self::Same,
            "either" => Self::Either,
            "longer" => Self::Longer,
            "done or longer" => Self::DoneOrLonger,
            "lost" => Self::Lost,
            text => Self::Mixed(text.strip_prefix("mixed ").unwrap().parse().unwrap()),
        }
    }

    /// Returns a complaint if an operation has left wrong files.
    pub(crate) fn complaint(
        self,
        is_ok: bool,
        idle: &Files,
        done: &Files,
        found: &Files,
    ) -> Option<String> {
        let is_right = match (is_ok, self) {
            (true, Self::DoneOrLonger) => each(done, found, is_longer),
            (true, _) => found == done,
            (false, Self::Same) => found == idle,
            (false, Self::Either) => found == idle || found == done,
            (false, Self::Mixed(unit)) => {
                found.iter().all(|(name, found)| match (idle.get(name), done.get(name)) {
                    (Some(idle), Some(done)) => is_mixed(idle, done, found, unit),
                    _ => false,
                }) && found.len() == idle.len()
            }
            (false, Self::Lost) => each(idle, found, |_, _| true),
            (false, Self::Longer) => each(idle, found, is_longer),
            (false, Self::DoneOrLonger) => {
                each(idle, found, is_longer) || each(done, found, is_longer)
            }
        };
        let expected = if is_ok { done } else { idle };
        (!is_right).then(|| described(expected, found))
    }
}

fn each(
    expected: &Files,
    found: &Files,
    fits: impl Fn(&Contents, &Contents) -> bool,
) -> bool {
    expected.len() == found.len()
        && found
            .iter()
            .all(|(name, found)| expected.get(name).is_some_and(|old| fits(old, found)))
}

fn is_longer(old: &Contents, new: &Contents) -> bool {
    new.len >= old.len
        && new.bytes.starts_with(&old.bytes)
        && new.bytes[old.bytes.len()..].iter().all(|byte| *byte == 0)
}

fn is_mixed(old: &Contents, new: &Contents, found: &Contents, unit: usize) -> bool {
    old.len == found.len
        && new.len == found.len
        && found.bytes.chunks(unit).enumerate().all(|(number, bytes)| {
            let here = number * unit..number * unit + bytes.len();
            bytes == &old.bytes[here.clone()] || bytes == &new.bytes[here]
        })
}

fn described(expected: &Files, found: &Files) -> String {
    let mut said = Vec::new();
    for (name, old) in expected {
        match found.get(name) {
            None => said.push(format!("`{name}` is gone")),
            Some(new) if new != old => {
                let at =
                    new.bytes.iter().zip(&old.bytes).position(|(new, old)| new != old);
                said.push(format!(
                    "`{name}` has {} bytes, not {}; mode {:o}, not {:o}; the first byte that differs is {at:?}",
                    new.len, old.len, new.permissions, old.permissions
                ));
            }
            Some(_) => {}
        }
    }
    let new = found.keys().filter(|name| !expected.contains_key(*name));
    said.extend(new.map(|name| format!("`{name}` is new")));
    format!("files: {}", said.join("; "))
}

/// Moves the spaces of a header to its end.
///
/// The number of spaces around a number has no meaning, and depends on the writer.
fn without_spaces(bytes: &mut [u8]) {
    let Some(len) = bytes.get(8..10).map(|len| u16::from_le_bytes([len[0], len[1]]))
    else {
        return;
    };
    let end = bytes.len().min(usize::from(len) + 10);
    let header: Vec<u8> =
        bytes[10..end].iter().copied().filter(|byte| *byte != b' ').collect();
    bytes[10..end].fill(b' ');
    bytes[10..10 + header.len()].copy_from_slice(&header);
}

/// Reads the files of a folder, and reports locked ones.
pub(crate) fn of_folder(dir: &Path, complaints: &mut Vec<String>) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let mut file = File::open(entry.path()).unwrap();
        if file.try_lock().is_err() {
            complaints.push(format!("`{name}` is locked"));
        }
        let _ = file.unlock();
        let metadata = file.metadata().unwrap();
        let mut bytes = Vec::new();
        file.by_ref().take(MOST).read_to_end(&mut bytes).unwrap();
        if name.ends_with(".npy") {
            without_spaces(&mut bytes);
        }
        let permissions = metadata.permissions().mode() & 0o7777;
        files.insert(name, Contents { len: metadata.len(), permissions, bytes });
    }
    files
}
