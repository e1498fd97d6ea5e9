//! `certificate-unreadable`: an item of the chain is not a certificate, or OpenSSL cannot read it.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_chain;
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};

pub(crate) const RULE: Rule = Rule {
    id: "certificate-unreadable",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the chain contains data that is not a certificate",
    why: "Clients stop at the first certificate that they cannot read, and refuse the connection. OpenSSL, and so \
          nginx and curl, is stricter than browsers: it refuses names that are not valid text, and numbers that are \
          not valid DER.",
    fix: "Rebuild the file from complete PEM certificates, leaf first (openssl crl2pkcs7 -nocrl -certfile FILE | \
          openssl pkcs7 -print_certs lists them), and reload.",
    references: &["RFC 8446 section 4.4.2"],
    consequence_of: &[],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    let unread = view.chain.unreadable.as_ref();
    let by_openssl = view.chain.certificates.iter().enumerate().find_map(|(index, certificate)| {
        certificate.openssl.as_ref().err().map(|part| (index, part))
    });
    let (index, by_whom, error) = match (by_openssl, unread) {
        (Some((index, part)), _) => {
            (index, " by OpenSSL", format!("OpenSSL does not accept {part}"))
        }
        (None, Some((index, error))) => (*index, "", error.to_string()),
        (None, None) => return Verdict::Pass,
    };
    RULE.finds(format!("certificate {} of the chain cannot be read{by_whom}", index + 1))
        .evidence(error)
        .evidence_from(view.sightings())
        .reproduce(show_chain(cx.target, view.address()))
        .into()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let mut chain = scene.issue(|_| {}).chain();
        chain.push(vec![0x30, 1, 2].into());
        scene.present(&chain);
        scene.judge().findings
    }

    #[test]
    fn a_name_that_openssl_cannot_read_is_reported() {
        let mut scene = Scene::new();
        let mut chain = scene.issue(|_| {}).chain();
        let name = chain[0].windows(6).position(|bytes| bytes == b"a.test").unwrap();
        let mut der = chain[0].to_vec();
        der[name] = 0xff;
        chain[0] = der.into();
        scene.present(&chain);
        let found = scene.judge().findings;
        let unreadable = found.iter().find(|finding| finding.rule == RULE.id).unwrap();
        assert!(unreadable.message.ends_with("cannot be read by OpenSSL"), "{unreadable:?}");
    }
}
