//! What a changed configuration means for the clients of a target: the same comparison that `diff` makes of two reports.

use std::sync::Arc;

use super::formats::json::target::TargetView;
use super::saved::SavedTarget;
use super::saved::change::{self, TargetChange};
use super::saved::compare;
use crate::audit::weight::RequestWeight;
use crate::run::TargetReport;
use crate::targets::behaviour::ReportedBehaviour;
use crate::targets::former::Former;

/// How the target behaved, in the form that is kept for a comparison.
pub fn behaviour(report: &TargetReport) -> Option<Arc<ReportedBehaviour>> {
    as_saved(report).map(|saved| Arc::new(saved.behaviour))
}

/// The target as another run would read it.
fn as_saved(report: &TargetReport) -> Option<SavedTarget> {
    let view = serde_json::to_value(TargetView::of(report)).ok()?;
    serde_json::from_value(view).ok()
}

/// What changed at the target; `None` if it is not compared with anything.
pub(super) fn of(report: &TargetReport) -> Option<Vec<TargetChange>> {
    let former = report.target.former.as_ref()?.behaviour.as_ref()?;
    Some(compare::since(former, &as_saved(report)?))
}

/// The same as lines for people, under what it is compared with; `None` if there is nothing to say.
pub(super) fn lines(report: &TargetReport) -> Option<(String, Vec<String>)> {
    let Former { old, requests, .. } = report.target.former.as_ref()?;
    let mut lines = of(report).map(|changes| change::lines(&changes)).unwrap_or_default();
    // The finding has it already.
    let is_said = report.judgement.findings.iter().any(|finding| finding.rule == "clients-lost");
    if !is_said {
        lines.extend(weight(report).into_iter().flat_map(|weight| weight.sentences()));
    }
    let heading = match (&**old, requests) {
        ("live", _) => "compared with what is live:".to_owned(),
        ("", Some(requests)) => format!("compared with {}:", requests.files.join(", ")),
        (old, _) => format!("compared with {old}:"),
    };
    (!lines.is_empty()).then_some((heading, lines))
}

/// The weight of what is lost; at several addresses, the heaviest.
pub(super) fn weight(report: &TargetReport) -> Option<RequestWeight> {
    let former = report.target.former.as_ref();
    let endpoints = report.observation.endpoints.iter();
    let weights = endpoints.filter_map(|endpoint| RequestWeight::of(former, endpoint));
    weights.max_by_key(|weight| weight.lost)
}
