//! `wildcard-unusable`: a wildcard in a place where clients ignore it.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_leaf;
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::certificate::Certificate;

pub(crate) const RULE: Rule = Rule {
    id: "wildcard-unusable",
    severity: Severity::Note,
    section: Section::Certificate,
    summary: "a name in the certificate has a wildcard in a place where clients ignore it",
    why: "Browsers accept a wildcard only as the whole leftmost label, followed by at least two labels. To them, \
          names like www*.example.com, a.*.example.com or *.com cover nothing (OpenSSL, and so nginx, still accepts \
          the first form).",
    fix: "Have the certificate issued with the full names, or with *. in front of the whole domain.",
    references: &["RFC 9525 section 6.3"],
    consequence_of: &[],
    check: Check::Leaf(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(leaf: &Certificate, view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if cx.target.is_client_file() {
        return Verdict::NotApplicable;
    }
    let unusable: Vec<&str> =
        leaf.dns_names().iter().map(String::as_str).filter(|name| is_unusable(name)).collect();
    if unusable.is_empty() {
        return Verdict::Pass;
    }
    RULE.finds("names in the certificate have a wildcard in a place where clients ignore it")
        .evidence(unusable.join(", "))
        .evidence_from(view.sightings())
        .reproduce(show_leaf(cx.target, view.address()))
        .into()
}

fn is_unusable(name: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(rest) => rest.contains('*') || !rest.contains('.'),
        None => name.contains('*'),
    }
}

#[cfg(test)]
mod tests {
    use super::is_unusable;
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let star = rcgen::SanType::DnsName("w*.a.test".try_into().unwrap());
        scene.issue(|params| params.subject_alt_names.push(star));
        scene.judge().findings
    }

    #[test]
    fn a_star_is_the_whole_leftmost_label_or_nothing() {
        for name in ["www*.a.test", "a.*.test", "*.test", "*", "*.*.a.test"] {
            assert!(is_unusable(name), "{name}");
        }
        for name in ["*.a.test", "a.test"] {
            assert!(!is_unusable(name), "{name}");
        }
    }
}
