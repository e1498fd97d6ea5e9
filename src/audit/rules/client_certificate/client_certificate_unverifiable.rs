//! `client-certificate-unverifiable`: nginx as the server refuses the client's chain for what no other rule explains.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::{certificate, chain, client_certificate};
use crate::certificate::signature::Verifier;
use crate::certificate::trust::openssl::{self, OpensslVerdict, Purpose, Question, VerifyProfile};

pub(crate) const RULE: Rule = Rule {
    id: "client-certificate-unverifiable",
    severity: Severity::Error,
    section: Section::ClientCertificate,
    summary: "nginx as the server refuses the client certificate for another reason",
    why: "nginx with ssl_verify_client on answers 400 to every request of this client, and logs client SSL \
          certificate verify error with this number. Errors 20 and 22 can mean more \
          intermediates than ssl_verify_depth (1 by default) allows.",
    fix: "Correct what the verify error names: the server's ssl_verify_depth or ssl_client_certificate (nginx needs \
          the root), or the certificate.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_depth"],
    consequence_of: &[
        &certificate::certificate_expired::RULE,
        &certificate::certificate_not_yet_valid::RULE,
        &certificate::certificate_unreadable::RULE,
        &certificate::certificate_refused::RULE,
        &certificate::weak_key::RULE,
        &certificate::weak_signature::RULE,
        &chain::chain_incomplete::RULE,
        &chain::intermediate_expired::RULE,
        &chain::self_signed::RULE,
        &chain::untrusted_issuer::RULE,
        &client_certificate::client_auth_missing::RULE,
    ],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if !cx.target.is_client_file() {
        return Verdict::NotApplicable;
    }
    let reason = match &view.assessment.nginx {
        OpensslVerdict::Accepted => return Verdict::Pass,
        OpensslVerdict::CannotCheck(why) => {
            return Verdict::Untested(format!("whether nginx accepts the certificate: {why}"));
        }
        OpensslVerdict::Refused(error) => {
            format!("client SSL certificate verify error: ({}:{})", error.0, error.text())
        }
        OpensslVerdict::Unreadable(part) => format!("OpenSSL cannot read a certificate: {part}"),
    };
    let finding = RULE
        .finds(format!("nginx with ssl_verify_client on refuses the certificate: {reason}"))
        .evidence(view.describe(0))
        .evidence(format!("verified against {}, with ssl_verify_depth 1", cx.store.label));
    let depth = view.assessment.shape.path.len().saturating_sub(1);
    if !is_accepted_at(depth, view, cx) {
        return finding.into();
    }
    finding
        .fix(format!("Set ssl_verify_depth to {depth} on the server, then reload."))
        .directive("server", "ssl_verify_depth", depth.to_string())
        .into()
}

fn is_accepted_at(depth: usize, view: &ObservedChain<'_>, cx: &Context<'_>) -> bool {
    let question = Question { chain: view.chain, store: cx.store, lists: None, now: cx.now };
    let profile = VerifyProfile { depth, purpose: Purpose::Client, ..VerifyProfile::default() };
    openssl::verify(question, profile, &Verifier::default()) == OpensslVerdict::Accepted
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, client_file};

    pub(super) fn specimen() -> Vec<Finding> {
        let scene = Scene::new();
        let lower = scene.intermediate.intermediate("lower intermediate").unwrap();
        let chain = lower.issue_with(&["client"], |params| params.extended_key_usages.clear());
        client_file(&scene, &chain.unwrap().chain(), None).findings
    }
}
