//! What is packed for users: the crate, the Debian package, the archives, and the workflows that make them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_yaml_ng::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

fn metadata(tool: &str) -> toml::Value {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    manifest["package"]["metadata"][tool].clone()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

#[test]
fn the_crate_has_what_it_is_built_from() {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: BTreeSet<PathBuf> = listed.lines().map(PathBuf::from).collect();
    let wanted = [
        "Cargo.lock",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "docs/rules.md",
        "src/main.rs",
    ];
    for file in wanted {
        assert!(listed.contains(Path::new(file)), "{file}");
    }
    for folder in ["tests", "scripts", ".ci", ".github"] {
        assert!(!listed.iter().any(|file| file.starts_with(folder)), "{folder}");
    }
    let mut included = 0;
    for file in listed.iter().filter(|file| file.extension().is_some_and(|kind| kind == "rs")) {
        let text = read(file.to_str().unwrap());
        for sign in ["include_str!(\"", "include_bytes!(\""] {
            for rest in text.split(sign).skip(1) {
                let named = rest.split('"').next().unwrap();
                let path = plain(&file.parent().unwrap().join(named));
                assert!(listed.contains(&path), "{} includes {named}", file.display());
                included += 1;
            }
        }
    }
    assert!(included > 5);
}

#[test]
fn the_debian_package_has_files_that_there_are() {
    let package = metadata("deb");
    let script = read("scripts/package");
    for asset in package["assets"].as_array().unwrap() {
        let source = asset[0].as_str().unwrap();
        if let Some(made) = source.strip_prefix("target/package-files/") {
            let made = made.trim_end_matches("/*.1");
            assert!(script.contains(&format!("\"$files/{made}\"")), "{source}");
        } else if source != "target/release/shakedown" {
            let (folder, pattern) = source.rsplit_once('/').unwrap_or((".", source));
            let ending = pattern.trim_start_matches('*');
            let files = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
            let mut names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            let matches = |name: String| {
                if pattern.starts_with('*') { name.ends_with(ending) } else { name == pattern }
            };
            assert!(names.any(matches), "{source}");
        }
    }
}

#[test]
fn an_archive_is_where_cargo_binstall_looks() {
    let binstall = metadata("binstall");
    let filled = |template: &str| {
        let values =
            [("{ name }", "shakedown"), ("{ version }", "$version"), ("{ target }", "$target")];
        values.iter().fold(template.to_owned(), |text, (key, value)| text.replace(key, value))
    };
    let url = filled(binstall["pkg-url"].as_str().unwrap());
    let (_, archive) = url.rsplit_once('/').unwrap();
    let folder = filled(binstall["bin-dir"].as_str().unwrap());
    let folder = folder.split('/').next().unwrap();
    assert_eq!(archive, format!("{folder}.tar.gz"));
    let script = read("scripts/package");
    assert!(script.contains(&format!("\nname={folder}\n")), "{folder}");
    assert!(script.contains("\"$dist/$name.tar.gz\""));
}

/// Every workflow, by its name.
fn workflows() -> Vec<(String, Value)> {
    let folder = Path::new(ROOT).join(".github/workflows");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let workflow = Value::deserialize(serde_yaml_ng::Deserializer::from_str(&text)).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), workflow)
    };
    files.map(read).collect()
}

#[test]
fn the_workflows_run_scripts_that_there_are_and_may_do_little() {
    let mut called = 0;
    for (name, workflow) in workflows() {
        let rights = &workflow["permissions"];
        assert_eq!(serde_yaml_ng::to_string(rights).unwrap().trim(), "contents: read", "{name}");
        for (_, job) in workflow["jobs"].as_mapping().unwrap() {
            for step in job["steps"].as_sequence().unwrap() {
                let run = step["run"].as_str().unwrap_or_default();
                assert!(!run.contains("${{"), "{name}: a value is run as a command: {run}");
                let scripts = run.split_whitespace().map(|word| word.trim_start_matches("./"));
                for script in scripts.filter(|word| word.starts_with("scripts/")) {
                    let mode = fs::metadata(Path::new(ROOT).join(script)).unwrap().permissions();
                    assert_eq!(mode.mode() & 0o111, 0o111, "{name}: {script}");
                    called += 1;
                }
            }
        }
    }
    assert_eq!(called, 2);
}
