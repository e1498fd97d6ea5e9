//! `upstream-name-mismatch`: nginx sends or verifies a name that the upstream does not have.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::certificate;
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-name-mismatch",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "nginx sends or verifies a name that the upstream does not have",
    why: "By default nginx uses the host in proxy_pass, without the port. With an upstream block, that is the name \
          of the block. nginx verifies this name and, with SNI on, sends it. IP addresses in the certificate do not \
          count.",
    fix: "Set proxy_ssl_name to a name that the certificate covers, and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_name",
        "RFC 9525 section 6",
    ],
    consequence_of: &[&certificate::certificate_unreadable::RULE],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    findings::check(&RULE, FaultKind::NameMismatch, case, cx)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, taken};
    use crate::targets::nginx_client::SettingChange;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::upstream();
        let client = scene.verifying("b.test");
        scene.behind_with(client, taken());
        scene.tried(vec![SettingChange::Name("a.test".to_owned())], taken());
        scene.judge().findings
    }

    #[test]
    fn a_name_that_the_certificate_lacks_is_found_where_nginx_verifies() {
        let mut scene = Scene::upstream();
        let client = scene.verifying("b.test");
        scene.behind_with(client, taken());
        let found = scene.check(&["error upstream-name-mismatch"]);
        assert!(
            found[0].evidence.iter().any(|fact| fact.contains("the certificate is for a.test"))
        );
        scene.tried(vec![SettingChange::Name("a.test".to_owned())], taken());
        let found = scene.check(&["error upstream-name-mismatch"]);
        assert_eq!(found[0].fix.as_ref().unwrap().verified, Some(true));
    }
}
