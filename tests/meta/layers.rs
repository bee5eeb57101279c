//! The layers of `src`: a folder imports only from its own layer and from layers below.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers from the bottom up. The folders of one layer may import from each other.
const LAYERS: &str = "error mode element|layout|sys|file guard|mapping|array|sweep|open|npy|\
                      concat partition";
/// The files with unsafe operations, besides `sys`; then constructors that forward the caller's
/// promise; then implementations of unsafe traits.
const UNSAFE: &str = "array/mod guard/handler guard/slots layout/view mapping/mod|open/mod \
                      npy/open partition/window|element/byte_order";
/// Words in the attributes of code for one system.
const SYSTEMS: [&str; 5] = ["target_os", "(unix", "(windows", "not(unix", "not(windows"];

/// Returns the name of each file below `folder`, such as `file/claim`, and its lines of code.
fn sources(folder: &Path, name: &str) -> Vec<(String, Vec<String>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = Vec::new();
    for path in entries.collect::<Vec<PathBuf>>() {
        let name = format!("{name}{}", path.file_stem().unwrap().to_str().unwrap());
        if path.is_dir() {
            files.extend(sources(&path, &format!("{name}/")));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() <= 400, "{name} is longer than 400 lines");
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        files.push((name, text.lines().filter(is_code).map(str::to_owned).collect()));
    }
    files
}

/// Returns the layer of a file or of what follows `crate::` in an import.
fn layer(name: &str) -> usize {
    let folder = name.split(['/', ':', ';']).next().unwrap();
    let holds = |layer: &str| layer.split_whitespace().any(|known| known == folder);
    let found = LAYERS.split('|').position(holds);
    found.unwrap_or_else(|| panic!("`{name}` is in no layer"))
}

#[test]
fn each_file_keeps_to_its_layer() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "");
    assert!(files.len() > 60, "{} files", files.len());
    for (name, code) in &files {
        let folder = name.split('/').next().unwrap();
        if folder == "lib" || folder == "doc" {
            continue;
        }
        for pair in code.windows(2).filter(|pair| !pair[0].contains("cfg(doc)")) {
            let imports = pair[1].split("crate::").skip(1);
            // The root exports macros, and types that no module imports from there.
            for used in imports.filter(|used| used.starts_with(char::is_lowercase)) {
                assert!(layer(used) <= layer(name), "{name} imports {used} from above");
            }
        }
        let of_system = |line: &&String| {
            line.contains("cfg") && SYSTEMS.iter().any(|system| line.contains(system))
        };
        let found = code.iter().find(of_system);
        let may = ["sys", "guard"].contains(&folder);
        assert!(found.is_none() || may, "{name} has code for one system: {found:?}");
        let is_unsafe = code.iter().any(|line| line.contains("unsafe_code"));
        let may = folder == "sys" || UNSAFE.split([' ', '|']).any(|file| file == name);
        assert!(!is_unsafe || may, "{name} has unsafe code");
    }
}
