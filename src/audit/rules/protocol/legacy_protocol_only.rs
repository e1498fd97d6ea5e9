//! `legacy-protocol-only`: rustls cannot connect, and a raw hello shows that the server is merely old.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::s_client;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol::troubled;
use crate::audit::rules::upstream;
use crate::audit::trouble::{Matrix, Trouble};
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "legacy-protocol-only",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "the server accepts only versions older than TLS 1.2",
    why: "Browsers and current libraries refuse SSLv3, TLS 1.0 and TLS 1.1 (RFC 8996), and OpenSSL 3 supports them \
          only at security level 0. nginx from 1.27.3 on no longer offers them to upstreams by default.",
    fix: "Upgrade the server and enable TLS 1.2 and 1.3 (in nginx: ssl_protocols TLSv1.2 TLSv1.3), then reload. \
          Until then, a proxy needs the old version in proxy_ssl_protocols and @SECLEVEL=0 in proxy_ssl_ciphers.",
    references: &[
        "RFC 8996",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_protocols",
    ],
    consequence_of: &[
        &upstream::upstream_protocol_mismatch::RULE,
        &upstream::upstream_cipher_mismatch::RULE,
    ],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let matrix = Matrix::new(endpoint, cx.target);
    let refused = troubled(endpoint, cx, Trouble::LegacyProtocol);
    let answer = matrix.best_answer().filter(|_| !refused.is_empty());
    let Some((raw, choice)) = answer.and_then(|raw| Some((raw, raw.outcome.as_ref().ok()?))) else {
        return Verdict::Pass;
    };
    let finding = RULE
        .finds(format!("the server accepts {} and nothing newer", choice.version))
        .evidence(format!(
            "{}: a {} hello is answered with {}",
            endpoint.address, choice.version, choice.cipher_suite
        ))
        .evidence("TLSv1.2 and TLSv1.3 hellos are refused, so its certificate was not audited")
        .reproduce(s_client(
            cx.target,
            Some(endpoint.address),
            raw.sni.as_deref(),
            Some(choice.version),
        ))
        .could_not_test();
    if !cx.is_upstream() {
        return finding.directive("server", "ssl_protocols", "TLSv1.2 TLSv1.3").into();
    }
    finding
        .directive("location", "proxy_ssl_protocols", format!("{} TLSv1.2 TLSv1.3", choice.version))
        .directive("location", "proxy_ssl_ciphers", "DEFAULT:@SECLEVEL=0")
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, any};
    use crate::observation::{Cause, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let refused = Cause::Alert(AlertDescription::PROTOCOL_VERSION);
        let mut scene = Scene::new();
        scene.fail(any, Stage::Handshake, &refused);
        scene.raw(ProtocolVersion::TLS1_2, Err(refused));
        scene.raw(ProtocolVersion::TLS1, Ok(0x002f));
        scene.judge().findings
    }
}
