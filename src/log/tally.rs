//! Failures counted by class: when, where, from how many clients, and what belongs together.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::direction::Direction;
use super::logged_request::LoggedRequest;
use super::scanners::Scanners;
use super::series::{Grid, Series};
use super::sketch::{Distinct, HashedText, Majority, NameCounts, hash};
use super::table::{self, Mechanism, Weight};

/// The number of recent connections that are remembered, to match a symptom with its cause.
const CONNECTIONS: usize = 8192;

/// A symptom belongs to a cause that is at most this many seconds older.
const JOIN_WINDOW: i64 = 120;

/// Classes of lines that follow when nginx continues after an upstream's refusal: they belong to the same fault.
const LATE: [&str; 2] = ["late-refusal", "closed-after-handshake"];

/// The number of reloads that are remembered.
const RELOADS: usize = 64;

/// The most bytes of an example line.
const EXAMPLE: usize = 2048;

/// What one line was put down as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineVerdict {
    /// The index of its row in the table; `None` for a line about TLS without a matching row.
    pub row: Option<usize>,
    /// Whose connection it is about.
    pub direction: Direction,
    /// The alert that the peer sent.
    pub alert: Option<u8>,
}

impl LineVerdict {
    /// The row.
    pub fn mechanism(&self) -> Option<&'static Mechanism> {
        self.row.map(|row| &table::mechanisms()[row])
    }

    /// The class's name.
    pub fn class(&self) -> &'static str {
        self.mechanism().map_or("unclassified", |row| row.class)
    }
}

/// One failure.
#[derive(Clone, Copy, Debug)]
pub struct LoggedFailure<'a> {
    /// Seconds since 1970 on the host's clock.
    pub time: Option<i64>,
    /// Worker and connection.
    pub connection: Option<(u64, u64)>,
    /// The client's address.
    pub client: Option<HashedText<'a>>,
    /// The server's name or address.
    pub server: Option<&'a [u8]>,
    /// The upstream's address.
    pub upstream: Option<HashedText<'a>>,
    /// The line.
    pub line: &'a [u8],
}

/// Where failures with one verdict are counted.
#[derive(Clone, Copy, Debug)]
pub struct VerdictPlace {
    /// The index of the class.
    class: usize,
    /// The index of the row in the class.
    row: usize,
    direction: Direction,
    joining: Joining,
}

/// Which earlier failures of the same connection a line may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joining {
    /// None: it is a failure of its own.
    Never,
    /// Any.
    Any,
    /// Those of the same upstream.
    SameUpstream,
}

impl Joining {
    fn of(row: Option<&Mechanism>) -> Self {
        match row {
            Some(row) if LATE.contains(&row.class) => Self::SameUpstream,
            Some(row) if row.weight == Weight::Symptom || row.class == "certificate-callback" => {
                Self::Any
            }
            _ => Self::Never,
        }
    }
}

/// The failures of one class.
#[derive(Clone, Debug)]
pub struct Class {
    /// Whose connections.
    pub direction: Direction,
    /// The class's name.
    pub name: &'static str,
    /// The alert that the peer sent.
    pub alert: Option<u8>,
    /// Lines by their row of the table.
    rows: Vec<(Option<usize>, u64)>,
    /// The number of failures.
    pub count: u64,
    /// Lines of the same connections that only follow from these failures.
    pub joined: u64,
    /// Seconds since 1970 on the host's clock.
    pub first: Option<i64>,
    /// The same.
    pub last: Option<i64>,
    /// Lines over time.
    pub series: Series,
    /// Distinct clients.
    pub clients: Distinct,
    /// The client with the most lines.
    pub top_client: Majority,
    /// Lines by server.
    pub servers: NameCounts,
    /// Lines by upstream.
    pub upstreams: NameCounts,
    /// The first line.
    pub example: Vec<u8>,
}

impl Class {
    /// The row of most lines.
    pub fn mechanism(&self) -> Option<&'static Mechanism> {
        let most = self.rows.iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)))?;
        most.0.map(|row| &table::mechanisms()[row])
    }

    /// How much the class matters by itself.
    pub fn weight(&self) -> Weight {
        self.mechanism().map_or(Weight::Mixed, |row| row.weight)
    }
}

/// Everything that was counted.
#[derive(Clone, Debug)]
pub struct Tally {
    classes: Vec<Class>,
    by_verdict: HashMap<LineVerdict, VerdictPlace, FixedState>,
    recent: Vec<Option<Recent>>,
    /// The buckets of every series, once a line had a time.
    pub grid: Option<Grid>,
    /// The last time and its bucket: most lines have the same time as the line before.
    last_slot: Option<(i64, usize)>,
    /// For each upstream of each class, the first request.
    requests: Vec<(Box<[u8]>, LoggedRequest)>,
    /// Clients that fail in many ways at once.
    pub scanners: Scanners,
    /// Times of reloads in the log.
    pub reloads: Vec<i64>,
    /// Upstream failures by second and upstream, for comparison with answers of 502.
    pub moments: Moments,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    connection: (u64, u64),
    time: Option<i64>,
    class: usize,
    upstream: Option<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            by_verdict: HashMap::default(),
            recent: vec![None; CONNECTIONS],
            grid: None,
            last_slot: None,
            requests: Vec::new(),
            scanners: Scanners::default(),
            reloads: Vec::new(),
            moments: Moments::default(),
        }
    }
}

impl Tally {
    /// The classes, in order of appearance.
    pub fn classes(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter().filter(|class| class.count > 0)
    }

    /// Lines of a class that scanners caused.
    pub fn scanned(&self, class: &Class) -> u64 {
        let place = self.classes.iter().position(|known| std::ptr::eq(known, class));
        place.map_or(0, |place| self.scanners.count(place))
    }

    /// The class at this place.
    pub fn class_at(&self, place: usize) -> Option<&Class> {
        self.classes.get(place)
    }

    /// Counts a failure. Returns the index of its class, or of the class that caused it.
    pub fn add(&mut self, own: VerdictPlace, entry: &LoggedFailure<'_>) -> usize {
        if let Some(cause) = self.cause(entry, own) {
            self.classes[cause].joined += 1;
            return cause;
        }
        let slot = entry.time.map(|time| self.slot(time));
        let class = &mut self.classes[own.class];
        class.count += 1;
        class.rows[own.row].1 += 1;
        if let (Some(slot), Some(time)) = (slot, entry.time) {
            class.series.add(slot);
            class.first = Some(class.first.map_or(time, |first| first.min(time)));
            class.last = Some(class.last.map_or(time, |last| last.max(time)));
        }
        if let Some(client) = entry.client {
            class.clients.add(client.hash);
            class.top_client.add(client.text);
            if let (Direction::Client, Some(time)) = (own.direction, entry.time) {
                self.scanners.failed(client.hash, time, own.class);
            }
        }
        if let Some(server) = entry.server {
            class.servers.add(server);
        }
        if let Some(HashedText { text: upstream, .. }) = entry.upstream
            && class.upstreams.add(upstream)
        {
            self.requests.push((upstream.into(), LoggedRequest::read(entry.line)));
        }
        if class.example.is_empty() {
            class.example = entry.line[..entry.line.len().min(EXAMPLE)].to_vec();
        }
        if let (Direction::Upstream, Some(time), Some(upstream)) =
            (own.direction, entry.time, entry.upstream)
        {
            self.moments.failed(time, upstream.hash);
        }
        self.remember(entry, own.class);
        own.class
    }

    /// Requests for which this upstream failed.
    pub fn requests_of(&self, upstream: &[u8]) -> impl Iterator<Item = &LoggedRequest> {
        let known = self.requests.iter().filter(move |(known, _)| **known == *upstream);
        known.map(|(_, request)| request)
    }

    /// Notes a reload of the configuration.
    pub fn reload(&mut self, time: i64) {
        if self.reloads.len() < RELOADS {
            self.reloads.push(time);
        }
    }

    /// The place of the class that a verdict belongs to.
    pub fn place(&mut self, verdict: LineVerdict) -> VerdictPlace {
        if let Some(place) = self.by_verdict.get(&verdict) {
            return *place;
        }
        let (name, alert, direction) = (verdict.class(), verdict.alert, verdict.direction);
        let same = |class: &Class| {
            class.name == name && class.alert == alert && class.direction == direction
        };
        let class = self.classes.iter().position(same).unwrap_or_else(|| {
            self.classes.push(Class {
                direction,
                name,
                alert,
                rows: Vec::new(),
                count: 0,
                joined: 0,
                first: None,
                last: None,
                series: Series::default(),
                clients: Distinct::default(),
                top_client: Majority::default(),
                servers: NameCounts::default(),
                upstreams: NameCounts::default(),
                example: Vec::new(),
            });
            self.classes.len() - 1
        });
        let rows = &mut self.classes[class].rows;
        let row = rows.iter().position(|(row, _)| *row == verdict.row).unwrap_or_else(|| {
            rows.push((verdict.row, 0));
            rows.len() - 1
        });
        let joining = Joining::of(verdict.mechanism());
        let place = VerdictPlace { class, row, direction, joining };
        self.by_verdict.insert(verdict, place);
        place
    }

    /// The bucket of this time.
    pub fn slot(&mut self, time: i64) -> usize {
        if let Some((known, slot)) = self.last_slot
            && known == time
        {
            return slot;
        }
        let grid = self.grid.get_or_insert_with(|| Grid::around(time));
        if grid.slot(time).is_none() {
            let change = grid.extend(time);
            self.classes.iter_mut().for_each(|class| class.series.follow(change));
        }
        let slot = grid.slot(time).unwrap_or(0);
        self.last_slot = Some((time, slot));
        slot
    }

    /// The class of an earlier line of the same connection, if this line only follows from it or repeats it.
    fn cause(&self, entry: &LoggedFailure<'_>, own: VerdictPlace) -> Option<usize> {
        if own.joining == Joining::Never {
            return None;
        }
        let recent = self.recent[place(entry.connection?)]?;
        let upstream = entry.upstream.map(|upstream| upstream.hash);
        // If nginx tries another peer for the same connection, that one fails for its own reasons.
        if own.joining == Joining::SameUpstream
            && (recent.class == own.class || recent.upstream != upstream)
        {
            return None;
        }
        let near = match (entry.time, recent.time) {
            (Some(now), Some(then)) => (now - then).abs() <= JOIN_WINDOW,
            _ => true,
        };
        let cause = &self.classes[recent.class];
        let same = recent.class == own.class || cause.weight() != Weight::Symptom;
        (same && near && Some(recent.connection) == entry.connection).then_some(recent.class)
    }

    fn remember(&mut self, entry: &LoggedFailure<'_>, class: usize) {
        if let Some(connection) = entry.connection {
            let upstream = entry.upstream.map(|upstream| upstream.hash);
            self.recent[place(connection)] =
                Some(Recent { connection, time: entry.time, class, upstream });
        }
    }
}

fn place((worker, connection): (u64, u64)) -> usize {
    let mixed = worker.wrapping_mul(0x9e37_79b9).wrapping_add(connection);
    usize::try_from(mixed % CONNECTIONS as u64).unwrap_or(0)
}

/// Seconds at which an upstream failed, and at which a client received a 502. Only the last ones are remembered.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    failures: Vec<Moment>,
    answers: Vec<(Moment, u32)>,
}

/// The hash of an upstream, and a second.
type Moment = (u64, i64);

/// The number of moments of each kind that are remembered, in slots by their hashes.
const MOMENTS: usize = 1 << 16;

impl Moments {
    fn failed(&mut self, time: i64, upstream: u64) {
        if self.failures.is_empty() {
            self.failures = vec![(0, i64::MIN); MOMENTS];
        }
        let moment = (upstream, time);
        self.failures[spot(moment)] = moment;
    }

    /// Notes that a client received a 502 or 504 because of this upstream.
    pub fn answered(&mut self, time: i64, upstream: &[u8]) {
        if self.answers.is_empty() {
            self.answers = vec![((0, i64::MIN), 0); MOMENTS];
        }
        let moment = (hash(upstream), time);
        let known = &mut self.answers[spot(moment)];
        let before = if known.0 == moment { known.1 } else { 0 };
        *known = (moment, before + 1);
    }

    /// Answers in the same second as a failed handshake with the same upstream, or the one after; `None` unless both
    /// logs were read. This is a lower bound: only the end of very long logs is remembered.
    pub fn coincidences(&self) -> Option<u64> {
        if self.failures.is_empty() || self.answers.is_empty() {
            return None;
        }
        let failed = |moment: Moment| self.failures[spot(moment)] == moment;
        let both = self.answers.iter().filter(|((upstream, time), count)| {
            *count > 0 && (failed((*upstream, *time)) || failed((*upstream, *time - 1)))
        });
        Some(both.map(|(_, count)| u64::from(*count)).sum())
    }
}

fn spot((upstream, time): Moment) -> usize {
    let mixed = (upstream ^ time.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> 48).unwrap_or(0)
}
