//! `addresses-untested`: the name has more addresses than one target tests.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::resolve;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::{Addresses, Observation};

/// Addresses that the evidence lists.
const MAX_NAMED: usize = 8;

pub(crate) const RULE: Rule = Rule {
    id: "addresses-untested",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "some addresses of the name were not tested",
    why: "One target tests at most 32 addresses, and the name has more. A fault at one of the others would go unnoticed.",
    fix: "Add the other addresses as separate targets: NAME:PORT:ADDRESS:PORT.",
    references: &["RFC 1035 section 3.4.1"],
    consequence_of: &[],
    check: Check::Target(check),
};

fn check(seen: &Observation, cx: &Context<'_>) -> Verdict {
    let Addresses::Found(addresses) = &seen.addresses else { return Verdict::NotApplicable };
    let tested = |ip| seen.endpoints.iter().any(|endpoint| endpoint.address.ip() == ip);
    let left: Vec<String> =
        addresses.iter().filter(|ip| !tested(**ip)).map(ToString::to_string).collect();
    if left.is_empty() || seen.endpoints.is_empty() {
        return Verdict::NotApplicable;
    }
    let more = if left.len() > MAX_NAMED { ", and others" } else { "" };
    let named = left[..left.len().min(MAX_NAMED)].join(", ");
    RULE.finds(format!("{} of {} addresses were not tested", left.len(), addresses.len()))
        .evidence(format!("not tested: {named}{more}"))
        .reproduce(resolve(cx.target))
        .could_not_test()
        .into()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use crate::audit::fixtures::Scene;
    use crate::observation::Addresses;

    #[test]
    fn what_was_left_out_is_said() {
        let mut scene = Scene::new();
        let more = (10..49).map(|last| IpAddr::from([192, 0, 2, last]));
        let Addresses::Found(addresses) = &mut scene.seen.addresses else { panic!("found") };
        addresses.extend(more);
        let findings = scene.check(&["warning addresses-untested"]);
        assert_eq!(findings[0].message, "39 of 40 addresses were not tested");
        assert!(findings[0].evidence[0].ends_with("192.0.2.17, and others"), "{findings:#?}");
        assert!(!scene.judge().untested.is_empty());
    }

    #[test]
    fn a_name_that_was_tested_everywhere_passes() {
        Scene::new().check(&[]);
    }
}
