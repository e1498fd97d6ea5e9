//! A finding in the JSON document.

use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::finding::{Excuse, Finding, Fix, Severity};
use crate::audit::registry::find;
use crate::audit::rule::{Rule, RuleGroup};
use crate::targets::Target;

/// One defect, reported once.
#[derive(Serialize, JsonSchema)]
pub(super) struct FindingView<'a> {
    rule: &'static str,
    /// The group that the rule belongs to; null for most rules.
    group: Option<&'static str>,
    #[schemars(with = "SeverityName")]
    severity: Severity,
    message: &'a str,
    evidence: &'a [String],
    /// The kind of fix.
    section: String,
    #[schemars(with = "Option<FixView>")]
    fix: Option<&'a Fix>,
    /// Commands that show the fault without this program.
    reproduce: &'a [String],
    /// Equal in every run: it does not depend on dates, serial numbers or line numbers.
    fingerprint: String,
    /// Why it does not fail the run; null if it is not excused.
    excuse: Option<ExcuseView<'a>>,
}

/// Why a finding does not fail the run.
#[derive(Serialize, JsonSchema)]
pub(super) struct ExcuseView<'a> {
    /// `allowed` by the gate file, `ignored` by a comment next to the directive, `known` from the baseline, or
    /// `no-tls`: an upstream without TLS could not be asked whether it expects TLS.
    kind: &'static str,
    /// The reason in the gate file or the comment; null for known findings.
    reason: Option<&'a str>,
    /// The last day of an allowance; null for everything else.
    until: Option<String>,
}

impl<'a> ExcuseView<'a> {
    pub(super) fn of(excuse: &'a Excuse) -> Self {
        match excuse {
            Excuse::Allowed { reason, until } => {
                Self { kind: "allowed", reason: Some(reason), until: Some(until.to_string()) }
            }
            Excuse::Ignored { reason } => {
                Self { kind: "ignored", reason: Some(reason), until: None }
            }
            Excuse::Known => Self { kind: "known", reason: None, until: None },
            Excuse::NoTls => Self { kind: "no-tls", reason: None, until: None },
        }
    }
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the schema's names for an enum that lives in an earlier room")]
enum SeverityName {
    Error,
    Warning,
    Note,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema's form of a struct that lives in an earlier room")]
struct FixView {
    text: String,
    directives: Vec<DirectiveView>,
    /// Whether a probe with the fix succeeded; null if it was not tried.
    verified: Option<bool>,
    /// What must be true for the fix to be right; absent if there is no condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    assumes: Option<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema's form of a struct that lives in an earlier room")]
struct DirectiveView {
    context: String,
    name: String,
    value: String,
    file: Option<String>,
    line: Option<u32>,
}

impl<'a> FindingView<'a> {
    pub(super) fn of(finding: &'a Finding, target: &Target) -> Self {
        Self {
            rule: finding.rule,
            group: find(finding.rule).and_then(Rule::group).map(RuleGroup::id),
            severity: finding.severity,
            message: &finding.message,
            evidence: &finding.evidence,
            section: finding.section.to_string(),
            fix: finding.fix.as_ref(),
            reproduce: &finding.reproduce,
            fingerprint: finding.fingerprint(target),
            excuse: finding.excuse.as_ref().map(ExcuseView::of),
        }
    }
}
