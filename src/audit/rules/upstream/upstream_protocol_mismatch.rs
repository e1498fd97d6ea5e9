//! `upstream-protocol-mismatch`: nginx and the upstream share no protocol version.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-protocol-mismatch",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "nginx and the upstream share no protocol version",
    why: "By default, proxy_ssl_protocols does not include TLS 1.3 before nginx 1.23.4, and TLS 1.0 and 1.1 since \
          1.27.3. An upstream that accepts only a version that is not listed ends the handshake, and nginx answers \
          502.",
    fix: "Set proxy_ssl_protocols to versions that the upstream accepts, and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_protocols",
        "RFC 8446 section 4.2.1",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    findings::check(&RULE, FaultKind::ProtocolMismatch, case, cx)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, answer, ended};
    use crate::observation::Cause;
    use crate::targets::nginx_client::NginxClient;
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let old = Ok(answer(ProtocolVersion::TLS1, 0x002f));
        Scene::behind(NginxClient::new("a.test"), old).judge().findings
    }

    #[test]
    fn an_alert_or_an_answer_in_another_version_is_found() {
        let expected = ["error upstream-protocol-mismatch", "note upstream-verify-off"];
        let refused = ended(Cause::Alert(AlertDescription::PROTOCOL_VERSION));
        Scene::behind(NginxClient::new("a.test"), refused).check(&expected);
        let old = Ok(answer(ProtocolVersion::TLS1, 0x002f));
        let found = Scene::behind(NginxClient::new("a.test"), old).check(&expected);
        assert!(found[0].message.contains("TLSv1, which nginx does not accept"));
    }
}
