//! The rooms stand in a total order, and effects live where they belong.

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

/// Code without its tests, which may look at anything.
fn production(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
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
