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
    #[cfg(test)]
    specimen: tests::specimen,
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

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::Addresses;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let more = (10..49).map(|last| IpAddr::from([192, 0, 2, last]));
        let Addresses::Found(addresses) = &mut scene.seen.addresses else { panic!("found") };
        addresses.extend(more);
        scene.judge().findings
    }
}
