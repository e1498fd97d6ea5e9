//! What `explain` says of a line, a code, an alert or a verification error.

use serde::Serialize;

use super::Look;
use super::escape::escape;
use super::text::paragraph;
use crate::log::classify::{Diagnosis, Evidence, classify, meanings};
use crate::log::direction::Direction;
use crate::log::line::{Line, parse_any};
use crate::log::next;
use crate::log::table::{self, Cause, Likelihood, Mechanism, Sign};
use crate::openssl::code::{Code, SentBy, reason};
use crate::openssl::verify_error::VerifyError;
use crate::tls::alert::AlertDescription;

/// An answer.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Whose connection it is about.
    pub direction: Direction,
    /// How that is known: `line`, `function`, `mechanism`, or `null`.
    pub direction_from: Option<&'static str>,
    /// The class that `log` counts such lines under.
    pub class: Option<&'static str>,
    /// Who failed and how, for each side that the question leaves open.
    pub meanings: Vec<Meaning>,
    /// The codes, the telling one first.
    pub codes: Vec<CodeOut>,
    /// Likeliest first.
    pub causes: Vec<CauseOut>,
    /// What is often said otherwise.
    pub notes: Vec<&'static str>,
    /// Commands to run, the likeliest cause's first.
    pub next: Vec<String>,
    /// What the line names.
    pub line: Option<LineOut>,
    /// The alert that was asked for.
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

/// What it means on one side.
#[derive(Clone, Debug, Serialize)]
pub struct Meaning {
    /// Whose connection it is about.
    pub direction: Direction,
    /// Who failed, and how.
    pub text: &'static str,
    /// Where that is known from.
    pub source: &'static str,
}

/// One code.
#[derive(Clone, Debug, Serialize)]
pub struct CodeOut {
    /// The part of the library, or `X509_V_ERR` for a result of verification.
    pub library: String,
    /// The number, in OpenSSL 1.1's numbering.
    pub reason: Option<u32>,
    /// The words.
    pub reason_text: String,
    /// The alert, where the peer sent one.
    pub alert: Option<u8>,
    /// The alert's IANA name.
    pub alert_name: Option<&'static str>,
    /// Who complains.
    pub sent_by: SentBy,
}

/// One cause.
#[derive(Clone, Debug, Serialize)]
pub struct CauseOut {
    /// What it is called in every output, how it shows and what mends it.
    #[serde(flatten)]
    pub cause: &'static Cause,
    /// How likely it is.
    pub likelihood: Likelihood,
    /// The side on which it is one.
    pub direction: Direction,
}

/// What a line names; text that is no UTF-8 is replaced.
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
        next: next::commands(&line, &diagnosis).iter().map(|words| shell(words)).collect(),
        line: Some(named(&line)),
        alert: None,
    };
    explanation.extend(diagnosis.mechanism);
    explanation
}

/// Explains a code of a library; nothing tells whose connection it is about, unless one side alone has it.
pub fn of_code(code: &Code<'_>) -> Explanation {
    let sign = match (code.alert(), code.reason) {
        (Some(alert), _) => Sign::Alert(Some(alert.0)),
        (None, reason) => Sign::Reason(reason),
    };
    let mut explanation = of_signs(&[sign]);
    explanation.codes = vec![code_out(code)];
    explanation
}

/// Explains a number, which an alert and a result of verification may share.
pub fn of_number(alert: Option<AlertDescription>, verify: Option<VerifyError>) -> Explanation {
    let alert_sign = alert.map(|alert| Sign::Alert(Some(alert.0)));
    let verify_sign = verify.map(|error| Sign::Verify(Some(error.0)));
    let alert_code = alert.map(|alert| code_out(&reason::ssl(reason::of_alert(alert))));
    let verify_code = verify.map(verify_out);
    // Below 40, results of verification are what people meet.
    let verify_first = verify.is_some_and(|error| error.0 < 40);
    let (signs, codes) = if verify_first {
        ([verify_sign, alert_sign], [verify_code, alert_code])
    } else {
        ([alert_sign, verify_sign], [alert_code, verify_code])
    };
    let signs: Vec<Sign> = signs.into_iter().flatten().collect();
    let mut explanation = of_signs(&signs);
    explanation.codes = codes.into_iter().flatten().collect();
    explanation.alert = alert.map(|alert| AlertOut { number: alert.0, name: alert.name() });
    explanation
}

fn of_signs(signs: &[Sign]) -> Explanation {
    let rows: Vec<&'static Mechanism> = signs.iter().flat_map(|sign| meanings(*sign)).collect();
    let line = Line::default();
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
        };
        let commands = next::commands(&line, &diagnosis);
        explanation.next.extend(commands.first().map(|words| shell(words)));
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
pub(super) fn causes(row: &'static Mechanism) -> Vec<CauseOut> {
    let cause = |(cause, likelihood): &(&'static Cause, Likelihood)| CauseOut {
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

fn named(line: &Line<'_>) -> LineOut {
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

/// Words as a shell reads them.
fn shell(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
        if word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// The answer for people.
pub fn text(explanation: &Explanation, look: Look) -> String {
    let mut out = String::new();
    for code in &explanation.codes {
        out += &paragraph(&code_line(code), "", "  ", look);
    }
    for meaning in &explanation.meanings {
        let words = format!("{}: {}.", side(meaning.direction), meaning.text);
        out += &paragraph(&words, "", "  ", look);
    }
    if explanation.meanings.is_empty() {
        out += "Nothing here is known to be about TLS.\n";
    }
    if explanation.direction_from == Some("mechanism") {
        out += &paragraph(
            "The line does not say whose connection it is; such lines come from this side.",
            "",
            "",
            look,
        );
    }
    let sides = explanation.meanings.iter().map(|meaning| meaning.direction);
    for (place, cause) in explanation.causes.iter().enumerate() {
        out += &cause_text(place, cause, sides.clone().count() > 1, look);
    }
    out += &list("Worth knowing", explanation.notes.iter().copied(), look);
    out + &commands(&explanation.next)
}

fn cause_text(place: usize, cause: &CauseOut, several: bool, look: Look) -> String {
    let likelihood = match cause.likelihood {
        Likelihood::Likely => "likely",
        Likelihood::Possible => "possible",
        Likelihood::Rare => "rare",
    };
    let side = if several { format!(", {}", cause.direction) } else { String::new() };
    let head = format!("\n{}. {} ({likelihood}{side})\n", place + 1, cause.cause.id);
    let body = [
        ("Why: ", cause.cause.why),
        ("How to tell: ", cause.cause.how_to_tell),
        ("Fix: ", cause.cause.fix),
    ];
    let body = body.map(|(title, text)| paragraph(&format!("{title}{text}"), "   ", "     ", look));
    head + &body.concat()
}

fn code_line(code: &CodeOut) -> String {
    let words = escape(&code.reason_text);
    match (code.alert, code.sent_by) {
        (Some(alert), _) => format!("The other side sent {}.", AlertLine(alert)),
        (None, _) if code.library == "X509_V_ERR" => {
            format!("Verification ended with {}: {words}.", code.reason.unwrap_or_default())
        }
        (None, _) => match code.reason {
            Some(reason) => format!(
                "The library itself gave up: {words} ({}, reason {reason}).",
                escape(&code.library)
            ),
            None => format!("The library itself gave up: {words} ({}).", escape(&code.library)),
        },
    }
}

struct AlertLine(u8);

impl std::fmt::Display for AlertLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "alert {}", AlertDescription(self.0))
    }
}

fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::Client => "Between a client and nginx",
        Direction::Upstream => "Between nginx and an upstream",
        Direction::Config => "In the configuration",
        Direction::Unknown => "Somewhere",
    }
}

fn list<'a>(title: &str, items: impl Iterator<Item = &'a str>, look: Look) -> String {
    let items: String = items.map(|item| paragraph(item, "  ", "    ", look)).collect();
    if items.is_empty() { items } else { format!("\n{title}:\n{items}") }
}

fn commands(commands: &[String]) -> String {
    if commands.is_empty() {
        return String::new();
    }
    let lines: Vec<String> =
        commands.iter().map(|command| format!("  {}\n", escape(command))).collect();
    format!("\nNext:\n{}", lines.concat())
}
