//! `upstream-client-certificate`: the upstream refuses nginx without a client certificate that it accepts.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-client-certificate",
    severity: Severity::Error,
    section: Section::ClientCertificate,
    summary: "the upstream refuses nginx without a client certificate that it accepts",
    why: "The upstream asks for a certificate. In TLS 1.2 it ends the handshake. In TLS 1.3 its alert arrives after \
          the handshake, and nginx logs SSL_read() failed. If the upstream is nginx, it answers HTTP 400, and the \
          proxy logs nothing.",
    fix: "Give nginx a certificate that the upstream's authority issued, and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_certificate",
        "RFC 8446 section 4.4.2",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    findings::check(&RULE, FaultKind::ClientCertificate, case, cx)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, ended};
    use crate::observation::Cause;
    use crate::targets::nginx_client::NginxClient;
    use crate::tls::alert::AlertDescription;

    pub(super) fn specimen() -> Vec<Finding> {
        let refused = ended(Cause::Alert(AlertDescription::CERTIFICATE_REQUIRED));
        Scene::behind(NginxClient::new("a.test"), refused).judge().findings
    }
}
