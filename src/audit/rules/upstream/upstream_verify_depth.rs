//! `upstream-verify-depth`: the upstream's chain is longer than proxy_ssl_verify_depth allows.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-verify-depth",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "the upstream's chain is longer than proxy_ssl_verify_depth allows",
    why: "proxy_ssl_verify_depth is 1 by default: one intermediate between the certificate and the \
          root. With more, OpenSSL 3 reports error 20, as for an unknown issuer.",
    fix: "Set proxy_ssl_verify_depth to the number of intermediates, and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_verify_depth",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    findings::check(&RULE, FaultKind::VerifyDepth, case, cx)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, taken};
    use crate::targets::nginx_client::{NginxClient, SettingChange};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::upstream();
        let client = NginxClient { verify_depth: 0, ..scene.verifying("a.test") };
        scene.behind_with(client, taken());
        scene.tried(vec![SettingChange::VerifyDepth(1)], taken());
        scene.judge().findings
    }
}
