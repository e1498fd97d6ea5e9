//! `quic-certificate-differs`: QUIC and TCP show different certificates.

use super::{facts, over_tcp};
use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_leaf;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::names_of;
use crate::certificate::Certificate;
use crate::observation::{Endpoint, Handshake};

pub(crate) const RULE: Rule = Rule {
    id: "quic-certificate-differs",
    severity: Severity::Warning,
    section: Section::Certificate,
    summary: "the same name has another certificate over QUIC than over TCP",
    why: "A client changes from TCP to QUIC in the middle of its visit, and expects the same server: another certificate there may \
          cover other names, end earlier, or be refused. Usual reasons: listen ... quic stands in another server block, something \
          in front of nginx ends TLS for TCP only, or only one of two programs was reloaded after a renewal.",
    fix: "Put listen ... ssl and listen ... quic into the same server block, and reload what serves the older certificate.",
    references: &["https://nginx.org/en/docs/quic.html", "RFC 7838 section 2.1"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(facts) = facts(endpoint, cx) else { return Verdict::NotApplicable };
    let twin = facts.over_tcp.as_ref().and_then(leaf);
    let own = cx.own_cells(endpoint).find_map(leaf);
    let (Some(own), Some(twin)) = (own, twin) else { return Verdict::NotApplicable };
    if own.der == twin.der {
        return Verdict::Pass;
    }
    let shown = |certificate: &Certificate, by: &str| {
        format!(
            "{} over {by}: {}, for {}",
            endpoint.address,
            certificate.subject.text,
            names_of(certificate)
        )
    };
    RULE.finds("the certificate over QUIC is not the one over TCP")
        .evidence(shown(own, "QUIC"))
        .evidence(shown(twin, "TCP"))
        .evidence_from(over_tcp(endpoint, facts))
        .reproduce(show_leaf(cx.target, Some(endpoint.address)))
        .into()
}

fn leaf(handshake: &Handshake) -> Option<&Certificate> {
    handshake.chain.as_ref()?.leaf().map(AsRef::as_ref)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, chain_of};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::quic();
        let other = scene.intermediate.issue(&["a.test"]).unwrap().chain();
        let facts = scene.seen.endpoints[0].quic.as_mut().unwrap();
        facts.over_tcp.as_mut().unwrap().chain = Some(chain_of(&other));
        scene.check(&["warning quic-certificate-differs"])
    }

    #[test]
    fn the_same_certificate_passes() {
        Scene::quic().check(&[]);
    }
}
