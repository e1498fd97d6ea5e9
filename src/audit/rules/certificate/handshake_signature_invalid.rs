//! `handshake-signature-invalid`: certificate and key do not belong together.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::rules::certificate;
use crate::certificate::key::KeyType;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "handshake-signature-invalid",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the server cannot prove that it holds the key of its certificate",
    why: "The signature in the handshake does not verify with the key on the certificate: certificate and key \
          do not belong together, or someone in between answers with a certificate that is not theirs. Every \
          client refuses the connection.",
    fix: "Check that ssl_certificate_key belongs to ssl_certificate (openssl x509 -pubkey and openssl pkey \
          -pubout print the same), and who terminates TLS in front of the server.",
    references: &[
        "RFC 8446 section 4.4.3",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate_key",
    ],
    consequence_of: &[&certificate::certificate_unreadable::RULE, &certificate::weak_key::RULE],
    check: Check::Endpoint(check),
};

/// Bits of an RSA key beyond which the TLS library checks no signature.
const MAX_RSA: u32 = 8192;

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let unchecked = endpoint.handshakes.iter().find(|cell| cell.unchecked_signature);
    if let Some(cell) = unchecked {
        return RULE
            .finds("the signature in the handshake could not be checked: the RSA key has more than 8192 bits")
            .evidence(at(endpoint, cell))
            .severity(Severity::Warning)
            .fix("Use an RSA key of 2048 to 4096 bits, or ECDSA: many clients cannot check larger keys either.")
            .reproduce(with_own_name(cx.target, Some(endpoint.address)))
            .could_not_test()
            .into();
    }
    let Some(cell) = endpoint.handshakes.iter().find(|cell| cell.bad_signature) else {
        return Verdict::Pass;
    };
    let key = cell.chain.as_ref().and_then(|chain| chain.leaf()).map(|leaf| &leaf.public_key);
    if let Some(key) = key.filter(|key| key.key_type == KeyType::Rsa && key.bits > MAX_RSA) {
        return Verdict::Untested(format!("signatures of {key} are not checked here"));
    }
    RULE.finds("the signature in the handshake does not verify with the key on the certificate")
        .evidence(at(endpoint, cell))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::Scene;

    #[test]
    fn a_signature_that_does_not_verify_is_an_error() {
        let mut scene = Scene::new();
        scene.each(|cell| cell.bad_signature = true);
        scene.check(&["error handshake-signature-invalid"]);
    }

    #[test]
    fn a_key_that_is_too_large_to_check_is_no_accusation() {
        let mut scene = Scene::new();
        scene.each(|cell| cell.unchecked_signature = true);
        scene.check(&["warning handshake-signature-invalid"]);
        assert!(!scene.judge().untested.is_empty());
    }

    #[test]
    fn a_good_signature_passes() {
        Scene::new().check(&[]);
    }
}
