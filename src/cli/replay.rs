//! `replay`: judges saved observations and writes a report, without the network.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::args::{ReplayArgs, RunArgs};
use super::collector::Collector;
use super::engine::{Audit, perform};
use super::exit::Exit;
use super::gate::Checkpoint;
use super::report_writer::ReportWriter;
use super::{input, settings};
use crate::audit::ignore::{Ignore, IgnoreComment};
use crate::audit::judge::Judgement;
use crate::audit::registry::{RuleOrGroup, find};
use crate::certificate::trust::Assessor;
use crate::run::playback::Playback;
use crate::run::recording::{self, RecordedIgnore, RecordedText, Recording};
use crate::run::{Settings, TargetReport};

/// The largest file, in bytes.
const MAX_FILE: u64 = 1024 * 1024 * 1024;

/// Runs the subcommand.
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let text = input::text(&args.file, MAX_FILE)?;
    let in_file = |reason: String| anyhow!("{}: {reason}", args.file.display());
    let recording = recording::read(&text).map_err(|error| in_file(error.to_string()))?;
    drop(text);
    let now = match &args.at {
        Some(at) => settings::moment(at)?,
        None => {
            recorded_time(&recording.start.judged_at).map_err(|error| in_file(error.to_string()))?
        }
    };
    let run = args.run();
    let audit = prepare(recording, now, &run)?;
    Ok(perform(audit, &run)?.exit)
}

fn prepare(recording: Recording, now: OffsetDateTime, args: &RunArgs) -> anyhow::Result<Audit> {
    let Recording { start, texts, targets, fetched, end } = recording;
    let (targets, playback) = Playback::new(targets, fetched);
    settings::check_places(&args.report, &targets)?;
    let assessor = |store| Arc::new(Assessor::new(store, now));
    let assessors: HashMap<_, _> =
        start.roots.into_iter().map(|(trust, store)| (trust, assessor(store))).collect();
    let settings = Settings {
        policy: start.policy,
        threshold: args.gate.fail_on.threshold(),
        fetch_issuers: start.fetch_issuers,
        surroundings: start.surroundings,
        ..Settings::with_assessors(assessors, Arc::new(playback), now)
    };
    let ignored = start.ignored.into_iter().map(ignored).collect::<anyhow::Result<_>>()?;
    let checkpoint = Checkpoint::open(&args.gate, now)?.with_ignored(ignored);
    let outputs = ReportWriter::open(&args.report, args.gate.quiet)?;
    let mut collector = Collector::new(targets.len(), checkpoint, outputs);
    for text in texts {
        collector.take_known(report(text, args)?);
    }
    let finished_at = recorded_time(&end.finished_at)?;
    let recorded = Some((finished_at, end.interrupted));
    Ok(Audit {
        targets: targets.into(),
        settings,
        collector,
        runnable: None,
        saver: None,
        recorded,
    })
}

fn report(text: RecordedText, args: &RunArgs) -> anyhow::Result<TargetReport> {
    let unknown = || anyhow!("the file contains a rule that this release does not have");
    let findings = text.findings.into_iter().map(|finding| finding.finding().ok_or_else(unknown));
    let untested = text
        .untested
        .into_iter()
        .map(|(rule, reason)| find(&rule).map(|rule| (rule.id, reason)).ok_or_else(unknown));
    let judgement = Judgement {
        findings: findings.collect::<anyhow::Result<_>>()?,
        untested: untested.collect::<anyhow::Result<_>>()?,
        ..Judgement::default()
    };
    let (target, threshold) = (Arc::new(text.target), args.gate.fail_on.threshold());
    Ok(TargetReport::new(target, text.observation, judgement, threshold))
}

fn ignored(recorded: RecordedIgnore) -> anyhow::Result<IgnoreComment> {
    let RecordedIgnore { origin, rules, reason } = recorded;
    let named = |name: &String| {
        RuleOrGroup::find(name)
            .ok_or_else(|| anyhow!("the file contains the unknown rule {name:?}"))
    };
    let rules = rules.iter().map(named).collect::<anyhow::Result<_>>()?;
    Ok(IgnoreComment { ignore: Ignore { rules, reason }, origin })
}

fn recorded_time(text: &str) -> anyhow::Result<OffsetDateTime> {
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(time) => Ok(time),
        Err(_) => bail!("invalid time {text:?}: expected RFC 3339"),
    }
}
