//! `upstream-protocol-default`: whether nginx reaches the upstream depends on its release.

use crate::audit::finding::{Fix, Section, Severity};
use crate::audit::reproduce::s_client;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::trouble::answers_in_tls;
use crate::audit::upstream::case::{NginxCase, directives};
use crate::targets::nginx_client::SettingChange;
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-protocol-default",
    severity: Severity::Note,
    section: Section::ProtocolCipher,
    summary: "nginx before 1.23.4 cannot connect to the upstream with its default protocols",
    why: "The upstream accepts only TLS 1.3, and the default of proxy_ssl_protocols includes TLSv1.3 only from nginx \
          1.23.4 on. The nginx release is not known here.",
    fix: "Set proxy_ssl_protocols as shown, which works with every release. Or give the release of nginx \
          (--nginx-version).",
    references: &["https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_protocols"],
    consequence_of: &[],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    let configured = case.configured;
    let client = &configured.client;
    let Ok(answer) = &configured.answer else { return Verdict::NotApplicable };
    if client.version.is_some() || client.protocols.is_some() {
        return Verdict::NotApplicable;
    }
    let handshakes = case.endpoint.handshakes.iter();
    let mut old = handshakes.filter(|cell| cell.version < ProtocolVersion::TLS1_3);
    let only_new =
        answer.choice.version == ProtocolVersion::TLS1_3 && !old.clone().any(answers_in_tls);
    if !only_new {
        return Verdict::Pass;
    }
    let versions = SettingChange::Protocols(vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]);
    let mut finding = RULE.finds(RULE.summary).evidence(format!(
        "{}: nginx's hello was answered in {}",
        case.endpoint.address, answer.choice.version
    ));
    if let Some(cell) = old.next() {
        let address = Some(case.endpoint.address);
        finding = finding.evidence(at(case.endpoint, cell)).reproduce(s_client(
            cx.target,
            address,
            cell.sni.as_deref(),
            Some(cell.version),
        ));
    }
    finding.fix = Some(Fix {
        text: RULE.fix.to_owned(),
        directives: directives(client, &[versions]),
        verified: None,
        assumes: None,
    });
    finding.into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, answer, any};
    use crate::nginx::defaults::NginxRelease;
    use crate::observation::nginx::NoAnswer;
    use crate::observation::{Cause, Stage};
    use crate::targets::nginx_client::NginxClient;
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let answer = Ok(answer(ProtocolVersion::TLS1_3, 0x1301));
        let mut scene = Scene::behind(NginxClient::new("a.test"), answer);
        let refused = Cause::Alert(AlertDescription::PROTOCOL_VERSION);
        scene.fail(|cell| cell.version == ProtocolVersion::TLS1_2, Stage::Handshake, &refused);
        scene.judge().findings
    }

    #[test]
    fn an_upstream_of_tls13_alone_is_found_where_the_release_is_not_known() {
        let answer = || Ok::<_, NoAnswer>(answer(ProtocolVersion::TLS1_3, 0x1301));
        let rules = |client: NginxClient| -> Vec<&str> {
            let mut scene = Scene::behind(client, answer());
            let refused = Cause::Alert(AlertDescription::PROTOCOL_VERSION);
            let old = |cell: &crate::observation::Handshake| {
                any(cell) && cell.version == ProtocolVersion::TLS1_2
            };
            scene.fail(old, Stage::Handshake, &refused);
            scene.judge().findings.iter().map(|finding| finding.rule).collect()
        };
        assert!(rules(NginxClient::new("a.test")).contains(&super::RULE.id));
        let version = Some(NginxRelease::new(1, 28, 0));
        let known = NginxClient { version, ..NginxClient::new("a.test") };
        assert!(!rules(known).contains(&super::RULE.id));
    }
}
