//! The judge: applies every rule, and makes one finding of each defect.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use time::OffsetDateTime;

use super::finding::{Excuse, Finding};
use super::policy::Policy;
use super::registry::{RULES, find};
use super::reproduce;
use super::rule::{Check, Context, ObservedChain, Rule, Verdict};
use super::rule_outcomes::RuleOutcomes;
use super::rules::configuration;
use super::upstream::case::NginxCase;
use super::upstream::outcome::{NginxOutcome, adapt, outcome, possibly, soften};
use crate::certificate::Chain;
use crate::certificate::file::FileChain;
use crate::certificate::trust::{Assessment, Assessor};
use crate::nginx::facts::Fact;
use crate::observation::{Addresses, Endpoint, Observation};
use crate::targets::Target;
use crate::tls::version::ProtocolVersion;

/// The most addresses in one message.
const MAX_PLACES: usize = 4;

/// The most facts in one finding.
const MAX_EVIDENCE: usize = 24;

/// The results of all rules for one target.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// The distinct chains that were sent to hellos with the target's own name, and the verdicts on them.
    pub chains: Vec<Assessed>,
    /// Worst first, then in the order of the registry.
    pub findings: Vec<Finding>,
    /// What could not be tested: the rule's id and the reason.
    pub untested: Vec<(&'static str, String)>,
    /// Why it does not fail the run that the target could not be tested.
    pub waiver: Option<Excuse>,
    /// The result for nginx as the client, if its settings are known.
    pub nginx: Option<NginxOutcome>,
    /// What nginx's request may meet behind a handshake that works, if its Host and path are as assumed.
    pub nginx_possibly: Option<String>,
    /// Rules that found nothing wrong, and saw everything that they check, in the order of the registry.
    pub passed: Vec<&'static str>,
    /// Rules that found nothing wrong, but did not see everything.
    pub undecided: Vec<&'static str>,
}

/// A chain and the verdicts on it.
#[derive(Clone, Debug)]
pub struct Assessed {
    /// The chain as sent.
    pub chain: Arc<Chain>,
    /// The verdicts.
    pub assessment: Arc<Assessment>,
}

/// What observations are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Standard<'a> {
    /// Trust, and the verdicts on chains.
    pub assessor: &'a Assessor,
    /// The operator's policy, if given.
    pub policy: Option<&'a Policy>,
    /// The time at which certificates are judged.
    pub now: OffsetDateTime,
}

impl Standard<'_> {
    fn context<'c>(&'c self, target: &'c Target) -> Context<'c> {
        Context { now: self.now, target, store: self.assessor.store(), policy: self.policy }
    }
}

/// Judges the observation of one target.
pub fn judge(target: &Target, seen: &Observation, standard: Standard<'_>) -> Judgement {
    let cx = standard.context(target);
    let chains = presented_chains(target, seen, standard.assessor);
    let cases: Vec<NginxCase<'_>> = seen
        .endpoints
        .iter()
        .filter_map(|endpoint| NginxCase::of(endpoint, standard.now))
        .collect();
    let mut findings = FindingsByPlace::default();
    let mut tally = RuleOutcomes::new(target, seen);
    // For plain-text connections, the only question is whether plain text is right.
    let in_plain = target.nginx.as_ref().is_some_and(|client| client.plain.is_some());
    for rule in RULES {
        let seen = if in_plain { Vec::new() } else { verdicts(rule, seen, &chains, &cx) };
        for (places, verdict) in seen.into_iter().chain(nginx_verdicts(rule, &cases, &cx)) {
            tally.add(rule, &verdict);
            findings.add(rule, &places, verdict);
        }
    }
    let assessed = |view: ObservedChain<'_>| Assessed {
        chain: Arc::clone(view.chain),
        assessment: view.assessment,
    };
    match &seen.addresses {
        Addresses::NotTried(reason) => findings.untested.push(("not-tested", reason.to_string())),
        Addresses::Failed(failure) if in_plain => {
            findings.untested.push(("not-tested", failure.cause.to_string()));
        }
        _ => {}
    }
    let (passed, undecided) = tally.finish();
    let mut judgement = findings.settle(seen.endpoints.len());
    judgement.chains = chains.into_iter().map(assessed).collect();
    (judgement.passed, judgement.undecided) = (passed, undecided);
    judgement.nginx = outcome(target, &cases);
    judgement.nginx_possibly = cases.iter().find_map(possibly);
    adapt(&mut judgement.findings, target);
    soften(&mut judgement.findings, target, judgement.nginx.as_ref());
    judgement.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    judgement
}

/// Judges a chain in a file, with the rules about certificates and those about files.
pub fn judge_file(target: &Target, file: &FileChain, standard: Standard<'_>) -> Judgement {
    let cx = standard.context(target);
    let assessment = standard.assessor.assess(&file.chain);
    let view =
        ObservedChain { chain: &file.chain, assessment: Arc::clone(&assessment), seen: Vec::new() };
    let mut findings = FindingsByPlace::default();
    let mut tally = RuleOutcomes::default();
    for rule in RULES {
        let verdict = match (rule.check, file.chain.leaf()) {
            (Check::File(check), _) => check(file, &cx),
            (Check::Chain(check), _) => check(&view, &cx),
            (Check::Leaf(check), Some(leaf)) => check(leaf, &view, &cx),
            _ => Verdict::NotApplicable,
        };
        tally.add(rule, &verdict);
        findings.add(rule, &BTreeSet::new(), verdict);
    }
    let (passed, undecided) = tally.finish();
    let mut judgement = Judgement { passed, undecided, ..findings.settle(0) };
    for finding in &mut judgement.findings {
        let command = file.is_plain.then(|| reproduce::show_file(&file.path));
        finding.reproduce = command.into_iter().collect();
    }
    Judgement { chains: vec![Assessed { chain: Arc::clone(&file.chain), assessment }], ..judgement }
}

/// Judges the text of a configuration.
pub fn judge_settings(facts: &[Fact]) -> Judgement {
    let mut findings = FindingsByPlace::default();
    for fact in facts {
        findings.merge(configuration::finding(fact), &BTreeSet::new());
    }
    findings.settle(0)
}

/// A verdict and the addresses that it applies to.
type PlacedVerdict = (BTreeSet<SocketAddr>, Verdict);

fn verdicts(
    rule: &Rule,
    seen: &Observation,
    chains: &[ObservedChain<'_>],
    cx: &Context<'_>,
) -> Vec<PlacedVerdict> {
    let endpoints = || seen.endpoints.iter();
    match rule.check {
        Check::Target(check) => {
            vec![(endpoints().map(|endpoint| endpoint.address).collect(), check(seen, cx))]
        }
        Check::Endpoint(check) => endpoints()
            .map(|endpoint| (BTreeSet::from([endpoint.address]), check(endpoint, cx)))
            .collect(),
        Check::Setting(_) | Check::Upstream(_) | Check::Plain(_) => Vec::new(),
        Check::File(check) => {
            let files = cx.target.files.iter();
            files.map(|file| (BTreeSet::new(), check(file, cx))).collect()
        }
        Check::Chain(check) => chains.iter().map(|view| (places(view), check(view, cx))).collect(),
        Check::Leaf(check) => distinct_leaves(chains)
            .iter()
            .filter_map(|view| Some((places(view), check(view.chain.leaf()?, view, cx))))
            .collect(),
    }
}

/// The verdicts of a rule on nginx's handshakes.
fn nginx_verdicts(rule: &Rule, cases: &[NginxCase<'_>], cx: &Context<'_>) -> Vec<PlacedVerdict> {
    let (check, in_plain) = match rule.check {
        Check::Upstream(check) => (check, false),
        Check::Plain(check) => (check, true),
        _ => return Vec::new(),
    };
    let cases = cases.iter().filter(|case| case.configured.client.plain.is_some() == in_plain);
    cases.map(|case| (BTreeSet::from([case.endpoint.address]), check(case, cx))).collect()
}

fn places(view: &ObservedChain<'_>) -> BTreeSet<SocketAddr> {
    view.seen.iter().map(|(address, _)| *address).collect()
}

/// The chains that were sent to hellos with the target's own name (or with none, if it has none), without duplicates.
fn presented_chains<'a>(
    target: &Target,
    seen: &'a Observation,
    assessor: &Assessor,
) -> Vec<ObservedChain<'a>> {
    let mut views: Vec<ObservedChain<'a>> = Vec::new();
    for (endpoint, chain, version) in presentations(target, &seen.endpoints) {
        match views.iter_mut().find(|view| view.chain.digest == chain.digest) {
            Some(view) => view.seen.push((endpoint.address, version)),
            None => views.push(ObservedChain {
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
        let complete = endpoint.cells(named).map(|cell| (cell.chain.as_ref(), cell.version));
        let raw = endpoint.raw.iter().filter(move |raw| raw.sni.is_some() == named);
        let scans = endpoint.scans.iter().filter(move |scan| scan.sni.is_some() == named);
        let scanned = scans.flat_map(|scan| {
            let version = scan.legacy_version();
            scan.chains.iter().filter_map(move |chain| Some((Some(chain), version?)))
        });
        complete
            .chain(raw.map(|raw| (raw.chain.as_ref(), raw.version)))
            .chain(scanned)
            .filter_map(move |(chain, version)| Some((endpoint, chain?, version)))
    })
}

/// One view for each distinct leaf, so that two chains with one leaf do not give duplicate findings.
fn distinct_leaves<'a>(chains: &[ObservedChain<'a>]) -> Vec<ObservedChain<'a>> {
    let mut views: Vec<ObservedChain<'a>> = Vec::new();
    for view in chains {
        let Some(leaf) = view.chain.leaf() else { continue };
        let known = |met: &&mut ObservedChain<'a>| {
            met.chain.leaf().is_some_and(|known| known.sha256 == leaf.sha256)
        };
        match views.iter_mut().find(known) {
            Some(met) => met.seen.extend(&view.seen),
            None => views.push(view.clone()),
        }
    }
    views
}

/// The findings so far, each with the addresses where it was made.
#[derive(Debug, Default)]
struct FindingsByPlace {
    entries: Vec<PlacedFinding>,
    untested: Vec<(&'static str, String)>,
}

#[derive(Debug)]
struct PlacedFinding {
    finding: Finding,
    places: BTreeSet<SocketAddr>,
}

impl FindingsByPlace {
    fn add(&mut self, rule: &Rule, places: &BTreeSet<SocketAddr>, verdict: Verdict) {
        match verdict {
            Verdict::Pass | Verdict::NotApplicable => {}
            Verdict::Untested(why) => {
                let entry = (rule.id, why);
                if !self.untested.contains(&entry) {
                    self.untested.push(entry);
                }
            }
            Verdict::Fail(findings) => {
                for finding in findings {
                    self.merge(finding, places);
                }
            }
        }
    }

    /// The same defect at another address adds evidence to the finding; the most severe one provides the text.
    fn merge(&mut self, mut finding: Finding, places: &BTreeSet<SocketAddr>) {
        let same = |known: &&mut PlacedFinding| {
            (known.finding.rule, &known.finding.subject) == (finding.rule, &finding.subject)
        };
        let Some(known) = self.entries.iter_mut().find(same) else {
            return self.entries.push(PlacedFinding { finding, places: places.clone() });
        };
        known.places.extend(places);
        let could_not_test = known.finding.could_not_test || finding.could_not_test;
        if finding.severity > known.finding.severity {
            std::mem::swap(&mut known.finding, &mut finding);
        }
        known.finding.could_not_test = could_not_test;
        for fact in finding.evidence {
            if !known.finding.evidence.contains(&fact) {
                known.finding.evidence.push(fact);
            }
        }
    }

    /// Removes consequences of other findings, adds the addresses to the rest, and sorts the worst first.
    fn settle(self, addresses: usize) -> Judgement {
        let kept = self.entries.iter().filter(|entry| !self.is_explained(entry));
        let mut findings: Vec<Finding> = kept.map(|entry| entry.report(addresses)).collect();
        let mut untested = self.untested;
        for finding in findings.iter().filter(|finding| finding.could_not_test) {
            untested.push((finding.rule, finding.message.clone()));
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Judgement { findings, untested, ..Judgement::default() }
    }

    /// Whether causes of this finding exist at every address where it was made.
    fn is_explained(&self, entry: &PlacedFinding) -> bool {
        let causes = find(entry.finding.rule).map_or(&[][..], |rule| rule.consequence_of);
        // A less severe finding does not explain a more severe one.
        let explains = |known: &&PlacedFinding| {
            causes.iter().any(|cause| cause.id == known.finding.rule)
                && known.finding.severity >= entry.finding.severity
        };
        let mut met = self.entries.iter().filter(explains).peekable();
        met.peek().is_some() && {
            let explained: BTreeSet<SocketAddr> =
                met.flat_map(|known| known.places.iter().copied()).collect();
            entry.places.is_subset(&explained)
        }
    }
}

impl PlacedFinding {
    /// The finding, with the addresses if it was not made at all of them.
    fn report(&self, addresses: usize) -> Finding {
        let mut finding = self.finding.clone();
        let met = self.places.len();
        if met > 0 && met < addresses {
            let named: Vec<String> =
                self.places.iter().take(MAX_PLACES).map(|place| place.ip().to_string()).collect();
            let more = if met > MAX_PLACES { " and others" } else { "" };
            let names = named.join(", ");
            finding.message =
                format!("{} (at {names}{more}: {met} of {addresses} addresses)", finding.message);
        }
        let surplus = finding.evidence.len().saturating_sub(MAX_EVIDENCE);
        if surplus > 1 {
            finding.evidence.truncate(MAX_EVIDENCE);
            finding.evidence.push(format!("and {surplus} more like these"));
        }
        finding
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Standard, judge};
    use crate::audit::fixtures::{NOW, Scene, any};
    use crate::certificate::trust::{Assessor, TrustStore};
    use crate::observation::{Cause, Failure, PlainProtocol, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    /// The possible results of a handshake; `None` is success.
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
    fn a_fault_at_one_address_says_where() {
        let mut scene = Scene::new();
        scene.second_address();
        scene.fail(any, Stage::Handshake, &Cause::Reset);
        let findings = scene.check(&["error connection-reset"]);
        assert!(findings[0].message.ends_with("(at 192.0.2.1: 1 of 2 addresses)"), "{findings:#?}");
    }

    #[test]
    fn a_fault_at_every_address_is_one_finding() {
        let mut scene = Scene::new();
        scene.fail(any, Stage::Handshake, &Cause::Reset);
        let mut second = scene.seen.endpoints[0].clone();
        second.address = "192.0.2.2:443".parse().unwrap();
        scene.seen.endpoints.push(second);
        let findings = scene.check(&["error connection-reset"]);
        assert!(!findings[0].message.contains("addresses"));
        assert_eq!(findings[0].evidence.len(), 2);
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
                let standard = Standard { assessor: &assessor, policy: None, now: NOW };
                let judgement = judge(&scene.target, &scene.seen, standard);
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
