//! `legacy-cipher-only`: CBC, static RSA or DHE suites and no others.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::s_client;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::rules::protocol::troubled;
use crate::audit::rules::upstream;
use crate::audit::trouble::{Matrix, Trouble};
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "legacy-cipher-only",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "TLS 1.2 is spoken only with suites that modern clients have dropped",
    why: "Clients that insist on authenticated encryption with forward secrecy (rustls, Go from 1.22 on in \
          part, strict policies) find no shared suite and are refused with alert 40. Browsers and OpenSSL with \
          its default list still connect.",
    fix: "Add ECDHE suites with AES-GCM or ChaCha20 to ssl_ciphers and reload. ssl_ciphers does not touch TLS \
          1.3. An ECDSA certificate needs ECDHE-ECDSA suites, an RSA certificate ECDHE-RSA ones.",
    references: &[
        "RFC 9325 section 4.2",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ciphers",
    ],
    consequence_of: &[&upstream::upstream_cipher_mismatch::RULE],
    check: Check::Endpoint(check),
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let matrix = Matrix::new(endpoint, cx.target);
    let refused = troubled(endpoint, cx, Trouble::LegacyCipher);
    let answer = refused.first().and_then(|cell| {
        let raw = matrix.answer_in(cell.version).or_else(|| matrix.best_answer())?;
        Some((raw, raw.outcome.as_ref().ok()?))
    });
    let Some((raw, choice)) = answer else {
        return Verdict::Pass;
    };
    let finding = RULE
        .finds(format!(
            "the server speaks {} only with legacy cipher suites, such as {}",
            choice.version, choice.cipher_suite
        ))
        .evidence(format!(
            "{}: a hello with every suite is answered with {}",
            endpoint.address, choice.cipher_suite
        ))
        .evidence("a hello with ECDHE and AES-GCM or ChaCha20 is refused")
        .evidence_from(refused.iter().map(|cell| at(endpoint, cell)))
        .directive("server", "ssl_ciphers", "ECDHE+AESGCM:ECDHE+CHACHA20:DEFAULT")
        .reproduce(s_client(
            cx.target,
            Some(endpoint.address),
            raw.sni.as_deref(),
            Some(choice.version),
        ));
    if matrix.speaks() { finding.into() } else { finding.could_not_test().into() }
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::{Scene, any};
    use crate::observation::{Cause, Handshake, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    fn scene(which: impl Fn(&Handshake) -> bool) -> Scene {
        let mut scene = Scene::new();
        scene.fail(which, Stage::Handshake, &Cause::Alert(AlertDescription::HANDSHAKE_FAILURE));
        scene.raw(ProtocolVersion::TLS1_2, Ok(0x002f));
        scene
    }

    #[test]
    fn a_raw_hello_shows_what_rustls_cannot_speak() {
        let findings = scene(any).check(&["warning legacy-cipher-only"]);
        assert!(findings[0].could_not_test);
        assert!(findings[0].message.contains("TLS_RSA_WITH_AES_128_CBC_SHA"));
    }

    #[test]
    fn beside_tls13_the_rest_was_tested() {
        let findings = scene(|cell| cell.version == ProtocolVersion::TLS1_2)
            .check(&["warning legacy-cipher-only"]);
        assert!(!findings[0].could_not_test);
    }

    #[test]
    fn modern_suites_pass() {
        Scene::new().check(&[]);
    }
}
