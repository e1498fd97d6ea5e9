//! `cipher-mismatch`: rare groups or suites and no others.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::s_client;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::rules::protocol::troubled;
use crate::audit::rules::upstream;
use crate::audit::trouble::{Matrix, Trouble};
use crate::observation::{Endpoint, Handshake, RawChoice, RawHello};

pub(crate) const RULE: Rule = Rule {
    id: "cipher-mismatch",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "TLS is spoken, but with no group or parameters that modern clients offer",
    why: "Clients offer the groups X25519, P-256 and P-384. A server that takes only others (P-521, X448, \
          finite-field groups), or whose certificate fits none of the suites and signature algorithms left to \
          it, refuses them with alert 40; nginx as a client logs it as alert handshake failure.",
    fix: "Put X25519 and prime256v1 into ssl_ecdh_curve of the default server of the socket, or take the \
          directive out, and reload. With an RSA certificate keep ECDHE-RSA suites in ssl_ciphers, with an \
          ECDSA one ECDHE-ECDSA. Suites of TLS 1.3 are set by ssl_conf_command Ciphersuites, not by \
          ssl_ciphers.",
    references: &[
        "RFC 8446 section 9.1",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ecdh_curve",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_conf_command",
    ],
    consequence_of: &[&upstream::upstream_cipher_mismatch::RULE],
    check: Check::Endpoint(check),
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let matrix = Matrix::new(endpoint, cx.target);
    let refused = troubled(endpoint, cx, Trouble::Mismatch);
    let Some((raw, choice)) = answer(&matrix, &refused) else {
        return Verdict::Pass;
    };
    let group =
        choice.group.map_or_else(|| "no group".to_owned(), |group| format!("the group {group}"));
    let finding = RULE
        .finds(format!(
            "the server speaks {} with no group or suite that modern clients offer",
            choice.version
        ))
        .evidence(format!(
            "{}: a hello with everything is answered with {} and {group}",
            endpoint.address, choice.cipher_suite
        ))
        .evidence("a hello with X25519, P-256 and P-384 is refused")
        .evidence_from(refused.iter().map(|cell| at(endpoint, cell)))
        .directive("server", "ssl_ecdh_curve", "X25519:prime256v1:secp384r1")
        .reproduce(s_client(
            cx.target,
            Some(endpoint.address),
            raw.sni.as_deref(),
            Some(choice.version),
        ));
    if matrix.speaks() {
        return finding.into();
    }
    finding.evidence("so the certificate was not audited").could_not_test().into()
}

/// The raw hello that was answered where the complete handshakes were not.
fn answer<'a>(
    matrix: &Matrix<'a>,
    refused: &[&Handshake],
) -> Option<(&'a RawHello, &'a RawChoice)> {
    let version = refused.first()?.version;
    let raw = matrix.answer_in(version).or_else(|| matrix.best_answer())?;
    Some((raw, raw.outcome.as_ref().ok()?))
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::{Scene, any};
    use crate::observation::{Cause, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    #[test]
    fn a_server_of_rare_groups_is_no_broken_server() {
        let refused = Cause::Alert(AlertDescription::HANDSHAKE_FAILURE);
        let mut scene = Scene::new();
        scene.fail(any, Stage::Handshake, &refused);
        scene.raw(ProtocolVersion::TLS1_2, Err(refused));
        scene.raw(ProtocolVersion::TLS1_3, Ok(0x1301));
        scene.check(&["warning cipher-mismatch"]);
    }

    #[test]
    fn common_groups_pass() {
        Scene::new().check(&[]);
    }
}
