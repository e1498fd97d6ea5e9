//! `upstream-verify-off`: nginx accepts any server as the upstream.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::case::NginxCase;
use crate::audit::upstream::verdict;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-verify-off",
    severity: Severity::Note,
    section: Section::Upstream,
    summary: "nginx does not verify the upstream's certificate",
    why: "By default (proxy_ssl_verify off) nginx accepts any certificate: expired, for another name, or made by an \
          attacker in between. On an untrusted network this is encryption without authentication.",
    fix: "Set proxy_ssl_verify on, proxy_ssl_trusted_certificate to a file with the root, and proxy_ssl_name to a \
          name that the certificate covers. Then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_verify",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_trusted_certificate",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    if case.configured.client.verify {
        return Verdict::Pass;
    }
    let tries = &case.endpoint.nginx;
    let mut finding = RULE.finds(RULE.summary).evidence(case.settings());
    // A change that makes answers worse is not a fix.
    let verified = tries.iter().rev().find(|attempt| {
        attempt.client.verify
            && verdict::verdict(attempt, cx.now) == verdict::HandshakeVerdict::Works
            && attempt.answer_rank() >= case.configured.answer_rank()
    });
    if let Some(attempt) = verified {
        finding.fix = Some(case.fix(RULE.fix, attempt, cx.target));
    }
    finding.into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, taken};
    use crate::targets::nginx_client::{NginxClient, SettingChange};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::behind(NginxClient::new("a.test"), taken());
        let trusted = SettingChange::Trusted(scene.trusting());
        scene.tried(vec![SettingChange::Verify, trusted], taken());
        scene.judge().findings
    }

    #[test]
    fn verification_that_was_tried_is_proposed() {
        let mut scene = Scene::behind(NginxClient::new("a.test"), taken());
        let trusted = SettingChange::Trusted(scene.trusting());
        scene.tried(vec![SettingChange::Verify, trusted], taken());
        let found = scene.check(&["note upstream-verify-off"]);
        assert_eq!(found[0].fix.as_ref().unwrap().verified, Some(true));
        let mut scene = Scene::upstream();
        let client = scene.verifying("a.test");
        scene.behind_with(client, taken());
        scene.check(&[]);
    }
}
