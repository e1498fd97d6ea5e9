//! The output of `explain` as text.

use super::Look;
use super::escape::escape;
use super::text::paragraph;
use super::words::likelihood;
use crate::log::direction::Direction;
use crate::log::explanation::{CauseOut, CodeOut, Explanation};
use crate::log::program::{Program, ProgramRole};
use crate::tls::alert::AlertDescription;

/// The explanation as text.
pub fn text(explanation: &Explanation, look: Look) -> String {
    let mut out = String::new();
    for code in &explanation.codes {
        out += &paragraph(&code_line(code), "", "  ", look);
    }
    for meaning in &explanation.meanings {
        let words = format!("{}: {}.", side(meaning.direction, explanation.program), meaning.text);
        out += &paragraph(&words, "", "  ", look);
    }
    if explanation.meanings.is_empty() {
        out += if explanation.codes.is_empty() {
            "This is not known to be about TLS.\n"
        } else {
            "Nothing more is known about it.\n"
        };
    }
    if explanation.direction_from == Some("mechanism") {
        out += &paragraph(
            "The line does not say which side the connection is on; such lines come from this side.",
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
    let likelihood = likelihood(cause.likelihood);
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
            format!("Verification ended with error {}: {words}.", code.reason.unwrap_or_default())
        }
        (None, _) => match code.reason {
            Some(reason) => format!(
                "The TLS library reported an error: {words} ({}, reason {reason}).",
                escape(&code.library)
            ),
            None => {
                format!("The TLS library reported an error: {words} ({}).", escape(&code.library))
            }
        },
    }
}

struct AlertLine(u8);

impl std::fmt::Display for AlertLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "alert {}", AlertDescription(self.0))
    }
}

fn side(direction: Direction, program: Option<Program>) -> String {
    match (direction, program) {
        (_, Some(Program { name, role: ProgramRole::Client })) => {
            format!("Between this client ({name}) and its server")
        }
        (Direction::Client, Some(Program { name, .. })) => {
            format!("Between a client and this server ({name})")
        }
        (Direction::Upstream, Some(Program { name, .. })) => {
            format!("Between this proxy ({name}) and its upstream")
        }
        (Direction::Client, None) => "Between a client and nginx".to_owned(),
        (Direction::Upstream, None) => "Between nginx and an upstream".to_owned(),
        (Direction::Config, _) => "In the configuration".to_owned(),
        (Direction::Unknown, _) => "Somewhere".to_owned(),
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
