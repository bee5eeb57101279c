//! The plan of the house: which module may use which, and where `unsafe` may stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The modules from the ground up; each uses those of its own floor and of those below.
const FLOORS: [&[&str]; 8] = [
    &["mode", "element", "endian", "error", "npy_error"],
    &["layout", "options", "span"],
    &[
        "address", "cached", "claim", "guard", "pages", "pagemap", "paging", "private",
        "file", "hidden", "mark", "space", "sys", "tail", "view", "word",
    ],
    &["array", "region", "source", "traits"],
    &["open", "safe"],
    &[
        "sweep", "swept", "turns", "tend", "reader", "ahead", "gather", "parallel",
        "draft", "changes", "commit", "grow", "extend", "follow", "guarded",
    ],
    &["npy"],
    &["partition"],
];

/// The files that may ask for pardon of the manifest's ban on unsafe code.
const UNSAFE: [&str; 23] = [
    "address",
    "array",
    "cached",
    "draft",
    "endian",
    "extend",
    "follow",
    "guard/handler",
    "guard/slots",
    "npy/mod",
    "npy/dynamic",
    "npy/options",
    "open",
    "pages",
    "paging",
    "partition/window",
    "private",
    "safe",
    "sys/limits",
    "sys/process",
    "sys/write_state/shared",
    "view",
    "word",
];

/// The wall: a longer file is to be split.
const LINES: usize = 400;

#[test]
fn modules_use_only_their_own_floor_and_those_below() {
    let files = sources();
    let exports = exports(&files);
    let faults = files.iter().flat_map(|(name, text)| upward_uses(name, text, &exports));
    assert_none(faults);
}

#[test]
fn unsafe_code_stands_only_in_its_files_and_under_a_proof() {
    let files = sources();
    assert_none(files.iter().flat_map(|(name, text)| unsafe_faults(name, text)));
    let pardoned = files.iter().filter(|(_, text)| asks_pardon(text));
    let pardoned: BTreeSet<_> = pardoned.map(|(name, _)| name.as_str()).collect();
    assert_eq!(pardoned, BTreeSet::from(UNSAFE));
    let manifest = read("Cargo.toml");
    let lints = manifest.split("[workspace.lints.rust]").nth(1).unwrap();
    let lints = lints.split("\n[").next().unwrap();
    assert!(lints.lines().any(|line| line == "unsafe_code = \"deny\""), "{lints}");
    assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "the lints are taken");
}

#[test]
fn no_source_file_is_longer_than_the_wall() {
    let long = sources().into_iter().filter(|(_, text)| text.lines().count() > LINES);
    assert_none(long.map(|(name, _)| format!("{name} has more than {LINES} lines")));
}

#[test]
#[rustfmt::skip]
fn an_upward_use_is_found_however_it_is_written() {
    let lib = "mod open; mod array;\npub use array::{A,\n  self as arrays, deep::{B as C}};\n\
               pub use error::Error;\npub use open::open_it;\npub use {ndarray, memmap2};";
    let files = [
        ("lib".to_owned(), lib.to_owned()),
        ("safe".to_owned(), "#[macro_export] macro_rules! record { () => {} }".to_owned()),
    ];
    let exports = exports(&BTreeMap::from(files));
    for (module, text, fault) in [
        ("array", "use crate::open::X;", "array uses open"),
        ("array", "use crate::{pages::{self, Pages}, open};", "array uses open"),
        ("array", "use crate::{\n    Error,\n    open_it,\n};", "array uses open_it"),
        ("array", "fn f() { crate :: open :: g() }", "array uses open"),
        ("array", "pub(in crate::open) fn f() {}", "array uses open"),
        ("array", "crate::record!()", "array uses record"),
        ("pages", "fn f(_: crate::C) {}", "pages uses C"),
        ("mode", "use crate::layout;", "mode uses layout"),
        ("npy/header", "use crate::partition::D;", "npy/header uses partition"),
        ("open", "use crate::docs;", "open uses docs"),
        ("array", "use crate::unheard_of;", "array uses unheard_of, which is on no floor"),
        ("array", "use crate::*;", "array uses *, which is on no floor"),
        ("array", "use crate as root;", "array names the crate without a path"),
        ("array", "use super::open;", "array goes by `super` to the crate's root"),
        ("array", "mod tests { use super::super::open; }", "array goes by `super` to the crate's root"),
        ("cellar", "", "cellar is on no floor"),
    ] {
        let faults = upward_uses(module, text, &exports);
        assert!(faults.len() == 1 && faults[0].starts_with(fault), "{text}: {faults:?}");
    }
    for (module, text) in [
        ("array", "use crate::pages::Pages; use crate::{view::{check, view_at}, A, ndarray};"),
        ("open", "use crate::safe; pub(crate) struct S; impl S { pub(super) fn f() {} }"),
        ("array", "/// [`open`](crate::open) // crate::open\n/* /* */ crate::open */ mod a {}"),
        ("array", r####"const A: &str = "\"crate::open"; const B: &str = r#"" crate::open"#;"####),
        ("array", "fn f<'a>(c: char) -> bool { c == '\"' || c == '\\'' } // '\" crate::open"),
        ("array", "mod tests { use super::*; }"),
        ("npy/dtype", "use super::header::Header; use crate::open;"),
        ("lib", "use crate::draft::D;"),
        ("docs", "use crate::draft::D;"),
    ] {
        assert_eq!(upward_uses(module, text, &exports), [""; 0], "{text}");
    }
}

#[test]
#[rustfmt::skip]
fn unsafe_code_out_of_place_is_found() {
    let head = "//! Doc.\n//!\n#![expect(unsafe_code, reason = \"r\")]\n";
    for (name, text, fault) in [
        ("file", "// SAFETY: s\nunsafe { f() }", "file:2 has unsafe code"),
        ("file", "unsafe fn f() {}", "file:1 has unsafe code"),
        ("file", "#[allow(unsafe_code)]\nfn f() {}", "file:1 lifts the ban"),
        ("open", "//! Doc.\n// SAFETY: s\nunsafe { f() }", "open:3 has unsafe code"),
        ("open", &format!("{head}fn f() {{\n    unsafe {{ g() }}\n}}"), "open:5 has no proof"),
        ("open", &format!("{head}// SAFETY: s\nlet a = 1;\nunsafe {{ g() }}"), "open:6 has no proof"),
        ("open", &format!("{head}// No proof.\nunsafe impl A for B {{}}"), "open:5 has no proof"),
        ("open", &format!("{head}// SAFETY: s\n\nunsafe impl A for B {{}}"), "open:6 has no proof"),
    ] {
        let faults = unsafe_faults(name, text);
        assert!(faults.len() == 1 && faults[0].starts_with(fault), "{text}: {faults:?}");
    }
    for text in [
        "// SAFETY: s\nunsafe { f() }",
        "// SAFETY: s, in\n// two lines.\nlet a =\n    unsafe { f() };",
        "fn f() { \"unsafe { }\"; } // unsafe { }",
        "/// # Safety\nunsafe fn f() {}\n// SAFETY: s\nunsafe impl A for B {}",
    ] {
        assert_eq!(unsafe_faults("open", &format!("{head}{text}")), [""; 0], "{text}");
    }
}

/// Names each use of a module on a floor above.
fn upward_uses(
    name: &str,
    text: &str,
    exports: &BTreeMap<String, Option<String>>,
) -> Vec<String> {
    let Some(own) = floor(name) else { return vec![format!("{name} is on no floor")] };
    let code = code(text);
    let tokens = tokens(&code);
    let mut faults = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).copied();
        if *token == "super" && next == Some("::") && !name.contains('/') {
            let is_inner = tokens[..at].windows(3).any(|w| w[0] == "mod" && w[2] == "{");
            if !is_inner || tokens.get(at + 2) == Some(&"super") {
                faults.push(format!("{name} goes by `super` to the crate's root"));
            }
        }
        if *token != "crate" || next == Some(")") {
            continue;
        }
        if next != Some("::") {
            faults.push(format!("{name} names the crate without a path"));
            continue;
        }
        for used in first_names(&tokens[at + 2..]) {
            let target = match exports.get(used) {
                Some(None) => continue,
                Some(Some(module)) => floor(module),
                None => floor(used),
            };
            match target {
                None => faults.push(format!("{name} uses {used}, which is on no floor")),
                Some(target) if target > own => {
                    faults.push(format!("{name} uses {used}, which is on a floor above"));
                }
                Some(_) => {}
            }
        }
    }
    faults
}

/// Returns what follows `crate::`: one name, or the first of each path in braces.
fn first_names<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    if tokens.first() != Some(&"{") {
        return tokens.first().copied().into_iter().collect();
    }
    let mut depth = 0;
    let mut names = Vec::new();
    for pair in tokens.windows(2) {
        match pair[0] {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        match pair[0] {
            _ if depth == 0 => break,
            "{" | "," if depth == 1 && pair[1] != "}" => names.push(pair[1]),
            _ => {}
        }
    }
    names
}

/// Maps the names at the crate's root to their modules; those of other crates to none.
fn exports(files: &BTreeMap<String, String>) -> BTreeMap<String, Option<String>> {
    let mut exports = BTreeMap::new();
    for (name, text) in files {
        for defined in tokens(&code(text)).windows(3) {
            if defined.starts_with(&["macro_rules", "!"]) {
                exports.insert(defined[2].to_owned(), Some(name.clone()));
            }
        }
    }
    let code = code(&files["lib"]);
    let tokens = tokens(&code);
    for at in (0..tokens.len()).filter(|at| tokens[*at] == "use") {
        let is_group = tokens[at + 1] == "{";
        let (mut depth, mut first, mut last) = (0, "", "");
        for token in &tokens[at + 1..] {
            if matches!(*token, "}" | "," | ";") && !last.is_empty() {
                let module = floor(first).map(|_| first.to_owned());
                exports.insert(last.to_owned(), module);
                last = "";
            }
            match *token {
                ";" => break,
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if is_group && depth == 1 => first = "",
                "::" | "," | "crate" | "self" => {}
                name if first.is_empty() => (first, last) = (name, name),
                name => last = name,
            }
        }
    }
    exports
}

fn floor(name: &str) -> Option<usize> {
    let module = name.split('/').next().unwrap();
    if module == "lib" || module.starts_with("doc") {
        return Some(FLOORS.len());
    }
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// Names each line of unsafe code that is in the wrong file or has no proof above it.
fn unsafe_faults(name: &str, text: &str) -> Vec<String> {
    let may = UNSAFE.contains(&name) && asks_pardon(text);
    let code = code(text);
    let code: Vec<_> = code.lines().map(tokens).collect();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let mut faults = Vec::new();
    for (at, tokens) in code.iter().enumerate() {
        let number = at + 1;
        if tokens.contains(&"unsafe_code") && !(may && is_pardon(lines[at])) {
            faults.push(format!("{name}:{number} lifts the ban on unsafe code"));
        }
        let Some(first) = tokens.iter().position(|token| *token == "unsafe") else {
            continue;
        };
        let needs_proof = matches!(tokens.get(first + 1), Some(&("{" | "impl")) | None);
        if !may {
            faults.push(format!("{name}:{number} has unsafe code"));
        } else if needs_proof && !has_proof(&lines, &code, at) {
            faults.push(format!("{name}:{number} has no proof"));
        }
    }
    faults
}

/// Tells whether a comment that begins with `SAFETY:` ends right above a statement.
fn has_proof(lines: &[&str], code: &[Vec<&str>], at: usize) -> bool {
    let is_code = |line: &usize| {
        code[*line].last().is_some_and(|last| !matches!(*last, ";" | "{" | "}"))
    };
    let statement = (0..at).rev().take_while(is_code).count();
    let above = lines[..at - statement].iter().rev();
    let mut comment = above.take_while(|line| line.starts_with("// "));
    comment.any(|line| line.starts_with("// SAFETY: "))
}

fn asks_pardon(text: &str) -> bool {
    let mut lines = text.lines().skip_while(|line| line.starts_with("//!"));
    lines.next().is_some_and(is_pardon)
}

/// Some files have unsafe code for some systems only.
fn is_pardon(line: &str) -> bool {
    let line = line.replace("cfg_attr(unix, ", "");
    let line = line.replace("cfg_attr(target_has_atomic = \"64\", ", "");
    line.starts_with("#![expect(unsafe_code, reason = ")
}

/// Replaces comments and literals by blanks, and leaves the lines as they are.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = hidden_len(rest);
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (head, tail) =
            rest.split_at(if hidden > 0 { hidden } else { word.max(first.len_utf8()) });
        let blank = |c| if hidden > 0 && c != '\n' { ' ' } else { c };
        code.extend(head.chars().map(blank));
        rest = tail;
    }
    code
}

/// Returns the length of the comment or literal that `text` begins with, if it does.
fn hidden_len(text: &str) -> usize {
    let to_end = |start: usize, end: &str| {
        text[start..].find(end).map_or(text.len(), |at| start + at + end.len())
    };
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        let (mut at, mut depth) = (2, 1);
        while depth > 0 && at < text.len() {
            let rest = &text.as_bytes()[at..];
            match rest {
                [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
                [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
                _ => at += 1,
            }
        }
        return at;
    }
    let literal = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let prefix = text.len() - literal.len();
    if let Some(raw) = literal.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return to_end(prefix + hashes + 2, &end);
        }
    }
    let quote = literal.chars().next().filter(|c| matches!(c, '"' | '\''));
    let mut chars = literal.char_indices().skip(1);
    let is_lifetime = quote == Some('\'')
        && !literal.starts_with("'\\")
        && literal.chars().nth(2) != Some('\'');
    if quote.is_none() || is_lifetime {
        return 0;
    }
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if Some(c) == quote {
            return prefix + at + 1;
        }
    }
    text.len()
}

/// Splits code into words, `::` and single signs.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let len = if rest.starts_with("::") { 2 } else { word.max(first.len_utf8()) };
        let (token, tail) = rest.split_at(len);
        tokens.push(token);
        rest = tail.trim_start();
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Reads every file of `src`, by its path without the ending.
fn sources() -> BTreeMap<String, String> {
    fn walk(dir: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let name = format!("{prefix}{stem}");
            if path.is_dir() {
                walk(&path, &format!("{name}/"), files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }

    let mut files = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    files
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[track_caller]
fn assert_none(faults: impl Iterator<Item = String>) {
    let faults: Vec<_> = faults.collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
