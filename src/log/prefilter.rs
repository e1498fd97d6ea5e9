//! A fast check for lines that can be about TLS, derived from the table of mechanisms: most lines of a log are not, and
//! are skipped.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, packed};

use super::table::{self, Sign};
use crate::openssl::code::CODE_MARKS;

/// The texts to search for in a line.
struct Prefilter {
    /// Texts that a message starts with, by their first byte.
    beginnings: Vec<Vec<&'static [u8]>>,
    /// Other texts that a message about a connection may contain.
    within: OneOf,
    /// All texts, for the few messages that are not about a connection.
    at_start: Option<AhoCorasick>,
}

/// Searches for any of some words, many bytes at a time where the processor can.
struct OneOf {
    packed: Option<packed::Searcher>,
    any: Option<AhoCorasick>,
}

impl OneOf {
    fn new(words: &[&str]) -> Self {
        Self { packed: packed::Searcher::new(words), any: AhoCorasick::new(words).ok() }
    }

    /// Whether the text contains one; `true` if that cannot be told.
    fn is_in(&self, text: &[u8]) -> bool {
        match &self.packed {
            Some(words) => words.find(text).is_some(),
            None => self.any.as_ref().is_none_or(|words| words.is_match(text)),
        }
    }
}

/// The text in most messages about TLS.
const SSL: &str = "SSL";

/// A reload, which is recorded although it is not a failure.
const RELOAD: &str = "SIGHUP";

static PREFILTER: LazyLock<Prefilter> = LazyLock::new(|| {
    let mut beginnings = vec![Vec::new(); 256];
    let mut within = vec![SSL];
    let mut at_start = vec![SSL, RELOAD];
    within.extend(CODE_MARKS);
    at_start.extend(CODE_MARKS);
    for row in table::mechanisms().iter().filter(|row| row.about_nginx()) {
        let (Sign::Begins(words) | Sign::Says(words)) = row.sign else { continue };
        // There may be other words between the message and the action.
        let (first, second) = words.split_once(" while ").unwrap_or((words, ""));
        let longer = if first.len() < second.len() { second } else { first };
        at_start.push(longer);
        match (row.sign, first.as_bytes().first()) {
            (Sign::Begins(_), Some(byte)) => beginnings[usize::from(*byte)].push(first.as_bytes()),
            _ if !words.contains(SSL) && row.on_connections() => within.push(longer),
            _ => {}
        }
    }
    for words in &mut beginnings {
        words.sort_unstable();
        words.dedup();
    }
    within.sort_unstable_by_key(|words| (words.len(), *words));
    within.dedup();
    Prefilter { beginnings, within: OneOf::new(&within), at_start: AhoCorasick::new(at_start).ok() }
});

/// Whether a message, including the action, can be about TLS.
pub(super) fn may_be_about_tls(message: &[u8], on_connection: bool) -> bool {
    let filter = &*PREFILTER;
    if !on_connection {
        return filter.at_start.as_ref().is_none_or(|words| words.is_match(message));
    }
    let beginnings = message.first().map(|byte| &filter.beginnings[usize::from(*byte)]);
    beginnings.is_some_and(|words| words.iter().any(|words| message.starts_with(words)))
        || filter.within.is_in(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::direction::Direction;
    use crate::log::known::verdict;
    use crate::log::line;
    use crate::log::reader::{LineKind, LogReader};
    use crate::log::table::{Mechanism, Weight, When};
    use crate::openssl::code::reason;

    /// A line of nginx that matches the row.
    fn example(row: &Mechanism) -> Option<String> {
        let failed = |item: String| format!("SSL_do_handshake() failed (SSL: error:{item})");
        let (message, mut action) = match row.sign {
            Sign::Alert(number) => {
                let number = number.unwrap_or(61);
                let item = format!(
                    "{:08X}:SSL routines::alert:SSL alert number {number}",
                    0x0A00_0000 + 1000 + u32::from(number)
                );
                (failed(item), None)
            }
            Sign::Reason(number) => {
                let number = number.unwrap_or(150);
                let words = reason::ssl(number).text.into_owned();
                (failed(format!("{:08X}:SSL routines::{words}", 0x0A00_0000 + number)), None)
            }
            Sign::Release(..) => return None,
            Sign::Verify(number) => {
                let text = format!("({}:text)", number.unwrap_or(1));
                (format!("upstream SSL certificate verify error: {text}"), None)
            }
            Sign::Begins(words) | Sign::Says(words) => match words.split_once(" while ") {
                Some(("", action)) => ("it failed".to_owned(), Some(action.to_owned())),
                Some((message, action)) => (message.to_owned(), Some(action.to_owned())),
                None => (format!("{words}x"), None),
            },
        };
        let mut message = message;
        for when in &row.when {
            match when {
                When::Reset => message += " (104: Connection reset by peer)",
                When::BrokenPipe => message += " (32: Broken pipe)",
                When::Loading => {
                    message = message.replacen(
                        "SSL_do_handshake()",
                        "SSL_use_certificate(\"/a.pem\")",
                        1,
                    );
                }
                When::AfterHandshake => {
                    action = Some("reading response header from upstream".to_owned());
                }
                _ => {}
            }
        }
        let action = action.or_else(|| match row.side {
            Direction::Upstream => Some("SSL handshaking to upstream".to_owned()),
            Direction::Client => Some("SSL handshaking".to_owned()),
            Direction::Config | Direction::Unknown => None,
        });
        let action = action.map(|action| format!(" while {action}")).unwrap_or_default();
        let scheme = match row.when.as_slice() {
            when if when.contains(&When::Grpc) => "grpcs",
            when if when.contains(&When::PlainUpstream) => "http",
            _ => "https",
        };
        let port = if row.when.contains(&When::OtherPort) { 8443 } else { 443 };
        let server = if row.when.contains(&When::CatchAll) { "_" } else { "a.test" };
        let fields = match row.side {
            Direction::Upstream => format!(
                ", client: 192.0.2.1, server: {server}, request: \"GET / HTTP/1.1\", upstream: \"{scheme}://192.0.2.2:{port}/\", host: \"a.test\""
            ),
            Direction::Client => ", client: 192.0.2.1, server: 0.0.0.0:443".to_owned(),
            Direction::Config | Direction::Unknown => String::new(),
        };
        let (level, number) = match row.side {
            Direction::Config => ("emerg", ""),
            _ => ("error", "*3 "),
        };
        Some(format!("2026/01/31 10:00:00 [{level}] 7#7: {number}{message}{action}{fields}"))
    }

    #[test]
    fn log_counts_every_line_that_explain_understands() {
        let mut checked = 0;
        for row in table::mechanisms().iter().filter(|row| row.about_nginx()) {
            let Some(text) = example(row) else { continue };
            let parsed = line::parse(text.as_bytes());
            let slow = verdict(&parsed);
            let mut reader = LogReader::default();
            let counted = match reader.line(text.as_bytes()) {
                LineKind::Failure(place) => reader.tally.class_at(place).map(|class| class.name),
                _ => None,
            };
            assert_eq!(counted, slow.map(|verdict| verdict.class()), "{row:?}\n{text}");
            let aside = row.weight == Weight::Aside;
            assert!(aside || counted.is_some(), "{row:?}\n{text}");
            checked += 1;
        }
        assert!(checked > 200, "{checked}");
    }

    #[test]
    fn what_a_client_asked_for_makes_no_line_one_about_tls() {
        let text = b"open() \"/srv/recv() failed\" failed (2: No such file or directory)";
        assert!(!may_be_about_tls(text, true));
        assert!(may_be_about_tls(b"recv() failed (104: Connection reset by peer)", true));
    }
}
