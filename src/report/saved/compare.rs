//! Compares two runs over the same targets: what is new, gone or changed, and whether it got worse.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::{SavedCertificate, SavedFinding, SavedKind, SavedTarget, negotiated};
use crate::audit::finding::Severity;
use crate::report::words;
use crate::run::Status;

/// What changed at one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetChanges {
    /// The target's name.
    pub name: String,
    /// The changes, at least one.
    pub changes: Vec<TargetChange>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetChange {
    /// Whether it got worse.
    pub worse: bool,
    /// What changed.
    #[serde(flatten)]
    pub what: What,
}

/// The kinds of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "old and new are what was and what is")]
pub enum What {
    /// A new target.
    TargetNew { status: Status },
    /// The target is no longer there.
    TargetGone,
    /// Another status.
    Status { old: Status, new: Status },
    /// A new finding.
    FindingNew { rule: String, severity: Severity, message: String },
    /// A finding that is gone.
    FindingGone { rule: String, severity: Severity },
    /// A finding whose severity changed.
    Severity { rule: String, old: Severity, new: Severity },
    /// A version that is no longer accepted, or no longer at every address.
    ProtocolLost { version: String },
    /// A version that was not accepted before, or not at every address.
    ProtocolGained { version: String },
    /// A client that can no longer connect, or no longer to every address.
    ClientLost { client: String, reason: Option<String> },
    /// A client that could not connect, or not to every address.
    ClientGained { client: String },
    /// A client that connects in another way: version, cipher suite and group.
    ClientNegotiates { client: String, old: String, new: String },
    /// Another application protocol in this version; `none` where none is selected.
    Alpn { version: String, old: String, new: String },
    /// Whether sessions of this version are resumed.
    Resumption { version: String, resumed: bool },
    /// Other certificates with other dates: the first date on which one expires.
    Certificate { old: String, new: String },
    /// Another issuer.
    Issuer { old: String, new: String },
    /// Another key.
    Key,
    /// The certificate expires earlier than the previous one.
    ExpiryEarlier { old: String, new: String },
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetNew { status } => write!(f, "new target: {}", words::status(*status)),
            Self::TargetGone => f.write_str("target is gone"),
            Self::Status { old, new } => {
                write!(f, "result: {} (was {})", words::status(*new), words::status(*old))
            }
            Self::FindingNew { rule, severity, message } => {
                write!(f, "new {severity}[{rule}]: {message}")
            }
            Self::FindingGone { rule, severity } => write!(f, "gone: {severity}[{rule}]"),
            Self::Severity { rule, old, new } => write!(f, "{new}[{rule}] (was {old})"),
            Self::ProtocolLost { version } => write!(f, "lost protocol: {version}"),
            Self::ProtocolGained { version } => write!(f, "new protocol: {version}"),
            Self::ClientLost { client, reason: Some(reason) } => {
                write!(f, "lost client: {client} ({reason})")
            }
            Self::ClientLost { client, reason: None } => write!(f, "lost client: {client}"),
            Self::ClientGained { client } => write!(f, "new client: {client}"),
            Self::ClientNegotiates { client, old, new } => {
                write!(f, "{client} connects with {new} (was {old})")
            }
            Self::Alpn { version, old, new } => {
                write!(f, "ALPN of {version}: {new} (was {old})")
            }
            Self::Resumption { version, resumed: true } => {
                write!(f, "sessions of {version} are resumed now")
            }
            Self::Resumption { version, resumed: false } => {
                write!(f, "sessions of {version} are no longer resumed")
            }
            Self::Certificate { old, new } => {
                write!(f, "other certificate: ends {} (was {})", day(new), day(old))
            }
            Self::Issuer { old, new } => write!(f, "issuer: {new} (was {old})"),
            Self::Key => f.write_str("other key"),
            Self::ExpiryEarlier { old, new } => {
                write!(f, "earlier expiry: {} (was {})", day(new), day(old))
            }
        }
    }
}

fn day(moment: &str) -> &str {
    moment.split('T').next().unwrap_or(moment)
}

/// The changes from the old run to the new, in the new run's order; new findings of severity `threshold` or above make
/// it worse.
pub fn compare(
    old: &[SavedTarget],
    new: &[SavedTarget],
    threshold: Severity,
) -> Vec<TargetChanges> {
    let mut before: BTreeMap<TargetKey<'_>, Vec<usize>> = BTreeMap::new();
    for (index, target) in old.iter().enumerate().rev() {
        before.entry(key(target)).or_default().push(index);
    }
    let mut all = Vec::new();
    for target in new {
        let known = before.get_mut(&key(target)).and_then(Vec::pop).map(|index| &old[index]);
        all.push((&target.name, changes(known, target, threshold)));
    }
    let gone: BTreeSet<usize> = before.into_values().flatten().collect();
    for index in gone {
        // A configuration without faults is not in a report; but an audit that no longer runs finds nothing.
        let mended = old[index].kind == SavedKind::Configuration && !new.is_empty();
        let mut changes = vec![TargetChange { worse: !mended, what: What::TargetGone }];
        if mended {
            findings(&old[index].findings, &[], threshold, &mut |worse, what| {
                changes.push(TargetChange { worse, what });
            });
        }
        all.push((&old[index].name, changes));
    }
    let changed = all.into_iter().filter(|(_, changes)| !changes.is_empty());
    changed.map(|(name, changes)| TargetChanges { name: name.clone(), changes }).collect()
}

/// Identifies a target in two runs.
type TargetKey<'a> = (&'a str, u16, Option<&'a str>, &'a str);

fn key(target: &SavedTarget) -> TargetKey<'_> {
    (&target.host, target.port, target.server_name.as_deref(), &target.name)
}

fn changes(old: Option<&SavedTarget>, new: &SavedTarget, threshold: Severity) -> Vec<TargetChange> {
    let mut changes = Vec::new();
    let mut add = |worse, what| changes.push(TargetChange { worse, what });
    match old {
        None => add(false, What::TargetNew { status: new.status }),
        Some(old) if old.status != new.status => {
            let worse = badness(new.status) > badness(old.status);
            add(worse, What::Status { old: old.status, new: new.status });
        }
        Some(_) => {}
    }
    let before = old.map_or(&[][..], |old| &old.findings);
    findings(before, &new.findings, threshold, &mut add);
    if let Some(old) = old {
        clients(old, new, &mut add);
        for (client, old, new) in negotiated::clients(old, new) {
            add(false, What::ClientNegotiates { client, old, new });
        }
        // Without an established handshake, versions and certificates are unknown; the status shows that.
        if established(old).next().is_some() && established(new).next().is_some() {
            protocols(old, new, &mut add);
            sessions(old, new, &mut add);
            certificates(old, new, &mut add);
        }
    }
    changes
}

fn badness(status: Status) -> u8 {
    match status {
        Status::Pass => 0,
        Status::Untested => 1,
        Status::Fail => 2,
    }
}

fn findings(
    old: &[SavedFinding],
    new: &[SavedFinding],
    threshold: Severity,
    add: &mut impl FnMut(bool, What),
) {
    for finding in new {
        let SavedFinding { rule, severity, message, .. } = finding;
        let counts = finding.excuse.is_none() && *severity >= threshold;
        match old.iter().find(|known| known.fingerprint == finding.fingerprint) {
            None => add(
                counts,
                What::FindingNew {
                    rule: rule.clone(),
                    severity: *severity,
                    message: message.clone(),
                },
            ),
            Some(known) if known.severity != *severity => add(
                counts && *severity > known.severity,
                What::Severity { rule: rule.clone(), old: known.severity, new: *severity },
            ),
            Some(_) => {}
        }
    }
    for finding in old {
        if !new.iter().any(|one| one.fingerprint == finding.fingerprint) {
            let (rule, severity) = (finding.rule.clone(), finding.severity);
            add(false, What::FindingGone { rule, severity });
        }
    }
}

/// The complete handshakes with the target's own name, or without SNI if it has none.
fn own(target: &SavedTarget) -> impl Iterator<Item = &super::SavedHandshake> {
    let named = target.server_name.is_some();
    let cells = target.handshakes.iter().filter(|cell| cell.engine == "rustls");
    cells.filter(move |cell| cell.sni.is_some() == named)
}

fn established(target: &SavedTarget) -> impl Iterator<Item = &super::SavedHandshake> {
    own(target).filter(|cell| cell.outcome == "established")
}

/// What sessions of versions that work before and after have.
fn sessions(old: &SavedTarget, new: &SavedTarget, add: &mut impl FnMut(bool, What)) {
    let versions: BTreeSet<&str> = established(new).map(|cell| cell.version.as_str()).collect();
    for name in versions {
        let cells = |target| -> Vec<&super::SavedHandshake> {
            established(target).filter(|cell| cell.version == name).collect()
        };
        let (before, after) = (cells(old), cells(new));
        let version = name.to_owned();
        if let Some((old, new)) = negotiated::alpn(&before, &after) {
            add(false, What::Alpn { version: version.clone(), old, new });
        }
        if let Some(resumed) = negotiated::resumption(&before, &after) {
            add(false, What::Resumption { version, resumed });
        }
    }
}

/// At how many addresses a version is accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Nowhere,
    Somewhere,
    Everywhere,
}

fn protocols(old: &SavedTarget, new: &SavedTarget, add: &mut impl FnMut(bool, What)) {
    let versions: BTreeSet<&str> =
        own(old).chain(own(new)).map(|cell| cell.version.as_str()).collect();
    for version in versions {
        let (before, after) = (reach(old, version), reach(new, version));
        let version = version.to_owned();
        match after.cmp(&before) {
            std::cmp::Ordering::Less => add(true, What::ProtocolLost { version }),
            std::cmp::Ordering::Greater => add(false, What::ProtocolGained { version }),
            std::cmp::Ordering::Equal => {}
        }
    }
}

fn reach(target: &SavedTarget, version: &str) -> Reach {
    let cells = || own(target).filter(|cell| cell.version == version);
    let works = cells().filter(|cell| cell.outcome == "established").count();
    match works {
        0 => Reach::Nowhere,
        _ if works == cells().count() => Reach::Everywhere,
        _ => Reach::Somewhere,
    }
}

/// The clients that both runs replayed.
fn clients(old: &SavedTarget, new: &SavedTarget, add: &mut impl FnMut(bool, What)) {
    let titles: BTreeSet<&str> = new.clients.iter().map(|one| one.title.as_str()).collect();
    for title in titles {
        let (Some(before), Some(after)) = (connects(old, title), connects(new, title)) else {
            continue;
        };
        let client = title.to_owned();
        match after.cmp(&before) {
            std::cmp::Ordering::Less => {
                let mut failed = new.clients.iter().filter(|one| one.title == title);
                let reason = failed.find_map(|one| one.missing.clone());
                add(true, What::ClientLost { client, reason });
            }
            std::cmp::Ordering::Greater => add(false, What::ClientGained { client }),
            std::cmp::Ordering::Equal => {}
        }
    }
}

/// How widely a client connects; `None` where it was not replayed.
fn connects(target: &SavedTarget, title: &str) -> Option<Reach> {
    let all: Vec<bool> = target
        .clients
        .iter()
        .filter(|one| one.title == title)
        .map(|one| one.outcome == "established")
        .collect();
    match all.iter().filter(|works| **works).count() {
        _ if all.is_empty() => None,
        0 => Some(Reach::Nowhere),
        works if works == all.len() => Some(Reach::Everywhere),
        _ => Some(Reach::Somewhere),
    }
}

fn certificates(old: &SavedTarget, new: &SavedTarget, add: &mut impl FnMut(bool, What)) {
    let (before, after) = (leaves(old), leaves(new));
    let (Some(was), Some(is)) = (first_end(&before), first_end(&after)) else { return };
    let ids = |all: &[&SavedCertificate]| -> BTreeSet<String> {
        all.iter().map(|one| one.sha256.clone()).collect()
    };
    if ids(&before) == ids(&after) {
        return;
    }
    if is < was {
        add(true, What::ExpiryEarlier { old: was, new: is });
    } else {
        add(false, What::Certificate { old: was, new: is });
    }
    let (was, is) = (issuers(&before), issuers(&after));
    if was != is {
        add(false, What::Issuer { old: was, new: is });
    }
    let keys = |all: &[&SavedCertificate]| -> BTreeSet<Option<String>> {
        all.iter().map(|one| one.public_key_sha256.clone()).collect()
    };
    if keys(&before) != keys(&after) {
        add(false, What::Key);
    }
}

/// The leaf certificates that are sent for the target's own name.
fn leaves(target: &SavedTarget) -> Vec<&SavedCertificate> {
    let shown: BTreeSet<&String> =
        established(target).filter_map(|cell| cell.chain.first()).collect();
    target.certificates.iter().filter(|one| shown.contains(&one.sha256)).collect()
}

fn first_end(certificates: &[&SavedCertificate]) -> Option<String> {
    certificates.iter().map(|one| one.not_after.clone()).min()
}

fn issuers(certificates: &[&SavedCertificate]) -> String {
    let distinct: BTreeSet<&str> = certificates.iter().map(|one| one.issuer.as_str()).collect();
    distinct.into_iter().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A target that accepts both versions and sends a certificate for its own name, as in the JSON report.
    fn target() -> Value {
        let handshake = |version: &str| {
            json!({ "sni": "a.test", "version": version, "engine": "rustls", "outcome": "established",
                "chain": ["aa"] })
        };
        json!({
            "name": "a", "host": "a.test", "port": 443, "server_name": "a.test", "status": "pass",
            "handshakes": [handshake("TLSv1.2"), handshake("TLSv1.3")],
            "certificates": [{ "sha256": "aa", "issuer": "CN=A", "not_after": "2027-01-01T00:00:00Z",
                "public_key_sha256": "k1" }],
            "findings": [],
        })
    }

    fn finding(severity: &str) -> Value {
        json!({ "rule": "weak-key", "severity": severity, "message": "weak", "fingerprint": "f",
            "excuse": null })
    }

    fn compared(old: &[Value], new: &[Value]) -> Vec<String> {
        let read = |all: &[Value]| -> Vec<SavedTarget> {
            all.iter().map(|one| serde_json::from_value(one.clone()).unwrap()).collect()
        };
        let told = compare(&read(old), &read(new), Severity::Warning);
        let lines = told
            .iter()
            .flat_map(|target| &target.changes)
            .map(|change| format!("{}{}", if change.worse { "worse: " } else { "" }, change.what));
        lines.collect()
    }

    #[track_caller]
    fn check(spoil: impl Fn(&mut Value), expected: &[&str]) {
        let mut new = target();
        spoil(&mut new);
        assert_eq!(compared(&[target()], &[new]), expected);
    }

    #[test]
    fn nothing_is_reported_if_nothing_changed() {
        check(|_| {}, &[]);
        assert_eq!(compared(&[target(), target()], &[target(), target()]), [""; 0]);
    }

    #[test]
    fn clients_come_and_go() {
        let client = |title: &str, outcome: &str| json!({ "title": title, "outcome": outcome, "missing": (outcome == "failed").then_some("no common version") });
        let with = |clients: &[Value]| {
            let mut target = target();
            target["clients"] = json!(clients);
            target
        };
        let old =
            with(&[client("A", "established"), client("B", "failed"), client("C", "established")]);
        let new = with(&[client("A", "failed"), client("B", "established"), client("D", "failed")]);
        assert_eq!(
            compared(&[old], &[new]),
            ["worse: lost client: A (no common version)", "new client: B"]
        );
    }

    #[test]
    fn what_is_negotiated_differently_is_a_change_and_not_worse() {
        let with = |group: &str, alpn: Option<&str>, resumed: bool| {
            let mut target = target();
            target["clients"] = json!([{ "title": "A", "outcome": "established", "version": "TLSv1.3",
                "cipher_suite": "TLS_AES_128_GCM_SHA256", "group": group }]);
            target["handshakes"][1]["alpn"] = json!(alpn);
            target["handshakes"][1]["resumed"] = json!(resumed);
            target
        };
        assert_eq!(
            compared(&[with("x25519", None, true)], &[with("secp256r1", Some("h2"), false)]),
            [
                "A connects with TLSv1.3 TLS_AES_128_GCM_SHA256 secp256r1 (was TLSv1.3 TLS_AES_128_GCM_SHA256 x25519)",
                "ALPN of TLSv1.3: h2 (was none)",
                "sessions of TLSv1.3 are no longer resumed",
            ]
        );
    }

    #[test]
    fn targets_come_and_go() {
        let mut other = target();
        other["port"] = json!(8443);
        assert_eq!(
            compared(&[target()], std::slice::from_ref(&other)),
            ["new target: pass", "worse: target is gone"]
        );
        assert_eq!(compared(&[target(), target()], &[target()]), ["worse: target is gone"]);
    }

    #[test]
    fn a_configuration_that_was_mended_is_not_worse() {
        let broken = json!({ "name": "nginx.conf", "kind": "configuration", "host": "nginx", "port": 0,
            "server_name": null, "status": "fail", "handshakes": [], "certificates": [],
            "findings": [finding("error")] });
        let told = compared(std::slice::from_ref(&broken), &[target()]);
        assert_eq!(told, ["new target: pass", "target is gone", "gone: error[weak-key]"]);
        assert_eq!(compared(&[broken], &[]), ["worse: target is gone"]);
    }

    #[test]
    fn a_result_gets_worse_or_better() {
        check(|new| new["status"] = json!("untested"), &["worse: result: untested (was pass)"]);
        let mut failed = target();
        failed["status"] = json!("fail");
        assert_eq!(compared(&[failed], &[target()]), ["result: pass (was FAIL)"]);
    }

    #[test]
    fn a_new_finding_counts_from_the_threshold_on_unless_it_is_excused() {
        check(
            |new| new["findings"] = json!([finding("warning")]),
            &["worse: new warning[weak-key]: weak"],
        );
        check(|new| new["findings"] = json!([finding("note")]), &["new note[weak-key]: weak"]);
        let mut excused = finding("error");
        excused["excuse"] = json!({ "kind": "known" });
        check(|new| new["findings"] = json!([excused]), &["new error[weak-key]: weak"]);
    }

    #[test]
    fn a_finding_grows_and_goes() {
        let with = |severity| {
            let mut target = target();
            target["findings"] = json!([finding(severity)]);
            target
        };
        assert_eq!(
            compared(&[with("warning")], &[with("error")]),
            ["worse: error[weak-key] (was warning)"]
        );
        assert_eq!(compared(&[with("error")], &[with("note")]), ["note[weak-key] (was error)"]);
        assert_eq!(compared(&[with("error")], &[target()]), ["gone: error[weak-key]"]);
    }

    #[test]
    fn a_version_is_lost_and_won() {
        let without = || {
            let mut target = target();
            target["handshakes"][1]["outcome"] = json!("failed");
            target
        };
        assert_eq!(compared(&[target()], &[without()]), ["worse: lost protocol: TLSv1.3"]);
        assert_eq!(compared(&[without()], &[target()]), ["new protocol: TLSv1.3"]);
    }

    #[test]
    fn only_the_result_is_reported_for_a_target_that_is_down() {
        let down = |new: &mut Value| {
            new["status"] = json!("untested");
            new["handshakes"][0]["outcome"] = json!("failed");
            new["handshakes"][1]["outcome"] = json!("failed");
        };
        check(down, &["worse: result: untested (was pass)"]);
    }

    fn renewed(new: &mut Value, end: &str) {
        new["handshakes"][0]["chain"][0] = json!("bb");
        new["handshakes"][1]["chain"][0] = json!("bb");
        new["certificates"][0]["sha256"] = json!("bb");
        new["certificates"][0]["not_after"] = json!(end);
    }

    #[test]
    fn a_certificate_is_renewed_or_replaced() {
        check(
            |new| renewed(new, "2027-04-01T00:00:00Z"),
            &["other certificate: ends 2027-04-01 (was 2027-01-01)"],
        );
        let replaced = |new: &mut Value| {
            renewed(new, "2026-12-01T00:00:00Z");
            new["certificates"][0]["issuer"] = json!("CN=B");
            new["certificates"][0]["public_key_sha256"] = json!("k2");
        };
        check(
            replaced,
            &[
                "worse: earlier expiry: 2026-12-01 (was 2027-01-01)",
                "issuer: CN=B (was CN=A)",
                "other key",
            ],
        );
    }
}
