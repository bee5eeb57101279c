//! Checks that the chapters of the documentation name only existing tests.

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
    // Skip functions of the crate itself.
    names.filter(|(file, _)| file != "npy").collect()
}

/// Returns the functions of a test program or of one of its modules.
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

/// Returns the names in a chapter that have no test.
fn missing(chapter: &str) -> Vec<(String, String)> {
    let mut missing = named(chapter);
    missing.retain(|(file, name)| !functions(file).contains(name));
    missing
}

fn chapter(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doc");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Returns the cells of each row of a table, whose header begins with `first`.
fn rows<'a>(chapter: &'a str, first: &str) -> Vec<Vec<&'a str>> {
    let lines = chapter.lines().map(|line| line.strip_prefix("//! ").unwrap_or(line));
    let table = lines.skip_while(|line| !line.starts_with(first)).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn the_tests_that_chapters_name_exist() {
    for (name, least) in [("soundness.rs", 80), ("durability.rs", 40)] {
        let text = chapter(name);
        assert!(named(&text).len() > least, "{name}: {} are named", named(&text).len());
        assert_eq!(missing(&text), [], "{name}");
    }
}

#[test]
fn each_guarantee_names_its_test() {
    let text = chapter("soundness.rs");
    let rows = rows(&text, "| guarantee | where | test |");
    assert!(rows.len() > 50, "{} rows", rows.len());
    for row in rows {
        let [guarantee, place, test] = row[..] else { panic!("{row:?}") };
        // A row in bold is a heading.
        let is_heading = guarantee.starts_with("**");
        assert_eq!(is_heading, place.is_empty() && test.is_empty(), "{guarantee}");
        assert!(is_heading || test.contains('`'), "{guarantee}");
    }
}

/// Returns whether a folder has a scenario, whose name the code writes in quotes.
fn has_scenario(folder: &str, name: &str) -> bool {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    entries(&tests.join(folder))
        .any(|file| fs::read_to_string(file).unwrap().contains(&format!("\"{name}\"")))
}

#[test]
fn each_cell_on_durability_names_its_test() {
    let text = chapter("durability.rs");
    let mut notes = BTreeSet::new();
    for (table, least) in
        [("| call that has returned", 12), ("| call that has not", 5), ("| | ext2", 10)]
    {
        let rows = rows(&text, table);
        assert!(rows.len() >= least, "{table}: {} rows", rows.len());
        for cell in rows.iter().flat_map(|row| &row[1..]) {
            let names =
                cell.split("[^").skip(1).filter_map(|rest| rest.split(']').next());
            let names: Vec<_> = names.collect();
            assert!(!names.is_empty(), "{table}: {cell}");
            notes.extend(names);
        }
    }
    for note in notes {
        let (_, rest) = text.split_once(&format!("//! [^{note}]: ")).expect(note);
        let rest = rest.split("//! [^").next().unwrap().split("//!\n").next().unwrap();
        let quoted: Vec<_> = rest.split('`').skip(1).step_by(2).collect();
        assert!(!quoted.is_empty(), "{note}");
        for name in quoted.iter().filter(|name| !name.contains("::")) {
            let folder = match rest.contains("refusal") {
                true => "refusals/scenarios",
                false => "crash_states/src/scenarios",
            };
            assert!(has_scenario(folder, name), "{note}: {name}");
        }
    }
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
