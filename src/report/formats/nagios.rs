//! The output of a Nagios plugin: a status line with performance data, then a line for each finding. Severities map to
//! states: an error is critical, a warning is a warning, and what could not be tested is unknown. A target that refuses
//! every connection is critical, as with check_http.

use std::io::{self, Write};

use time::OffsetDateTime;

use crate::audit::finding::{Finding, Severity};
use crate::certificate::Certificate;
use crate::observation::Cause;
use crate::report::escape::{WithoutCommands, escape};
use crate::report::items::items;
use crate::report::{Report, Summary};
use crate::run::TargetReport;

/// The status line is shortened to this many characters; some user interfaces show no more.
const MAX_LINE: usize = 200;

/// The most lines below the status line; Nagios itself keeps a few kilobytes.
const MAX_DETAILS: usize = 100;

/// The state of a service; its number is the exit status of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// Only notes, or nothing, were found.
    Ok = 0,
    /// The worst finding is a warning.
    Warning = 1,
    /// A finding is an error.
    Critical = 2,
    /// Something could not be tested.
    Unknown = 3,
}

impl ServiceState {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Writes the whole report.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = WithoutCommands::new(out);
    write_lines(report, &mut lines)?;
    lines.finish()
}

fn write_lines(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let line: String = headline(report).chars().take(MAX_LINE).collect();
    writeln!(out, "SHAKEDOWN {} - {} | {}", state(report).word(), inert(&line), data(report))?;
    let mut lines = Vec::new();
    for target in &report.targets {
        for item in items(target) {
            let excuse = item.finding().and_then(|finding| finding.excuse.as_ref());
            let excuse = excuse.map(|excuse| format!(" ({excuse})")).unwrap_or_default();
            let (name, level, rule) = (&target.target.name, item.level(), item.rule());
            lines.push(format!("{name}: {level}[{rule}]: {}{excuse}", item.message()));
        }
    }
    for line in lines.iter().take(MAX_DETAILS) {
        writeln!(out, "{}", inert(line))?;
    }
    match lines.len().saturating_sub(MAX_DETAILS) {
        0 => Ok(()),
        more => writeln!(out, "and {more} more"),
    }
}

/// Findings take precedence over what could not be tested, as in the program's own exit status.
pub fn state(report: &Report) -> ServiceState {
    let summary = report.summary();
    // A finding that something could not be tested has severity warning, but its state is unknown.
    let seen = |finding: &Finding| !finding.could_not_test && finding.excuse.is_none();
    let findings = report.targets.iter().flat_map(|target| &target.judgement.findings);
    let warned = findings.filter(|one| seen(one)).any(|one| one.severity == Severity::Warning);
    match summary.worst {
        Some(Severity::Error) => ServiceState::Critical,
        _ if report.targets.iter().any(is_down) => ServiceState::Critical,
        // Targets that the report omits were tested.
        Some(Severity::Warning) if warned || report.targets.len() < summary.targets => {
            ServiceState::Warning
        }
        _ if summary.failed > 0 => ServiceState::Warning,
        _ if summary.untested > summary.waived || summary.targets == 0 || report.interrupted => {
            ServiceState::Unknown
        }
        _ => ServiceState::Ok,
    }
}

/// Whether every connection was refused, unless the operator lowered the severity.
fn is_down(target: &TargetReport) -> bool {
    let mut handshakes = target.observation.endpoints.iter().flat_map(|one| &one.handshakes);
    let refused = |cause: &Cause| *cause == Cause::ConnectionRefused;
    let mut findings = target.judgement.findings.iter();
    findings.any(|one| one.excuse.is_none() && one.severity >= Severity::Warning)
        && handshakes.clone().next().is_some()
        && handshakes.all(|one| one.failure().is_some_and(|failure| refused(&failure.cause)))
}

/// The worst finding: the target, the finding, and for a certificate the date.
fn headline(report: &Report) -> String {
    let summary = report.summary();
    let Summary { failed, untested, .. } = summary;
    let mut parts = Vec::new();
    let findings = report.targets.iter().flat_map(|target| {
        let open = target.judgement.findings.iter().filter(|finding| finding.excuse.is_none());
        open.map(move |finding| (target, finding))
    });
    // The first of the worst.
    let worst = findings.rev().max_by_key(|(_, finding)| finding.severity);
    if let Some((target, finding)) = worst.filter(|(_, one)| one.severity > Severity::Note) {
        parts.push(format!("{}: {}: {}", target.target.name, finding.rule, finding.message));
    }
    parts.push(format!("{failed} of {} failed", summary.counted_kinds(report.kind)));
    if untested > 0 {
        parts.push(format!("{untested} could not be tested"));
    }
    if let Some(end) = first_end(report) {
        let days = (end - report.finished_at).whole_days();
        parts.push(format!("first certificate to expire: {} ({days} days)", end.date()));
    }
    parts.join(", ")
}

/// `'label'=value[UOM];warn;crit;min;max`, as in the plugin guidelines.
fn data(report: &Report) -> String {
    let Summary { targets, failed, untested, findings, .. } = report.summary();
    let mut data = format!(
        "targets={targets};;;0; failed={failed};;0;0;{targets} untested={untested};0;;0;{targets} \
         errors={};;;0; warnings={};;;0;",
        findings.error, findings.warning
    );
    if let Some(end) = first_end(report) {
        let days = (end - report.finished_at).whole_days();
        data = format!("{data} days_left={days};;;;");
    }
    data
}

/// The first end of the certificates that were sent for the targets' own names.
fn first_end(report: &Report) -> Option<OffsetDateTime> {
    let chains = report.targets.iter().flat_map(|target| &target.judgement.chains);
    let certificates = chains.flat_map(|assessed| &assessed.chain.certificates);
    let ends = certificates.map(|certificate: &std::sync::Arc<Certificate>| certificate.not_after);
    ends.min()
}

/// A bar would start performance data, and a semicolon would end an argument if the line is passed to a command.
fn inert(text: &str) -> String {
    escape(text).replace('|', "/").replace(';', ",")
}
