//! `tls13-unsupported`: the other version works, and TLS 1.3 does not.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol::unsupported;
use crate::audit::rules::upstream;
use crate::observation::Endpoint;
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "tls13-unsupported",
    severity: Severity::Note,
    section: Section::ProtocolCipher,
    summary: "the server does not accept TLS 1.3",
    why: "Clients fall back to TLS 1.2, which is still secure. TLS 1.3 saves a round trip and needs less \
          configuration. nginx accepts it by default from 1.23.4 on.",
    fix: "Add TLSv1.3 to ssl_protocols in the default server of the socket (before nginx 1.29.2 its value applies to \
          all servers of the socket) and reload.",
    references: &[
        "RFC 8446",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_protocols",
    ],
    consequence_of: &[&upstream::upstream_protocol_mismatch::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let version = (ProtocolVersion::TLS1_3, RULE.severity);
    let finding = unsupported(&RULE, version, "the server does not accept TLS 1.3", endpoint, cx);
    finding.map(|finding| finding.directive("server", "ssl_protocols", "TLSv1.2 TLSv1.3")).into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        without(Scene::new()).judge().findings
    }

    fn without(mut scene: Scene) -> Scene {
        scene.refuse(ProtocolVersion::TLS1_3);
        scene
    }

    #[test]
    fn severity_goes_by_role_and_expectation() {
        without(Scene::new()).check(&["note tls13-unsupported"]);
        without(Scene::upstream()).check(&["note tls13-unsupported"]);
        let mut scene = without(Scene::new());
        scene.target.expect.protocols =
            Some(vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]);
        scene.check(&["error tls13-unsupported"]);
    }

    #[test]
    fn a_version_that_is_not_expected_is_not_missed() {
        let mut scene = without(Scene::new());
        scene.target.expect.protocols = Some(vec![ProtocolVersion::TLS1_2]);
        scene.check(&[]);
    }
}
