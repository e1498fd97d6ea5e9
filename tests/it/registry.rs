//! The registry, the folder of rules and the page about them agree.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use shakedown::audit::registry::RULES;
use shakedown::{audit, report};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Compares a generated file with the one in the repository; `UPDATE=1` writes it.
#[track_caller]
pub(crate) fn check_generated(path: &str, fresh: &str) {
    let path = Path::new(ROOT).join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, fresh).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == fresh, "{} is out of date: run UPDATE=1 cargo test --test it", path.display());
}

#[test]
fn the_pages_are_up_to_date() {
    check_generated("docs/rules.md", &audit::document::page());
    check_generated("docs/report.schema.json", &report::formats::json::schema());
}

#[test]
fn every_file_is_a_registered_rule_and_every_rule_a_file() {
    let mut files = BTreeSet::new();
    for family in fs::read_dir(Path::new(ROOT).join("src/audit/rules")).unwrap() {
        let family = family.unwrap().path();
        if !family.is_dir() {
            continue;
        }
        for file in fs::read_dir(family).unwrap() {
            let stem = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
            if stem != "mod" && stem != "tests" {
                files.insert(stem.replace('_', "-"));
            }
        }
    }
    let rules: BTreeSet<String> = RULES.iter().map(|rule| rule.id.to_owned()).collect();
    assert_eq!(rules, files);
    assert_eq!(rules.len(), RULES.len(), "an id stands twice");
}

#[test]
fn the_families_stay_together() {
    let rules = Path::new(ROOT).join("src/audit/rules");
    let family = |id: &str| {
        let file = format!("{}.rs", id.replace('-', "_"));
        let mut folders = fs::read_dir(&rules).unwrap().map(|entry| entry.unwrap().path());
        folders.find(|folder| folder.join(&file).is_file()).unwrap()
    };
    let mut families: Vec<_> = RULES.iter().map(|rule| family(rule.id)).collect();
    families.dedup();
    let distinct: BTreeSet<_> = families.iter().collect();
    assert_eq!(distinct.len(), families.len(), "{families:?}");
}

#[test]
fn every_text_is_whole() {
    for rule in RULES {
        let id = rule.id;
        assert!(!rule.summary.ends_with('.') && rule.summary.len() > 10, "{id}: summary");
        assert!(rule.why.ends_with('.') && rule.why.len() > 40, "{id}: why");
        assert!(rule.fix.ends_with('.') || rule.fix.ends_with("\"."), "{id}: fix");
        assert!(!rule.references.is_empty(), "{id}: references");
        for cause in rule.consequence_of {
            assert!(audit::registry::find(cause.id).is_some(), "{id} names {}", cause.id);
        }
    }
}
