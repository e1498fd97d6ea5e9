//! `upstream-sni-missing`: nginx sends the upstream no server name, and cannot connect without it.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-sni-missing",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "nginx sends the upstream no server name, and cannot connect without it",
    why: "The upstream serves several names and refuses connections without one. By default nginx sends no name, so \
          it answers every request with 502.",
    fix: "In the location that proxies to this upstream, set proxy_ssl_server_name on, and proxy_ssl_name to a name \
          that the upstream knows, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_server_name",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_name",
        "RFC 6066 section 3",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    findings::check(&RULE, FaultKind::SniMissing, case, cx)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, ended, taken};
    use crate::observation::Cause;
    use crate::targets::nginx_client::{NginxClient, SettingChange};
    use crate::tls::alert::AlertDescription;

    pub(super) fn specimen() -> Vec<Finding> {
        let refused = ended(Cause::Alert(AlertDescription(40)));
        let mut scene = Scene::behind(NginxClient::new("backend"), refused);
        let name = SettingChange::Name("a.test".to_owned());
        scene.tried(vec![SettingChange::ServerName, name], taken());
        scene.judge().findings
    }

    #[test]
    fn a_failure_that_a_name_fixes_is_a_missing_name() {
        let refused = || ended(Cause::Alert(AlertDescription(40)));
        let mut scene = Scene::behind(NginxClient::new("backend"), refused());
        let name = SettingChange::Name("a.test".to_owned());
        scene.tried(vec![SettingChange::ServerName, name], taken());
        let found = scene.check(&["error upstream-sni-missing", "note upstream-verify-off"]);
        let fix = found[0].fix.as_ref().unwrap();
        assert_eq!(fix.verified, Some(true));
        assert_eq!(fix.directives.len(), 2);
        Scene::behind(NginxClient::new("a.test"), taken()).check(&["note upstream-verify-off"]);
    }

    #[test]
    fn an_unrecognized_name_says_so_by_itself() {
        let refused = ended(Cause::Alert(AlertDescription::UNRECOGNIZED_NAME));
        let scene = Scene::behind(NginxClient::new("backend"), refused);
        let found = scene.check(&["error upstream-sni-missing", "note upstream-verify-off"]);
        assert_eq!(found[0].fix.as_ref().unwrap().verified, None);
        let wanted = found[0].evidence.last().unwrap();
        assert!(
            wanted.starts_with("proxy_ssl_server_name on alone would send backend;"),
            "{wanted}"
        );
        let command = "shakedown probe --as-nginx --proxy-pass backend --server-name NAME ";
        assert!(wanted.contains(command), "{wanted}");
    }
}
