//! Compares the rows of the table with the existing tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Returns the names of the tests in a file.
fn tests(source: &str) -> impl Iterator<Item = String> + '_ {
    let attributes = source.match_indices("#[test]");
    attributes.filter_map(|(at, _)| {
        let rest = source.get(at..)?.split_once("fn ")?.1;
        Some(rest.split_once('(')?.0.to_owned())
    })
}

#[test]
fn each_row_names_a_test_and_each_test_has_a_row() {
    let rows = read("faults/rows");
    let python = read("faults/numpy_faults.py");
    let mut named = BTreeSet::new();
    for line in rows.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [fault, disk, numpy, test, here] = cells[..] else { panic!("{line}") };
        assert!(!fault.is_empty() && !here.is_empty(), "{line}");
        assert!(["-", "tmpfs", "ext4", "xfs", "below", "read-only"].contains(&disk));
        let function = format!("def {numpy}(");
        assert!(numpy == "-" || python.contains(&function), "no {function} in {python}");
        let (target, path) = test.split_once("::").expect(line);
        let (file, name) = match path.split_once("::") {
            Some((module, name)) => (format!("{target}/{module}.rs"), name),
            None => (format!("{target}.rs"), path),
        };
        assert!(tests(&read(&file)).any(|test| test == name), "no {name} in {file}");
        named.insert(test.to_owned());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for file in entries.filter(|path| path.extension().is_some_and(|ext| ext == "rs")) {
        let module = PathBuf::from(file.file_stem().unwrap());
        let module = module.display();
        for test in tests(&fs::read_to_string(&file).unwrap()) {
            let path = format!("faults::{module}::{test}");
            let is_this = module.to_string() == "rows";
            assert!(is_this || named.contains(&path), "no row for {path}");
        }
    }
}
