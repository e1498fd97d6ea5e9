//! `legacy-protocol-accepted`: beside a current version, one that every current client refuses.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::s_client;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::trouble::Matrix;
use crate::observation::Endpoint;
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "legacy-protocol-accepted",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "a version older than TLS 1.2 is still accepted",
    why: "SSLv3, TLS 1.0 and TLS 1.1 are deprecated (RFC 8996): audits such as PCI DSS fail them, and current \
          clients never use them. nginx before 1.27.3 accepts TLS 1.0 and 1.1 unless told otherwise, as far as \
          its OpenSSL goes along.",
    fix: "Set ssl_protocols TLSv1.2 TLSv1.3 in the default server of the socket (before nginx 1.29.2 its value \
          counts for all servers of the socket) and reload.",
    references: &[
        "RFC 8996",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols",
    ],
    consequence_of: &["legacy-protocol-only"],
    check: Check::Endpoint(check),
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let matrix = Matrix::new(endpoint, cx.target);
    let asked = endpoint.raw.iter().any(|raw| raw.version < ProtocolVersion::TLS1_2);
    if !asked {
        return Verdict::NotApplicable;
    }
    let old = matrix.answers().filter(|(_, choice)| choice.version < ProtocolVersion::TLS1_2);
    let unwanted: Vec<_> =
        old.filter(|(_, choice)| cx.expects(choice.version) != Some(true)).collect();
    let Some((raw, choice)) = unwanted.first() else {
        return Verdict::Pass;
    };
    let severity =
        if cx.target.expect.protocols.is_some() { Severity::Error } else { Severity::Warning };
    RULE.finds("the server still accepts versions older than TLS 1.2")
        .severity(severity)
        .evidence_from(unwanted.iter().map(|(_, choice)| {
            let (address, version) = (endpoint.address, choice.version);
            format!("{address}: a {version} hello is answered with {}", choice.cipher_suite)
        }))
        .directive("server", "ssl_protocols", "TLSv1.2 TLSv1.3")
        .reproduce(s_client(
            cx.target,
            Some(endpoint.address),
            raw.sni.as_deref(),
            Some(choice.version),
        ))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::Scene;
    use crate::observation::Cause;
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

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
