//! `cipher-mismatch`: rare groups, signature schemes or keys, and no others.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::SClient;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::rules::protocol::troubled;
use crate::audit::rules::upstream;
use crate::audit::trouble::{Matrix, Trouble, Unusual, unusual};
use crate::observation::{Endpoint, Handshake, RawChoice, RawHello};
use crate::tls::profile;
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "cipher-mismatch",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "TLS works, but only with a group, signature scheme or key that current clients do not offer",
    why: "Clients offer the groups X25519, P-256 and P-384, and verify signatures of RSA keys and of ECDSA keys on \
          these curves. A server that accepts only other groups (P-521, X448, finite fields), signs only in other \
          schemes (SHA-1, RSA-PSS keys, Ed25519, Ed448, brainpool curves), or has no certificate but only pre-shared \
          keys (PSK), refuses them with alert 40; nginx as a client logs alert handshake failure.",
    fix: "The message names what is missing. If it is a group, add X25519 and prime256v1 to ssl_ecdh_curve in the \
          default server of the socket, or remove the directive. If it is a signature scheme or key, add a second \
          certificate with an ECDSA P-256 or RSA key. Then reload.",
    references: &[
        "RFC 8446 section 9.1",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ecdh_curve",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate",
    ],
    consequence_of: &[&upstream::upstream_cipher_mismatch::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let matrix = Matrix::new(endpoint, cx.target);
    let refused = troubled(endpoint, cx, Trouble::Mismatch);
    let Some((raw, choice, unusual)) = answer(&matrix, &refused) else {
        return unverified(endpoint, cx);
    };
    let group =
        choice.group.map_or_else(|| "no group".to_owned(), |group| format!("the group {group}"));
    let finding = RULE
        .finds(message(&unusual, choice.version))
        .evidence(format!(
            "{}: a hello that offers everything is answered with {} and {group}",
            endpoint.address, choice.cipher_suite
        ))
        .evidence_from(refused.iter().map(|cell| at(endpoint, cell)))
        .reproduce(
            SClient::new(cx.target, Some(endpoint.address), raw.sni.as_deref())
                .version(choice.version)
                .option("-groups", "X25519:P-256:P-384")
                .option("-sigalgs", COMMON_SCHEMES)
                .command(),
        );
    let finding = match unusual {
        Unusual::Group(group) => {
            let value = format!("X25519:prime256v1:secp384r1:{group}");
            let fix = "Add X25519 and prime256v1 to ssl_ecdh_curve in the default server of the socket, or remove \
                       the directive, and reload.";
            finding.fix(fix).directive("server", "ssl_ecdh_curve", value)
        }
        Unusual::SharedKey(_) => finding.fix(
            "Give the server a certificate if clients without the pre-shared key should reach it. nginx and browsers \
             cannot use pre-shared keys.",
        ),
        Unusual::Scheme(_) | Unusual::Curve(_) => finding.fix(OTHER_CERTIFICATE),
    };
    match (matrix.answers_in_tls(), &raw.chain) {
        (true, _) => finding.into(),
        (false, Some(_)) => finding.could_not_test().into(),
        (false, None) => finding.evidence("the certificate was not seen").could_not_test().into(),
    }
}

/// What current clients verify, in OpenSSL's words.
const COMMON_SCHEMES: &str = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:\
    RSA+SHA256:RSA+SHA384:RSA+SHA512";

const OTHER_CERTIFICATE: &str = "Let the server sign with a scheme that clients accept. With an RSA key, allow \
    SHA-256 (ssl_conf_command SignatureAlgorithms, and the security policy of the system). Otherwise add a second \
    certificate with an ECDSA P-256 or RSA key. Then reload.";

fn message(unusual: &Unusual, version: ProtocolVersion) -> String {
    match unusual {
        Unusual::SharedKey(suite) => {
            format!(
                "the server accepts only pre-shared keys (PSK): it chooses {suite} in {version}"
            )
        }
        Unusual::Group(group) => format!(
            "the server accepts none of the groups X25519, P-256 and P-384 in {version}; it chooses {group}"
        ),
        Unusual::Scheme(scheme) => {
            format!("the server signs with {scheme}, which current clients do not offer")
        }
        Unusual::Curve(curve) => {
            format!(
                "the server's certificate has a key on {curve}, which current clients do not verify"
            )
        }
    }
}

/// A listener that completes handshakes, but only with a signature that no current browser verifies.
fn unverified(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    if cx.is_upstream() {
        return Verdict::Pass;
    }
    let signed: Vec<_> = cx
        .own_cells(endpoint)
        .filter(|cell| cell.established())
        .filter_map(|cell| Some((cell, cell.signature_scheme?)))
        .collect();
    let Some((_, scheme)) =
        signed.first().filter(|_| !signed.iter().any(|(_, it)| profile::browsers_offer(*it)))
    else {
        return Verdict::Pass;
    };
    RULE.finds(format!("the server signs with {scheme}, which no current browser offers"))
        .evidence_from(signed.iter().map(|(cell, scheme)| {
            format!("{}: {} is signed with {scheme}", endpoint.address, cell.version)
        }))
        .fix(OTHER_CERTIFICATE)
        .into()
}

/// The raw hello that was answered in an unusual way where the complete handshakes were refused.
fn answer<'a>(
    matrix: &Matrix<'a>,
    refused: &[&Handshake],
) -> Option<(&'a RawHello, &'a RawChoice, Unusual)> {
    let version = refused.first()?.version;
    let found = |(raw, choice): (&'a RawHello, &'a RawChoice)| Some((raw, choice, unusual(raw)?));
    let mut answers = matrix.answers().filter_map(found);
    let newest = matrix.answers().filter_map(found).max_by_key(|(_, choice, _)| choice.version);
    answers.find(|(_, choice, _)| choice.version == version).or(newest)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, any};
    use crate::observation::{Cause, RawChoice, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::group::NamedGroup;
    use crate::tls::scheme::SignatureScheme;
    use crate::tls::suite::CipherSuite;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        rare(|choice| choice.group = Some(NamedGroup(0x0019))).judge().findings
    }

    /// Every handshake is refused, and a hello with everything is answered with this.
    fn rare(change: impl FnOnce(&mut RawChoice)) -> Scene {
        let refused = Cause::Alert(AlertDescription::HANDSHAKE_FAILURE);
        let mut scene = Scene::new();
        scene.fail(any, Stage::Handshake, &refused);
        scene.raw(ProtocolVersion::TLS1_2, Ok(0xc02f));
        let raw = scene.seen.endpoints[0].raw.first_mut().unwrap();
        change(raw.outcome.as_mut().unwrap());
        scene
    }

    #[test]
    fn what_is_missing_is_what_the_answer_shows() {
        let message = |scene: &mut Scene| {
            let findings = scene.check(&["warning cipher-mismatch"]);
            let curve = findings[0].fix.as_ref().is_some_and(|fix| !fix.directives.is_empty());
            (findings[0].message.clone(), curve)
        };
        let (text, curve) = message(&mut rare(|choice| choice.group = Some(NamedGroup(0x0019))));
        assert!(text.contains("secp521r1") && curve, "{text}");
        let (text, curve) = message(&mut rare(|it| it.scheme = Some(SignatureScheme(0x0201))));
        assert!(text.contains("rsa_pkcs1_sha1") && !curve, "{text}");
        let (text, curve) = message(&mut rare(|it| it.cipher_suite = CipherSuite(0x00a8)));
        assert!(text.contains("PSK") && !curve, "{text}");
    }

    #[test]
    fn an_ordinary_answer_before_a_refusal_is_a_refusal() {
        rare(|choice| choice.group = Some(NamedGroup(0x001d))).check(&["error handshake-refused"]);
    }

    #[test]
    fn a_signature_that_no_browser_verifies_is_a_warning_for_a_listener() {
        let mut scene = Scene::new();
        scene.each(|cell| cell.signature_scheme = Some(SignatureScheme(0x0808)));
        scene.check(&["warning cipher-mismatch"]);
        let mut scene = Scene::upstream();
        scene.each(|cell| cell.signature_scheme = Some(SignatureScheme(0x0808)));
        scene.check(&[]);
    }
}
