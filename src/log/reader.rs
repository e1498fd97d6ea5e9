//! Lines one after another: what each is, put down under its class. Most lines of a log are not about TLS, and most that
//! are repeat one another, so a line is taken apart and classified only where its message was not met before.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;
use memchr::{memchr, memmem, memrchr};

use super::classify::classify;
use super::json;
use super::line::{self, Line};
use super::table;
use super::tally::{Entry, Tally, Verdict};
use crate::openssl::code::Code;

/// What a line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A line of an error log that is not about TLS.
    Other,
    /// A failure, put down under the class at this place of the tally.
    Failure(usize),
    /// No line of an error log.
    Unknown,
}

/// Reads an error log, line by line.
#[derive(Debug, Default)]
pub struct Reader {
    /// What was counted.
    pub tally: Tally,
    /// Lines of an error log.
    pub lines: u64,
    /// Lines of an error log at info, notice or debug: without any, most failures of clients are not in it.
    pub verbose_lines: u64,
    /// Lines before this time are left out, in seconds since 1970 on the host's clock.
    pub since: Option<i64>,
    /// Verdicts by the flags of a line, then by its message and action.
    known: Vec<HashMap<Box<[u8]>, Option<Known>, FixedState>>,
    last_minute: ([u8; MINUTE], Option<i64>),
    buffer: Vec<u8>,
}

/// Length of `2026/01/31 23:59:59`.
const TIME: usize = 19;

/// Length of `2026/01/31 23:59:`.
const MINUTE: usize = 17;

/// A verdict, with the place of its class.
type Known = (Verdict, usize);

/// When, and on which connection of which worker.
type Origin = (Option<i64>, Option<(u64, u64)>);

/// Messages that are remembered for each set of flags.
const KNOWN: usize = 4096;

/// Longer messages are not remembered.
const LONG: usize = 1024;

/// Lines about TLS that do not say so begin with these words; the others hold `SSL`.
const BEGINNINGS: &[&[u8]] = &[
    b"no live upstreams",
    b"upstream server temporarily disabled",
    b"upstream sent too large http2 frame: 4740180",
    b"broken header",
    b"client sent plain HTTP",
    b"client sent invalid",
    b"client attempted",
    b"signal 1 (SIGHUP)",
    b"OCSP ",
];

static SSL: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"SSL"));

static CLIENT: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(b", client: "));

impl Reader {
    /// Reads one line, without its line break.
    pub fn line(&mut self, bytes: &[u8]) -> Kind {
        let Some((time, rest)) = plain_head(bytes) else {
            return self.unusual(bytes);
        };
        self.lines += 1;
        let (verbose, rest) = level(rest);
        self.verbose_lines += u64::from(verbose);
        let (connection, message) = connection(rest);
        let begins = || BEGINNINGS.iter().any(|words| message.starts_with(words));
        if !message.starts_with(b"SSL") && !begins() && SSL.find(message).is_none() {
            return Kind::Other;
        }
        let time = self.time(time);
        if time.is_some_and(|time| self.since.is_some_and(|since| time < since)) {
            return Kind::Other;
        }
        self.candidate(bytes, message, (time, connection))
    }

    /// nginx writes many lines within one minute.
    fn time(&mut self, text: &[u8]) -> Option<i64> {
        let (minute, second) = text.split_at(MINUTE);
        if self.last_minute.0 != *minute {
            self.last_minute.1 = line::read_time(&[minute, b"00"].concat());
            self.last_minute.0.copy_from_slice(minute);
        }
        let digit = |at: usize| second.get(at).filter(|byte| byte.is_ascii_digit());
        let (tens, ones) = (digit(0)?, digit(1)?);
        Some(self.last_minute.1? + i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    }

    /// A line that may be about TLS.
    fn candidate(&mut self, bytes: &[u8], rest: &[u8], (time, connection): Origin) -> Kind {
        let split = CLIENT.find(rest).unwrap_or(rest.len());
        let (message, fields) = rest.split_at(split);
        let fields = Fields::of(fields);
        let flags = fields.flags();
        if self.known.is_empty() {
            self.known.resize_with(1 << FLAGS, HashMap::default);
        }
        let known = match self.known[flags].get(message) {
            Some(known) => *known,
            None => self.judge(bytes, message, flags, time),
        };
        let Some((verdict, class)) = known else { return Kind::Other };
        let entry = Entry {
            verdict,
            time,
            connection,
            client: fields.client,
            server: fields.server,
            upstream: fields.upstream.map(authority).filter(|authority| !authority.is_empty()),
            line: bytes,
        };
        Kind::Failure(self.tally.add(class, &entry))
    }

    fn judge(
        &mut self,
        bytes: &[u8],
        message: &[u8],
        flags: usize,
        time: Option<i64>,
    ) -> Option<Known> {
        let parsed = line::parse(bytes);
        self.note_reload(&parsed, time);
        let verdict = verdict(&parsed).map(|verdict| (verdict, self.tally.place(verdict)));
        let known = &mut self.known[flags];
        if known.len() >= KNOWN {
            known.clear();
        }
        // A reload is noted each time it is met.
        if message.len() <= LONG && memmem::find(message, b"reconfiguring").is_none() {
            known.insert(message.into(), verdict);
        }
        verdict
    }

    fn note_reload(&mut self, line: &Line<'_>, time: Option<i64>) {
        if let Some(time) = time
            && memmem::find(&line.message, b"SIGHUP").is_some()
            && line.message.ends_with(b"reconfiguring")
        {
            self.tally.reload(time);
        }
    }

    /// A line in JSON, or behind what a shipper put before it.
    fn unusual(&mut self, bytes: &[u8]) -> Kind {
        let mut buffer = std::mem::take(&mut self.buffer);
        let is_json = bytes.trim_ascii_start().starts_with(b"{");
        let kind = if is_json && json::to_text(bytes, &mut buffer) {
            self.parsed(&line::parse(&buffer), bytes)
        } else if is_json {
            Kind::Unknown
        } else {
            self.parsed(&line::parse(bytes), bytes)
        };
        self.buffer = buffer;
        kind
    }

    fn parsed(&mut self, line: &Line<'_>, bytes: &[u8]) -> Kind {
        if !line.by_nginx && line.level.is_none() {
            return Kind::Unknown;
        }
        self.lines += 1;
        self.verbose_lines += u64::from(line.level.is_some_and(is_verbose));
        self.note_reload(line, line.time);
        if line.time.is_some_and(|time| self.since.is_some_and(|since| time < since)) {
            return Kind::Other;
        }
        let Some(verdict) = verdict(line) else { return Kind::Other };
        let entry = Entry {
            verdict,
            time: line.time,
            connection: line.connection.map(|number| (line.pid.unwrap_or(0), number)),
            client: line.client,
            server: line.server,
            upstream: line.upstream.map(authority).filter(|authority| !authority.is_empty()),
            line: bytes,
        };
        let class = self.tally.place(verdict);
        Kind::Failure(self.tally.add(class, &entry))
    }
}

/// The date and what stands after it, for a line as nginx writes it into a file.
fn plain_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let plain = bytes.len() > TIME + 2
        && bytes[4] == b'/'
        && bytes[7] == b'/'
        && bytes[13] == b':'
        && bytes[TIME] == b' '
        && bytes[TIME + 1] == b'['
        && bytes[0].is_ascii_digit();
    plain.then(|| (&bytes[..TIME], &bytes[TIME + 1..]))
}

/// Whether a line is below warn, and what stands after `[level] `.
fn level(rest: &[u8]) -> (bool, &[u8]) {
    let end = memchr(b']', &rest[..rest.len().min(10)]).map_or(0, |at| at + 1);
    (matches!(rest.get(1), Some(b'i' | b'n' | b'd')), rest[end..].trim_ascii_start())
}

fn is_verbose(level: &str) -> bool {
    matches!(level, "info" | "notice" | "debug")
}

/// `12#34: *56 ` before the message.
fn connection(rest: &[u8]) -> (Option<(u64, u64)>, &[u8]) {
    let (worker, used) = number(rest);
    if used == 0 || rest.get(used) != Some(&b'#') {
        return (None, rest);
    }
    let rest = &rest[used + 1..];
    let (_, used) = number(rest);
    let Some(rest) = rest[used..].strip_prefix(b": ") else { return (None, rest) };
    let Some(numbered) = rest.strip_prefix(b"*") else { return (None, rest) };
    let (connection, used) = number(numbered);
    (Some((worker, connection)), numbered[used..].strip_prefix(b" ").unwrap_or(rest))
}

fn number(bytes: &[u8]) -> (u64, usize) {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).take(19);
    digits.fold((0, 0), |(number, used), digit| (number * 10 + u64::from(digit - b'0'), used + 1))
}

/// The fields that lines are counted by.
#[derive(Clone, Copy, Debug, Default)]
struct Fields<'a> {
    client: Option<&'a [u8]>,
    server: Option<&'a [u8]>,
    upstream: Option<&'a [u8]>,
    stream: bool,
}

/// Bits of [`Fields::flags`].
const FLAGS: u32 = 6;

impl<'a> Fields<'a> {
    fn of(fields: &'a [u8]) -> Self {
        let Some(rest) = fields.strip_prefix(b", client: ") else { return Self::default() };
        let (client, rest) = rest.split_at(memchr(b',', rest).unwrap_or(rest.len()));
        let (server, rest) = match rest.strip_prefix(b", server: ") {
            Some(rest) => {
                let (server, rest) = rest.split_at(memchr(b',', rest).unwrap_or(rest.len()));
                (Some(server), rest)
            }
            None => (None, rest),
        };
        // In http a request stands first.
        let stream = rest.starts_with(b", upstream: ") || rest.starts_with(b", bytes from/to");
        // Requests and referrers are the client's own words, so nothing is searched for in them.
        let rest = behind_quoted(rest, b", request: \"");
        let rest = behind_quoted(rest, b", subrequest: \"");
        let upstream = rest.strip_prefix(b", upstream: \"");
        let upstream = upstream.map(|rest| &rest[..memchr(b'"', rest).unwrap_or(rest.len())]);
        Self { client: Some(client), server, upstream, stream }
    }

    /// Whatever of the fields decides about the class.
    fn flags(&self) -> usize {
        let upstream = self.upstream.unwrap_or_default();
        let flags = [
            self.client.is_some(),
            self.upstream.is_some(),
            upstream.starts_with(b"grpc"),
            self.server == Some(b"_"),
            has_other_port(upstream),
            self.stream,
        ];
        flags.iter().enumerate().map(|(bit, flag)| usize::from(*flag) << bit).sum()
    }
}

/// What stands behind that field, if it comes next.
fn behind_quoted<'a>(rest: &'a [u8], name: &[u8]) -> &'a [u8] {
    let Some(value) = rest.strip_prefix(name) else { return rest };
    value.get(line::end_of_quoted(value, b'"') + 1..).unwrap_or_default()
}

/// Classes that stand beside handshakes and need not be about TLS.
const NEIGHBOURS: &[&str] = &["not-connected", "not-resolved", "closed-after-handshake"];

/// What a line is put down as; `None` where it is not about TLS.
pub fn verdict(line: &Line<'_>) -> Option<Verdict> {
    let diagnosis = classify(line);
    let row = diagnosis
        .mechanism
        .and_then(|found| table::mechanisms().iter().position(|row| std::ptr::eq(row, found)));
    let neighbour = diagnosis.class().is_some_and(|class| NEIGHBOURS.contains(&class));
    if (row.is_none() || neighbour) && !is_about_tls(line) {
        return None;
    }
    let alert = diagnosis.codes.first().and_then(Code::alert).map(|alert| alert.0);
    Some(Verdict { row, direction: diagnosis.direction, alert })
}

fn is_about_tls(line: &Line<'_>) -> bool {
    let has = |words: &[u8]| memmem::find(&line.message, words).is_some();
    let action = line.action.unwrap_or_default();
    has(b"(SSL:") || has(b"SSL_") || memmem::find(action, b"SSL handshaking").is_some()
}

/// `192.0.2.1:443` of `https://192.0.2.1:443/path`, `unix:/run/x` of `https://unix:/run/x:/path`.
fn authority(upstream: &[u8]) -> &[u8] {
    let scheme = memchr(b':', &upstream[..upstream.len().min(MAX_SCHEME)]);
    let rest = match scheme.map(|at| &upstream[at..]) {
        Some(rest) if rest.starts_with(b"://") => &rest[3..],
        _ => upstream,
    };
    if let Some(path) = rest.strip_prefix(UNIX) {
        return &rest[..UNIX.len() + memchr(b':', path).unwrap_or(path.len())];
    }
    &rest[..memchr(b'/', rest).unwrap_or(rest.len())]
}

/// What the name of a socket of the file system begins with.
const UNIX: &[u8] = b"unix:";

/// `https:` and its kin are no longer.
const MAX_SCHEME: usize = 8;

/// Whether an upstream's port is written, and is not 443.
fn has_other_port(upstream: &[u8]) -> bool {
    let authority = authority(upstream);
    match memrchr(b':', authority) {
        Some(at) => {
            let digits = authority[at + 1..].iter().all(u8::is_ascii_digit);
            let host = &authority[..at];
            let whole = memchr(b':', host).is_none() || host.ends_with(b"]");
            digits && whole && &authority[at..] != b":443" && authority.len() > at + 1
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::direction::Direction;
    use crate::log::tally::Class;

    const SNI: &str = "SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.CLIENT, server: a.test, request: \"GET / HTTP/1.1\", upstream: \"https://192.0.2.2:443/\", host: \"a.test\"";

    fn read(lines: &[String]) -> Reader {
        let mut reader = Reader::default();
        for line in lines {
            reader.line(line.as_bytes());
        }
        reader
    }

    #[track_caller]
    fn only(reader: &Reader) -> &Class {
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
            let mut reader = Reader::default();
            let Kind::Failure(place) = reader.line(text.as_bytes()) else { continue };
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
                Fields::of(&fields_of(&text)).upstream,
                Some(b"https://192.0.2.2:443/".as_slice())
            );
            let whole = line::parse(text.as_bytes());
            assert_eq!(whole.upstream, Some(b"https://192.0.2.2:443/".as_slice()), "{text}");
        }
        let late = format!(
            ", client: 192.0.2.9, server: a.test, request: \"GET / HTTP/1.1\", host: \"a.test\", referrer: \"x{forged}\""
        );
        assert_eq!(Fields::of(late.as_bytes()).upstream, None);
    }

    fn fields_of(line: &str) -> Vec<u8> {
        line.as_bytes()[line.find(", client: ").unwrap()..].to_vec()
    }

    #[test]
    fn junk_is_no_line() {
        let mut reader = Reader::default();
        for junk in [b"\xff\xfe\x00".as_slice(), b"hello", b"{", b"2026/01/31"] {
            assert_eq!(reader.line(junk), Kind::Unknown);
        }
        assert_eq!(reader.lines, 0);
    }
}
