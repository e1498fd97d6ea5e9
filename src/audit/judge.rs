//! The judge: every rule over everything it applies to; one cause, one finding.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::finding::Finding;
use super::registry::RULES;
use super::rule::{ChainView, Check, Context, Rule, Verdict};
use crate::certificate::Chain;
use crate::certificate::trust::Assessor;
use crate::observation::{Endpoint, Observation};
use crate::target::Target;
use crate::tls::version::ProtocolVersion;

/// All that the rules say of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Worst first, then in the order of the registry.
    pub findings: Vec<Finding>,
    /// What could not be tested: the rule's id and the reason.
    pub untested: Vec<(&'static str, String)>,
}

/// Judges what was seen of one target.
pub fn judge(
    target: &Target,
    seen: &Observation,
    assessor: &Assessor,
    now: time::OffsetDateTime,
) -> Judgement {
    let cx = Context { now, target, store: assessor.store() };
    let chains = presented_chains(target, seen, assessor);
    let mut judgement = Judgement::default();
    for rule in RULES {
        for verdict in verdicts(rule, seen, &chains, &cx) {
            judgement.add(rule, verdict);
        }
    }
    judgement.settle();
    judgement
}

fn verdicts(
    rule: &Rule,
    seen: &Observation,
    chains: &[ChainView<'_>],
    cx: &Context<'_>,
) -> Vec<Verdict> {
    match rule.check {
        Check::Target(check) => vec![check(seen, cx)],
        Check::Endpoint(check) => {
            seen.endpoints.iter().map(|endpoint| check(endpoint, cx)).collect()
        }
        Check::Chain(check) => chains.iter().map(|view| check(view, cx)).collect(),
        Check::Leaf(check) => distinct_leaves(chains)
            .into_iter()
            .filter_map(|view| view.chain.leaf().map(|leaf| check(leaf, view, cx)))
            .collect(),
    }
}

/// The chains shown to hellos that carried the target's own name (or none, where it has none), each once.
fn presented_chains<'a>(
    target: &Target,
    seen: &'a Observation,
    assessor: &Assessor,
) -> Vec<ChainView<'a>> {
    let mut views: Vec<ChainView<'a>> = Vec::new();
    for (endpoint, chain, version) in presentations(target, &seen.endpoints) {
        match views.iter_mut().find(|view| view.chain.digest == chain.digest) {
            Some(view) => view.seen.push((endpoint.address, version)),
            None => views.push(ChainView {
                chain,
                assessment: assessor.assess(chain),
                seen: vec![(endpoint.address, version)],
            }),
        }
    }
    views
}

fn presentations<'a>(
    target: &Target,
    endpoints: &'a [Endpoint],
) -> impl Iterator<Item = (&'a Endpoint, &'a Arc<Chain>, ProtocolVersion)> {
    let named = target.server_name.is_some();
    endpoints.iter().flat_map(move |endpoint| {
        endpoint.cells(named).filter_map(move |cell| {
            cell.chain.as_ref().map(|chain| (endpoint, chain, cell.version))
        })
    })
}

/// One view for each distinct leaf, so that two chains around one leaf do not double its findings.
fn distinct_leaves<'v, 'a>(chains: &'v [ChainView<'a>]) -> Vec<&'v ChainView<'a>> {
    let mut met = BTreeSet::new();
    chains
        .iter()
        .filter(|view| view.chain.leaf().is_some_and(|leaf| met.insert(leaf.sha256)))
        .collect()
}

impl Judgement {
    fn add(&mut self, rule: &Rule, verdict: Verdict) {
        match verdict {
            Verdict::Pass | Verdict::NotApplicable => {}
            Verdict::Untested(why) => self.untested.push((rule.id, why)),
            Verdict::Fail(findings) => findings.into_iter().for_each(|finding| self.merge(finding)),
        }
    }

    /// The same defect at another address is more evidence, not another finding.
    fn merge(&mut self, finding: Finding) {
        let same = |known: &&mut Finding| {
            (known.rule, &known.subject, &known.message)
                == (finding.rule, &finding.subject, &finding.message)
        };
        match self.findings.iter_mut().find(same) {
            None => self.findings.push(finding),
            Some(known) => {
                known.severity = known.severity.max(finding.severity);
                for fact in finding.evidence {
                    if !known.evidence.contains(&fact) {
                        known.evidence.push(fact);
                    }
                }
            }
        }
    }

    /// Drops consequences of other findings, and puts the worst first.
    fn settle(&mut self) {
        let present: BTreeSet<&str> = self.findings.iter().map(|finding| finding.rule).collect();
        let explained = |id: &str| {
            super::registry::find(id)
                .is_some_and(|rule| rule.consequence_of.iter().any(|cause| present.contains(cause)))
        };
        self.findings.retain(|finding| !explained(finding.rule));
        for finding in self.findings.iter().filter(|finding| finding.could_not_test) {
            self.untested.push((finding.rule, finding.message.clone()));
        }
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::judge;
    use crate::audit::fixtures::{NOW, Scene};
    use crate::certificate::trust::{Assessor, TrustStore};
    use crate::observation::{Cause, Failure, PlainProtocol, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    /// How a handshake may end; `None` is well.
    fn endings() -> Vec<Option<Failure>> {
        let failures = [
            (Stage::Connect, Cause::ConnectionRefused),
            (Stage::Starttls, Cause::Closed),
            (Stage::Handshake, Cause::Alert(AlertDescription(40))),
            (Stage::Handshake, Cause::Alert(AlertDescription(112))),
            (Stage::Handshake, Cause::Reset),
            (Stage::Handshake, Cause::TimedOut),
            (Stage::Handshake, Cause::NotTls(PlainProtocol::Unknown(Vec::new()))),
            (Stage::Handshake, Cause::ProtocolError("odd".to_owned())),
        ];
        let failures = failures.map(|(stage, cause)| Some(Failure { stage, cause }));
        std::iter::once(None).chain(failures).collect()
    }

    fn spoil(scene: &mut Scene, mut number: usize, endings: &[Option<Failure>]) {
        scene.each(|cell| {
            if let Some(failure) = &endings[number % endings.len()] {
                cell.outcome = Err(failure.clone());
                cell.chain = None;
            }
            number /= endings.len();
        });
    }

    #[test]
    fn no_failed_handshake_passes_in_silence() {
        let endings = endings();
        let healthy = Scene::new();
        let root = vec![healthy.root.certificate.clone()];
        let (store, _) = TrustStore::from_certificates("test".to_owned(), root, false);
        let assessor = Assessor::new(Arc::new(store), NOW);
        let cells = healthy.seen.endpoints[0].handshakes.clone();
        let mut scene = healthy;
        let mut silent = Vec::new();
        for number in 1..endings.len().pow(4) {
            for raw in [
                None,
                Some((ProtocolVersion::TLS1_2, 0x002f)),
                Some((ProtocolVersion::TLS1_3, 0x1301)),
            ] {
                scene.seen.endpoints[0].handshakes = cells.clone();
                scene.seen.endpoints[0].raw.clear();
                spoil(&mut scene, number, &endings);
                if let Some((version, suite)) = raw {
                    scene.raw(version, Ok(suite));
                }
                let judgement = judge(&scene.target, &scene.seen, &assessor, NOW);
                if judgement.findings.is_empty() && judgement.untested.is_empty() {
                    let outcomes: Vec<_> = scene.seen.endpoints[0]
                        .handshakes
                        .iter()
                        .map(|cell| cell.failure().cloned())
                        .collect();
                    silent.push((raw, outcomes));
                }
            }
        }
        assert!(
            silent.is_empty(),
            "{} pass in silence, such as {:?}",
            silent.len(),
            &silent[..silent.len().min(3)]
        );
    }
}
