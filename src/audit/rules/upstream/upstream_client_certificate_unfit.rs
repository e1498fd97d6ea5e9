//! `upstream-client-certificate-unfit`: servers would not accept nginx's client certificate.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::upstream;
use crate::audit::upstream::case::NginxCase;
use crate::audit::upstream::identity::doubts;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-client-certificate-unfit",
    severity: Severity::Warning,
    section: Section::ClientCertificate,
    summary: "servers would not accept nginx's client certificate",
    why: "An upstream that checks client certificates refuses those that have expired, that are not meant for \
          clients, or that another authority issued. Public authorities no longer issue certificates for clients.",
    fix: "Give nginx a certificate with clientAuth that the upstream's authority issued, with its intermediates in the \
          same file, and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_certificate",
        "RFC 5280 section 4.2.1.12",
    ],
    consequence_of: &[&upstream::upstream_client_certificate::RULE],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    let Some(identity) = &case.configured.client.identity else { return Verdict::NotApplicable };
    let request = case.certificate_request();
    let doubts = doubts(identity, request, cx.now);
    if doubts.is_empty() {
        return Verdict::Pass;
    }
    // An upstream that does not ask for a certificate does not refuse it today.
    let asked = request.is_some() || case.asks_in_the_clear();
    let severity = if asked { RULE.severity } else { Severity::Note };
    RULE.finds(RULE.summary).severity(severity).evidence_from(doubts).into()
}

#[cfg(test)]
mod tests {
    use rcgen::ExtendedKeyUsagePurpose;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, taken};
    use crate::targets::nginx_client::NginxClient;

    pub(super) fn specimen() -> Vec<Finding> {
        with(ExtendedKeyUsagePurpose::ServerAuth).judge().findings
    }

    fn with(purpose: ExtendedKeyUsagePurpose) -> Scene {
        let mut scene = Scene::upstream();
        let identity = Some(scene.identity(purpose));
        scene.behind_with(NginxClient { identity, ..NginxClient::new("a.test") }, taken());
        scene
    }

    #[test]
    fn a_server_s_certificate_is_not_one_for_clients() {
        let scene = with(ExtendedKeyUsagePurpose::ServerAuth);
        let found =
            scene.check(&["note upstream-client-certificate-unfit", "note upstream-verify-off"]);
        assert!(found[0].evidence[0].contains("lacks clientAuth"), "{found:#?}");
        with(ExtendedKeyUsagePurpose::ClientAuth).check(&["note upstream-verify-off"]);
    }
}
