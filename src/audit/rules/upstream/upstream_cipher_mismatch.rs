//! `upstream-cipher-mismatch`: nginx and the upstream have no cipher suite, key or signature in common.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-cipher-mismatch",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "nginx and the upstream have no cipher suite, key or signature in common",
    why: "The upstream accepts none of the cipher suites in proxy_ssl_ciphers, or answers with a key or signature that OpenSSL's security level forbids. nginx answers 502.",
    fix: "If possible, update the upstream. Until then, extend proxy_ssl_ciphers \
          (@SECLEVEL=0 also accepts weak keys and signatures), and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_ciphers",
        "https://docs.openssl.org/3.0/man3/SSL_CTX_set_security_level/",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    findings::check(&RULE, FaultKind::CipherMismatch, case, cx)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, answer};
    use crate::observation::nginx::NginxAnswer;
    use crate::targets::nginx_client::NginxClient;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let small = NginxAnswer { dh_bits: Some(1024), ..answer(ProtocolVersion::TLS1_2, 0x009e) };
        Scene::behind(NginxClient::new("a.test"), Ok(small)).judge().findings
    }

    #[test]
    fn a_key_too_small_for_the_security_level_is_found() {
        let small = |bits| {
            let answer = answer(ProtocolVersion::TLS1_2, 0x009e);
            Ok(NginxAnswer { dh_bits: Some(bits), ..answer })
        };
        let scene = Scene::behind(NginxClient::new("a.test"), small(1024));
        scene.check(&["error upstream-cipher-mismatch", "note upstream-verify-off"]);
        let scene = Scene::behind(NginxClient::new("a.test"), small(2048));
        scene.check(&["note upstream-verify-off"]);
    }
}
