//! The report as text: a row for each target, then each finding with its evidence and fix.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anstyle::Style;
use textwrap::core::display_width;
use time::OffsetDateTime;

use crate::audit::finding::{Finding, ProposedDirective, Severity};
use crate::audit::judge::{Assessed, Judgement};
use crate::audit::upstream::outcome::NginxOutcome;
use crate::observation::Endpoint;
use crate::report::escape::{WithoutCommands, escape};
use crate::report::place::has_place;
use crate::report::text::{paragraph, severity_style, styled};
use crate::report::words::counted;
use crate::report::{
    Look, Report, ReportKind, Summary, chain, changes, items, names, overview, scan,
};
use crate::run::TargetReport;
use crate::targets::Target;

/// Narrower terminals wrap the lines.
const MIN_WIDTH: usize = 60;

/// From this many targets on, findings are summarized by rule.
const MANY_TARGETS: usize = 10;

/// The indentation of a directive.
const DIRECTIVE: &str = "        ";

/// Writes the whole report.
pub(super) fn render(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = WithoutCommands::new(out);
    write_lines(report, look, &mut lines)?;
    lines.finish()
}

fn write_lines(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let look = Look { width: look.width.max(MIN_WIDTH), ..look };
    if report.kind == ReportKind::Endpoints && !report.targets.is_empty() {
        writeln!(out, "{}\n", overview::table(report, look))?;
    }
    for (name, target) in names::distinct(report).iter().zip(&report.targets) {
        details((name, target), report.finished_at, look, out)?;
    }
    if report.targets.len() >= MANY_TARGETS {
        by_rule(report, look, out)?;
    }
    closing(report, look, out)
}

/// Each rule with the number of its targets, ordered by severity and frequency.
fn by_rule(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut rules: BTreeMap<(Reverse<Severity>, &'static str), BTreeSet<usize>> = BTreeMap::new();
    for (index, target) in report.targets.iter().enumerate() {
        for finding in target.judgement.findings.iter().filter(|one| one.excuse.is_none()) {
            let targets = rules.entry((Reverse(finding.severity), finding.rule)).or_default();
            targets.insert(index);
        }
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by_key(|((severity, rule), targets)| (*severity, Reverse(targets.len()), *rule));
    if rules.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", styled("By rule", Style::new().bold().underline(), look))?;
    for ((Reverse(severity), rule), targets) in rules {
        let label = styled(&format!("{severity}[{rule}]"), severity_style(severity), look);
        writeln!(out, "  {label}: {}", counted(targets.len(), "target"))?;
    }
    writeln!(out)
}

/// The details of one target, under its name.
fn details(
    (name, report): (&str, &TargetReport),
    now: OffsetDateTime,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let unexplained: Vec<_> = items::unexplained(report).collect();
    let chains: &[Assessed] = if look.show_chain { &report.judgement.chains } else { &[] };
    let scanned = report.observation.endpoints.iter().filter(|it| it.is_scanned());
    let scanned: Vec<&Endpoint> = scanned.collect();
    let changes = changes::lines(report);
    if report.judgement.findings.is_empty()
        && report.judgement.nginx_possibly.is_none()
        && unexplained.is_empty()
        && chains.is_empty()
        && scanned.is_empty()
        && changes.is_none()
    {
        return Ok(());
    }
    let heading = paragraph(name, "", "  ", look);
    writeln!(out, "{}", styled(heading.trim_end(), Style::new().bold().underline(), look))?;
    if let Some(place) = origin(&report.target) {
        out.write_all(paragraph(&place, "  ", "    ", look).as_bytes())?;
    }
    if let Some((heading, lines)) = changes {
        out.write_all(paragraph(&heading, "  ", "    ", look).as_bytes())?;
        for line in lines {
            out.write_all(paragraph(&line, "    - ", "      ", look).as_bytes())?;
        }
        writeln!(out)?;
    }
    for assessed in chains {
        chain::write(assessed, &report.target, (now, look), out)?;
    }
    for endpoint in scanned {
        scan::write(endpoint, look, out)?;
    }
    if let Some(line) = as_nginx(&report.judgement) {
        out.write_all(paragraph(&line, "  ", "    ", look).as_bytes())?;
        writeln!(out)?;
    }
    for finding in &report.judgement.findings {
        write_finding(finding, look, out)?;
    }
    for (_, reason) in unexplained {
        out.write_all(
            paragraph(&format!("could not test: {reason}"), "  ", "    ", look).as_bytes(),
        )?;
        writeln!(out)?;
    }
    Ok(())
}

/// Where the target was named, unless it is that file.
fn origin(target: &Target) -> Option<String> {
    let origin = target.origin.as_ref().filter(|_| has_place(target))?;
    (origin.file != target.name).then(|| format!("at {}:{}", origin.file, origin.line))
}

/// nginx's verdict, if no finding contains it.
fn as_nginx(judgement: &Judgement) -> Option<String> {
    let possibly = judgement.nginx_possibly.as_ref();
    let possibly = possibly.map(|text| format!("; possibly: {text}")).unwrap_or_default();
    match judgement.nginx.as_ref()? {
        NginxOutcome::Pass => {
            Some(format!("as nginx: the handshake works as configured{possibly}"))
        }
        NginxOutcome::Fail(_) => None,
        NginxOutcome::Untested(_) => Some("as nginx: could not test".to_owned()),
    }
}

fn write_finding(finding: &Finding, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let severity = finding.severity.to_string();
    let head = paragraph(
        &format!("{severity}[{}]: {}", finding.rule, finding.message),
        "  ",
        "    ",
        look,
    );
    let label = format!("{severity}[{}]", finding.rule);
    out.write_all(
        head.replacen(&label, &styled(&label, severity_style(finding.severity), look), 1)
            .as_bytes(),
    )?;
    if let Some(excuse) = &finding.excuse {
        out.write_all(paragraph(&excuse.to_string(), "    ", "      ", look).as_bytes())?;
    }
    for fact in &finding.evidence {
        out.write_all(paragraph(fact, "    - ", "      ", look).as_bytes())?;
    }
    if let Some(fix) = &finding.fix {
        let mark = if fix.verified == Some(true) { "fix (tried, it works): " } else { "fix: " };
        out.write_all(
            paragraph(&format!("{mark}{}", fix.text), "    ", "      ", look).as_bytes(),
        )?;
        for directive in &fix.directives {
            out.write_all(line(directive, look).as_bytes())?;
        }
        if let Some(condition) = &fix.assumes {
            let text = format!("if {condition}");
            out.write_all(paragraph(&text, "    ", "      ", look).as_bytes())?;
        }
    }
    for command in &finding.reproduce {
        // A command is never wrapped, so that it can be copied.
        writeln!(out, "    $ {}", styled(&escape(command), Style::new().dimmed(), look))?;
    }
    writeln!(out)
}

/// A directive as written in a configuration, with its block to the right, or above it if there is no room. It is never
/// wrapped, so that it can be copied.
fn line(directive: &ProposedDirective, look: Look) -> String {
    let text = format!("{} {};", directive.name, directive.value);
    let text = escape(&text);
    let place = match (&directive.file, directive.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => directive.context.clone(),
    };
    let bold = styled(&text, Style::new().bold(), look);
    let beside = format!("    # {}", escape(&place));
    if display_width(DIRECTIVE) + display_width(&text) + display_width(&beside) <= look.width {
        return format!("{DIRECTIVE}{bold}{beside}\n");
    }
    let above = paragraph(&format!("# {place}"), DIRECTIVE, "        # ", look);
    format!("{above}{DIRECTIVE}{bold}\n")
}

fn closing(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    if let Some(rehearsal) = &report.options.rehearsal {
        let words = escape(&rehearsal.to_string()).to_string();
        out.write_all(paragraph(&words, "", "", look).as_bytes())?;
    }
    if report.interrupted {
        out.write_all(
            paragraph("The run was stopped before every target was tested.", "", "", look)
                .as_bytes(),
        )?;
    }
    out.write_all(paragraph(&in_words(&report.summary(), report.kind), "", "", look).as_bytes())
}

fn in_words(summary: &Summary, kind: ReportKind) -> String {
    let Summary { passed, failed, untested, findings, excused, .. } = summary;
    let excused = if *excused == 0 { String::new() } else { format!(" ({excused} excused)") };
    format!(
        "{}: {passed} passed, {failed} failed, {untested} could not be tested; {}, {}, {}{excused}.",
        summary.counted_kinds(kind),
        counted(findings.error, "error"),
        counted(findings.warning, "warning"),
        counted(findings.note, "note")
    )
}
