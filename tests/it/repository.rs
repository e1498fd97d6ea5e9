//! Everything that the pages for contributors name exists.

use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The code spans of a page that look like paths in this repository; what cargo makes is not there before.
fn paths(page: &str) -> Vec<String> {
    let is_path = |span: &str| {
        !span.contains([' ', '…', ':', '|'])
            && span.contains(['/', '.'])
            && !span.starts_with("target/")
    };
    page.split('`').skip(1).step_by(2).filter(|span| is_path(span)).map(str::to_owned).collect()
}

#[test]
fn every_path_that_a_page_names_exists() {
    for page in ["CONTRIBUTING.md", "docs/architecture.md"] {
        let text = fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
        let named = paths(&text);
        assert!(named.len() > 8, "{page}: {named:?}");
        for path in named {
            assert!(Path::new(ROOT).join(&path).exists(), "{page} names {path}");
        }
    }
}

#[test]
fn what_ci_runs_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    for script in ["scripts/test", ".ci/run"] {
        let mode = fs::metadata(Path::new(ROOT).join(script)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script} is not executable");
    }
}
