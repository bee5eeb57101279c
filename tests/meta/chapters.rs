//! The chapters of the documentation name tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Finds each `file::function` in backticks, in the rows and sentences of a chapter.
fn named(chapter: &str) -> Vec<(String, String)> {
    let names = chapter.split('`').skip(1).step_by(2).filter_map(|code| {
        let (file, function) = code.split_once("::")?;
        let is_name = |s: &str| {
            s.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
        };
        (is_name(file) && is_name(function))
            .then(|| (file.to_owned(), function.to_owned()))
    });
    // Not the functions of the crate itself.
    names.filter(|(file, _)| file != "npy").collect()
}

/// The functions of a test program, or of one module of one.
fn functions(name: &str) -> BTreeSet<String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut text = String::new();
    for program in entries(&tests).filter(|path| path.is_dir()) {
        for file in
            entries(&program).filter(|path| path.extension() == Some("rs".as_ref()))
        {
            if file.file_stem() == Some(name.as_ref()) || program.ends_with(name) {
                text += &fs::read_to_string(file).unwrap();
            }
        }
    }
    let functions = text.lines().filter_map(|line| {
        let (name, _) = line.trim_start().strip_prefix("fn ")?.split_once('(')?;
        Some(name.to_owned())
    });
    functions.collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())
}

#[test]
fn the_tests_that_chapters_name_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doc");
    let chapter = fs::read_to_string(folder.join("soundness.rs")).unwrap();
    let named = named(&chapter);
    assert!(named.len() > 40, "only {} are named", named.len());
    let missing: Vec<_> =
        named.iter().filter(|(file, name)| !functions(file).contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_chapter_on_faults_has_each_row_that_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rows = fs::read_to_string(root.join("tests/faults/rows")).unwrap();
    let chapter = fs::read_to_string(root.join("src/doc/faults.rs")).unwrap();
    let mut count = 0_usize;
    for row in rows.lines().filter(|row| !row.starts_with('#') && !row.is_empty()) {
        let fields: Vec<_> = row.split(" | ").collect();
        let [fault, _, _, _, ours] = fields.as_slice() else { panic!("{row}") };
        let is_row = |line: &&str| {
            line.starts_with(&format!("//! | {fault} | "))
                && line.ends_with(&format!(" | {ours} |"))
        };
        assert_eq!(chapter.lines().filter(is_row).count(), 1, "{fault}");
        count = count.saturating_add(1);
    }
    let in_chapter = chapter.lines().filter(|line| line.starts_with("//! | ")).count();
    assert!(count > 50 && in_chapter > count, "{count} of {in_chapter}");
}
