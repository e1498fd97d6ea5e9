//! The rooms have a fixed order, no two files use each other, and effects are only in their rooms.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The rooms, in the order in which `lib.rs` lists them.
fn rooms() -> Vec<String> {
    let library = fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).unwrap();
    let names = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

/// Every source file with the room that it belongs to.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(ROOT).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(Path::new(ROOT).join("src")).unwrap();
                let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
                files.push((path.clone(), first.trim_end_matches(".rs").to_owned()));
            }
        }
    }
    files.sort();
    files
}

/// Code without comments and without its tests, which may use anything. Tests are at the end of a file.
fn production(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let mut kept = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            if lines.next_if(|next| next.contains("mod ") && next.ends_with(';')).is_none() {
                break;
            }
        } else if !line.trim_start().starts_with("//") {
            kept.push(line);
        }
    }
    kept.join("\n")
}

#[test]
fn each_room_uses_only_those_before_it() {
    let rooms = rooms();
    assert!(rooms.len() > 8, "{rooms:?}");
    let rank = |room: &str| rooms.iter().position(|known| known == room);
    for (path, room) in sources() {
        let Some(own) = rank(&room) else { continue };
        for used in production(&path).split("crate::").skip(1) {
            let name: String =
                used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let used = rank(&name).unwrap_or_else(|| panic!("{}: crate::{name}", path.display()));
            assert!(used <= own, "{} uses {name}, which comes later", path.display());
            let strangers =
                (room == "audit" && name == "probe") || (room == "probe" && name == "audit");
            assert!(!strangers, "{} uses {name}", path.display());
        }
    }
}

#[test]
fn only_one_file_opens_sockets_and_one_spawns() {
    for (path, room) in sources() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let code = production(&path);
        let demo = path.components().any(|part| part.as_os_str() == "demo");
        if !(room == "probe" && name == "connect.rs") {
            assert!(!code.contains("TcpStream::connect"), "{} opens a socket", path.display());
        }
        let spawns = demo || (room == "probe" && name == "engine.rs");
        if !spawns {
            assert!(!code.contains("tokio::spawn"), "{} spawns", path.display());
        }
    }
}

/// The type that a line defines. An indented `type` belongs to a trait or its implementation.
fn defined_type(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    // `pub(in crate::report)` is two words.
    let keyword = words.find(|word| !word.starts_with("pub") && !word.ends_with(')'))?;
    let is_definition = match keyword {
        "struct" | "enum" | "trait" | "union" => true,
        "type" => !line.starts_with(' '),
        _ => false,
    };
    let name = words.next().filter(|_| is_definition)?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

#[test]
fn a_type_name_stands_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, _) in
        sources().iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "rs"))
    {
        for (at, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
            if let Some(name) = defined_type(line) {
                let place = format!("{}:{}", path.display(), at + 1);
                places.entry(name.to_owned()).or_default().push(place);
            }
        }
    }
    assert!(places.len() > 500, "only {} types were found", places.len());
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "one name for several types: {places:#?}");
}

/// The path of a module: `report::formats` is `["report", "formats"]`.
type Module = Vec<String>;

/// Files with the files that they use.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

/// The module of a Rust file.
fn module(path: &Path) -> Option<Module> {
    let inside = path.strip_prefix(Path::new(ROOT).join("src")).unwrap().with_extension("");
    let mut parts: Module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|name| matches!(&**name, "mod" | "lib")) {
        parts.pop();
    }
    let is_test = parts.last().is_some_and(|name| name == "tests");
    (path.extension().is_some_and(|ending| ending == "rs") && !is_test).then_some(parts)
}

/// Words, `::` and single characters.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || c == '_' {
            let mut word = c.to_string();
            while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                word.push(c);
            }
            tokens.push(word);
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            tokens.push("::".to_owned());
        } else if !c.is_whitespace() {
            tokens.push(c.to_string());
        }
    }
    tokens
}

/// Every path that starts at `at`, with the groups in braces expanded; returns where it ends.
fn paths(tokens: &[String], mut at: usize, before: &[String], found: &mut Vec<Module>) -> usize {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(at) {
        if token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| token != "}") {
                let next = if tokens[at] == "," { at } else { paths(tokens, at, &path, found) };
                at = next.max(at + 1);
            }
            return at + 1;
        }
        if !token.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            break;
        }
        path.push(token.clone());
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
    }
    found.push(path);
    // `use path as other`.
    if tokens.get(at).is_some_and(|token| token == "as") { at + 2 } else { at }
}

/// The file that a path leads to.
fn resolve(own: &Module, path: &[String], files: &BTreeSet<Module>) -> Module {
    let mut rest = path;
    let mut base = own.clone();
    match rest.first().map(String::as_str) {
        Some("crate") => (base, rest) = (Vec::new(), &rest[1..]),
        Some("self") => rest = &rest[1..],
        _ => {}
    }
    while rest.first().is_some_and(|part| part == "super") {
        base.pop();
        rest = &rest[1..];
    }
    for part in rest {
        let deeper: Module = base.iter().chain([part]).cloned().collect();
        if !files.contains(&deeper) {
            break;
        }
        base = deeper;
    }
    base
}

/// The uses of each file. A folder's `mod.rs` is its table of contents, so the names in it do not count.
fn uses() -> Uses {
    let sources: Vec<(PathBuf, Module)> = sources()
        .into_iter()
        .filter_map(|(path, _)| Some((path.clone(), module(&path)?)))
        .collect();
    let files: BTreeSet<Module> = sources.iter().map(|(_, module)| module.clone()).collect();
    let mut uses = Uses::new();
    for (path, own) in sources {
        let tokens = tokens(&production(&path));
        let used = uses.entry(own.clone()).or_default();
        let mut at = 0;
        while at < tokens.len() {
            let starts = matches!(&*tokens[at], "crate" | "self" | "super")
                && tokens.get(at + 1).is_some_and(|next| next == "::")
                // `pub(in crate::report)` does not use anything.
                && (at == 0 || !matches!(&*tokens[at - 1], "::" | "in"));
            if !starts {
                at += 1;
                continue;
            }
            let mut found = Vec::new();
            at = paths(&tokens, at, &[], &mut found).max(at + 1);
            let resolved = found.iter().map(|path| resolve(&own, path, &files));
            used.extend(resolved.filter(|file| !file.is_empty() && !file.starts_with(&own)));
        }
    }
    uses
}

/// All files that a file uses, directly or indirectly.
fn reach(from: &Module, uses: &Uses) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for next in uses.get(file).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    reached
}

#[test]
fn no_two_files_use_each_other() {
    let uses = uses();
    assert!(uses.len() > 200 && uses.values().map(BTreeSet::len).sum::<usize>() > 500);
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        uses.keys().map(|file| (file, reach(file, &uses))).collect();
    let in_circle = |file: &&Module| reached[*file].contains(*file);
    let circles: BTreeSet<String> = reached
        .keys()
        .copied()
        .filter(in_circle)
        .map(|file| {
            let others = uses[file].iter().filter(|other| reached[*other].contains(file));
            let others: Vec<String> = others.map(|other| other.join("::")).collect();
            format!("{} uses {}", file.join("::"), others.join(", "))
        })
        .collect();
    assert!(circles.is_empty(), "these files use each other in a circle: {circles:#?}");
}

#[test]
fn arguments_use_no_other_part_of_the_command_line() {
    for (file, used) in uses() {
        let is_args = |module: &Module| module.starts_with(&["cli".to_owned(), "args".to_owned()]);
        let stranger = used.iter().find(|used| used[0] == "cli" && !is_args(used));
        assert!(!is_args(&file) || stranger.is_none(), "{file:?} uses {stranger:?}");
    }
}
