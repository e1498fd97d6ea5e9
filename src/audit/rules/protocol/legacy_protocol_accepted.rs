//! `legacy-protocol-accepted`: the server accepts a version that every current client refuses, besides a current one.

use std::collections::BTreeMap;

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::s_client;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol;
use crate::audit::rules::protocol::{ANSWERED_ONLY, over_scans};
use crate::audit::trouble::Matrix;
use crate::observation::Endpoint;
use crate::observation::scan::Scan;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "legacy-protocol-accepted",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "the server still accepts a version older than TLS 1.2",
    why: "SSLv3, TLS 1.0 and TLS 1.1 are deprecated (RFC 8996): audits such as PCI DSS fail them, and current \
          clients never use them. nginx before 1.27.3 accepts TLS 1.0 and 1.1 by default, if its OpenSSL allows it.",
    fix: "Set ssl_protocols TLSv1.2 TLSv1.3 in the default server of the socket (before nginx 1.29.2 its value \
          applies to all servers of the socket) and reload.",
    references: &[
        "RFC 8996",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols",
    ],
    consequence_of: &[&protocol::legacy_protocol_only::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let matrix = Matrix::new(endpoint, cx.target);
    let asked = endpoint.raw.iter().any(|raw| raw.version < ProtocolVersion::TLS1_2);
    if !asked && endpoint.scans.is_empty() {
        return Verdict::NotApplicable;
    }
    let named = cx.target.server_name.is_some();
    let scans = endpoint.scans.iter().filter(|scan| scan.sni.is_some() == named);
    let scanned = scans.flat_map(Scan::first_choices);
    let answered = matrix.answers().map(|(_, choice)| (choice.version, choice.cipher_suite));
    let unwanted: BTreeMap<ProtocolVersion, CipherSuite> = answered
        .chain(scanned)
        .filter(|(version, _)| *version < ProtocolVersion::TLS1_2)
        .filter(|(version, _)| cx.expects(*version) != Some(true))
        .collect();
    let Some(newest) = unwanted.keys().next_back() else {
        return over_scans(endpoint, |_| Vec::new());
    };
    let severity =
        if cx.target.expect.protocols.is_some() { Severity::Error } else { Severity::Warning };
    RULE.finds("the server still accepts versions older than TLS 1.2")
        .severity(severity)
        .evidence_from(unwanted.iter().map(|(version, suite)| {
            format!("{}: a {version} hello is answered with {suite}", endpoint.address)
        }))
        .evidence(ANSWERED_ONLY)
        .directive("server", "ssl_protocols", "TLSv1.2 TLSv1.3")
        .reproduce(s_client(
            cx.target,
            Some(endpoint.address),
            cx.target.server_name.as_deref(),
            Some(*newest),
        ))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::Cause;
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.raw(ProtocolVersion::TLS1, Ok(0x002f));
        scene.judge().findings
    }

    #[test]
    fn an_old_hello_that_is_answered_beside_new_ones_is_a_warning() {
        let mut scene = Scene::new();
        scene.raw(ProtocolVersion::TLS1, Ok(0x002f));
        let findings = scene.check(&["warning legacy-protocol-accepted"]);
        assert!(findings[0].reproduce[0].contains("-tls1 "));
        scene.target.expect.protocols =
            Some(vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]);
        scene.check(&["error legacy-protocol-accepted"]);
    }

    #[test]
    fn what_is_refused_or_expected_passes() {
        let mut scene = Scene::new();
        let refused = Cause::Alert(AlertDescription::PROTOCOL_VERSION);
        scene.raw(ProtocolVersion::TLS1, Err(refused));
        scene.check(&[]);
        scene.raw(ProtocolVersion::TLS1_1, Ok(0x002f));
        scene.target.expect.protocols =
            Some(vec![ProtocolVersion::TLS1_1, ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]);
        scene.check(&[]);
    }
}
