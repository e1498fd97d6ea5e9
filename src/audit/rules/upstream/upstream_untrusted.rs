//! `upstream-untrusted`: nginx does not trust the upstream's certificate.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::{certificate, chain};
use crate::audit::upstream::fault;
use crate::audit::upstream::story::{FaultKind, Story};

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
};

fn check(story: &Story<'_>, cx: &Context<'_>) -> Verdict {
    fault::check(&RULE, FaultKind::Untrusted, story, cx)
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::{Scene, taken};
    use crate::targets::nginx_client::SettingChange;

    #[test]
    fn another_root_than_the_issuer_s_is_found() {
        let mut scene = Scene::upstream();
        let stranger = Scene::upstream();
        let client = stranger.verifying("a.test");
        scene.behind_with(client, taken());
        scene.check(&["error upstream-untrusted"]);
        let own = scene.trusting();
        scene.tried(vec![SettingChange::Trusted(own)], taken());
        let found = scene.check(&["error upstream-untrusted"]);
        let fix = found[0].fix.as_ref().unwrap();
        assert_eq!(fix.directives[0].name, "proxy_ssl_trusted_certificate");
        let mut trusted = Scene::upstream();
        let client = trusted.verifying("a.test");
        trusted.behind_with(client, taken());
        trusted.check(&[]);
    }
}
