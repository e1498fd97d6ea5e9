//! Judges lines of nginx's own files. Most lines of a log are not about TLS, and most others repeat, so a line is only
//! parsed and classified if its message is new.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use memchr::memmem;

use super::classify::{classify, matches_nothing};
use super::line::{self, LogLine};
use super::prefilter::may_be_about_tls;
use super::quick::{FLAGS, FirstFields, LastMinute, QuickFields, QuickHead, RecentHeads};
use super::recent::{KnownVerdict, RecentLine, RecentMessages};
use super::sketch::HashedText;
use super::table::{self, Weight};
use super::tally::{LineVerdict, LoggedFailure};
use crate::openssl::code::Code;

/// What a line is, as far as that needs no other line.
pub(super) enum JudgedLine<'a> {
    /// A line that the slow parser reads.
    Unusual,
    /// A line of nginx's own files that is not about TLS, and whether its level is below warn.
    Other(bool),
    /// A line of nginx's own files that counts, and whether its level is below warn.
    Found(bool, FoundLine<'a>),
}

/// A failure or a reload.
#[derive(Clone, Copy)]
pub(super) struct FoundLine<'a> {
    pub(super) failure: LoggedFailure<'a>,
    /// The verdict's place in [`KnownVerdicts::all`], if it is a failure.
    pub(super) verdict: Option<usize>,
    /// Whether nginx says that it reads its configuration again.
    pub(super) reload: bool,
}

/// Verdicts by message, and what helps to find them.
#[derive(Debug, Default)]
pub(super) struct KnownVerdicts {
    all: Vec<LineVerdict>,
    /// By the flags of a line, then by message and action.
    by_message: Vec<HashMap<Box<[u8]>, KnownVerdict, FixedState>>,
    recent: RecentMessages,
    heads: RecentHeads,
    minute: LastMinute,
}

/// The most messages that are remembered for each set of flags.
const KNOWN: usize = 4096;

/// The longest message that is remembered.
const LONG: usize = 1024;

impl KnownVerdicts {
    /// Every verdict that was given, in order of appearance.
    pub(super) fn all(&self) -> &[LineVerdict] {
        &self.all
    }

    /// Judges a line, without its line break.
    pub(super) fn judge<'a>(&mut self, bytes: &'a [u8]) -> JudgedLine<'a> {
        let bytes = bytes.trim_ascii_end();
        let Some(head) = QuickHead::of(bytes, &mut self.heads) else { return JudgedLine::Unusual };
        let Some(time) = self.minute.time(head.time) else { return JudgedLine::Unusual };
        let verbose = head.verbose;
        let (fields, verdict) = match self.recent.line(&head) {
            Some(RecentLine::Never) => return JudgedLine::Other(verbose),
            Some(RecentLine::Like(fields, verdict)) => (fields, Some(verdict)),
            None => {
                let (message, fields) = head.message_and_fields();
                let on_connection = head.connection.is_some();
                if !message.starts_with(b"SSL") && !may_be_about_tls(message, on_connection) {
                    return JudgedLine::Other(verbose);
                }
                let first = FirstFields::of(fields);
                if first.escaped {
                    return JudgedLine::Unusual;
                }
                (first.all(), None)
            }
        };
        let (verdict, reload) = match verdict {
            Some(verdict) => (verdict, false),
            None => self.look_up(bytes, &head, &fields),
        };
        if verdict.is_none() && !reload {
            return JudgedLine::Other(verbose);
        }
        let failure = LoggedFailure {
            time: Some(time),
            connection: head.connection,
            client: fields.client.map(HashedText::of),
            server: fields.server,
            upstream: fields.upstream,
            line: bytes,
        };
        JudgedLine::Found(verbose, FoundLine { failure, verdict, reload })
    }

    /// The verdict on a line, and whether it reports a reload.
    fn look_up(
        &mut self,
        bytes: &[u8],
        head: &QuickHead<'_>,
        fields: &QuickFields<'_>,
    ) -> (Option<usize>, bool) {
        let (message, _) = head.message_and_fields();
        // Without a connection, the level decides what a message means.
        let is_kept = head.connection.is_some() && message.len() <= LONG;
        if self.by_message.is_empty() {
            self.by_message.resize_with(1 << FLAGS, HashMap::default);
        }
        let known = self.by_message[fields.flags].get(message).copied();
        if let Some(known) = known.filter(|_| is_kept) {
            self.recent.keep(head, fields, known);
            return (known.0, false);
        }
        let parsed = line::parse(bytes);
        let verdict = verdict(&parsed);
        let never = verdict.is_none() && never_about_tls(&parsed);
        let known = (verdict.map(|verdict| self.place(verdict)), never);
        let reload = is_reload(&parsed);
        // Every reload is recorded.
        if is_kept && !reload {
            let by_message = &mut self.by_message[fields.flags];
            if by_message.len() >= KNOWN {
                by_message.clear();
            }
            by_message.insert(message.into(), known);
            self.recent.keep(head, fields, known);
        }
        (known.0, reload)
    }

    fn place(&mut self, verdict: LineVerdict) -> usize {
        self.all.iter().position(|known| *known == verdict).unwrap_or_else(|| {
            self.all.push(verdict);
            self.all.len() - 1
        })
    }
}

/// Whether no line with this message is about TLS.
fn never_about_tls(line: &LogLine<'_>) -> bool {
    let by_nginx = line.by_nginx && line.level.is_some() && line.time.is_some();
    by_nginx && !is_about_tls(line) && matches_nothing(line)
}

/// Whether a line says that nginx reads its configuration again.
pub(super) fn is_reload(line: &LogLine<'_>) -> bool {
    memmem::find(&line.message, b"SIGHUP").is_some() && line.message.ends_with(b"reconfiguring")
}

/// The verdict on a line; `None` if it is not about TLS.
pub(super) fn verdict(line: &LogLine<'_>) -> Option<LineVerdict> {
    let diagnosis = classify(line);
    let row = diagnosis
        .mechanism
        .and_then(|found| table::mechanisms().iter().position(|row| std::ptr::eq(row, found)));
    match diagnosis.mechanism {
        Some(found) if found.weight == Weight::Aside => return None,
        None if !is_about_tls(line) => return None,
        _ => {}
    }
    let alert = diagnosis.codes.first().and_then(Code::alert).map(|alert| alert.0);
    Some(LineVerdict { row, direction: diagnosis.direction, alert })
}

fn is_about_tls(line: &LogLine<'_>) -> bool {
    let has = |words: &[u8]| memmem::find(&line.message, words).is_some();
    let action = line.action.unwrap_or_default();
    has(b"(SSL:") || has(b"SSL_") || memmem::find(action, b"SSL handshaking").is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    const HEADS: &[&str] = &[
        "2026/01/31 10:00:00 [error] 7#7: *1 ",
        "2026/01/31 10:00:59 [error] 12345#12345: *98765432109876543210 ",
        "2026/01/31 10:01:00 [info] 12346#12346: *2",
        "2026/01/31 10:01:00 [info] 12346#12346: *2 ",
        "2026/01/31 10:01:01 [notice] 7#7: ",
        "2026/01/31 10:01:01 [what] 7#7: *3 ",
        "2026/01/31 10:01:01 [emerg] 7#7: ",
        "2026/13/31 10:01:01 [error] 7#7: *4 ",
        "2026/01/31 10:01:99 [error] 7#7: *4 ",
        "2026/01/31 10:01:01 [crit] 7#7 *3 ",
    ];

    const MESSAGES: &[&str] = &[
        "SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream",
        "SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking",
        "SSL_do_handshake() failed (SSL: error:0A00006C:SSL routines::bad key share) while SSL handshaking",
        "upstream timed out (110: Connection timed out) while reading response header from upstream",
        "upstream timed out (110: Connection timed out) while connecting to upstream",
        "upstream prematurely closed connection while reading response header from upstream",
        "recv() failed (104: Connection reset by peer) while reading response header from upstream",
        "client closed connection while SSL handshaking",
        "connect() failed, really (111: x) while connecting to upstream",
        "signal 1 (SIGHUP) received from 9, reconfiguring",
        "open() \"/srv/SSL.html\" failed (2: No such file or directory)",
        "short",
        // Here the scheme, the port, or the catch-all server makes a difference; then the module.
        "SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::ssl/tls alert handshake failure:SSL alert number 40) while SSL handshaking to upstream",
        "SSL_read() failed (SSL: error:0A00010B:SSL routines::wrong version number) while reading client request body",
    ];

    const CLIENTS: &[&str] =
        &["", ", client: 192.0.2.1", ", client: 2001:db8::7", ", client: unix:", ", client: "];

    const SERVERS: &[&str] =
        &["", ", server: a.test", ", server: _", ", server: 0.0.0.0:443", ", server: "];

    const REQUESTS: &[&str] = &[
        "",
        ", request: \"GET / HTTP/1.1\"",
        ", request: \"GET /\", upstream: \"http://x/ HTTP/1.1\"",
        ", request: \\\"GET / HTTP/1.1\\\"",
        ", request: \"\"GET / HTTP/1.1\"\"",
        ", request: \"\"",
        ", request: \"PRI * HTTP/2.0\", subrequest: \"/auth\"",
    ];

    const UPSTREAMS: &[&str] = &[
        "",
        ", upstream: \"https://192.0.2.2:443/a/b\"",
        ", upstream: \"https://192.0.2.2:443/\"",
        ", upstream: \"https://192.0.2.2:443\"",
        ", upstream: \"https://192.0.2.2:8443/\"",
        ", upstream: \"http://192.0.2.2:443/\"",
        ", upstream: \"grpcs://[2001:db8::1]:443/x.y/Z\"",
        ", upstream: \"https://unix:/run/x.sock:/a\"",
        ", upstream: \"192.0.2.2:443\", bytes from/to client:0/0",
        ", upstream: \"suwsgi:",
    ];

    const ENDS: &[&str] = &[
        "",
        ", host: \"a.test\"",
        ", host: \"a.test\", referrer: \"https://b.test/\"",
        ", host: \"a.test\", referrer: \"bytes from/to client:0/0\"",
        "\r",
    ];

    type Summary<'a> = (
        Option<i64>,
        Option<(u64, u64)>,
        [Option<&'a [u8]>; 3],
        [Option<u64>; 2],
        Option<LineVerdict>,
        bool,
    );

    /// What a line was judged as: unusual, not about TLS at this level, or found.
    fn judged<'a>(
        known: &mut KnownVerdicts,
        line: &'a [u8],
    ) -> Option<(bool, Option<Summary<'a>>)> {
        match known.judge(line) {
            JudgedLine::Unusual => None,
            JudgedLine::Other(verbose) => Some((verbose, None)),
            JudgedLine::Found(verbose, FoundLine { failure, verdict, reload }) => {
                let verdict = verdict.map(|place| known.all()[place]);
                let texts = [
                    failure.client.map(|client| client.text),
                    failure.server,
                    failure.upstream.map(|upstream| upstream.text),
                ];
                let hashes = [failure.client, failure.upstream].map(|text| text.map(|it| it.hash));
                let summary = (failure.time, failure.connection, texts, hashes, verdict, reload);
                Some((verbose, Some(summary)))
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_remembered_changes_nothing(picks in prop::collection::vec(any::<[u8; 7]>(), 1..60)) {
            let lists = [HEADS, MESSAGES, CLIENTS, SERVERS, REQUESTS, UPSTREAMS, ENDS];
            let pick = |(list, at): (&&[&'static str], &u8)| list[usize::from(*at) % list.len()];
            let lines = picks.iter().map(|picks| lists.iter().zip(picks).map(pick).collect::<String>());
            let mut known = KnownVerdicts::default();
            for line in lines {
                let bytes = line.as_bytes();
                let alone = judged(&mut KnownVerdicts::default(), bytes);
                assert_eq!(judged(&mut known, bytes), alone, "{line}");
                if let Some((_, Some(found))) = alone {
                    assert_eq!(found.4, verdict(&line::parse(bytes)), "{line}");
                }
            }
        }
    }
}
