//! `lifetime-too-long`: a public certificate has a longer lifetime than the CA/Browser Forum allowed when it was
//! issued.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_leaf;
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict, day};
use crate::certificate::Certificate;

pub(crate) const RULE: Rule = Rule {
    id: "lifetime-too-long",
    severity: Severity::Warning,
    section: Section::Certificate,
    summary: "the certificate's lifetime is longer than allowed for public certificates",
    why: "Browsers refuse certificates of public authorities whose lifetime is longer than the CA/Browser Forum \
          allowed on the day they were issued: 398 days, 200 from 2026-03-15, 100 from 2027-03-15, 47 from \
          2029-03-15. Certificates of private authorities are exempt.",
    fix: "Have the certificate issued again with a shorter lifetime, and automate its renewal.",
    references: &["CA/Browser Forum Baseline Requirements section 6.3.2"],
    consequence_of: &[],
    check: Check::Leaf(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

/// The longest lifetime in days, and the day from which on it applies, latest first.
const LIMITS: &[(OffsetDateTime, i64)] = &[
    (datetime!(2029-03-15 00:00 UTC), 47),
    (datetime!(2027-03-15 00:00 UTC), 100),
    (datetime!(2026-03-15 00:00 UTC), 200),
    (datetime!(2020-09-01 00:00 UTC), 398),
    (datetime!(2018-03-01 00:00 UTC), 825),
];

fn check(leaf: &Certificate, view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if !cx.store.public || !leaf.public_policy || cx.target.is_client_file() {
        return Verdict::NotApplicable;
    }
    let Some(limit) = limit(leaf.not_before) else { return Verdict::NotApplicable };
    let lifetime = leaf.not_after - leaf.not_before;
    // notAfter is inclusive (RFC 5280), so the last second counts.
    if lifetime <= Duration::days(limit) {
        return Verdict::Pass;
    }
    let days = lifetime.whole_days();
    RULE.finds(format!("the certificate is valid for {days} days, and {limit} are allowed"))
        .evidence(format!("it was issued on {}", day(leaf.not_before)))
        .evidence(view.describe(0))
        .evidence_from(view.sightings())
        .reproduce(show_leaf(cx.target, view.address()))
        .into()
}

fn limit(issued: OffsetDateTime) -> Option<i64> {
    LIMITS.iter().find(|(from, _)| issued >= *from).map(|(_, days)| *days)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::limit;
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, public_policy};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new().public();
        scene.issue(|params| {
            params.not_after = datetime!(2028-01-01 00:00 UTC);
            params.custom_extensions = vec![public_policy()];
        });
        scene.judge().findings
    }

    #[test]
    fn the_limit_is_that_of_the_day_of_issue() {
        assert_eq!(limit(datetime!(2026-03-14 23:59 UTC)), Some(398));
        assert_eq!(limit(datetime!(2026-03-15 00:00 UTC)), Some(200));
        assert_eq!(limit(datetime!(2030-01-01 00:00 UTC)), Some(47));
        assert_eq!(limit(datetime!(2015-01-01 00:00 UTC)), None);
    }

    #[test]
    fn private_authorities_are_exempt() {
        let mut scene = Scene::new();
        scene.issue(|params| params.not_before = datetime!(2000-01-01 00:00 UTC));
        scene.check(&[]);
    }
}
