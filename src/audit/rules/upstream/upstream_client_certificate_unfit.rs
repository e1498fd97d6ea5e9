//! `upstream-client-certificate-unfit`: servers would not accept nginx's client certificate.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::upstream;
use crate::audit::upstream::identity::doubts;
use crate::audit::upstream::story::Story;

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
};

fn check(story: &Story<'_>, cx: &Context<'_>) -> Verdict {
    let Some(identity) = &story.configured.client.identity else { return Verdict::NotApplicable };
    let request = story.certificate_request();
    let doubts = doubts(identity, request, cx.now);
    if doubts.is_empty() {
        return Verdict::Pass;
    }
    // An upstream that does not ask for a certificate does not refuse it today.
    let asked = request.is_some() || story.asks_in_the_clear();
    let severity = if asked { RULE.severity } else { Severity::Note };
    RULE.finds(RULE.summary).severity(severity).evidence_from(doubts).into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::ExtendedKeyUsagePurpose;

    use crate::audit::fixtures::{NOW, Scene, taken};
    use crate::certificate::issue::Authority;
    use crate::targets::ClientIdentity;
    use crate::targets::nginx_client::NginxClient;

    fn with(usage: ExtendedKeyUsagePurpose) -> Scene {
        let authority = Authority::root("clients", NOW).unwrap();
        let issued = authority
            .issue_with(&["client"], |params| params.extended_key_usages = vec![usage])
            .unwrap();
        let identity = ClientIdentity {
            chain: vec![issued.certificate.clone()],
            key: Some(rustls_pki_types::PrivateKeyDer::Pkcs8(issued.key.serialize_der().into())),
            certificate_file: "client.pem".into(),
            key_file: "client.key".into(),
        };
        let client = NginxClient::new("a.test");
        Scene::behind(NginxClient { identity: Some(Arc::new(identity)), ..client }, taken())
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
