//! `tls12-unsupported`: TLS 1.3 works, and TLS 1.2 does not.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol::handshake_refused::OTHER_SUITES;
use crate::audit::rules::protocol::unsupported;
use crate::audit::rules::upstream;
use crate::observation::Endpoint;
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "tls12-unsupported",
    severity: Severity::Note,
    section: Section::ProtocolCipher,
    summary: "the server does not accept TLS 1.2",
    why: "Clients that support nothing newer cannot connect: Java 8 before 8u261, Android before 10, Schannel in \
          Windows 10 and Windows Server 2019 (PowerShell, .NET Framework), Internet Explorer, Safari before macOS \
          10.14.4 and iOS 12.2, OpenSSL before 1.1.1, Go before 1.13, curl and Python built with these, and nginx \
          before 1.23.4 as a proxy, whose default for proxy_ssl_protocols ends at TLS 1.2. For a server that serves \
          only current clients this may be intended.",
    fix: "Add TLSv1.2 to ssl_protocols in the default server of the socket (before nginx 1.29.2 its value \
          applies to all servers of the socket) and reload. A proxy that must reach this endpoint needs \
          TLSv1.3 in proxy_ssl_protocols.",
    references: &[
        "RFC 5246",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_protocols",
    ],
    consequence_of: &[&upstream::upstream_protocol_mismatch::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let (severity, message, (context, directive)) = if cx.is_upstream() {
        (Severity::Warning, TO_UPSTREAMS, ("location", "proxy_ssl_protocols"))
    } else {
        (RULE.severity, TO_CLIENTS, ("server", "ssl_protocols"))
    };
    let finding = unsupported(&RULE, (ProtocolVersion::TLS1_2, severity), message, endpoint, cx);
    finding
        .map(|finding| match &cx.target.unusable_suites {
            Some(why) => finding.evidence(why.clone()).fix(OTHER_SUITES),
            None => finding.directive(context, directive, "TLSv1.2 TLSv1.3"),
        })
        .into()
}

const TO_UPSTREAMS: &str = "the server does not accept TLS 1.2; nginx before 1.23.4 cannot connect with its default proxy_ssl_protocols";

const TO_CLIENTS: &str = "the server does not accept TLS 1.2; Java 8 before 8u261, Android before 10, Windows 10 \
                          (Schannel) and OpenSSL before 1.1.1 cannot connect";

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        without(Scene::new()).judge().findings
    }

    fn without(mut scene: Scene) -> Scene {
        scene.refuse(ProtocolVersion::TLS1_2);
        scene
    }

    #[test]
    fn severity_goes_by_role_and_expectation() {
        without(Scene::new()).check(&["note tls12-unsupported"]);
        without(Scene::upstream()).check(&["warning tls12-unsupported"]);
        let mut scene = without(Scene::new());
        scene.target.expect.protocols =
            Some(vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]);
        scene.check(&["error tls12-unsupported"]);
    }

    #[test]
    fn a_version_that_is_not_expected_is_not_missed() {
        let mut scene = without(Scene::new());
        scene.target.expect.protocols = Some(vec![ProtocolVersion::TLS1_3]);
        scene.check(&[]);
    }
}
