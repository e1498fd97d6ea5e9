//! `weak-key`: too short, or of an algorithm that clients do not accept.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::{of_certificate, path};

pub(crate) const RULE: Rule = Rule {
    id: "weak-key",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "a key is too weak",
    why: "Clients refuse RSA keys below 2048 bits and curves below 256 bits. OpenSSL does so from security level 2 \
          on, which is Debian's default: nginx as a client logs verify error 66 (the leaf) or 67 (an authority), and \
          does not start if its own key is too small (ee key too small).",
    fix: "Generate a new key (RSA of 2048 bits or more, or ECDSA P-256), have a certificate issued for it, and \
          reload.",
    references: &[
        "RFC 9325 section 4.5",
        "https://docs.openssl.org/3.0/man3/SSL_CTX_set_security_level/",
    ],
    consequence_of: &[],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    let weak = path(view)
        .filter_map(|(index, certificate)| Some((index, certificate.public_key.weakness()?)));
    let findings: Vec<_> = weak
        .map(|(index, weakness)| {
            let message = format!("certificate {} of the chain has {weakness}", index + 1);
            of_certificate(&RULE, message, (index, view), cx)
        })
        .collect();
    findings.into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::certificate::key::{KeyType, KeyWeakness, PublicKey};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.pretend(|leaf| {
            leaf.public_key.key_type = KeyType::Rsa;
            leaf.public_key.bits = 1024;
        });
        scene.judge().findings
    }

    #[test]
    fn short_rsa_keys_and_old_algorithms_are_weak() {
        let key = |key_type, bits, exponent| PublicKey {
            key_type,
            bits,
            exponent,
            spki: Vec::new(),
            pss: false,
            explicit_curve: false,
            well_formed: true,
        };
        assert_eq!(
            key(KeyType::Rsa, 1024, Some(65537)).weakness(),
            Some(KeyWeakness::RsaModulus(1024))
        );
        assert_eq!(key(KeyType::Rsa, 2048, Some(1)).weakness(), Some(KeyWeakness::RsaExponent(1)));
        assert_eq!(
            key(KeyType::Ec(Some("secp224r1")), 224, None).weakness(),
            Some(KeyWeakness::Curve(224))
        );
        assert_eq!(key(KeyType::Dsa, 0, None).weakness(), Some(KeyWeakness::Algorithm("DSA")));
        assert_eq!(key(KeyType::Rsa, 2048, Some(3)).weakness(), None);
        assert_eq!(key(KeyType::Ec(Some("prime256v1")), 256, None).weakness(), None);
    }
}
