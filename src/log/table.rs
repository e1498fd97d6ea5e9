//! The tables of mechanisms and causes: data, read once. The test below holds that every row can be read.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Serialize;

use super::direction::Direction;
use crate::openssl::rows;

/// What a line can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The peer sent this alert; `None` for any.
    Alert(Option<u8>),
    /// A verdict of nginx's own library, in OpenSSL 1.1's numbering; `None` for any.
    Reason(Option<u32>),
    /// Another part of the library (`x509`, `pem`, `asn1`, `system`, `crypto`, or `common` for `ERR_R_*`) failed with
    /// this number; `None` for any.
    Release(&'static str, Option<u32>),
    /// Verification ended so (`X509_V_ERR_*`); `None` for any.
    Verify(Option<u32>),
    /// The message begins with these words.
    Begins(&'static str),
    /// The message holds these words.
    Says(&'static str),
}

/// How much a class of lines matters by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Something is wrong that somebody can fix.
    Fault,
    /// Ours or theirs: rate and spread tell.
    Mixed,
    /// Scanners, old bots, people who moved on.
    Noise,
    /// What follows from a cause that stands in another line.
    Symptom,
    /// Not about TLS: `explain` says so, and `log` does not count it.
    Aside,
}

/// What else a line must show for a row to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// nginx was reading or writing already: the handshake had succeeded on its side.
    AfterHandshake,
    /// The upstream is spoken to with gRPC.
    Grpc,
    /// The server block takes every name (`server_name _`).
    CatchAll,
    /// Another program than nginx wrote the line.
    Foreign,
    /// The stream module wrote the line.
    Stream,
    /// The connection was reset (ECONNRESET).
    Reset,
    /// The upstream's port is not 443, where many names share one address.
    OtherPort,
    /// nginx speaks TLS to the upstream.
    TlsUpstream,
    /// nginx speaks plain HTTP to the upstream.
    PlainUpstream,
    /// The connection broke while nginx was writing or after it was made (EPIPE).
    BrokenPipe,
    /// A program that connects to servers wrote the line.
    ClientProgram,
}

/// How likely a cause is, for a line of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// In most cases this is it.
    Likely,
    /// It may well be this.
    Possible,
    /// It has been seen.
    Rare,
}

/// One row: a sign, on one side, and what it means.
#[derive(Clone, Debug)]
pub struct Mechanism {
    /// What the line shows.
    pub sign: Sign,
    /// Whose connection it is about.
    pub side: Direction,
    /// Whether the row counts also where the line does not tell whose connection it is about.
    pub default: bool,
    /// What else must hold.
    pub when: Vec<When>,
    /// The class that such lines are counted under.
    pub class: &'static str,
    /// How much the class matters by itself.
    pub weight: Weight,
    /// Likeliest first.
    pub causes: Vec<(&'static LogCause, Likelihood)>,
    /// Who failed, and how.
    pub meaning: &'static str,
    /// Where that is known from: a standard's section, a function, a measurement.
    pub source: &'static str,
}

impl Mechanism {
    /// Whether nginx itself writes such lines.
    pub fn about_nginx(&self) -> bool {
        !self.when.iter().any(|when| matches!(when, When::Foreign | When::ClientProgram))
    }

    /// Whether such lines are about a connection.
    pub fn on_connections(&self) -> bool {
        self.side != Direction::Config
    }
}

/// A cause, with all that there is to say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LogCause {
    /// Its name in every output.
    pub id: &'static str,
    /// What is wrong.
    pub why: &'static str,
    /// How to tell it from the other causes.
    pub how_to_tell: &'static str,
    /// What to change.
    pub fix: &'static str,
    /// Which command shows it.
    #[serde(skip)]
    pub next: NextStep,
}

/// The kind of command that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Audit the upstream as nginx meets it, and try what fixes it.
    AsNginx,
    /// Audit the upstream, with and without SNI.
    ProbeUpstream,
    /// Audit the listener.
    ProbeListener,
    /// List what the upstream speaks.
    ScanUpstream,
    /// List what the listener speaks.
    ScanListener,
    /// Look at the configuration.
    Configuration,
    /// Look at a certificate file.
    Certificate,
}

static CAUSES: LazyLock<Vec<LogCause>> =
    LazyLock::new(|| rows(include_str!("tables/causes.tsv")).filter_map(read_cause).collect());

static MECHANISMS: LazyLock<Vec<Mechanism>> = LazyLock::new(|| {
    let by_id = CAUSES.iter().map(|cause| (cause.id, cause)).collect();
    table().filter_map(|row| read_mechanism(row, &by_id)).collect()
});

/// The rows of every table, those that tell most first.
fn table() -> impl Iterator<Item = &'static str> {
    let tables = [
        include_str!("tables/foreign.tsv"),
        include_str!("tables/configuration.tsv"),
        include_str!("tables/mechanisms.tsv"),
    ];
    tables.into_iter().flat_map(rows)
}

/// Every row, in the order in which rows of one sign are tried.
pub fn mechanisms() -> &'static [Mechanism] {
    &MECHANISMS
}

/// Every cause.
pub fn causes() -> &'static [LogCause] {
    &CAUSES
}

/// The cause of that name.
pub fn cause(id: &str) -> Option<&'static LogCause> {
    CAUSES.iter().find(|cause| cause.id == id)
}

/// What to know beside a class, where it is often said otherwise: its own notes, then those of its side.
pub fn notes(class: &str, side: Direction) -> impl Iterator<Item = &'static str> {
    let of = move |wanted: String| {
        rows(include_str!("tables/notes.tsv")).filter_map(move |row| {
            let cells: Vec<&str> = row.split('\t').collect();
            (cells[0] == wanted && cells.get(1) == Some(&side.name()))
                .then(|| cells.get(2).copied())?
        })
    };
    of(class.to_owned()).chain(of("*".to_owned()))
}

fn read_cause(row: &'static str) -> Option<LogCause> {
    let mut cells = row.split('\t');
    Some(LogCause {
        id: cells.next()?,
        why: cells.next()?,
        how_to_tell: cells.next()?,
        fix: cells.next()?,
        next: match cells.next()? {
            "as-nginx" => NextStep::AsNginx,
            "probe-upstream" => NextStep::ProbeUpstream,
            "probe-listener" => NextStep::ProbeListener,
            "scan-upstream" => NextStep::ScanUpstream,
            "scan-listener" => NextStep::ScanListener,
            "nginx" => NextStep::Configuration,
            "cert" => NextStep::Certificate,
            _ => return None,
        },
    })
}

fn read_mechanism(
    row: &'static str,
    causes: &HashMap<&'static str, &'static LogCause>,
) -> Option<Mechanism> {
    let mut cells = row.split('\t');
    let sign = read_sign(cells.next()?)?;
    let side = cells.next()?;
    let when = cells.next()?.split(' ').filter(|word| *word != "-");
    Some(Mechanism {
        sign,
        side: Direction::from_name(side.trim_end_matches('!'))?,
        default: side.ends_with('!'),
        when: when.map(read_when).collect::<Option<_>>()?,
        class: cells.next()?,
        weight: read_weight(cells.next()?)?,
        causes: cells
            .next()?
            .split(' ')
            .map(|cause| read_rank(cause, causes))
            .collect::<Option<_>>()?,
        meaning: cells.next()?,
        source: cells.next()?,
    })
}

fn read_sign(cell: &'static str) -> Option<Sign> {
    let (kind, rest) = cell.split_once(' ')?;
    let number = if rest == "*" { None } else { rest.parse::<u32>().ok() };
    if !matches!(kind, "says" | "begins") && rest != "*" && number.is_none() {
        return None;
    }
    Some(match kind {
        "alert" => Sign::Alert(number.map(u8::try_from).transpose().ok()?),
        "reason" => Sign::Reason(number),
        "verify" => Sign::Verify(number),
        "begins" => Sign::Begins(rest),
        "says" => Sign::Says(rest),
        "common" | "x509" | "pem" | "asn1" | "system" | "crypto" => Sign::Release(kind, number),
        _ => return None,
    })
}

fn read_when(word: &str) -> Option<When> {
    Some(match word {
        "after-handshake" => When::AfterHandshake,
        "grpc" => When::Grpc,
        "catch-all" => When::CatchAll,
        "foreign" => When::Foreign,
        "stream" => When::Stream,
        "reset" => When::Reset,
        "other-port" => When::OtherPort,
        "tls-upstream" => When::TlsUpstream,
        "plain-upstream" => When::PlainUpstream,
        "broken-pipe" => When::BrokenPipe,
        "client-program" => When::ClientProgram,
        _ => return None,
    })
}

fn read_weight(word: &str) -> Option<Weight> {
    Some(match word {
        "fault" => Weight::Fault,
        "mixed" => Weight::Mixed,
        "noise" => Weight::Noise,
        "symptom" => Weight::Symptom,
        "aside" => Weight::Aside,
        _ => return None,
    })
}

fn read_rank(
    word: &'static str,
    causes: &HashMap<&'static str, &'static LogCause>,
) -> Option<(&'static LogCause, Likelihood)> {
    let likelihood = match word.chars().last()? {
        '+' => Likelihood::Likely,
        '?' => Likelihood::Rare,
        _ => Likelihood::Possible,
    };
    Some((causes.get(word.trim_end_matches(['+', '?']))?, likelihood))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_is_read() {
        assert_eq!(causes().len(), rows(include_str!("tables/causes.tsv")).count());
        let by_id = causes().iter().map(|cause| (cause.id, cause)).collect();
        for row in table() {
            assert!(read_mechanism(row, &by_id).is_some(), "{row}");
        }
    }

    #[test]
    fn every_cause_is_used_and_says_everything() {
        let used: HashSet<&str> = mechanisms()
            .iter()
            .flat_map(|row| row.causes.iter().map(|(cause, _)| cause.id))
            .collect();
        for cause in causes() {
            assert!(used.contains(cause.id), "{} is in no row", cause.id);
            let texts = [cause.why, cause.how_to_tell, cause.fix];
            assert!(texts.iter().all(|text| text.ends_with(['.', ';'])), "{}", cause.id);
        }
    }

    #[test]
    fn notes_are_about_classes_that_exist() {
        for row in rows(include_str!("tables/notes.tsv")) {
            let [class, side, text, _] = row.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{row}")
            };
            let side = Direction::from_name(side).unwrap();
            let known = mechanisms().iter().any(|m| m.side == side && m.class == class);
            assert!((known || class == "*") && text.ends_with('.'), "{row}");
            assert!(notes(class, side).any(|note| note == text), "{row}");
        }
    }

    #[test]
    fn every_row_has_a_meaning_and_a_source_and_ranks_likeliest_first() {
        for row in mechanisms() {
            assert!(!row.meaning.is_empty() && !row.source.is_empty(), "{row:?}");
            assert!(row.causes.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{row:?}");
        }
    }
}
