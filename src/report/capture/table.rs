//! The report over captures for people: how many handshakes failed, then each kind of failure with its fix.

use anstyle::{AnsiColor, Style};

use super::document::{
    CaptureReport, CapturedHandshake, ClientKindView, DecidingDirective, FailureKind,
    HandshakeResult, SeenServer, WaitingClient,
};
use crate::log::table::Weight;
use crate::report::Look;
use crate::report::escape::escape;
use crate::report::text::{paragraph, styled};
use crate::report::words::{counted, likelihood};

/// Kinds of failures that are described at length.
const MAX_KINDS: usize = 30;

/// Kinds of clients that are listed.
const MAX_CLIENTS: usize = 20;

/// Servers that are listed.
const MAX_SERVERS: usize = 20;

/// Handshakes without a verdict that are listed.
const MAX_UNCLEAR: usize = 10;

/// The whole report.
pub fn render(report: &CaptureReport, look: Look) -> String {
    let mut out = head(report, look);
    for (place, kind) in report.failures.iter().take(MAX_KINDS).enumerate() {
        out += &failure(place, kind, look);
    }
    if report.failures.len() > MAX_KINDS {
        let more = format!(
            "{} more kinds of failures: see --format json",
            report.failures.len() - MAX_KINDS
        );
        out += "\n";
        out += &paragraph(&more, "", "  ", look);
    }
    out += &clients(&report.client_kinds, look);
    out += &unclear(report, look);
    out += &servers(&report.servers, look);
    if !report.notes.is_empty() {
        out += "\nWorth knowing:\n";
        out.extend(report.notes.iter().map(|note| paragraph(note, "  ", "    ", look)));
    }
    out
}

fn head(report: &CaptureReport, look: Look) -> String {
    let summary = report.summary;
    let span = match (&report.first_seen, &report.last_seen) {
        (Some(first), Some(last)) => format!(", {} to {}", clock(first), clock(last)),
        _ => String::new(),
    };
    let text = format!(
        "{} in {}: {} succeeded, {} failed, {} unclear{span}",
        counted(summary.handshakes, "handshake"),
        counted(report.traffic.frames, "frame"),
        summary.established,
        summary.failed,
        summary.unclear,
    );
    let filtered = counted(summary.filtered_out, "handshake");
    let text =
        if summary.filtered_out > 0 { format!("{text} ({filtered} not asked for)") } else { text };
    let unread = report.traffic.frames == 0 && report.files.iter().all(|it| it.error.is_some());
    let mut out = if unread { String::new() } else { paragraph(&text, "", "  ", look) };
    for file in &report.files {
        if let Some(error) = &file.error {
            let text = format!("{}: {error} (after {})", file.path, counted(file.frames, "frame"));
            out += &paragraph(&text, "", "  ", look);
        }
    }
    out
}

fn failure(place: usize, kind: &FailureKind, look: Look) -> String {
    let head = format!(
        "{}. {} x {} at {}, from {}",
        place + 1,
        kind.count,
        kind.class,
        kind.server,
        counted(kind.clients, "address")
    );
    let mut out = format!("\n{}\n", styled(&escape(&head), heading(kind.weight), look));
    let mut say = |text: &str| out += &paragraph(text, "   ", "     ", look);
    say(&sentence(kind.meaning));
    for evidence in &kind.evidence {
        say(&format!("Seen: {evidence}"));
    }
    for directive in &kind.directives {
        say(&format!("Directive: {}", directive_text(directive)));
    }
    if !kind.on_behalf_of.is_empty() {
        let of = |it: &WaitingClient| match &it.server_name {
            Some(name) => format!("{} for {name}", it.client),
            None => it.client.clone(),
        };
        let clients: Vec<String> = kind.on_behalf_of.iter().map(of).collect();
        let text = format!(
            "Inferred from times: on behalf of {}, answered after it failed, most likely with 502",
            clients.join(", ")
        );
        say(&text);
    }
    if !kind.server_names.is_empty() {
        say(&format!("Names: {}", kind.server_names.join(", ")));
    }
    say(&format!("Clients: {}", kind.client_addresses.join(", ")));
    say(&format!("Between {} and {}", clock(&kind.first_seen), clock(&kind.last_seen)));
    for cause in &kind.causes {
        say(&format!("{} ({}): {}", cause.id, likelihood(cause.likelihood), cause.why));
        say(&format!("  Fix: {}", cause.fix));
    }
    out
}

pub(super) fn directive_text(directive: &DecidingDirective) -> String {
    let place = match directive.line {
        0 => directive.file.clone(),
        line => format!("{}:{line}", directive.file),
    };
    let text = match &directive.value {
        Some(value) => format!("{} {value}, at {place}", directive.name),
        None => format!("{} is not set for the server at {place}", directive.name),
    };
    let of_default = if directive.of_default_server {
        " (it is the default server of the socket that decides)"
    } else {
        ""
    };
    text + of_default
}

fn heading(weight: Weight) -> Style {
    let colour = match weight {
        Weight::Fault => AnsiColor::Red,
        Weight::Mixed => AnsiColor::Yellow,
        Weight::Noise | Weight::Symptom | Weight::Aside => AnsiColor::BrightBlack,
    };
    Style::new().fg_color(Some(colour.into())).bold()
}

/// The clients that fail, by what they send.
fn clients(kinds: &[ClientKindView], look: Look) -> String {
    let failing: Vec<&ClientKindView> = kinds.iter().filter(|kind| kind.failed > 0).collect();
    if failing.is_empty() {
        return String::new();
    }
    let mut out = "\nClients that fail, by what they send:\n".to_owned();
    for kind in failing.iter().take(MAX_CLIENTS) {
        let like = match &kind.like {
            Some(like) if like.differences.is_empty() => format!("as {}", like.title),
            Some(like) => format!("nearly {} ({})", like.title, like.differences.join(", ")),
            None => "like no known client".to_owned(),
        };
        let failed = if kind.failed == kind.handshakes {
            "all fail".to_owned()
        } else {
            format!("{} of them fail", kind.failed)
        };
        let classes: Vec<&str> = kind.classes.iter().map(|it| it.class).collect();
        let text = format!(
            "{}, {}, {like}, {failed}: {} (JA4 {})",
            counted(kind.handshakes, "handshake"),
            counted(kind.addresses, "address"),
            classes.join(", "),
            kind.ja4
        );
        out += &paragraph(&text, "  ", "    ", look);
    }
    if failing.len() > MAX_CLIENTS {
        let more = format!("and {} more", failing.len() - MAX_CLIENTS);
        out += &paragraph(&more, "  ", "    ", look);
    }
    out
}

fn unclear(report: &CaptureReport, look: Look) -> String {
    let is_unclear = |it: &&CapturedHandshake| it.result == HandshakeResult::Unclear;
    let found: Vec<&CapturedHandshake> = report.handshakes.iter().filter(is_unclear).collect();
    if found.is_empty() {
        return String::new();
    }
    let mut out = "\nUnclear:\n".to_owned();
    for handshake in found.iter().take(MAX_UNCLEAR) {
        let name = handshake.hello.as_ref().and_then(|hello| hello.server_name.as_deref());
        let name = name.map(|name| format!(" for {name}")).unwrap_or_default();
        let why = match handshake.doubt {
            Some(doubt) => doubt.text(),
            None => continue,
        };
        let text = format!(
            "{} {} to {}{name}: {why}",
            clock(&handshake.time),
            handshake.client,
            handshake.server
        );
        out += &paragraph(&text, "  ", "    ", look);
    }
    if found.len() > MAX_UNCLEAR {
        let more = format!("and {} more", found.len() - MAX_UNCLEAR);
        out += &paragraph(&more, "  ", "    ", look);
    }
    out
}

fn servers(servers: &[SeenServer], look: Look) -> String {
    if servers.is_empty() {
        return String::new();
    }
    let mut out = "\nServers, by what they were seen to accept:\n".to_owned();
    for server in servers.iter().take(MAX_SERVERS) {
        let groups = if server.groups.is_empty() {
            String::new()
        } else {
            format!("; groups {}", server.groups.join(" "))
        };
        let text = format!(
            "{} ({}): {}; {}{groups}",
            server.address,
            counted(server.established, "handshake"),
            server.versions.join(" "),
            server.cipher_suites.join(" ")
        );
        out += &paragraph(&text, "  ", "    ", look);
    }
    if servers.len() > MAX_SERVERS {
        let more = format!("and {} more", servers.len() - MAX_SERVERS);
        out += &paragraph(&more, "  ", "    ", look);
    }
    out
}

/// A moment for people: `2026-01-31 10:00:00.123`.
fn clock(time: &str) -> String {
    time.get(..23).unwrap_or(time).replace('T', " ")
}

/// The names of nginx and of directives keep their small letter.
fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    if word == "nginx" || word.contains('_') {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_small_letter() {
        assert_eq!(sentence("a hello"), "A hello");
        assert_eq!(sentence("nginx has none"), "nginx has none");
        assert_eq!(sentence("ssl_reject_handshake refused it"), "ssl_reject_handshake refused it");
    }
}
