//! `certificate-differs-by-address`: a backend still serves another certificate.

use std::net::SocketAddr;

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_leaf;
use crate::audit::rule::{Check, Context, Rule, Verdict, day};
use crate::certificate::Certificate;
use crate::observation::{Endpoint, Observation};
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "certificate-differs-by-address",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "the addresses of the name present different certificates",
    why: "Some addresses of the name present one certificate and some another. During a renewal that is normal. If \
          it stays, a backend was forgotten, and clients get the certificate of the address that they happen to \
          reach.",
    fix: "Deploy the same certificate everywhere, and reload each nginx.",
    references: &["RFC 5280 section 4.1.2.2"],
    consequence_of: &[],
    check: Check::Target(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(seen: &Observation, cx: &Context<'_>) -> Verdict {
    // A server may have an RSA and an ECDSA certificate, so only answers to the same hello are compared.
    let by_version: Vec<Vec<(SocketAddr, &Certificate)>> =
        [ProtocolVersion::TLS1_3, ProtocolVersion::TLS1_2]
            .into_iter()
            .map(|version| leaves(seen, cx, version))
            .collect();
    let Some(leaves) = by_version.iter().find(|leaves| differ(leaves)) else {
        let compared = by_version.iter().any(|leaves| leaves.len() > 1);
        return if compared { Verdict::Pass } else { Verdict::NotApplicable };
    };
    RULE.finds(format!("the addresses of {} present different certificates", cx.target.name))
        .evidence_from(leaves.iter().map(|(address, leaf)| {
            format!(
                "{address}: {}, valid until {}, SHA-256 {}",
                leaf.subject.text,
                day(leaf.not_after),
                short(leaf)
            )
        }))
        .reproduce_from(differing(leaves).map(|address| show_leaf(cx.target, Some(address))))
        .into()
}

/// The first address, and the first that presents another certificate.
fn differing(leaves: &[(SocketAddr, &Certificate)]) -> impl Iterator<Item = SocketAddr> {
    let (first, other) = match leaves {
        [] => (None, None),
        [(address, leaf), rest @ ..] => {
            let other = rest.iter().find(|(_, other)| other.sha256 != leaf.sha256);
            (Some(*address), other.map(|(address, _)| *address))
        }
    };
    first.into_iter().chain(other)
}

fn differ(leaves: &[(SocketAddr, &Certificate)]) -> bool {
    leaves.windows(2).any(|pair| pair[0].1.sha256 != pair[1].1.sha256)
}

fn leaves<'a>(
    seen: &'a Observation,
    cx: &Context<'_>,
    version: ProtocolVersion,
) -> Vec<(SocketAddr, &'a Certificate)> {
    let named = cx.target.server_name.is_some();
    let leaf = |endpoint: &'a Endpoint| {
        endpoint.cell(named, version)?.chain.as_ref()?.leaf().map(AsRef::as_ref)
    };
    seen.endpoints.iter().filter_map(|endpoint| Some((endpoint.address, leaf(endpoint)?))).collect()
}

fn short(leaf: &Certificate) -> String {
    leaf.sha256.to_string().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, chain_of};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.second_address();
        let other = chain_of(&scene.intermediate.issue(&["a.test"]).unwrap().chain());
        scene.each(|cell| cell.chain = Some(Arc::clone(&other)));
        scene.judge().findings
    }
}
