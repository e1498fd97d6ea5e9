//! `certificate-revoked`: the stapled OCSP response says so.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_staple;
use crate::audit::rule::{Check, Context, Rule, Verdict, day};
use crate::audit::rules::{at, certificate::staples};
use crate::certificate::ocsp::StapleStatus;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "certificate-revoked",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the certificate was revoked",
    why: "The server staples an OCSP response that says that its certificate is revoked. Clients that check stapled \
          responses refuse the connection; nginx as a client does so only with proxy_ssl_crl.",
    fix: "Find out why it was revoked, have a certificate issued for a new key, and reload.",
    references: &["RFC 6960 section 4.2.1", "RFC 5280 section 5.3.1"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    for (cell, outcome) in staples(endpoint, cx) {
        if let Ok(StapleStatus::Revoked(when)) = outcome {
            return RULE
                .finds(format!("the certificate was revoked on {}", day(when)))
                .evidence(at(endpoint, cell))
                .reproduce(show_staple(cx.target, Some(endpoint.address)))
                .into();
        }
    }
    Verdict::Pass
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::certificate::testing::staple;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let chain = scene.seen.endpoints[0].handshakes[0].chain.clone().unwrap();
        let leaf = &chain.certificates[0];
        scene.staple(&staple(&scene.intermediate, leaf, b"20260601000000Z", true));
        scene.judge().findings
    }
}
