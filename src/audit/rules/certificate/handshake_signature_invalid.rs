//! `handshake-signature-invalid`: certificate and key do not belong together.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::rules::certificate;
use crate::certificate::key::KeyType;
use crate::observation::{Endpoint, Handshake};

pub(crate) const RULE: Rule = Rule {
    id: "handshake-signature-invalid",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the server cannot prove that it has the key of its certificate",
    why: "The signature in the handshake does not match the key in the certificate: certificate and key do not \
          belong together, or someone in between answers with a certificate that is not theirs. Every client refuses \
          the connection.",
    fix: "Check that ssl_certificate_key belongs to ssl_certificate (openssl x509 -pubkey and openssl pkey -pubout \
          must print the same), and find out what terminates TLS in front of the server.",
    references: &[
        "RFC 8446 section 4.4.3",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate_key",
    ],
    consequence_of: &[&certificate::certificate_unreadable::RULE, &certificate::weak_key::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

/// The largest RSA key, in bits, whose signatures the TLS library can check.
const MAX_RSA: u32 = 8192;

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(cell) = endpoint.handshakes.iter().find(|cell| cell.bad_signature) else {
        let unchecked = endpoint.handshakes.iter().find(|cell| cell.unchecked_signature);
        return unchecked.map_or(Verdict::Pass, |cell| could_not_check(endpoint, cell, cx));
    };
    RULE.finds("the signature in the handshake does not match the key in the certificate")
        .evidence(at(endpoint, cell))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)))
        .into()
}

fn could_not_check(endpoint: &Endpoint, cell: &Handshake, cx: &Context<'_>) -> Verdict {
    let key = cell.chain.as_ref().and_then(|chain| chain.leaf()).map(|leaf| &leaf.public_key);
    let too_large = key.is_some_and(|key| key.key_type == KeyType::Rsa && key.bits > MAX_RSA);
    if !too_large {
        let scheme = cell.signature_scheme.map(|scheme| format!(" in {scheme}"));
        return Verdict::Untested(format!(
            "could not check the server's handshake signature{} against the key in its certificate: the TLS library \
             does not support it",
            scheme.unwrap_or_default()
        ));
    }
    RULE.finds("could not check the signature in the handshake: the RSA key has more than 8192 bits")
        .evidence(at(endpoint, cell))
        .severity(Severity::Warning)
        .fix("Use an RSA key of 2048 to 4096 bits, or ECDSA: many clients cannot check larger keys either.")
        .reproduce(with_own_name(cx.target, Some(endpoint.address)))
        .could_not_test()
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::tls::scheme::SignatureScheme;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.each(|cell| cell.bad_signature = true);
        scene.judge().findings
    }

    #[test]
    fn a_scheme_that_the_library_cannot_verify_is_untested() {
        let mut scene = Scene::upstream();
        scene.each(|cell| {
            cell.unchecked_signature = true;
            cell.signature_scheme = Some(SignatureScheme(0x0808));
        });
        scene.check(&[]);
        let untested = scene.judge().untested;
        assert!(untested.iter().any(|(_, why)| why.contains("ed448")), "{untested:?}");
    }

    #[test]
    fn a_bad_signature_is_an_error_beside_one_that_could_not_be_checked() {
        let mut scene = Scene::new();
        scene.each(|cell| cell.unchecked_signature = true);
        scene.seen.endpoints[0].handshakes[0].bad_signature = true;
        scene.check(&["error handshake-signature-invalid"]);
    }
}
