//! A fix that is tried without the server: the missing intermediate, fetched from the URL in the certificate.

use std::sync::Arc;

use super::TargetReport;
use super::network::Network;
use crate::audit::rules::chain::chain_incomplete;
use crate::certificate::trust::Assessor;
use crate::certificate::trust::browser::BrowserVerdict;
use crate::certificate::trust::problem::PathProblem;
use crate::certificate::{Certificate, Chain, file};

/// The most certificates that are fetched for one chain.
const MAX_FETCHED: usize = 3;

/// Fetches missing issuers of a chain, and adds to the finding whether they complete it. Where they do, the complete chain is
/// kept, so that it can be tried in a rehearsal.
pub(super) async fn try_fetched(
    report: &mut TargetReport,
    network: &dyn Network,
    assessor: &Assessor,
    private: bool,
) {
    let judgement = &mut report.judgement;
    let lacking = judgement
        .chains
        .iter()
        .find(|assessed| assessed.assessment.problem == Some(PathProblem::MissingIntermediate));
    let finding =
        judgement.findings.iter_mut().find(|finding| finding.rule == chain_incomplete::RULE.id);
    let (Some(lacking), Some(finding)) = (lacking, finding) else { return };
    match complete(Arc::clone(&lacking.chain), network, assessor, private).await {
        Err(reason) => finding.evidence.push(reason),
        Ok((url, complete)) => {
            report.completed = Some(complete);
            finding.evidence.push(format!("the chain is complete with the certificate from {url}"));
            if let Some(fix) = &mut finding.fix {
                fix.verified = Some(true);
            }
        }
    }
}

/// Adds issuers until the chain is accepted; returns the last URL needed and the chain, or the reason for failing.
async fn complete(
    mut chain: Arc<Chain>,
    network: &dyn Network,
    assessor: &Assessor,
    private: bool,
) -> Result<(String, Arc<Chain>), String> {
    for _ in 0..MAX_FETCHED {
        let assessment = assessor.assess(&chain);
        let next = assessment.shape.top(&chain).and_then(|top| top.ca_issuers.first()).cloned();
        let Some(url) = next else { break };
        let bytes = network
            .fetch(&url, private)
            .await
            .map_err(|error| format!("could not fetch {url}: {error}"))?;
        let (fetched, _) = file::read(&bytes);
        let issuer = fetched.first().ok_or_else(|| format!("{url} is not a certificate"))?;
        if Certificate::parse(issuer).is_ok_and(|issuer| issuer.is_self_issued()) {
            return Err(format!("{url} is a root that is not trusted here"));
        }
        chain = with(&chain, issuer);
        if assessor.assess(&chain).browser == BrowserVerdict::Accepted {
            return Ok((url, chain));
        }
    }
    Err("the chain is still incomplete with the certificates that could be fetched".to_owned())
}

fn with(chain: &Chain, issuer: &[u8]) -> Arc<Chain> {
    let sent = chain.certificates.iter().map(|certificate| certificate.der.as_ref());
    let longer: Vec<&[u8]> = sent.chain([issuer]).collect();
    Arc::new(Chain::from_der(&longer))
}
