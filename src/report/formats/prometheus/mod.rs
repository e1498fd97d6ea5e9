//! Metrics for node_exporter's textfile collector, in Prometheus' text format 0.0.4. Times are in seconds since 1970,
//! never "days left". What a renewal changes is only in `_info` series. What was not tested has no value.

mod blackbox;
mod exporter;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

pub use self::exporter::{ExporterFigures, render_exporter};
use crate::audit::finding::Severity;
use crate::certificate::{Certificate, Chain};
use crate::observation::{Cause, Endpoint, Handshake};
use crate::report::exposition::Exposition;
use crate::report::items::host_and_port;
use crate::report::{Report, names};
use crate::run::{Status, TargetReport};

/// Writes the whole report.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut exposition = Exposition::default();
    run(report, &mut exposition);
    let names = names::distinct(report);
    let targets: Vec<(&str, &TargetReport)> =
        names.iter().map(String::as_str).zip(&report.targets).collect();
    for (name, target) in &targets {
        judged((name, target), &mut exposition);
        for endpoint in &target.observation.endpoints {
            handshakes((name, target), endpoint, &mut exposition);
        }
        certificates((name, target), &mut exposition);
    }
    if report.options.blackbox {
        for target in &targets {
            blackbox::add(*target, &mut exposition);
        }
    }
    exposition.write(out)
}

/// Writes the result of one probe of one target, under blackbox_exporter's names and our own.
pub fn render_probe(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut exposition = Exposition::default();
    for target in &report.targets {
        blackbox::answer(target, &mut exposition);
        let named = (target.target.name.as_str(), target);
        judged(named, &mut exposition);
        for endpoint in &target.observation.endpoints {
            handshakes(named, endpoint, &mut exposition);
        }
        certificates(named, &mut exposition);
    }
    exposition.write(out)
}

/// Metrics of the run itself, which show if runs stop.
fn run(report: &Report, exposition: &mut Exposition) {
    let summary = report.summary();
    exposition
        .family("shakedown_build_info", "Version of shakedown.")
        .add(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    exposition
        .family("shakedown_last_run_timestamp_seconds", "Time at which the last run ended.")
        .add(&[], moment(report.finished_at));
    exposition
        .family("shakedown_last_run_duration_seconds", "Duration of the last run.")
        .add(&[], (report.finished_at - report.started_at).as_seconds_f64());
    exposition
        .family("shakedown_last_run_complete", "Whether the last run completed.")
        .add(&[], flag(!report.interrupted));
    let targets = exposition.family("shakedown_targets", "Targets by status.");
    for (status, count) in
        [("pass", summary.passed), ("fail", summary.failed), ("untested", summary.untested)]
    {
        targets.add(&[("status", status)], number(count));
    }
}

type NamedTarget<'a> = (&'a str, &'a TargetReport);

fn judged((name, report): NamedTarget<'_>, exposition: &mut Exposition) {
    let family = exposition.family(
        "shakedown_target_status",
        "Status of the target: 1 for the status that it has, 0 for the others.",
    );
    for (word, status) in
        [("pass", Status::Pass), ("fail", Status::Fail), ("untested", Status::Untested)]
    {
        family.add(&[("target", name), ("status", word)], flag(report.status == status));
    }
    let target = &report.target;
    let (host, port) = host_and_port(target);
    let port = port.to_string();
    let sni = target.server_name.as_deref().unwrap_or_default();
    exposition
        .family("shakedown_target_info", "Host, port and origin of the target.")
        .add(&[("target", name), ("host", &host), ("port", &port), ("server_name", sni)], 1.0);
    let findings = &report.judgement.findings;
    let family = exposition
        .family("shakedown_findings", "Findings of the target that are not excused, by severity.");
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let counted =
            findings.iter().filter(|one| one.severity == severity && one.excuse.is_none());
        let labels = [("target", name), ("severity", &severity.to_string())];
        family.add(&labels, number(counted.count()));
    }
    let family = exposition.family("shakedown_finding", "A finding: 1 where the rule has one.");
    for finding in findings {
        let excused = if finding.excuse.is_some() { "true" } else { "false" };
        let (rule, severity) = (finding.rule, finding.severity.to_string());
        let labels =
            [("target", name), ("rule", rule), ("severity", &*severity), ("excused", excused)];
        family.add(&labels, 1.0);
    }
}

fn handshakes((name, _): NamedTarget<'_>, endpoint: &Endpoint, exposition: &mut Exposition) {
    let address = endpoint.address.to_string();
    for cell in endpoint.handshakes.iter().filter(|cell| tried(cell)) {
        let sni = if cell.sni.is_some() { "sent" } else { "none" };
        let version = cell.version.to_string();
        let labels =
            [("target", name), ("address", &*address), ("sni", sni), ("version", &*version)];
        exposition
            .family("shakedown_handshake_success", "Whether the TLS handshake completed.")
            .add(&labels, flag(cell.established()));
        if let (true, Some(time)) = (cell.established(), cell.handshake_time) {
            exposition
                .family("shakedown_handshake_duration_seconds", "Duration of the TLS handshake.")
                .add(&labels, time.as_secs_f64());
        }
    }
}

/// Whether the attempt was made, so that its result concerns the peer.
fn tried(cell: &Handshake) -> bool {
    let failure = cell.failure();
    failure.is_none_or(|failure| !matches!(failure.cause, Cause::Local(_) | Cause::Cancelled))
}

fn certificates((name, report): NamedTarget<'_>, exposition: &mut Exposition) {
    for (address, chains) in presented(report) {
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        let leaves = chains.iter().filter_map(|chain| chain.leaf());
        let all = chains.iter().flat_map(|chain| &chain.certificates);
        for (which, end) in [("leaf", first_end(leaves)), ("chain", first_end(all))] {
            let Some(end) = end else { continue };
            exposition
                .family(
                    "shakedown_certificate_not_after_timestamp_seconds",
                    "Expiry of the leaf certificate, and earliest expiry of the certificates sent.",
                )
                .add(
                    &[("target", name), ("address", &address), ("certificate", which)],
                    moment(end),
                );
        }
        for leaf in chains.iter().filter_map(|chain| chain.leaf()) {
            let sha256 = leaf.sha256.to_string();
            let labels = [
                ("target", name),
                ("address", &address),
                ("subject", &leaf.subject.text),
                ("issuer", &leaf.issuer.text),
                ("serial", &leaf.serial),
                ("sha256", &sha256),
            ];
            exposition
                .family("shakedown_certificate_info", "The leaf certificate.")
                .add(&labels, 1.0);
        }
    }
}

/// The chains that each address sent for the target's own name; those of a file have no address.
fn presented(report: &TargetReport) -> Vec<(Option<SocketAddr>, Vec<&Arc<Chain>>)> {
    let endpoints = &report.observation.endpoints;
    if endpoints.is_empty() {
        let chains: Vec<_> =
            report.judgement.chains.iter().map(|assessed| &assessed.chain).collect();
        return if chains.is_empty() { Vec::new() } else { vec![(None, chains)] };
    }
    let named = report.target.server_name.is_some();
    endpoints
        .iter()
        .map(|endpoint| (Some(endpoint.address), distinct_chains(endpoint, named)))
        .collect()
}

fn distinct_chains(endpoint: &Endpoint, named: bool) -> Vec<&Arc<Chain>> {
    let mut chains: Vec<&Arc<Chain>> = Vec::new();
    let cells = endpoint.handshakes.iter().filter(|cell| cell.sni.is_some() == named);
    for chain in cells.filter_map(|cell| cell.chain.as_ref()) {
        if !chains.iter().any(|known| known.digest == chain.digest) {
            chains.push(chain);
        }
    }
    chains
}

fn first_end<'a>(
    certificates: impl Iterator<Item = &'a Arc<Certificate>>,
) -> Option<time::OffsetDateTime> {
    certificates.map(|certificate| certificate.not_after).min()
}

/// Seconds since 1970, to the millisecond.
fn moment(moment: time::OffsetDateTime) -> f64 {
    let milliseconds = moment.unix_timestamp_nanos() / 1_000_000;
    #[expect(
        clippy::cast_precision_loss,
        reason = "dates of certificates are below 2^53 milliseconds"
    )]
    let seconds = milliseconds as f64 / 1000.0;
    seconds
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
