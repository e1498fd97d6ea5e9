//! `served-settings-stale`: the live socket does not do what nginx's configuration says.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::observation::{Cause, Endpoint, Failure, Handshake, Session, Stage};
use crate::targets::written::{WrittenSetting, WrittenSettings};
use crate::tls::alert::AlertDescription;
use crate::tls::suite::KeyExchange;
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "served-settings-stale",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "the socket does not do what its configuration says",
    why: "The configuration was changed and nginx was not reloaded, the reload failed, or something else answers at the address. \
          Whatever the files promise has no effect.",
    fix: "Run nginx -t, correct what it reports, then nginx -s reload (systemctl reload nginx), and look for a new [emerg] \
          line in the error log. If it stays, find out what listens at the address: ss -ltnp.",
    references: &["https://nginx.org/en/docs/control.html"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(written) = cx.target.written.as_deref() else { return Verdict::NotApplicable };
    let cells: Vec<&Handshake> = cx.own_cells(endpoint).collect();
    if !cells.iter().any(|cell| cell.established()) {
        return Verdict::NotApplicable;
    }
    let mut all = Vec::new();
    for cell in cells {
        let found = differences(cell, written).into_iter();
        all.extend(found.map(|difference| (difference, at(endpoint, cell))));
    }
    if all.is_empty() {
        return Verdict::Pass;
    }
    let mut words: Vec<String> = all.iter().map(|(one, _)| one.words.clone()).collect();
    words.dedup();
    RULE.finds(format!("nginx has not loaded its configuration: {}", words.join("; ")))
        .evidence_from(all.into_iter().flat_map(|(one, seen)| [one.place, seen]))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)))
        .into()
}

/// One thing that is otherwise than written.
struct Difference {
    words: String,
    place: String,
}

impl Difference {
    fn of<T>(what: &str, setting: &WrittenSetting<T>) -> Self {
        let WrittenSetting { text, place, .. } = setting;
        let (file, line) = (&place.file, place.line);
        Self {
            words: format!("{what}, and the file says {text}"),
            place: format!("{file}:{line}: {text}"),
        }
    }
}

fn differences(cell: &Handshake, written: &WrittenSettings) -> Vec<Difference> {
    let mut all = Vec::new();
    if let Some(setting) = &written.versions {
        let is_written = setting.value.contains(&cell.version);
        if is_written && cell.failure().is_some_and(is_refusal_of_version) {
            all.push(Difference::of(&format!("it refuses {}", cell.version), setting));
        }
        if !is_written && cell.established() {
            all.push(Difference::of(&format!("it accepts {}", cell.version), setting));
        }
    }
    if let Some(session) = cell.session() {
        all.extend(in_session(cell.version, session, written));
    }
    if let Some(setting) = written.asks.as_ref().filter(|_| cell.established()) {
        let asks = cell.client_auth.request().is_some();
        if asks && !setting.value {
            all.push(Difference::of("it asks for a client certificate", setting));
        }
    }
    all
}

fn is_refusal_of_version(failure: &Failure) -> bool {
    failure.stage == Stage::Handshake
        && failure.cause == Cause::Alert(AlertDescription::PROTOCOL_VERSION)
}

fn in_session(
    version: ProtocolVersion,
    session: &Session,
    written: &WrittenSettings,
) -> Vec<Difference> {
    let suite = session.cipher_suite;
    let mut all = Vec::new();
    if let Some(setting) = &written.suites
        && version < ProtocolVersion::TLS1_3
        && !setting.value.contains(&suite)
    {
        all.push(Difference::of(&format!("it uses {suite}"), setting));
    }
    let by_curve =
        version == ProtocolVersion::TLS1_3 || suite.key_exchange() == Some(KeyExchange::Ecdhe);
    if let (Some(setting), Some(group)) = (&written.groups, session.group)
        && by_curve
        && !setting.value.contains(&group)
    {
        all.push(Difference::of(&format!("it uses the group {group}"), setting));
    }
    if let (Some(setting), Some(protocol)) = (&written.alpn, &session.alpn)
        && !setting.value.contains(protocol)
    {
        all.push(Difference::of(&format!("it selects {protocol}"), setting));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::{ClientAuth, ClientCertificateRequest};
    use crate::targets::Origin;
    use crate::tls::group::NamedGroup;

    fn setting<T>(value: T, text: &str) -> WrittenSetting<T> {
        let place = Origin { file: "/etc/nginx/nginx.conf".to_owned(), line: 7, column: 5 };
        WrittenSetting { value, text: text.to_owned(), place }
    }

    fn scene(written: WrittenSettings) -> Scene {
        let mut scene = Scene::new();
        scene.target.written = Some(Box::new(written));
        scene
    }

    pub(super) fn specimen() -> Vec<Finding> {
        let versions = Some(setting(vec![ProtocolVersion::TLS1_3], "ssl_protocols TLSv1.3"));
        scene(WrittenSettings { versions, ..WrittenSettings::default() }).judge().findings
    }

    #[test]
    fn what_the_file_allows_is_no_difference() {
        let versions = vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3];
        let allowed = WrittenSettings {
            versions: Some(setting(versions, "ssl_protocols TLSv1.2 TLSv1.3")),
            groups: Some(setting(vec![NamedGroup(0x001d)], "ssl_ecdh_curve X25519")),
            asks: Some(setting(false, "ssl_verify_client off")),
            ..WrittenSettings::default()
        };
        scene(allowed).check(&[]);
    }

    #[test]
    fn each_setting_is_held_against_what_was_seen() {
        let version = |versions| WrittenSettings {
            versions: Some(setting(versions, "ssl_protocols X")),
            ..WrittenSettings::default()
        };
        scene(version(vec![ProtocolVersion::TLS1_3])).check(&["warning served-settings-stale"]);
        let suites = Some(setting(Vec::new(), "ssl_ciphers X"));
        let suites = WrittenSettings { suites, ..WrittenSettings::default() };
        scene(suites).check(&["warning served-settings-stale"]);
        let asks = Some(setting(false, "ssl_verify_client off"));
        let mut asking = scene(WrittenSettings { asks, ..WrittenSettings::default() });
        for cell in &mut asking.seen.endpoints[0].handshakes {
            cell.client_auth = ClientAuth::Requested(ClientCertificateRequest::default());
        }
        let findings = asking.judge().findings;
        assert!(findings.iter().any(|one| one.rule == RULE.id), "{findings:?}");
    }

    #[test]
    fn only_the_alert_about_the_version_shows_that_it_is_off() {
        let both = vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3];
        for (alert, differs) in [
            (AlertDescription::PROTOCOL_VERSION, true),
            (AlertDescription::HANDSHAKE_FAILURE, false),
        ] {
            let mut scene = scene(WrittenSettings {
                versions: Some(setting(both.clone(), "ssl_protocols TLSv1.2 TLSv1.3")),
                ..WrittenSettings::default()
            });
            let is_old = |cell: &Handshake| cell.version == ProtocolVersion::TLS1_2;
            scene.fail(is_old, Stage::Handshake, &Cause::Alert(alert));
            let findings = scene.judge().findings;
            assert_eq!(findings.iter().any(|one| one.rule == RULE.id), differs, "{findings:?}");
        }
    }
}
