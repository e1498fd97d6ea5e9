//! The commands of a page print what the page shows. With `UPDATE=1`, the page shows what they print.

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The output of a command line, run in a folder; the file behind `<` is its standard input.
fn output(line: &str, folder: &Path) -> String {
    let (line, file) = line.split_once(" < ").unwrap();
    let words = shlex::split(line).unwrap();
    assert_eq!(words[0], "shakedown");
    let run = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(&words[1..])
        .stdin(File::open(folder.join(file)).unwrap())
        .env_clear()
        .output()
        .unwrap();
    String::from_utf8(run.stdout).unwrap()
}

/// The page with the output behind each command (`    $ shakedown …`) replaced by what it prints.
fn refreshed(page: &str, folder: &Path) -> (String, usize) {
    let (mut fresh, mut commands) = (String::new(), 0);
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        fresh.push_str(line);
        fresh.push('\n');
        let Some(command) = line.strip_prefix("    $ ") else { continue };
        commands += 1;
        // The old output: indented lines, and empty lines within.
        while let Some(next) = lines.peek().copied() {
            let is_output = next.starts_with("    ") && !next.starts_with("    $ ");
            let mut ahead = lines.clone();
            let goes_on =
                next.is_empty() && ahead.nth(1).is_some_and(|after| after.starts_with("    "));
            if !is_output && !goes_on {
                break;
            }
            lines.next();
        }
        for printed in output(command, folder).trim_end().lines() {
            fresh.push_str(format!("    {printed}").trim_end());
            fresh.push('\n');
        }
    }
    (fresh, commands)
}

#[test]
fn the_page_about_kubernetes_shows_what_is_printed() {
    let path = Path::new(ROOT).join("docs/kubernetes.md");
    let page = fs::read_to_string(&path).unwrap();
    let (fresh, commands) = refreshed(&page, &Path::new(ROOT).join("testdata/kubernetes"));
    assert!(commands >= 3);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    assert_eq!(fresh, page, "UPDATE=1 cargo test --test it -- pages");
}
