//! The house rules, read off the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Rooms that each room may import.
const MAY: [(&str, &[&str]); 9] = [
    ("model", &[]),
    ("capture", &["model"]),
    ("vault", &["model"]),
    ("dialect", &["model"]),
    ("projection", &["model", "capture", "vault", "dialect"]),
    ("sandbox", &["model", "capture", "vault"]),
    ("engine", &["model", "capture", "vault", "dialect", "projection", "sandbox"]),
    ("ui", &["model", "capture", "vault", "dialect", "projection", "sandbox", "engine"]),
    ("cli", &["model", "capture", "vault", "dialect", "projection", "sandbox", "engine"]),
];

/// Names behind every `crate::` of a text, also within braces (`use crate::{a, b::c}`).
fn named_rooms(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        if at > 0 && (text.as_bytes()[at - 1].is_ascii_alphanumeric() || text.as_bytes()[at - 1] == b'_') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let ident = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        if let Some(braced) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in braced.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        rooms.insert(ident(item.trim()));
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(c);
            }
            rooms.insert(ident(item.trim()));
        } else {
            rooms.insert(ident(rest));
        }
    }
    rooms.remove("");
    rooms
}

/// The code of a file: without comment lines.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for (room, may) in MAY {
        let files = sources(&src().join(room));
        assert!(!files.is_empty(), "room {room} is gone");
        for file in files {
            for named in named_rooms(&code(&file)) {
                let known = MAY.iter().any(|(r, _)| *r == named);
                if known && named != room && !may.contains(&named.as_str()) {
                    wrong.push(format!("{} names crate::{named}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_braces() {
    let text = "use crate::{model::{A, B}, ui};\nlet x = crate::vault::Y;\nmycrate::cli";
    assert_eq!(named_rooms(text).into_iter().collect::<Vec<_>>(), ["model", "ui", "vault"]);
}

#[test]
fn only_the_window_names_egui_and_only_its_users_name_tokio() {
    let mut wrong = Vec::new();
    for (room, _) in MAY {
        for file in sources(&src().join(room)) {
            let code = code(&file);
            for toolkit in ["egui", "eframe"] {
                if room != "ui" && code.contains(&format!("{toolkit}::")) {
                    wrong.push(format!("{} names {toolkit}", file.display()));
                }
            }
            let may_tokio = matches!(room, "engine" | "sandbox" | "cli");
            if !may_tokio && (code.contains("tokio::") || code.contains("tokio_tungstenite::")) {
                wrong.push(format!("{} names tokio", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_channel_is_unbounded_and_no_file_is_endless() {
    let mut wrong = Vec::new();
    let tests = test_modules();
    for file in sources(&src()) {
        let code = code(&file);
        let code = outside_tests(&code);
        let of_test = tests.iter().any(|t| file.starts_with(t));
        if !of_test && (code.contains("unbounded_channel") || code.contains("mpsc::channel()")) {
            wrong.push(format!("{} has an unbounded channel", file.display()));
        }
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > 800 {
            wrong.push(format!("{} has {lines} lines; split before 800", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files and folders that some file includes with `#[cfg(test)] mod name;`.
fn test_modules() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for file in sources(&src()) {
        let text = fs::read_to_string(&file).unwrap();
        let own = match file.file_stem().and_then(|s| s.to_str()) {
            Some("mod" | "lib" | "main") => file.parent().unwrap().to_owned(),
            Some(name) => file.with_file_name(name),
            None => continue,
        };
        for after in text.split("#[cfg(test)]").skip(1) {
            let declaration = after.trim_start().trim_start_matches("pub ").strip_prefix("mod ");
            if let Some(name) = declaration.and_then(|d| d.split_once(';')).map(|(name, _)| name.trim())
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
            {
                found.push(own.join(name));
                found.push(own.join(format!("{name}.rs")));
            }
        }
    }
    found
}

/// A file's text up to its tests.
fn outside_tests(text: &str) -> &str {
    let end = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|mark| text.find(mark)).min();
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn nothing_outside_tests_unwraps() {
    let mut wrong = Vec::new();
    let tests = test_modules();
    assert!(!tests.is_empty());
    for file in sources(&src()) {
        if tests.iter().any(|t| file.starts_with(t)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let outside = outside_tests(&text);
        for (at, line) in outside.lines().enumerate() {
            let bare = line.trim_start();
            if !bare.starts_with("//")
                && (bare.contains(".unwrap()") || bare.contains(".expect(") || bare.contains("todo!("))
            {
                wrong.push(format!("{}:{}: {}", file.display(), at + 1, bare));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
