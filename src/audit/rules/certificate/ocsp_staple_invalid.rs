//! `ocsp-staple-invalid`: a stapled OCSP response that clients do not accept.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_staple;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::certificate;
use crate::audit::rules::{at, certificate::staples};
use crate::certificate::ocsp::StapleStatus;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "ocsp-staple-invalid",
    severity: Severity::Warning,
    section: Section::Certificate,
    summary: "the stapled OCSP response is not valid",
    why: "Clients that check it (Firefox, and all that honour must-staple) refuse the connection if the response has \
          expired, is about another certificate, or is not signed by the authority. nginx staples the contents of \
          ssl_stapling_file without checking them.",
    fix: "Remove ssl_stapling_file and let nginx fetch responses itself (ssl_stapling on with a resolver and \
          ssl_stapling_verify on), or renew the file before nextUpdate; then reload.",
    references: &[
        "RFC 6960 section 3.2",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_stapling_file",
    ],
    consequence_of: &[&certificate::certificate_revoked::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    for (cell, outcome) in staples(endpoint, cx) {
        let reason = match outcome {
            Ok(StapleStatus::Good | StapleStatus::Revoked(_)) => continue,
            Ok(StapleStatus::Unknown) => "the responder does not know the certificate".to_owned(),
            Err(error) => error.to_string(),
        };
        return RULE
            .finds("the stapled OCSP response is not valid")
            .evidence(reason)
            .evidence(at(endpoint, cell))
            .reproduce(show_staple(cx.target, Some(endpoint.address)))
            .into();
    }
    Verdict::Pass
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.staple(&[0x30, 3, 10, 1, 0]);
        scene.judge().findings
    }
}
