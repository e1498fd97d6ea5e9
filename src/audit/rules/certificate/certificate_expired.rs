//! `certificate-expired`: notAfter has passed.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{leaf_of, with_own_name};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict, day};
use crate::certificate::Certificate;

pub(crate) const RULE: Rule = Rule {
    id: "certificate-expired",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the certificate has expired",
    why: "Every client that verifies refuses the connection. nginx never checks the dates of its own certificate and \
          keeps serving the one that it loaded at its last reload. As a client it checks only with proxy_ssl_verify \
          on, and then logs upstream SSL certificate verify error: (10:certificate has expired).",
    fix: "Renew the certificate, check that ssl_certificate names the new file (leaf first, then its intermediates), \
          run nginx -t, and reload: nginx reads certificates only then.",
    references: &[
        "RFC 5280 section 4.1.2.5",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate",
    ],
    consequence_of: &[],
    check: Check::Leaf(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(leaf: &Certificate, view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if cx.now <= leaf.not_after {
        return Verdict::Pass;
    }
    let days = (cx.now - leaf.not_after).whole_days();
    RULE.finds(format!("the certificate expired on {}, {days} days ago", day(leaf.not_after)))
        .evidence(view.describe(0))
        .evidence_from(view.sightings())
        .reproduce(leaf_of(&with_own_name(cx.target, view.address()), "-checkend 0"))
        .into()
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.issue(|params| params.not_after = NOW - Duration::days(3));
        scene.judge().findings
    }

    #[test]
    fn until_its_end_it_is_only_expiring() {
        let mut scene = Scene::new();
        scene.issue(|params| params.not_after = NOW + Duration::minutes(1));
        scene.check(&["warning certificate-expiring"]);
    }
}
