//! Reads lines and counts each under its class.

use memchr::memmem;

use super::json;
use super::known::{FoundLine, JudgedLine, KnownVerdicts, is_reload, verdict};
use super::line::{self, LogLine};
use super::prefilter::may_be_about_tls;
use super::program;
use super::quick::{authority, is_verbose};
use super::sketch::HashedText;
use super::tally::{LineVerdict, LoggedFailure, Tally, VerdictPlace};

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A line of an error log that is not about TLS.
    Other,
    /// A failure, counted under the class with this index.
    Failure(usize),
    /// Not a line of an error log.
    Unknown,
}

/// Reads an error log, line by line.
#[derive(Debug, Default)]
pub struct LogReader {
    /// The counts.
    pub tally: Tally,
    /// The number of lines of error logs.
    pub lines: u64,
    /// Lines at info, notice or debug: without any, most failures of clients are not in the log.
    pub verbose_lines: u64,
    /// Lines before this time are skipped; in seconds since 1970 on the host's clock.
    pub since: Option<i64>,
    known: KnownVerdicts,
    buffer: Vec<u8>,
}

impl LogReader {
    /// Reads one line, without its line break.
    pub fn line(&mut self, bytes: &[u8]) -> LineKind {
        let (verbose, kind) = match self.known.judge(bytes) {
            JudgedLine::Unusual => return self.unusual(bytes),
            JudgedLine::Other(verbose) => (verbose, LineKind::Other),
            JudgedLine::Found(verbose, found) => {
                let verdict = found.verdict.and_then(|place| self.known.all().get(place).copied());
                (verbose, self.found(&found, |tally| Some(tally.place(verdict?))))
            }
        };
        self.lines += 1;
        self.verbose_lines += u64::from(verbose);
        kind
    }

    /// A line that counts, with a function for the place of its verdict.
    pub(super) fn found(
        &mut self,
        found: &FoundLine<'_>,
        place: impl FnOnce(&mut Tally) -> Option<VerdictPlace>,
    ) -> LineKind {
        let time = found.failure.time;
        if time.is_some_and(|time| self.is_early(time)) {
            return LineKind::Other;
        }
        if found.reload
            && let Some(time) = time
        {
            self.tally.reload(time);
        }
        match place(&mut self.tally) {
            Some(place) => LineKind::Failure(self.tally.add(place, &found.failure)),
            None => LineKind::Other,
        }
    }

    fn is_early(&self, time: i64) -> bool {
        self.since.is_some_and(|since| time < since)
    }

    /// A line that is JSON or part of JSON, or has a prefix of a log shipper.
    fn unusual(&mut self, bytes: &[u8]) -> LineKind {
        let mut buffer = std::mem::take(&mut self.buffer);
        let kind = match json::plain(bytes, &mut buffer) {
            Some(text) => self.parsed(&line::parse(text), bytes),
            None if bytes.trim_ascii_start().starts_with(b"{") => LineKind::Unknown,
            None => self.parsed(&line::parse(bytes), bytes),
        };
        self.buffer = buffer;
        kind
    }

    /// A line of another program than nginx.
    pub fn foreign(&mut self, bytes: &[u8]) -> LineKind {
        if program::of_text(bytes).is_none() {
            return LineKind::Unknown;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let kind = {
            let line = line::parse(json::plain(bytes, &mut buffer).unwrap_or(bytes));
            match verdict(&line) {
                Some(verdict) if verdict.row.is_some() => self.counted(verdict, &line, bytes),
                _ => LineKind::Unknown,
            }
        };
        self.buffer = buffer;
        kind
    }

    fn parsed(&mut self, line: &LogLine<'_>, bytes: &[u8]) -> LineKind {
        if !line.by_nginx && line.level.is_none() {
            return LineKind::Unknown;
        }
        self.lines += 1;
        self.verbose_lines += u64::from(line.level.is_some_and(is_verbose));
        if is_reload(line)
            && let Some(time) = line.time
        {
            self.tally.reload(time);
        }
        if line.time.is_some_and(|time| self.is_early(time)) {
            return LineKind::Other;
        }
        let handshaking = line.action.is_some_and(|action| memmem::find(action, b"SSL").is_some());
        if !handshaking && !may_be_about_tls(&line.message, line.connection.is_some()) {
            return LineKind::Other;
        }
        match verdict(line) {
            Some(verdict) => self.counted(verdict, line, bytes),
            None => LineKind::Other,
        }
    }

    fn counted(&mut self, verdict: LineVerdict, line: &LogLine<'_>, bytes: &[u8]) -> LineKind {
        let upstream = line.upstream.map(authority).filter(|authority| !authority.is_empty());
        let entry = LoggedFailure {
            time: line.time,
            connection: line.connection.map(|number| (line.pid.unwrap_or(0), number)),
            client: line.client.map(HashedText::of),
            server: line.server,
            upstream: upstream.map(HashedText::of),
            line: bytes,
        };
        let place = self.tally.place(verdict);
        LineKind::Failure(self.tally.add(place, &entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::classify::classify;
    use crate::log::direction::Direction;
    use crate::log::quick::FirstFields;
    use crate::log::tally::Class;

    const SNI: &str = "SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.CLIENT, server: a.test, request: \"GET / HTTP/1.1\", upstream: \"https://192.0.2.2:443/\", host: \"a.test\"";

    fn read(lines: &[String]) -> LogReader {
        let mut reader = LogReader::default();
        for line in lines {
            reader.line(line.as_bytes());
        }
        reader
    }

    #[track_caller]
    fn only(reader: &LogReader) -> &Class {
        let classes: Vec<&Class> = reader.tally.classes().collect();
        assert_eq!(classes.len(), 1, "{classes:?}");
        classes[0]
    }

    #[test]
    fn lines_are_put_down_under_their_class() {
        let lines: Vec<String> = (0..50)
            .map(|at| {
                let message = SNI.replace("CLIENT", &(at % 7).to_string());
                format!("2026/01/31 10:00:{at:02} [error] 7#7: *{at} {message}")
            })
            .collect();
        let reader = read(&lines);
        let class = only(&reader);
        assert_eq!(
            (class.count, class.name, class.alert),
            (50, "alert-unrecognized-name", Some(112))
        );
        assert_eq!(class.direction, Direction::Upstream);
        assert_eq!(class.clients.count(), (7, true));
        assert_eq!(class.upstreams.count(b"192.0.2.2:443"), 50);
        assert_eq!(class.last.unwrap() - class.first.unwrap(), 49);
    }

    #[test]
    fn a_socket_of_the_file_system_keeps_its_path() {
        let head = "2026/01/31 10:00:00 [error] 7#7: *1";
        let message = SNI.replace("https://192.0.2.2:443/", "https://unix:/run/x.sock:/a/b");
        let reader = read(&[format!("{head} {}", message.replace("CLIENT", "1"))]);
        assert_eq!(only(&reader).upstreams.count(b"unix:/run/x.sock"), 1);
        assert_eq!(authority(b"unix:/run/x.sock"), b"unix:/run/x.sock");
        assert_eq!(authority(b"https://192.0.2.2:443/unix:/"), b"192.0.2.2:443");
    }

    #[test]
    fn what_only_follows_from_a_failure_is_joined_to_it() {
        let head = "2026/01/31 10:00:00 [error] 7#7: *1";
        let reader = read(&[
            format!("{head} {}", SNI.replace("CLIENT", "1")),
            format!(
                "{head} no live upstreams while connecting to upstream, client: 192.0.2.1, server: a.test, request: \"GET / HTTP/1.1\", upstream: \"https://backend/\", host: \"a.test\""
            ),
        ]);
        let class = only(&reader);
        assert_eq!((class.count, class.joined), (1, 1));
    }

    #[test]
    fn late_lines_of_one_fault_are_joined_unless_another_peer_was_tried() {
        let line = |text: &str, peer: u8| {
            format!(
                "2026/01/31 10:00:00 [error] 7#7: *1 {text}, client: 192.0.2.1, server: a.test, request: \"POST / HTTP/1.1\", upstream: \"https://192.0.2.{peer}:443/\", host: \"a.test\""
            )
        };
        let refused = "SSL_read() failed (SSL: error:0A00045C:SSL routines::tlsv13 alert certificate required:SSL alert number 116) while reading response header from upstream";
        let late = "SSL_write() failed (32: Broken pipe) while sending request to upstream";
        let reader = read(&[line(refused, 2), line(late, 2)]);
        assert_eq!((only(&reader).count, only(&reader).joined), (1, 1));
        let reader = read(&[line(refused, 2), line(late, 3)]);
        assert_eq!(reader.tally.classes().count(), 2);
    }

    #[test]
    fn what_is_not_about_tls_is_not_counted() {
        let head = "2026/01/31 10:00:00 [error] 7#7: *1";
        let reader = read(&[
            format!(
                "{head} open() \"/srv/SSL.html\" failed (2: No such file or directory), client: 192.0.2.1, server: a.test, request: \"GET /SSL.html HTTP/1.1\", host: \"a.test\""
            ),
            format!(
                "{head} connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.1, server: a.test, request: \"GET /SSL HTTP/1.1\", upstream: \"http://192.0.2.2:80/SSL\", host: \"a.test\""
            ),
        ]);
        assert_eq!(reader.lines, 2);
        assert_eq!(reader.tally.classes().count(), 0);
    }

    #[test]
    fn the_quick_way_and_the_slow_way_agree() {
        for case in include_str!("../../testdata/logs/error-lines.jsonl").lines() {
            let case: serde_json::Value = serde_json::from_str(case).unwrap();
            let text = case["line"].as_str().unwrap();
            let whole = line::parse(text.as_bytes());
            let mut reader = LogReader::default();
            let LineKind::Failure(place) = reader.line(text.as_bytes()) else { continue };
            let class = reader.tally.class_at(place).unwrap();
            assert_eq!(Some(class.name), classify(&whole).class(), "{text}");
            assert_eq!(class.servers.total() > 0, whole.server.is_some(), "{text}");
        }
    }

    #[test]
    fn a_client_does_not_name_upstreams() {
        let failed = "2026/01/31 10:00:00 [error] 1#1: *1 SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::ssl/tls alert handshake failure:SSL alert number 40) while SSL handshaking to upstream, client: 192.0.2.9, server: a.test";
        let real = ", upstream: \"https://192.0.2.2:443/\", host: \"a.test\"";
        let forged = ", upstream: \"https://198.51.100.66:22/\"";
        for fields in [
            format!(", request: \"GET /x{forged}, HTTP/1.1\"{real}"),
            format!(", request: \"GET / HTTP/1.1\"{real}, referrer: \"x{forged}\""),
        ] {
            let text = format!("{failed}{fields}");
            assert_eq!(
                FirstFields::of(&fields_of(&text)).all().upstream.map(|upstream| upstream.text),
                Some(b"192.0.2.2:443".as_slice())
            );
            let whole = line::parse(text.as_bytes());
            assert_eq!(whole.upstream, Some(b"https://192.0.2.2:443/".as_slice()), "{text}");
        }
        let late = format!(
            ", client: 192.0.2.9, server: a.test, request: \"GET / HTTP/1.1\", host: \"a.test\", referrer: \"x{forged}\""
        );
        assert_eq!(FirstFields::of(late.as_bytes()).all().upstream.map(|it| it.text), None);
    }

    fn fields_of(line: &str) -> Vec<u8> {
        line.as_bytes()[line.find(", client: ").unwrap()..].to_vec()
    }

    #[test]
    fn junk_is_not_a_line() {
        let mut reader = LogReader::default();
        for junk in [b"\xff\xfe\x00".as_slice(), b"hello", b"{", b"2026/01/31"] {
            assert_eq!(reader.line(junk), LineKind::Unknown);
        }
        assert_eq!(reader.lines, 0);
    }
}
