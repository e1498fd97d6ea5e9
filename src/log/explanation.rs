//! The meaning of a line, a code, an alert or a verification error: the answer of `explain`, as plain data.

use serde::Serialize;

use super::classify::{Diagnosis, Evidence, classify, meanings};
use super::direction::Direction;
use super::json::parse_any;
use super::line::LogLine;
use super::next;
use super::program::Program;
use super::table::{self, Likelihood, LogCause, Mechanism, Sign};
use crate::openssl::code::{Code, SentBy, reason};
use crate::openssl::verify_error::VerifyError;
use crate::tls::alert::AlertDescription;

/// An answer.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Whose connection it is about.
    pub direction: Direction,
    /// The evidence for it: `line`, `function`, `program`, `mechanism`, or `null`.
    pub direction_from: Option<&'static str>,
    /// The class of such lines in `log`.
    pub class: Option<&'static str>,
    /// Who failed and how, for each possible side.
    pub meanings: Vec<Meaning>,
    /// The codes, the most significant first.
    pub codes: Vec<CodeOut>,
    /// Likeliest first.
    pub causes: Vec<CauseOut>,
    /// Corrections of common explanations.
    pub notes: Vec<&'static str>,
    /// Commands to run, the likeliest cause's first.
    pub next: Vec<String>,
    /// The fields of the line.
    pub line: Option<LineOut>,
    /// The program that wrote the line, if it is not nginx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// The requested alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertOut>,
}

/// An alert.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AlertOut {
    /// Its number.
    pub number: u8,
    /// Its IANA name.
    pub name: Option<&'static str>,
}

/// The meaning on one side.
#[derive(Clone, Debug, Serialize)]
pub struct Meaning {
    /// Whose connection it is about.
    pub direction: Direction,
    /// Who failed, and how.
    pub text: &'static str,
    /// The source of that.
    pub source: &'static str,
}

/// One code.
#[derive(Clone, Debug, Serialize)]
pub struct CodeOut {
    /// The part of the library, or `X509_V_ERR` for a verification error.
    pub library: String,
    /// The number, in OpenSSL 1.1's numbering.
    pub reason: Option<u32>,
    /// The text.
    pub reason_text: String,
    /// The alert, if the peer sent one.
    pub alert: Option<u8>,
    /// The alert's IANA name.
    pub alert_name: Option<&'static str>,
    /// Which side reports the error.
    pub sent_by: SentBy,
}

/// One cause.
#[derive(Clone, Debug, Serialize)]
pub struct CauseOut {
    /// Its name, how to recognize it, and its fix.
    #[serde(flatten)]
    pub cause: &'static LogCause,
    /// How likely it is.
    pub likelihood: Likelihood,
    /// The side that it applies to.
    pub direction: Direction,
}

/// The fields of a line; invalid UTF-8 is replaced.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LineOut {
    /// One of nginx's levels.
    pub level: Option<&'static str>,
    /// The connection's number.
    pub connection: Option<u64>,
    /// The client's address.
    pub client: Option<String>,
    /// The server's name or address.
    pub server: Option<String>,
    /// The upstream.
    pub upstream: Option<String>,
    /// The request's Host.
    pub host: Option<String>,
}

/// Explains a whole line.
pub fn of_line(bytes: &[u8]) -> Explanation {
    let mut buffer = Vec::new();
    let line = parse_any(bytes, &mut buffer);
    let diagnosis = classify(&line);
    let side = diagnosis.mechanism.map_or(diagnosis.direction, |row| row.side);
    let mut explanation = Explanation {
        direction: diagnosis.direction,
        direction_from: evidence(diagnosis.evidence),
        class: diagnosis.class(),
        meanings: Vec::new(),
        codes: codes(&diagnosis),
        causes: Vec::new(),
        notes: diagnosis
            .class()
            .map(|class| table::notes(class, side).collect())
            .unwrap_or_default(),
        next: next::commands(&line, &diagnosis),
        line: Some(named(&line)),
        program: diagnosis.program,
        alert: None,
    };
    explanation.extend(diagnosis.mechanism);
    explanation
}

/// Explains an error code of a library; the direction is unknown, unless only one side uses the code.
pub fn of_code(code: &Code<'_>) -> Explanation {
    let sign = match (code.alert(), code.reason) {
        (Some(alert), _) => Sign::Alert(Some(alert.0)),
        (None, reason) => Sign::Reason(reason),
    };
    let mut explanation = of_signs(&[sign]);
    explanation.codes = vec![code_out(code)];
    explanation
}

/// Explains an alert.
pub fn of_alert(alert: AlertDescription) -> Explanation {
    let mut explanation = of_signs(&[Sign::Alert(Some(alert.0))]);
    explanation.codes = vec![code_out(&reason::ssl(reason::of_alert(alert)))];
    explanation.alert = Some(AlertOut { number: alert.0, name: alert.name() });
    explanation
}

/// Explains a verification error.
pub fn of_verification(error: VerifyError) -> Explanation {
    let mut explanation = of_signs(&[Sign::Verify(Some(error.0))]);
    explanation.codes = vec![verify_out(error)];
    explanation
}

fn of_signs(signs: &[Sign]) -> Explanation {
    let rows: Vec<&'static Mechanism> = signs.iter().flat_map(|sign| meanings(*sign)).collect();
    let line = LogLine::default();
    let mut explanation = Explanation {
        direction: Direction::Unknown,
        direction_from: None,
        class: None,
        meanings: Vec::new(),
        codes: Vec::new(),
        causes: Vec::new(),
        notes: Vec::new(),
        next: Vec::new(),
        line: None,
        program: None,
        alert: None,
    };
    for row in &rows {
        explanation.extend(Some(row));
        let diagnosis = Diagnosis {
            direction: row.side,
            evidence: Evidence::None,
            codes: Vec::new(),
            verify: None,
            mechanism: Some(row),
            program: None,
        };
        let commands = next::commands(&line, &diagnosis);
        explanation.next.extend(next::first(&commands).cloned());
        explanation.notes.extend(table::notes(row.class, row.side));
    }
    explanation.next = distinct(&explanation.next);
    explanation.notes = distinct(&explanation.notes);
    explanation.class = rows.first().map(|row| row.class);
    explanation
}

fn distinct<T: Clone + PartialEq>(items: &[T]) -> Vec<T> {
    let first = |(at, item): &(usize, &T)| !items[..*at].contains(item);
    items.iter().enumerate().filter(first).map(|(_, item)| item.clone()).collect()
}

impl Explanation {
    fn extend(&mut self, row: Option<&'static Mechanism>) {
        let Some(row) = row else { return };
        self.meanings.push(Meaning { direction: row.side, text: row.meaning, source: row.source });
        for cause in causes(row) {
            if !self.causes.iter().any(|known| known.cause.id == cause.cause.id) {
                self.causes.push(cause);
            }
        }
    }
}

/// The causes of a row, likeliest first.
pub fn causes(row: &'static Mechanism) -> Vec<CauseOut> {
    let cause = |(cause, likelihood): &(&'static LogCause, Likelihood)| CauseOut {
        cause,
        likelihood: *likelihood,
        direction: row.side,
    };
    row.causes.iter().map(cause).collect()
}

fn evidence(evidence: Evidence) -> Option<&'static str> {
    match evidence {
        Evidence::Line => Some("line"),
        Evidence::Function => Some("function"),
        Evidence::Program => Some("program"),
        Evidence::Mechanism => Some("mechanism"),
        Evidence::None => None,
    }
}

fn codes(diagnosis: &Diagnosis<'_>) -> Vec<CodeOut> {
    let verify = diagnosis.verify.map(verify_out);
    verify.into_iter().chain(diagnosis.codes.iter().map(code_out)).collect()
}

fn code_out(code: &Code<'_>) -> CodeOut {
    CodeOut {
        library: code.library.clone().into_owned(),
        reason: code.reason,
        reason_text: code.text.clone().into_owned(),
        alert: code.alert().map(|alert| alert.0),
        alert_name: code.alert().and_then(AlertDescription::name),
        sent_by: code.sent_by(),
    }
}

fn verify_out(error: VerifyError) -> CodeOut {
    CodeOut {
        library: "X509_V_ERR".to_owned(),
        reason: Some(error.0),
        reason_text: error.text().to_owned(),
        alert: None,
        alert_name: None,
        sent_by: SentBy::Us,
    }
}

fn named(line: &LogLine<'_>) -> LineOut {
    let text =
        |field: Option<&[u8]>| field.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    LineOut {
        level: line.level,
        connection: line.connection,
        client: text(line.client),
        server: text(line.server),
        upstream: text(line.upstream),
        host: text(line.host),
    }
}
