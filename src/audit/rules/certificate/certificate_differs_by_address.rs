//! `certificate-differs-by-address`: a backend behind the name was left behind.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_leaf;
use crate::audit::rule::{Check, Context, Rule, Verdict, day};
use crate::certificate::Certificate;
use crate::observation::{Endpoint, Observation};
use std::collections::BTreeSet;
use std::net::SocketAddr;

pub(crate) const RULE: Rule = Rule {
    id: "certificate-differs-by-address",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "the addresses of the name present different certificates",
    why: "Behind one name, some addresses present one certificate and some another. During a renewal that is \
          normal; left like that, a backend was forgotten, and clients see whatever address they happen to \
          reach.",
    fix: "Deploy the same certificate everywhere, and reload each nginx.",
    references: &["RFC 5280 section 4.1.2.2"],
    consequence_of: &[],
    check: Check::Target(check),
};

fn check(seen: &Observation, cx: &Context<'_>) -> Verdict {
    let leaves: Vec<(SocketAddr, &Certificate)> = seen
        .endpoints
        .iter()
        .filter_map(|endpoint| Some((endpoint.address, primary_leaf(endpoint, cx)?)))
        .collect();
    let distinct: BTreeSet<_> = leaves
        .iter()
        .map(|(_, leaf)| leaf.public_key.key_type.to_string() + &leaf.sha256.to_string())
        .collect();
    if distinct.len() < 2 {
        return if leaves.len() < 2 { Verdict::NotApplicable } else { Verdict::Pass };
    }
    RULE.finds(format!("the addresses of {} present different certificates", cx.target.name))
        .evidence_from(leaves.iter().map(|(address, leaf)| {
            format!(
                "{address}: {}, valid until {}, SHA-256 {}",
                leaf.subject.text,
                day(leaf.not_after),
                short(leaf)
            )
        }))
        .reproduce(show_leaf(cx.target, leaves.first().map(|(address, _)| *address)))
        .into()
}

fn primary_leaf<'a>(endpoint: &'a Endpoint, cx: &Context<'_>) -> Option<&'a Certificate> {
    let mut cells = cx.own_cells(endpoint);
    cells.find_map(|cell| cell.chain.as_ref()?.leaf()).map(AsRef::as_ref)
}

fn short(leaf: &Certificate) -> String {
    leaf.sha256.to_string().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::{Scene, chain_of};
    use std::sync::Arc;

    #[test]
    fn a_stale_backend_shows_by_its_certificate() {
        let mut scene = Scene::new();
        scene.second_address();
        scene.check(&[]);
        let other = chain_of(&scene.intermediate.issue(&["a.test"]).unwrap().chain());
        scene.each(|cell| cell.chain = Some(Arc::clone(&other)));
        scene.check(&["note certificate-differs-by-address"]);
    }
}
