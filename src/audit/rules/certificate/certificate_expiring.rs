//! `certificate-expiring`: it expires soon, and was not renewed in time.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{leaf_of, with_own_name};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict, day};
use crate::certificate::Certificate;

pub(crate) const RULE: Rule = Rule {
    id: "certificate-expiring",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "the certificate expires soon",
    why: "From that day on, every client that verifies refuses the connection. The certificate should have been \
          renewed by now, usually after two thirds of its lifetime.",
    fix: "Renew the certificate, check that ssl_certificate names the new file (leaf first, then its intermediates), \
          run nginx -t, and reload: nginx reads certificates only then. Find out why it was not renewed \
          automatically.",
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
    if cx.now > leaf.not_after {
        return Verdict::NotApplicable;
    }
    if cx.now < cx.warns_from(leaf) {
        return Verdict::Pass;
    }
    let days = (leaf.not_after - cx.now).whole_days();
    let severity = if cx.is_critical(leaf) { Severity::Error } else { RULE.severity };
    RULE.finds(format!("the certificate expires on {}, in {days} days", day(leaf.not_after)))
        .severity(severity)
        .evidence(view.describe(0))
        .evidence_from(view.sightings())
        .reproduce(leaf_of(
            &with_own_name(cx.target, view.address()),
            &format!("-checkend {}", (days + 1) * 86_400),
        ))
        .into()
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.issue(|params| {
            params.not_before = NOW - Duration::days(81);
            params.not_after = NOW + Duration::days(9);
        });
        scene.judge().findings
    }

    #[track_caller]
    fn check(lifetime: i64, left: i64, warning_days: Option<u32>, expected: &[&str]) {
        let mut scene = Scene::new();
        scene.target.expect.warning_days = warning_days;
        scene.issue(|params| {
            params.not_before = NOW - Duration::days(lifetime - left);
            params.not_after = NOW + Duration::days(left);
        });
        scene.check(expected);
    }

    #[test]
    fn thirty_days_or_a_third_of_the_life_whichever_is_less() {
        check(365, 31, None, &[]);
        check(365, 29, None, &["warning certificate-expiring"]);
        check(6, 3, None, &[]);
        check(6, 1, None, &["warning certificate-expiring"]);
    }

    #[test]
    fn from_the_critical_days_on_it_is_an_error() {
        for (left, expected) in
            [(11, "warning certificate-expiring"), (9, "error certificate-expiring")]
        {
            let mut scene = Scene::new();
            scene.target.expect.critical_days = Some(10);
            scene.issue(|params| {
                params.not_before = NOW - Duration::days(300);
                params.not_after = NOW + Duration::days(left);
            });
            scene.check(&[expected]);
        }
    }

    #[test]
    fn the_operator_may_say_otherwise() {
        check(365, 31, Some(40), &["warning certificate-expiring"]);
        check(365, 29, Some(20), &[]);
    }
}
