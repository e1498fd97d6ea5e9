//! Which rules were decided. A rule that found nothing wrong has passed only if it saw everything that it checks. An
//! address that did not answer, or not in TLS, is not a pass.

use super::finding::Section;
use super::rule::{Check, Rule, Verdict};
use crate::observation::{Cause, Endpoint, Handshake, Observation, Stage};
use crate::targets::Target;

/// The outcome of one rule; of several, the greater is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RuleOutcome {
    Passed,
    Undecided,
    /// It has findings or reasons of its own.
    Reported,
}

/// The outcomes of rules so far.
#[derive(Debug, Default)]
pub(super) struct RuleOutcomes {
    /// At an address, not every hello was answered in TLS.
    silence: bool,
    /// An address showed no certificate to the target's own name.
    chain_missing: bool,
    outcomes: Vec<(&'static str, RuleOutcome)>,
}

impl RuleOutcomes {
    /// Starts the outcomes for the observation of a target.
    pub(super) fn new(target: &Target, seen: &Observation) -> Self {
        let named = target.server_name.is_some();
        let shows = |endpoint: &Endpoint| endpoint.cells(named).any(|cell| cell.chain.is_some());
        Self {
            silence: !seen.endpoints.iter().all(|endpoint| answers(endpoint, named)),
            chain_missing: !seen.endpoints.iter().all(shows),
            outcomes: Vec::new(),
        }
    }

    /// Adds a verdict of a rule.
    pub(super) fn add(&mut self, rule: &Rule, verdict: &Verdict) {
        let outcome = match verdict {
            Verdict::NotApplicable => return,
            Verdict::Pass if self.whole(rule) => RuleOutcome::Passed,
            Verdict::Pass => RuleOutcome::Undecided,
            Verdict::Fail(_) | Verdict::Untested(_) => RuleOutcome::Reported,
        };
        match self.outcomes.iter_mut().find(|(id, _)| *id == rule.id) {
            Some((_, known)) => *known = outcome.max(*known),
            None => self.outcomes.push((rule.id, outcome)),
        }
    }

    /// The rules that passed, and those that are undecided.
    pub(super) fn finish(self) -> (Vec<&'static str>, Vec<&'static str>) {
        let with = |wanted| {
            let ids = self.outcomes.iter().filter(move |(_, outcome)| *outcome == wanted);
            ids.map(|(id, _)| *id).collect()
        };
        (with(RuleOutcome::Passed), with(RuleOutcome::Undecided))
    }

    /// Whether everything that the rule checks was seen.
    fn whole(&self, rule: &Rule) -> bool {
        match rule.check {
            Check::File(_) | Check::Setting(_) | Check::Upstream(_) | Check::Plain(_) => true,
            Check::Endpoint(_) => !self.silence,
            Check::Target(_) if rule.section == Section::Reachability => true,
            Check::Chain(_) | Check::Leaf(_) | Check::Target(_) => !self.chain_missing,
        }
    }
}

/// Whether every hello was answered, and the target's own clients can connect.
fn answers(endpoint: &Endpoint, named: bool) -> bool {
    endpoint.handshakes.iter().all(answered) && endpoint.cells(named).any(Handshake::established)
}

fn answered(cell: &Handshake) -> bool {
    cell.failure().is_none_or(|failure| {
        let in_tls = matches!(failure.stage, Stage::Handshake | Stage::PostHandshake);
        in_tls && matches!(failure.cause, Cause::Alert(_) | Cause::Reset | Cause::Closed)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::audit::fixtures::{NOW, Scene, any};
    use crate::audit::judge::{Judgement, Standard, judge};
    use crate::certificate::trust::{Assessor, TrustStore};
    use crate::observation::{Cause, Failure, Observation, Stage, Untried};
    use crate::tls::alert::AlertDescription;

    fn judged(scene: &Scene) -> Judgement {
        let root = vec![scene.root.certificate.clone()];
        let (store, _) = TrustStore::from_certificates("test".to_owned(), root, false);
        let assessor = Assessor::new(Arc::new(store), NOW);
        let standard = Standard { assessor: &assessor, policy: None, now: NOW };
        judge(&scene.target, &scene.seen, standard)
    }

    #[test]
    fn what_was_wholly_seen_passes() {
        let judgement = judged(&Scene::new());
        for rule in ["certificate-expired", "sni-required", "connection-refused", "dns-failure"] {
            assert!(judgement.passed.contains(&rule), "{rule}: {judgement:#?}");
        }
        assert_eq!(judgement.undecided, [""; 0]);
    }

    #[test]
    fn at_a_silent_address_nothing_passes_but_what_the_network_showed() {
        let silences = [
            (Stage::Connect, Cause::ConnectionRefused),
            (Stage::Handshake, Cause::TimedOut),
            (Stage::Handshake, Cause::Alert(AlertDescription(40))),
            (Stage::Handshake, Cause::Local("no port".to_owned())),
        ];
        for (stage, cause) in silences {
            let mut scene = Scene::new();
            scene.each(|cell| {
                cell.outcome = Err(Failure { stage, cause: cause.clone() });
                cell.chain = None;
            });
            assert_eq!(judged(&scene).passed, ["dns-failure"], "{cause}");
        }
        let mut scene = Scene::new();
        scene.seen = Observation::not_tried(Untried::Cancelled);
        assert_eq!(judged(&scene).passed, [""; 0]);
    }

    #[test]
    fn one_silent_address_of_two_decides_nothing() {
        let mut scene = Scene::new();
        scene.second_address();
        scene.fail(any, Stage::Connect, &Cause::TimedOut);
        let judgement = judged(&scene);
        assert_eq!(judgement.passed, ["dns-failure"]);
        assert!(judgement.undecided.contains(&"certificate-expired"));
        assert!(judgement.undecided.contains(&"tls13-unsupported"));
    }
}
