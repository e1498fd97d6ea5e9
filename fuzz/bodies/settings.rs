//! Files of users and of earlier runs.

use std::io::Cursor;
use std::path::Path;

use shakedown::audit::allowance;
use shakedown::audit::finding::Severity;
use shakedown::audit::judge::{Standard, judge};
use shakedown::audit::policy::Policy;
use shakedown::certificate::trust::Assessor;
use shakedown::openssl::cipher_string::evaluate;
use shakedown::openssl::conf_command::Commands;
use shakedown::openssl::config_file::OpensslConfig;
use shakedown::openssl::group_name;
use shakedown::openssl::release::OpensslRelease;
use shakedown::report::saved;
use shakedown::report::saved::compare::compare;
use shakedown::report::saved::merge::{RunPart, merge};
use shakedown::run::recording;
use shakedown::targets::redirect::Redirect;
use shakedown::targets::{inventory, list, range, toml};

use super::seeds::NOW;

/// No file is there, so that no input can make the reader open one.
const NOWHERE: &str = "/nonexistent";

/// A cipher string as OpenSSL reads it, at every security level.
pub(super) fn cipher_string(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for level in 0..=5 {
        let _ = evaluate(&text, level);
    }
    for name in text.split(':') {
        let _ = (group_name::read(name), group_name::support(name));
    }
}

/// A targets file, and a list.
pub(super) fn targets(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (entries, _) = toml::read("targets.toml", Path::new(NOWHERE), &text);
    for entry in entries {
        drop(entry.options.target(entry.address, None, Some(entry.origin)).id());
    }
    drop(list::read("list", Cursor::new(input), |_, _| {}));
}

/// The output of other programs that names targets, and curl's options.
pub(super) fn inventory(input: &[u8]) {
    let _ = inventory::is_inventory(input);
    drop(inventory::read(input));
    for line in String::from_utf8_lossy(input).lines() {
        let _ = (range::expand(line), Redirect::resolve(line), Redirect::connect_to(line));
    }
}

/// A configuration of OpenSSL, and what its commands do.
pub(super) fn openssl_config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let config = OpensslConfig::read(&text, &|_| Some(vec!["Groups = P-256".to_owned()]));
    let commands = config.system_default(Some("nginx"));
    drop(Commands::read_after(&commands, &commands, OpensslRelease::V3_0));
}

/// A gate file, and a policy.
pub(super) fn gate(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    drop(allowance::read("gate.toml", &text));
    drop(Policy::parse(&text));
}

/// A report or part of one, compared with itself and merged.
pub(super) fn saved_report(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(targets) = saved::read(&text) {
        let changes = compare(&targets, &targets, Severity::Note);
        assert!(
            targets.len() != 1 || changes.is_empty(),
            "a report differs from itself: {changes:?}"
        );
    }
    if let Ok(part) = RunPart::read("part", &text)
        && let Ok(merged) = merge(vec![part])
    {
        let mut out = Vec::new();
        let _ = (merged.write_json(&mut out), merged.write_lines(&mut out));
    }
}

/// Observations, judged again.
pub(super) fn observations(input: &[u8]) {
    let Ok(recording) = recording::read(&String::from_utf8_lossy(input)) else { return };
    for one in recording.targets {
        let store = recording.start.roots.iter().find(|(trust, _)| *trust == one.target.trust);
        let Some((_, store)) = store else { continue };
        let assessor = Assessor::new(store.clone(), NOW);
        let policy = recording.start.policy.as_ref();
        drop(judge(
            &one.target,
            &one.observation,
            Standard { assessor: &assessor, policy, now: NOW },
        ));
    }
}
