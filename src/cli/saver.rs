//! `--save-observations`: writes the network's answers to a file.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::whole_file::Output;
use crate::audit::ignore::IgnoreComment;
use crate::run::network::Network;
use crate::run::recorder::RunRecorder;
use crate::run::recording::{
    RecordedEnd, RecordedIgnore, RecordedText, RecordingLine, SCHEMA, Start,
};
use crate::run::{Settings, TargetReport};
use crate::targets::Target;

/// Writes the observations of a run.
pub(super) struct Saver {
    recorder: Arc<RunRecorder>,
    output: Output,
    targets: usize,
    error: Option<io::Error>,
}

impl Saver {
    /// Opens the file, and records what this network answers.
    pub(super) fn open(path: &Path, network: Arc<dyn Network>) -> anyhow::Result<Self> {
        let (recorder, output) = (Arc::new(RunRecorder::new(network)), Output::open(Some(path))?);
        Ok(Self { recorder, output, targets: 0, error: None })
    }

    /// The network to use.
    pub(super) fn network(&self) -> Arc<dyn Network> {
        Arc::<RunRecorder>::clone(&self.recorder)
    }

    /// Writes the options of the run, and results known before it.
    pub(super) fn start(
        &mut self,
        settings: &Settings,
        ignored: &[IgnoreComment],
        known: &[TargetReport],
    ) {
        let mut roots: Vec<_> = settings.assessors.iter().collect();
        roots.sort_by_key(|(trust, _)| format!("{trust:?}"));
        let start = Start {
            schema: SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            judged_at: moment(settings.now),
            policy: settings.policy.clone(),
            fetch_issuers: settings.fetch_issuers,
            surroundings: settings.surroundings.clone(),
            roots: roots
                .into_iter()
                .map(|(trust, assessor)| (trust.clone(), assessor.shared_store()))
                .collect(),
            ignored: ignored.iter().map(recorded_ignore).collect(),
        };
        self.write(&RecordingLine::Start(Box::new(start)));
        for report in known {
            self.write(&RecordingLine::Text(Box::new(recorded_text(report))));
        }
    }

    /// Writes a target that was tested, or that the run did not reach.
    pub(super) fn target(&mut self, index: usize, report: &TargetReport) {
        self.targets += 1;
        let recorded = self.recorder.take(index, report);
        self.write(&RecordingLine::Target(Box::new(recorded)));
    }

    /// Ends the file and moves it into place.
    pub(super) fn finish(
        mut self,
        interrupted: bool,
        finished_at: OffsetDateTime,
    ) -> anyhow::Result<()> {
        for fetch in self.recorder.take_fetched() {
            self.write(&RecordingLine::Fetch(fetch));
        }
        let finished_at = moment(finished_at);
        self.write(&RecordingLine::End(RecordedEnd {
            targets: self.targets,
            interrupted,
            finished_at,
        }));
        match self.error {
            Some(error) => Err(error.into()),
            None => self.output.finish(),
        }
    }

    fn write(&mut self, line: &RecordingLine) {
        if self.error.is_none() {
            let text = line.text().map_err(io::Error::from);
            let written = text.and_then(|text| self.output.write_all(text.as_bytes()));
            self.error = written.err();
        }
    }
}

fn recorded_ignore(IgnoreComment { ignore, origin }: &IgnoreComment) -> RecordedIgnore {
    let rules = ignore.rules.iter().map(|named| named.id().to_owned()).collect();
    RecordedIgnore { origin: origin.clone(), rules, reason: ignore.reason.clone() }
}

fn recorded_text(report: &TargetReport) -> RecordedText {
    let untested = report.judgement.untested.iter();
    RecordedText {
        target: Target::clone(&report.target),
        observation: report.observation.clone(),
        findings: report.judgement.findings.iter().map(Into::into).collect(),
        untested: untested.map(|(rule, reason)| ((*rule).to_owned(), reason.clone())).collect(),
    }
}

/// Formats a time; the times used here always have a valid format.
fn moment(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}
