//! The tables of mechanisms and causes, parsed once. The test below checks that every row can be parsed.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Serialize;

use super::direction::Direction;
use crate::openssl::rows;

/// What a line shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The peer sent this alert; `None` for any.
    Alert(Option<u8>),
    /// An error of nginx's own library, in OpenSSL 1.1's numbering; `None` for any.
    Reason(Option<u32>),
    /// Another part of the library (`x509`, `pem`, `asn1`, `system`, `crypto`, or `common` for `ERR_R_*`) failed with
    /// this number; `None` for any.
    Release(&'static str, Option<u32>),
    /// Verification ended with this result (`X509_V_ERR_*`); `None` for any.
    Verify(Option<u32>),
    /// The message starts with this text.
    Begins(&'static str),
    /// The message contains this text.
    Says(&'static str),
}

/// How much a class of lines matters in general.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Something is wrong and can be fixed.
    Fault,
    /// The operator's or the clients' fault: rate and spread decide.
    Mixed,
    /// Scanners, old bots, users who left.
    Noise,
    /// A consequence of a cause in another line.
    Symptom,
    /// Not about TLS: `explain` reports this, and `log` does not count it.
    Aside,
}

/// A further condition of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// nginx was already reading or writing: the handshake had succeeded on its side.
    AfterHandshake,
    /// nginx uses gRPC with the upstream.
    Grpc,
    /// The server block matches every name (`server_name _`).
    CatchAll,
    /// Another program than nginx wrote the line.
    Foreign,
    /// The stream module wrote the line.
    Stream,
    /// The connection was reset (ECONNRESET).
    Reset,
    /// The upstream's port is not 443, so its address probably serves only one name.
    OtherPort,
    /// nginx uses TLS with the upstream.
    TlsUpstream,
    /// nginx uses plain HTTP with the upstream.
    PlainUpstream,
    /// The connection broke after it was made, or while nginx was writing (EPIPE).
    BrokenPipe,
    /// A program that connects to servers wrote the line.
    ClientProgram,
    /// nginx loads a certificate in the handshake, because the name of its file has variables.
    Loading,
}

/// How likely a cause is, for a line of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// It is the usual cause.
    Likely,
    /// It is a common cause.
    Possible,
    /// It has been seen.
    Rare,
}

/// One row: what a line shows, on one side, and its meaning.
#[derive(Clone, Debug)]
pub struct Mechanism {
    /// What the line shows.
    pub sign: Sign,
    /// Whose connection it is about.
    pub side: Direction,
    /// Whether the row also applies if the direction is unknown.
    pub default: bool,
    /// Further conditions.
    pub when: Vec<When>,
    /// The class of such lines.
    pub class: &'static str,
    /// How much the class matters in general.
    pub weight: Weight,
    /// Likeliest first.
    pub causes: Vec<(&'static LogCause, Likelihood)>,
    /// Who failed, and how.
    pub meaning: &'static str,
    /// The source of that: a section of a standard, a function, a measurement.
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

/// A cause and its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LogCause {
    /// Its name in every output.
    pub id: &'static str,
    /// What is wrong.
    pub why: &'static str,
    /// How to distinguish it from other causes.
    pub how_to_tell: &'static str,
    /// What to change.
    pub fix: &'static str,
    /// The command that shows it.
    #[serde(skip)]
    pub next: NextStep,
    /// Whether a rehearsal of nginx's configuration shows it too, and tries fixes.
    #[serde(skip)]
    pub rehearse: bool,
}

/// The kind of command that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Audit the upstream with nginx's handshake, and try fixes.
    AsNginx,
    /// Audit the upstream, with and without SNI.
    ProbeUpstream,
    /// Audit the listener.
    ProbeListener,
    /// List what the upstream accepts.
    ScanUpstream,
    /// List what the listener accepts.
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

/// The rows of every table, the most specific first.
fn table() -> impl Iterator<Item = &'static str> {
    let tables = [
        include_str!("tables/foreign.tsv"),
        include_str!("tables/configuration.tsv"),
        include_str!("tables/mechanisms.tsv"),
    ];
    tables.into_iter().flat_map(rows)
}

/// Every row, in the order in which rows with the same sign are tried.
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

/// Notes on a class that correct common explanations: its own, then those of its side.
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
    let [id, why, how_to_tell, fix] = [cells.next()?, cells.next()?, cells.next()?, cells.next()?];
    let steps = cells.next()?;
    Some(LogCause {
        id,
        why,
        how_to_tell,
        fix,
        rehearse: steps.ends_with(" rehearse"),
        next: match steps.trim_end_matches(" rehearse") {
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
        "loading" => When::Loading,
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
