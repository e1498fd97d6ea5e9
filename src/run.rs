//! The one loop: probe a target, judge what was seen.

use std::sync::Arc;

use crate::audit::finding::Severity;
use crate::audit::judge::Judgement;
use crate::observation::Observation;
use crate::target::Target;

/// What became of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything was tested and nothing reaches the threshold.
    Pass,
    /// A finding reaches the threshold.
    Fail,
    /// Something could not be tested, and nothing found reaches the threshold.
    Untested,
}

/// One target's whole story.
#[derive(Clone, Debug)]
pub struct TargetReport {
    /// What was to be tested.
    pub target: Arc<Target>,
    /// What was seen.
    pub observation: Observation,
    /// What it means.
    pub judgement: Judgement,
    /// What became of it.
    pub status: Status,
}

impl TargetReport {
    /// Puts the story together; `threshold` is the severity from which a finding fails the target.
    pub fn new(target: Arc<Target>, observation: Observation, judgement: Judgement, threshold: Severity) -> Self {
        let status = if judgement.findings.iter().any(|finding| finding.severity >= threshold) {
            Status::Fail
        } else if judgement.untested.is_empty() {
            Status::Pass
        } else {
            Status::Untested
        };
        Self { target, observation, judgement, status }
    }
}
