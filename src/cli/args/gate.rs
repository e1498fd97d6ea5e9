//! Options of the gate: what fails the run.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::audit::finding::Severity;
use crate::audit::registry::{RuleOrGroup, closest};

/// The severity from which findings fail the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FailOn {
    #[default]
    Error,
    Warning,
    Note,
    /// Findings never fail the run
    Never,
}

impl FailOn {
    /// Whether findings can fail the run.
    pub(in crate::cli) fn gates(self) -> bool {
        self != Self::Never
    }

    /// The severity that fails a target; if findings never fail the run, the default severity.
    pub(in crate::cli) fn threshold(self) -> Severity {
        match self {
            Self::Error | Self::Never => Severity::Error,
            Self::Warning => Severity::Warning,
            Self::Note => Severity::Note,
        }
    }
}

#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Gate")]
pub(in crate::cli) struct GateArgs {
    /// Exit with status 1 on findings of this severity or above
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    pub(in crate::cli) fail_on: FailOn,
    /// File with severities by rule and findings that are allowed until a date (see gate.example.toml)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) gate: Option<PathBuf>,
    /// Set the severity of a rule: error, warning or note (repeatable; overrides --gate)
    #[arg(long, value_name = "RULE=SEVERITY", value_parser = severity)]
    pub(in crate::cli) severity: Vec<(RuleOrGroup, Severity)>,
    /// Fail only on findings that are not in this baseline
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) baseline: Option<PathBuf>,
    /// Write the findings to this file, for use with --baseline; the exit status does not change
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) write_baseline: Option<PathBuf>,
    /// Omit targets that passed from the report (they are still counted)
    #[arg(long)]
    pub(in crate::cli) only_failing: bool,
    /// Print nothing if every target passed, and otherwise only what did not
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
}

fn severity(text: &str) -> Result<(RuleOrGroup, Severity), String> {
    let (name, level) = text.split_once('=').ok_or("expected RULE=SEVERITY")?;
    let Some(rule) = RuleOrGroup::find(name) else {
        let advice = closest(name).map(|id| format!("; did you mean {id}?")).unwrap_or_default();
        return Err(format!("unknown rule {name:?}{advice}"));
    };
    match level {
        "error" => Ok((rule, Severity::Error)),
        "warning" => Ok((rule, Severity::Warning)),
        "note" => Ok((rule, Severity::Note)),
        _ => Err("expected error, warning or note".to_owned()),
    }
}
