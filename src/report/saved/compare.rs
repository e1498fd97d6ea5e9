//! Compares two runs over the same targets: what is new, gone or changed, and whether it got worse.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{TargetChange, TargetChanges, What};
use super::{SavedFinding, SavedKind, SavedTarget, negotiated, reach, renewed};
use crate::audit::finding::Severity;
use crate::run::Status;
use crate::targets::behaviour::ReportedBehaviour;

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
        let repaired = old[index].kind == SavedKind::Configuration && !new.is_empty();
        let mut changes = vec![TargetChange { worse: !repaired, what: What::TargetGone }];
        if repaired {
            findings(&old[index].findings, &[], threshold, &mut |worse, what| {
                changes.push(TargetChange { worse, what });
            });
        }
        all.push((&old[index].name, changes));
    }
    let changed = all.into_iter().filter(|(_, changes)| !changes.is_empty());
    changed.map(|(name, changes)| TargetChanges { name: name.clone(), changes }).collect()
}

/// What changed at a target since it behaved like this. Findings and status are not compared.
pub fn since(behaviour: &ReportedBehaviour, new: &SavedTarget) -> Vec<TargetChange> {
    let old = SavedTarget { behaviour: behaviour.clone(), ..new.clone() };
    changes(Some(&old), new, Severity::Error)
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
        reach::clients(old, new, &mut add);
        negotiated::clients(old, new, &mut add);
        // Without an established handshake, versions and certificates are unknown; the status shows that.
        if old.established().next().is_some() && new.established().next().is_some() {
            reach::versions(old, new, &mut add);
            negotiated::sessions(old, new, &mut add);
            renewed::compare(old, new, &mut add);
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
        let all = compare(&read(old), &read(new), Severity::Warning);
        let lines = all
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
    fn a_configuration_that_was_repaired_is_not_worse() {
        let broken = json!({ "name": "nginx.conf", "kind": "configuration", "host": "nginx", "port": 0,
            "server_name": null, "status": "fail", "handshakes": [], "certificates": [],
            "findings": [finding("error")] });
        let changes = compared(std::slice::from_ref(&broken), &[target()]);
        assert_eq!(changes, ["new target: pass", "target is gone", "gone: error[weak-key]"]);
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
    fn names_of_a_certificate_come_and_go() {
        let mut old = target();
        old["certificates"][0]["dns_names"] = json!(["a.test", "b.test"]);
        let mut new = target();
        renewed(&mut new, "2027-01-01T00:00:00Z");
        new["certificates"][0]["dns_names"] = json!(["A.test", "c.test"]);
        new["certificates"][0]["ip_addresses"] = json!(["192.0.2.1"]);
        let replaced = "other certificate: ends 2027-01-01, as the one before";
        assert_eq!(
            compared(&[old.clone()], std::slice::from_ref(&new)),
            [replaced, "names of the certificate: now without b.test, and with 192.0.2.1, c.test"]
        );
        // Every client must get a name for it to count, and a report may not have the names.
        new["certificates"][0]["dns_names"] = json!(["a.test", "b.test"]);
        new["certificates"][0]["ip_addresses"] = json!([]);
        assert_eq!(compared(&[old.clone()], std::slice::from_ref(&new)), [replaced]);
        let mut two = old.clone();
        two["handshakes"][0]["chain"][0] = json!("bb");
        let one = json!({ "sha256": "bb", "issuer": "CN=A", "not_after": "2027-01-01T00:00:00Z",
            "public_key_sha256": "k1", "dns_names": ["b.test"] });
        two["certificates"].as_array_mut().unwrap().push(one);
        let lost = "names of the certificate: now without a.test";
        assert_eq!(compared(&[old], &[two]), [replaced, lost]);
        new["certificates"][0]["dns_names"] = json!(["c.test"]);
        assert_eq!(compared(&[target()], &[new]), [replaced]);
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
