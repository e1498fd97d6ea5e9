//! `upstream-untrusted`: nginx does not trust the upstream's certificate.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::{certificate, chain};
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-untrusted",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "nginx does not trust the upstream's certificate",
    why: "With proxy_ssl_verify on, nginx accepts only chains that end in a root from proxy_ssl_trusted_certificate; \
          the system's roots do not count. It logs the last error from OpenSSL, and answers 502.",
    fix: "Set proxy_ssl_trusted_certificate to a file with the root above the upstream's certificate, and reload. \
          Expired certificates and missing intermediates must be fixed on the upstream.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_trusted_certificate",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_verify",
    ],
    consequence_of: &[
        &certificate::certificate_expired::RULE,
        &certificate::certificate_not_yet_valid::RULE,
        &chain::intermediate_expired::RULE,
        &chain::chain_incomplete::RULE,
        &certificate::server_auth_missing::RULE,
        &certificate::weak_key::RULE,
        &certificate::weak_signature::RULE,
    ],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    findings::check(&RULE, FaultKind::Untrusted, case, cx)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene, taken};
    use crate::certificate::issue::Authority;
    use crate::targets::nginx_client::SettingChange;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::upstream();
        let mut stranger = Scene::upstream();
        stranger.root = Authority::root("other root", NOW).unwrap();
        let client = stranger.verifying("a.test");
        scene.behind_with(client, taken());
        let own = scene.trusting();
        scene.tried(vec![SettingChange::Trusted(own)], taken());
        scene.judge().findings
    }

    #[test]
    fn the_issuer_s_root_is_trusted() {
        let mut scene = Scene::upstream();
        let client = scene.verifying("a.test");
        scene.behind_with(client, taken());
        scene.check(&[]);
    }
}
