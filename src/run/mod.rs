//! The main loop: probes a target, judges what was seen, and tries fixes.

pub mod baseline;
mod fix_loop;
pub mod gate;
mod issuer;
pub mod listener_fixes;
pub mod network;
pub mod playback;
pub mod recorder;
pub mod recording;
pub mod schema;
#[cfg(test)]
mod scripted;
pub mod settings;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, join_all, select};
use futures::stream::StreamExt;

use self::fix_loop::FixLoop;
pub use self::settings::{FetchIssuers, Settings, TrustStores};

use crate::audit::finding::{Excuse, Severity};
use crate::audit::judge::{Judgement, Standard, judge};
use crate::certificate::Chain;
use crate::observation::{Addresses, Observation, Untried};
use crate::probe::engine;
use crate::targets::nginx_client::Trusted;
use crate::targets::target_list::TargetList;
use crate::targets::{Roots, Target, Trust};

/// The result for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything was tested and nothing reaches the threshold.
    Pass,
    /// A finding reaches the threshold.
    Fail,
    /// Something could not be tested, and no finding reaches the threshold.
    Untested,
}

impl Status {
    /// Its name in formats for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Untested => "untested",
        }
    }
}

/// Everything about one target.
#[derive(Clone, Debug)]
pub struct TargetReport {
    /// The target.
    pub target: Arc<Target>,
    /// What was seen.
    pub observation: Observation,
    /// The findings about it.
    pub judgement: Judgement,
    /// Its status.
    pub status: Status,
    /// Its chain with the issuers that were fetched, if these complete it.
    pub completed: Option<Arc<Chain>>,
}

impl TargetReport {
    /// Creates a report; findings of severity `threshold` or above fail the target.
    pub fn new(
        target: Arc<Target>,
        observation: Observation,
        judgement: Judgement,
        threshold: Severity,
    ) -> Self {
        let status = Status::Untested;
        let mut report = Self { target, observation, judgement, status, completed: None };
        report.settle(threshold);
        report
    }

    /// Whether the run ended before the target was tested.
    pub fn is_cancelled(&self) -> bool {
        self.observation.addresses == Addresses::NotTried(Untried::Cancelled)
    }

    /// Whether it is of a kind that cannot be tested.
    pub fn is_untestable(&self) -> bool {
        matches!(self.observation.addresses, Addresses::NotTried(Untried::Impossible(_)))
    }

    /// Whether it could not be tested, and that does not fail the run: the operator allows all the reasons, or the
    /// configuration uses no TLS there. It stays untested.
    pub fn is_waived(&self) -> bool {
        let Judgement { findings, untested, waiver, .. } = &self.judgement;
        let allowed = |rule: &str| {
            let mut causes = findings.iter().filter(|finding| finding.rule == rule);
            causes.any(|finding| finding.excuse.as_ref().is_some_and(Excuse::is_explicit))
        };
        self.status == Status::Untested
            && (waiver.is_some() || untested.iter().all(|(rule, _)| allowed(rule)))
    }

    /// Updates the status after findings were changed.
    pub fn settle(&mut self, threshold: Severity) {
        let judgement = &self.judgement;
        self.status = if judgement.findings.iter().any(|finding| finding.fails_at(threshold)) {
            Status::Fail
        } else if judgement.untested.is_empty() {
            Status::Pass
        } else {
            Status::Untested
        };
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// It was stopped before every target was tested.
    pub stopped: bool,
    /// Targets on which this program itself failed.
    pub internal_errors: usize,
}

/// Audits every target. `on_target` gets the position and report of each as it finishes; when `stop` resolves, the
/// unfinished targets are reported as untested.
pub async fn audit(
    targets: TargetList,
    settings: Arc<Settings>,
    stop: impl Future<Output = ()>,
    mut on_target: impl FnMut(usize, TargetReport),
) -> Ending {
    let mut waiting = vec![true; targets.len()];
    let mut ending = Ending::default();
    let mut finished = pin!(engine::each(
        targets.iter().enumerate(),
        settings.network.targets_at_once(),
        |(index, target)| {
            let settings = Arc::clone(&settings);
            async move { (index, audit_target(target, &settings).await) }
        }
    ));
    let mut stop = pin!(stop);
    loop {
        match select(finished.next(), &mut stop).await {
            Either::Left((Some(Ok((index, report))), _)) => {
                waiting[index] = false;
                on_target(index, report);
            }
            // The task panicked; its target is found at the end, because it is still waiting.
            Either::Left((Some(Err(_)), _)) => ending.internal_errors += 1,
            Either::Left((None, _)) => break,
            Either::Right(_) => {
                ending.stopped = true;
                break;
            }
        }
    }
    let reason = if ending.stopped { Untried::Cancelled } else { Untried::InternalError };
    let left = waiting.into_iter().enumerate().filter(|(_, is_waiting)| *is_waiting);
    for (index, target) in left.filter_map(|(index, _)| Some((index, targets.get(index)?))) {
        let observation = Observation::not_tried(reason.clone());
        on_target(index, report(target, observation, &settings));
    }
    ending
}

/// Audits every target and returns the reports in the order of the targets.
pub async fn audit_all(
    targets: Vec<Arc<Target>>,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> (Vec<TargetReport>, Ending) {
    let mut reports: Vec<Option<TargetReport>> = targets.iter().map(|_| None).collect();
    let ending = audit(targets.into(), Arc::new(settings), stop, |index, report| {
        reports[index] = Some(report);
    })
    .await;
    (reports.into_iter().flatten().collect(), ending)
}

async fn audit_target(target: Arc<Target>, settings: &Settings) -> TargetReport {
    let network = &*settings.network;
    let mut observation = network.observe(&target, &settings.depth).await;
    if target.nginx.is_some() {
        let trusted = trusted_files(settings, &target.trust);
        let fix_loop = FixLoop { network, target: &target, trusted: &trusted, now: settings.now };
        join_all(observation.endpoints.iter_mut().map(|endpoint| fix_loop.run(endpoint))).await;
    }
    let target_trust = target.trust.clone();
    let mut report = report(target, observation, settings);
    if settings.fetch_issuers != FetchIssuers::Never {
        let private = settings.fetch_issuers == FetchIssuers::Anywhere;
        issuer::try_fetched(&mut report, network, settings.assessor(&target_trust), private).await;
    }
    report
}

/// The audit's own roots, as a file for nginx, which resolves relative names from its own folder.
fn trusted_files(settings: &Settings, trust: &Trust) -> Vec<Trusted> {
    if !trust.additional.is_empty() {
        return Vec::new();
    }
    let store = settings.assessor(trust).shared_store();
    match &trust.roots {
        Roots::File(path) => {
            let path = settings.surroundings.folder.join(path);
            vec![Trusted { path, store }]
        }
        Roots::Native if store.public => settings.surroundings.bundle.iter().cloned().collect(),
        Roots::Native | Roots::Mozilla => Vec::new(),
    }
}

fn report(target: Arc<Target>, observation: Observation, settings: &Settings) -> TargetReport {
    let judgement = judge(
        &target,
        &observation,
        Standard {
            assessor: settings.assessor(&target.trust),
            policy: settings.policy.as_ref(),
            now: settings.now,
        },
    );
    TargetReport::new(target, observation, judgement, settings.threshold)
}
