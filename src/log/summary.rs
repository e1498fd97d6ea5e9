//! The summary of logs: every class with its judgement, most important first, and the failures of each upstream.

use super::direction::Direction;
use super::explanation::{self, Explanation};
use super::importance::{Importance, judge};
use super::intake::Intake;
use super::series::{Grid, Trend};
use super::table::LogCause;
use super::tally::{Class, Tally};

/// The most upstreams that are kept, the most frequent first.
const MAX_UPSTREAMS: usize = 200;

/// Everything that was read, with judgements.
#[derive(Debug)]
pub struct LogSummary<'a> {
    /// The most important first.
    pub classes: Vec<Judged<'a>>,
    /// Failures by upstream, the most frequent first.
    pub upstreams: Vec<UpstreamCounts>,
    /// When the first failure was logged, in seconds since 1970 on the host's clock.
    pub first: Option<i64>,
    /// When the last one was.
    pub last: Option<i64>,
    /// Whether error logs contain no lines below warn: then most client failures are not in them.
    pub client_failures_hidden: bool,
    /// Whether there are client failures.
    pub has_client_failures: bool,
}

/// A class with its judgement.
#[derive(Debug)]
pub struct Judged<'a> {
    /// Its counts.
    pub class: &'a Class,
    /// Who should act, and why.
    pub judgement: Importance,
    /// Its trend.
    pub trend: Trend,
    /// Lines over time, if lines have a time.
    pub counts: Option<(Grid, Vec<u64>)>,
    /// The explanation of its first line.
    pub example: Explanation,
}

/// The failures of one upstream.
#[derive(Clone, Debug)]
pub struct UpstreamCounts {
    /// Its address, as in the lines.
    pub address: String,
    /// All its lines.
    pub count: u64,
    /// Lines by class, with the likeliest cause; the most frequent first.
    pub classes: Vec<(&'static str, u64, Option<&'static LogCause>)>,
}

/// Judges what was read.
pub fn summarize(intake: &Intake) -> LogSummary<'_> {
    let tally = &intake.errors.tally;
    let mut classes: Vec<Judged<'_>> = tally.classes().map(|class| judged(class, tally)).collect();
    classes.sort_by(|a, b| {
        let order = |it: &Judged<'_>| (it.class.name, it.class.alert);
        let (concern, other) = (a.judgement.concern, b.judgement.concern);
        concern.cmp(&other).then(b.class.count.cmp(&a.class.count)).then(order(a).cmp(&order(b)))
    });
    LogSummary {
        classes,
        upstreams: upstreams(tally),
        first: tally.classes().filter_map(|class| class.first).min(),
        last: tally.classes().filter_map(|class| class.last).max(),
        client_failures_hidden: intake.errors.lines > 0 && intake.errors.verbose_lines == 0,
        has_client_failures: tally.classes().any(|class| class.direction == Direction::Client),
    }
}

fn judged<'a>(class: &'a Class, tally: &Tally) -> Judged<'a> {
    let counts = tally.grid.map(|grid| (grid, class.series.counts(&grid)));
    Judged {
        class,
        judgement: judge(class, tally),
        trend: counts.as_ref().map_or(Trend::Unclear, |(_, counts)| Trend::of(counts)),
        counts,
        example: explanation::of_line(&class.example),
    }
}

fn upstreams(tally: &Tally) -> Vec<UpstreamCounts> {
    let mut upstreams: Vec<UpstreamCounts> = Vec::new();
    for class in tally.classes().filter(|class| class.direction == Direction::Upstream) {
        let cause = class.mechanism().and_then(|row| row.causes.first()).map(|(cause, _)| *cause);
        for (address, count) in class.upstreams.ranked() {
            let address = String::from_utf8_lossy(address).into_owned();
            let place = upstreams.iter().position(|known| known.address == address);
            let place = place.unwrap_or_else(|| {
                upstreams.push(UpstreamCounts { address, count: 0, classes: Vec::new() });
                upstreams.len() - 1
            });
            upstreams[place].count += count;
            let classes = &mut upstreams[place].classes;
            match classes.iter_mut().find(|known| known.0 == class.name) {
                Some(known) => known.1 += count,
                None => classes.push((class.name, count, cause)),
            }
        }
    }
    for upstream in &mut upstreams {
        upstream.classes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    }
    upstreams.sort_by(|a, b| b.count.cmp(&a.count).then(a.address.cmp(&b.address)));
    upstreams.truncate(MAX_UPSTREAMS);
    upstreams
}
