//! `weak-signature`: MD5 or SHA-1.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_chain;
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::path;

pub(crate) const RULE: Rule = Rule {
    id: "weak-signature",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "a certificate is signed with a broken hash",
    why: "Clients refuse MD5 and SHA-1 signatures on every certificate but the root. OpenSSL does so from \
          security level 1 on; nginx as a client logs verify error 68 (CA signature digest algorithm too \
          weak).",
    fix: "Have the certificate issued again with SHA-256 or better, and reload.",
    references: &["RFC 9155", "RFC 9325 section 4.3"],
    consequence_of: &[],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    let signed = path(view).filter(|(_, certificate)| !certificate.is_self_issued());
    let weak = signed.filter_map(|(index, certificate)| {
        Some((index, certificate.signature_algorithm.weakness()?))
    });
    let findings: Vec<_> = weak
        .map(|(index, weakness)| {
            RULE.finds(format!("certificate {} of the chain carries {weakness}", index + 1))
                .subject(view.chain.certificates[index].subject.text.clone())
                .evidence(view.describe(index))
                .evidence(format!(
                    "signed with {}",
                    view.chain.certificates[index].signature_algorithm.name
                ))
                .evidence_from(view.sightings())
                .reproduce(show_chain(cx.target, view.address()))
        })
        .collect();
    if findings.is_empty() { Verdict::Pass } else { Verdict::Fail(findings) }
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::certificate::key::{KeyWeakness, SignatureAlgorithm, SignatureHash};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.pretend(|leaf| {
            leaf.signature_algorithm.hash = SignatureHash::Sha1;
            leaf.signature_algorithm.name = "ecdsa-with-SHA1".to_owned();
        });
        scene.judge().findings
    }

    #[test]
    fn md5_and_sha1_are_broken() {
        let signed = |hash| SignatureAlgorithm {
            name: String::new(),
            hash,
            key: None,
            pss: false,
            bits: None,
        };
        assert_eq!(signed(SignatureHash::Md5).weakness(), Some(KeyWeakness::Hash("MD5")));
        assert_eq!(signed(SignatureHash::Sha1).weakness(), Some(KeyWeakness::Hash("SHA-1")));
        assert_eq!(signed(SignatureHash::Strong).weakness(), None);
        assert_eq!(signed(SignatureHash::Unknown).weakness(), None);
    }
}
