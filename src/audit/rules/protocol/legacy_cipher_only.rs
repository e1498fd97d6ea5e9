//! `legacy-cipher-only`: CBC, static RSA or DHE suites and no others.

use crate::audit::finding::{Finding, Section, Severity};
use crate::audit::reproduce::SClient;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::rules::protocol::troubled;
use crate::audit::rules::upstream;
use crate::audit::trouble::{Matrix, Trouble};
use crate::observation::{Cause, Endpoint, Failure, RawChoice};
use crate::tls::suite::CipherSuite;

pub(crate) const RULE: Rule = Rule {
    id: "legacy-cipher-only",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "TLS 1.2 works only with cipher suites that modern clients have dropped",
    why: "Clients that insist on authenticated encryption with forward secrecy (rustls, Go from 1.22 on in \
          part, strict policies) find no shared suite and are refused with alert 40. Browsers and OpenSSL with \
          its default list still connect.",
    fix: "Add ECDHE suites with AES-GCM or ChaCha20 to ssl_ciphers and reload. ssl_ciphers does not affect TLS 1.3. \
          An ECDSA certificate needs ECDHE-ECDSA suites, an RSA certificate ECDHE-RSA ones. If ssl_ecdh_curve is \
          set, it must contain a group for TLS 1.2, such as X25519 or prime256v1.",
    references: &[
        "RFC 9325 section 4.2",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ciphers",
    ],
    consequence_of: &[&upstream::upstream_cipher_mismatch::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
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
            "the server accepts {} only with legacy cipher suites, such as {}",
            choice.version, choice.cipher_suite
        ))
        .evidence(format!(
            "{}: a hello with every suite is answered with {}",
            endpoint.address, choice.cipher_suite
        ))
        .evidence("a hello with ECDHE and AES-GCM or ChaCha20 is refused")
        .evidence_from(refused.iter().map(|cell| at(endpoint, cell)))
        .reproduce(
            SClient::new(cx.target, Some(endpoint.address), raw.sni.as_deref())
                .version(choice.version)
                .option("-cipher", "ECDHE+AESGCM:ECDHE+CHACHA20")
                .command(),
        );
    let finding = with_fix(finding, endpoint, choice.cipher_suite);
    if matrix.answers_in_tls() { finding.into() } else { finding.could_not_test().into() }
}

/// Either the list of groups contains none that TLS 1.2 can use, or the suites are missing. The fix keeps what is
/// accepted now, so no client is cut off.
fn with_fix(finding: Finding, endpoint: &Endpoint, seen: CipherSuite) -> Finding {
    let refused = |answer: &Result<RawChoice, Failure>| {
        answer.as_ref().is_err_and(|failure| matches!(failure.cause, Cause::Alert(_)))
    };
    if endpoint.classic_groups.as_ref().is_some_and(refused) {
        return finding
            .evidence("TLS 1.3 accepts a post-quantum group and refuses a hello without one, so no group is left for \
                       ECDHE in TLS 1.2")
            .fix("Add X25519 and prime256v1 to ssl_ecdh_curve in the default server of the socket, and reload.")
            .directive("server", "ssl_ecdh_curve", "X25519MLKEM768:X25519:prime256v1");
    }
    let kept = seen.openssl_name().filter(|_| seen.weakness().is_some());
    let kept = kept.map_or_else(String::new, |name| format!(":{name}"));
    let value = format!("ECDHE+AESGCM:ECDHE+CHACHA20:HIGH{kept}:!aNULL");
    finding.directive("server", "ssl_ciphers", value)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, any};
    use crate::observation::{Cause, Failure, Handshake, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        scene(any).judge().findings
    }

    fn scene(which: impl Fn(&Handshake) -> bool) -> Scene {
        let mut scene = Scene::new();
        scene.fail(which, Stage::Handshake, &Cause::Alert(AlertDescription::HANDSHAKE_FAILURE));
        scene.raw(ProtocolVersion::TLS1_2, Ok(0x002f));
        scene
    }

    #[test]
    fn a_raw_hello_shows_what_rustls_does_not_support() {
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
    fn groups_that_tls12_cannot_use_are_distinguished_from_missing_suites() {
        let fix = |scene: &mut Scene| {
            let findings = scene.check(&["warning legacy-cipher-only"]);
            findings[0].fix.as_ref().unwrap().directives[0].name.clone()
        };
        let mut scene = scene(|cell| cell.version == ProtocolVersion::TLS1_2);
        assert_eq!(fix(&mut scene), "ssl_ciphers");
        let cause = Cause::Alert(AlertDescription::HANDSHAKE_FAILURE);
        let refused = Failure { stage: Stage::Handshake, cause };
        scene.seen.endpoints[0].classic_groups = Some(Err(refused));
        assert_eq!(fix(&mut scene), "ssl_ecdh_curve");
    }
}
