//! Operations of other programs on the file, which do not use this crate.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{FileExt, MetadataExt};

use crate::session::Session;

/// Renames another file over the path, like a program that does not use this crate.
pub(crate) fn rename_over(s: &mut Session<'_>) -> Option<()> {
    let mut rows = s.rows_of_file()?;
    let (numbers, new) = s.new_rows(1);
    rows.extend(new);
    s.attempt(format!("rows {} {}", numbers.start, numbers.end));
    let other = s.path.with_extension("new");
    fs::write(&other, s.form.bytes(&rows)).unwrap();
    fs::rename(&other, s.path).unwrap();
    s.acknowledge("rename", Ok(()))
}

/// Renames another file over the path while it holds the lock of the old file.
pub(crate) fn rename_over_locked(s: &mut Session<'_>) -> Option<()> {
    let file = lock(s)?;
    rename_over(s)?;
    drop(file);
    Some(())
}

/// Changes a row by `write` and restores the modification time of the file.
pub(crate) fn write_and_restore_time(s: &mut Session<'_>) -> Option<()> {
    let file = File::options().read(true).write(true).open(s.path).unwrap();
    let (start, _) = s.form.extent(&s.form.read(s.path).unwrap()).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let [index, _] = s.cells();
    let cell = s.new_cell(index);
    let bytes: Vec<u8> = cell.iter().flat_map(|number| number.to_le_bytes()).collect();
    file.write_all_at(&bytes, start as u64 + index * 32).unwrap();
    file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    s.acknowledge("write", Ok(()))
}

/// Changes a row and restores the time while it holds the lock.
pub(crate) fn write_and_restore_time_locked(s: &mut Session<'_>) -> Option<()> {
    let file = lock(s)?;
    write_and_restore_time(s)?;
    drop(file);
    Some(())
}

/// Locks the file at the path with the standard library.
fn lock(s: &mut Session<'_>) -> Option<File> {
    let file = File::options().read(true).write(true).open(s.path).unwrap();
    if file.try_lock().is_err() {
        s.said.say("err lock: Locked");
        return None;
    }
    let (ours, named) = (file.metadata().unwrap(), fs::metadata(s.path).unwrap());
    assert_eq!(ours.ino(), named.ino(), "the other process is paused");
    Some(file)
}

/// Truncates the file after the first hundred rows.
pub(crate) fn cut(s: &mut Session<'_>) -> Option<()> {
    let file = File::options().write(true).open(s.path).unwrap();
    let (start, _) = s.form.extent(&s.form.read(s.path).unwrap()).unwrap_or((128, 0));
    file.set_len(start as u64 + 3200).unwrap();
    s.acknowledge("cut", Ok(()))
}
