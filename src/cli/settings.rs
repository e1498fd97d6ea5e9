//! The settings: targets, limits and appearance, with every default resolved.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::args::{ColorArg, FailOn, LimitArgs, MetricsArg, OutputArgs, ReportArgs};
use super::errors::UsageError;
use crate::probe::{AddressFamily, CONNECTIONS_PER_ADDRESS, Deadlines, Limits};
use crate::report::place::has_place;
use crate::report::{Look, ReportOptions, Summary};
use crate::targets::Target;

/// Columns of a report that does not go to a terminal.
pub(super) const WIDTH: usize = 100;

/// File descriptors reserved for other uses than connections.
const RESERVED_DESCRIPTORS: u64 = 64;

/// The most problems of one input that are shown; the rest are counted.
const MAX_PROBLEMS: usize = 20;

/// The wall clock.
pub(super) fn now() -> OffsetDateTime {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    OffsetDateTime::now_utc()
}

/// Reports every problem of the input at once.
pub(super) fn reject(problems: Vec<String>) -> anyhow::Result<()> {
    let count = problems.len();
    match problems.as_slice() {
        [] => Ok(()),
        [problem] => bail!("{problem}"),
        _ => {
            let mut shown: Vec<String> = problems.into_iter().take(MAX_PROBLEMS).collect();
            if count > MAX_PROBLEMS {
                shown.push(format!("and {} more", count - MAX_PROBLEMS));
            }
            bail!("{count} problems:\n  {}", shown.join("\n  "))
        }
    }
}

/// The run's limits, kept below the limit on open files.
pub(super) fn limits(args: &LimitArgs) -> Limits {
    let connections = usize::try_from(args.concurrency).unwrap_or(usize::MAX);
    let descriptors =
        rlimit::increase_nofile_limit(u64::from(args.concurrency) + RESERVED_DESCRIPTORS)
            .map_or(usize::MAX, |most| {
                usize::try_from(most.saturating_sub(RESERVED_DESCRIPTORS)).unwrap_or(usize::MAX)
            });
    Limits {
        deadlines: Deadlines {
            dns: args.dns_timeout,
            connect: args.timeout.unwrap_or(args.connect_timeout),
            starttls: args.timeout.unwrap_or(args.starttls_timeout),
            handshake: args.timeout.unwrap_or(args.handshake_timeout),
            read: args.read_timeout,
        },
        connections: connections.min(descriptors).max(1),
        per_address: CONNECTIONS_PER_ADDRESS,
        rate: args.rate,
        family: match (args.ipv4, args.ipv6) {
            (true, _) => AddressFamily::V4,
            (_, true) => AddressFamily::V6,
            _ => AddressFamily::Any,
        },
    }
}

/// The appearance of the text report: as wide as the terminal, and in colour only on one.
pub(super) fn look(args: &ReportArgs, to_stdout: bool) -> Look {
    Look { show_chain: args.show_chain, ..look_with(args.color, to_stdout) }
}

/// The appearance of a report that has one format.
pub(super) fn look_of(args: &OutputArgs) -> Look {
    look_with(args.color, args.file.is_none())
}

fn look_with(wanted: ColorArg, to_stdout: bool) -> Look {
    let width = if to_stdout { width() } else { WIDTH };
    Look { width, colour: colour(wanted, to_stdout), show_chain: false }
}

/// Whether to use colour.
pub(super) fn colour(wanted: ColorArg, to_stdout: bool) -> bool {
    match wanted {
        ColorArg::Always => true,
        ColorArg::Never => false,
        // This checks NO_COLOR, CLICOLOR, CLICOLOR_FORCE and what the terminal can show.
        ColorArg::Auto => {
            to_stdout && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
        }
    }
}

/// Seconds by which the host's clock is ahead of UTC.
pub(super) fn local_offset(now: OffsetDateTime) -> i64 {
    UtcOffset::local_offset_at(now).map_or(0, |offset| offset.whole_seconds().into())
}

/// The options of the report.
pub(super) fn report_options(
    args: &ReportArgs,
    fail_on: FailOn,
    left_out: Summary,
) -> ReportOptions {
    let root = std::env::current_dir().ok();
    ReportOptions {
        threshold: fail_on.threshold(),
        anchor: args.sarif_anchor.clone(),
        root: root.map(|root| root.display().to_string()),
        configuration_root: None,
        rehearsal: None,
        blackbox: args.metrics_compat == Some(MetricsArg::Blackbox),
        left_out,
        counts_shown: true,
        omit_times: args.omit_times,
    }
}

/// Some formats attach every finding to a place in a file; without one, a place must be given.
pub(super) fn check_places(args: &ReportArgs, targets: &[Arc<Target>]) -> anyhow::Result<()> {
    let forms = args.output.iter().map(|one| one.format.unwrap_or(args.format));
    let form = forms.chain([args.format]).find(|form| form.needs_place());
    let homeless = targets.iter().find(|target| !has_place(target));
    match (form, homeless) {
        (Some(form), Some(target)) if args.sarif_anchor.is_none() => Err(UsageError::new(
            format!(
                "{} does not come from a file, and --format {} needs a file to attach findings to",
                target.name,
                form.name()
            ),
            "list the targets in a file (--config FILE), or give a file to attach findings to (--sarif-anchor FILE)",
        )),
        _ => Ok(()),
    }
}

/// The file of the job summary in GitHub Actions.
pub(super) fn step_summary() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the environment is read here and nowhere else")]
    let path = std::env::var_os("GITHUB_STEP_SUMMARY")?;
    (!path.is_empty()).then(|| path.into())
}

/// The width of text on stdout, in columns.
pub(super) fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(WIDTH, |(width, _)| usize::from(width.0))
}

/// A time as a date or in RFC 3339.
pub(super) fn moment(text: &str) -> anyhow::Result<OffsetDateTime> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    OffsetDateTime::parse(&whole, &Rfc3339)
        .map_err(|_| anyhow!("invalid time --at {text:?}: use 2026-12-31 or 2026-12-31T23:59:59Z"))
}
