//! JUnit XML for CI systems: a suite for each target, a case for each rule that applied. An undecided rule is skipped;
//! a finding below the gate's severity, or an excused one, is reported without failing its case.

use std::io::{self, Write};
use std::time::Duration;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use time::OffsetDateTime;

use crate::audit::finding::Finding;
use crate::audit::registry::RULES;
use crate::report::Report;
use crate::report::escape::escape;
use crate::report::items::host_and_port;
use crate::run::TargetReport;

/// Why a rule without a finding is skipped if not everything was seen.
const UNDECIDED: &str = "not every connection was answered, so this could not be decided";

/// The outcome of a case.
enum CaseOutcome {
    Passed,
    /// Passed, with a text.
    Note(String),
    Skipped(String),
    Failed {
        message: String,
        severity: String,
        details: String,
    },
}

/// Writes the whole report.
pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = Writer::new_with_indent(&mut *out, b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites: Vec<_> =
        report.targets.iter().map(|target| (target, cases(report, target))).collect();
    let all = suites.iter().flat_map(|(_, cases)| cases);
    let time = report.finished_at - report.started_at;
    let head = counted(BytesStart::new("testsuites"), env!("CARGO_PKG_NAME"), all)
        .with_attributes([("time", format!("{:.3}", time.as_seconds_f64()).as_str())]);
    writer.write_event(Event::Start(head))?;
    for (target, cases) in &suites {
        suite(&mut writer, report.started_at, target, cases)?;
    }
    writer.write_event(Event::End(BytesEnd::new("testsuites")))?;
    drop(writer);
    writeln!(out)
}

type TestCase = (&'static str, CaseOutcome);

/// The rules that applied, in the order of the registry.
fn cases(report: &Report, target: &TargetReport) -> Vec<TestCase> {
    let outcome = |id| outcome(report, target, id);
    let known = RULES.iter().filter_map(|rule| Some((rule.id, outcome(rule.id)?)));
    known.collect()
}

/// The outcome of one rule. The worst applies: failed, skipped, passed with a text, passed.
fn outcome(report: &Report, target: &TargetReport, id: &str) -> Option<CaseOutcome> {
    let judgement = &target.judgement;
    let findings: Vec<&Finding> =
        judgement.findings.iter().filter(|finding| finding.rule == id).collect();
    let failing: Vec<&Finding> = findings
        .iter()
        .copied()
        .filter(|finding| finding.fails_at(report.options.threshold))
        .collect();
    if let Some(worst) = failing.first() {
        return Some(CaseOutcome::Failed {
            message: escape(&worst.message).into_owned(),
            severity: worst.severity.to_string(),
            details: details(&failing),
        });
    }
    if let Some((_, reason)) = judgement.untested.iter().find(|(rule, _)| *rule == id) {
        return Some(CaseOutcome::Skipped(format!("could not test: {}", escape(reason))));
    }
    if let Some(excuse) = findings.iter().find_map(|finding| finding.excuse.as_ref()) {
        return Some(CaseOutcome::Skipped(escape(&excuse.to_string()).into_owned()));
    }
    if !findings.is_empty() {
        return Some(CaseOutcome::Note(details(&findings)));
    }
    if judgement.undecided.contains(&id) {
        return Some(CaseOutcome::Skipped(UNDECIDED.to_owned()));
    }
    judgement.passed.contains(&id).then_some(CaseOutcome::Passed)
}

fn details(findings: &[&Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        lines.push(format!("{}: {}", finding.severity, escape(&finding.message)));
        lines.extend(finding.evidence.iter().map(|fact| format!("- {}", escape(fact))));
        if let Some(fix) = &finding.fix {
            lines.push(format!("fix: {}", escape(&fix.text)));
            let directives = fix.directives.iter();
            lines.extend(directives.map(|one| {
                let text = format!("{} {};", one.name, one.value);
                format!("  {}  # {}", escape(&text), escape(&one.context))
            }));
        }
        lines.extend(finding.reproduce.iter().map(|command| format!("$ {}", escape(command))));
    }
    lines.join("\n")
}

fn suite<W: Write>(
    writer: &mut Writer<W>,
    started_at: OffsetDateTime,
    report: &TargetReport,
    cases: &[TestCase],
) -> io::Result<()> {
    let name = escape(&report.target.name);
    let head = counted(BytesStart::new("testsuite"), &name, cases).with_attributes([
        ("time", seconds(report).as_str()),
        ("timestamp", moment(started_at).as_str()),
        ("hostname", escape(&host_and_port(&report.target).0).as_ref()),
    ]);
    writer.write_event(Event::Start(head))?;
    for (rule, outcome) in cases {
        case(writer, (&name, rule), outcome)?;
    }
    writer.write_event(Event::End(BytesEnd::new("testsuite")))
}

fn case<W: Write>(
    writer: &mut Writer<W>,
    (suite, rule): (&str, &str),
    outcome: &CaseOutcome,
) -> io::Result<()> {
    let case = writer.create_element("testcase").with_attributes([
        ("name", rule),
        ("classname", suite),
        ("time", "0"),
    ]);
    let write = |inside: &mut Writer<W>| match outcome {
        CaseOutcome::Passed => Ok(()),
        CaseOutcome::Note(text) => {
            inside.create_element("system-out").write_text_content(BytesText::new(text)).map(drop)
        }
        CaseOutcome::Skipped(why) => inside
            .create_element("skipped")
            .with_attribute(("message", why.as_str()))
            .write_empty()
            .map(drop),
        CaseOutcome::Failed { message, severity, details } => inside
            .create_element("failure")
            .with_attributes([("message", message.as_str()), ("type", severity.as_str())])
            .write_text_content(BytesText::new(details))
            .map(drop),
    };
    match outcome {
        CaseOutcome::Passed => case.write_empty().map(drop),
        _ => case.write_inner_content(write).map(drop),
    }
}

fn counted<'a>(
    element: BytesStart<'a>,
    name: &str,
    cases: impl IntoIterator<Item = &'a TestCase>,
) -> BytesStart<'a> {
    let (mut tests, mut failures, mut skipped) = (0, 0, 0);
    for (_, outcome) in cases {
        tests += 1;
        failures += usize::from(matches!(outcome, CaseOutcome::Failed { .. }));
        skipped += usize::from(matches!(outcome, CaseOutcome::Skipped(_)));
    }
    element.with_attributes([
        ("name", name),
        ("tests", tests.to_string().as_str()),
        ("failures", failures.to_string().as_str()),
        ("errors", "0"),
        ("skipped", skipped.to_string().as_str()),
    ])
}

/// The total duration of the target's connections.
fn seconds(report: &TargetReport) -> String {
    let cells = report.observation.endpoints.iter().flat_map(|endpoint| &endpoint.handshakes);
    let spent = cells.flat_map(|cell| [cell.connect_time, cell.handshake_time]);
    format!("{:.3}", spent.flatten().sum::<Duration>().as_secs_f64())
}

/// ISO 8601 without a time zone, as the format requires.
fn moment(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(time::UtcOffset::UTC);
    let (hour, minute, second) = moment.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}", moment.date())
}
