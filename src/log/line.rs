//! Parses one line of an error log: nginx's text format, with any prefix of a log shipper, or JSON.
//!
//! Requests, hosts and referrers are written raw: they may contain quotes, control bytes and invalid UTF-8, and may
//! look like fields. Fields are parsed from the left, because nginx's own come before the client's data.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem};

use super::program;
pub use super::time::{days, read_time};

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// Seconds since 1970 on the host's clock: nginx writes local time without a time zone.
    pub time: Option<i64>,
    /// One of nginx's eight levels.
    pub level: Option<&'static str>,
    /// The worker's process id.
    pub pid: Option<u64>,
    /// The connection's number, unique within a worker: `*N`.
    pub connection: Option<u64>,
    /// What happened.
    pub message: Cow<'a, [u8]>,
    /// What nginx was doing: the text after `while`.
    pub action: Option<&'a [u8]>,
    /// The client's address.
    pub client: Option<&'a [u8]>,
    /// The server's name, or its listening address if no request was read yet.
    pub server: Option<&'a [u8]>,
    /// The request line, raw.
    pub request: Option<&'a [u8]>,
    /// The upstream: `https://192.0.2.1:443/path`, or `192.0.2.1:443` in stream.
    pub upstream: Option<&'a [u8]>,
    /// The request's Host, raw.
    pub host: Option<&'a [u8]>,
    /// Whether the stream module wrote the line: it contains byte counts.
    pub stream: bool,
    /// Whether the line looks like nginx's: a date, a level, a connection, or one of its sentences.
    pub by_nginx: bool,
}

/// nginx's levels, as `error_log` names them.
pub(super) const LEVELS: [&str; 9] =
    ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "stderr"];

/// Texts that no other program writes.
const SENTENCES: &[&str] = &[
    "SSL_do_handshake()",
    "while SSL handshaking",
    "peer closed connection in SSL handshake",
    "upstream SSL certificate",
    "nginx: [",
];

/// Parses a line. Everything that is not a known field belongs to the message.
pub fn parse(bytes: &[u8]) -> LogLine<'_> {
    let bytes = bytes.trim_ascii_end();
    let head = read_head(bytes);
    let mut line = LogLine {
        time: head.time,
        level: head.level,
        pid: head.pid,
        connection: head.connection,
        ..LogLine::default()
    };
    let rest = &bytes[head.length..];
    let sentence = SENTENCES.iter().any(|words| memmem::find(rest, words.as_bytes()).is_some());
    let bare = head.level.is_some() && program::of_text(rest).is_none();
    line.by_nginx = head.level.is_some() && head.time.is_some() || sentence || bare;
    read_fields(rest, &mut line);
    line
}

/// The part before the message.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    time: Option<i64>,
    level: Option<&'static str>,
    pid: Option<u64>,
    connection: Option<u64>,
    length: usize,
}

/// The most bytes before the date or the level, which syslog and log shippers add.
const MAX_PREFIX: usize = 200;

fn read_head(bytes: &[u8]) -> Head {
    let mut head = Head::default();
    let near = &bytes[..bytes.len().min(MAX_PREFIX)];
    let mut at = 0;
    if let Some((start, time)) = find_time(near) {
        head.time = Some(time);
        at = start + TIME;
    }
    if let Some((end, level)) = find_level(&bytes[at..]) {
        head.level = Some(level);
        at += end;
    }
    if head.time.is_some() || head.level.is_some() {
        head.length = at;
    }
    read_numbers(bytes, &mut head);
    head
}

/// `12#34: *56 `, of which any part may be missing.
fn read_numbers(bytes: &[u8], head: &mut Head) {
    let rest = &bytes[head.length..];
    let mut at = spaces(rest);
    if let Some((pid, used)) = number(&rest[at..])
        && rest.get(at + used) == Some(&b'#')
    {
        let thread = number(&rest[at + used + 1..]).map_or(0, |(_, used)| used);
        let end = at + used + 1 + thread;
        head.pid = Some(pid);
        at = end + usize::from(rest.get(end) == Some(&b':'));
        at += spaces(&rest[at..]);
    }
    if rest.get(at) == Some(&b'*')
        && let Some((connection, used)) = number(&rest[at + 1..])
    {
        head.connection = Some(connection);
        at += 1 + used;
        at += spaces(&rest[at..]);
    }
    if head.pid.is_some() || head.connection.is_some() || head.length > 0 {
        head.length += at;
    }
}

fn spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == b' ').count()
}

fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).take(20).count();
    let text = std::str::from_utf8(&bytes[..digits]).ok()?;
    Some((text.parse().ok()?, digits))
}

/// Length of `2026/01/31 23:59:59`.
pub(super) const TIME: usize = 19;

/// The first date in nginx's form.
fn find_time(near: &[u8]) -> Option<(usize, i64)> {
    let mut from = 0;
    while let Some(slash) = memchr(b'/', &near[from..]).map(|at| from + at) {
        let start = slash.saturating_sub(4);
        if let Some(time) = near.get(start..start + TIME).and_then(read_time) {
            return Some((start, time));
        }
        from = slash + 1;
    }
    None
}

/// ` [error] `, or the same after `nginx: `.
fn find_level(bytes: &[u8]) -> Option<(usize, &'static str)> {
    let near = &bytes[..bytes.len().min(MAX_PREFIX)];
    let open = memchr(b'[', near)?;
    // Between the date and the level there is only a space; without a date, the name of a program.
    if open > 60 {
        return None;
    }
    let close = open + memchr(b']', &near[open..])?;
    let level = LEVELS.iter().find(|level| level.as_bytes() == &near[open + 1..close])?;
    Some((close + 1, level))
}

/// The message ends at the action, and the action at the first field.
fn read_fields<'a>(rest: &'a [u8], line: &mut LogLine<'a>) {
    let client = find_client(rest);
    let (before, fields) = rest.split_at(client.unwrap_or_else(|| first_field(rest)));
    let (message, action) = match memmem::rfind(before, b" while ") {
        Some(at) => (&before[..at], Some(&before[at + 7..])),
        None => match memmem::rfind(before, b" in starttls state") {
            Some(at) => (&before[..at], Some(b"in starttls state".as_slice())),
            None => (before, None),
        },
    };
    line.message = Cow::Borrowed(message);
    line.action = action.map(|action| action.trim_ascii_end().strip_suffix(b",").unwrap_or(action));
    let mut fields = LineFields { rest: fields };
    line.client = fields.bare(b"client: ");
    line.server = fields.bare(b"server: ");
    line.request = fields.quoted(b"request: ");
    fields.quoted(b"subrequest: ");
    line.upstream = fields.quoted(b"upstream: ");
    line.stream = fields.start(b"bytes from/to client:").is_some();
    line.host = fields.quoted(b"host: ");
}

fn find_client(rest: &[u8]) -> Option<usize> {
    [b", client: ".as_slice(), b", udp client: "]
        .iter()
        .filter_map(|words| memmem::find(rest, words))
        .min()
}

/// The start of the fields in a shortened line.
fn first_field(rest: &[u8]) -> usize {
    let starts =
        [", server: ", ", request: ", ", upstream: ", ", host: ", " upstream: ", " upstream=\""];
    let found = starts.iter().filter_map(|words| memmem::find(rest, words.as_bytes()));
    found.min().unwrap_or(rest.len())
}

/// `, name: value` repeatedly, in nginx's order.
struct LineFields<'a> {
    rest: &'a [u8],
}

impl<'a> LineFields<'a> {
    /// A value up to the next comma.
    fn bare(&mut self, name: &[u8]) -> Option<&'a [u8]> {
        let start = self.start(name)?;
        let value = &self.rest[start..];
        let end = memmem::find(value, b", ").unwrap_or(value.len());
        self.rest = &value[end..];
        Some(value[..end].trim_ascii_end().strip_suffix(b",").unwrap_or(&value[..end]))
    }

    /// A quoted value. A raw request may contain quotes too, so the value ends where another field or the end of the
    /// line follows.
    fn quoted(&mut self, name: &[u8]) -> Option<&'a [u8]> {
        let start = self.start(name)?;
        let value = &self.rest[start..];
        let Some(quote) = value.first().copied().filter(|byte| matches!(byte, b'"' | b'\'')) else {
            let end = memmem::find(value, b", ").unwrap_or(value.len());
            self.rest = &value[end..];
            return Some(&value[..end]).filter(|value| !value.is_empty());
        };
        let value = &value[1..];
        let end = end_of_quoted(value, quote);
        self.rest = value.get(end + 1..).unwrap_or_default();
        Some(&value[..end.min(value.len())])
    }

    /// Where the value starts, if this field comes next.
    fn start(&self, name: &[u8]) -> Option<usize> {
        let at = memmem::find(self.rest, name)?;
        // The text in between is another field, or the end of the last value.
        (at <= 6).then_some(at + name.len())
    }
}

/// The fields that can follow a quoted one.
const FOLLOWERS: &[&[u8]] =
    &[b", subrequest: \"", b", upstream: \"", b", host: \"", b", referrer: \"", b", bytes from/to"];

/// The end of a quoted value. A request line may contain quotes and whole fields, but it ends with its version.
pub(super) fn end_of_quoted(value: &[u8], quote: u8) -> usize {
    let ends = || {
        memchr_iter(quote, value).filter(|at| {
            let after = &value[at + 1..];
            after.is_empty() || FOLLOWERS.iter().any(|field| after.starts_with(field))
        })
    };
    let mut versioned = ends().filter(|at| ends_with_version(&value[..*at]));
    // A line without such an end was cut, as nginx does at 2048 bytes.
    let end = versioned.next().or_else(|| ends().next());
    end.or_else(|| memchr(quote, value)).unwrap_or(value.len())
}

/// ` HTTP/1.1`, after which nginx accepts nothing more in a request line.
fn ends_with_version(text: &[u8]) -> bool {
    let word = text.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    word.len() < text.len() && word.len() <= 8 && word.starts_with(b"HTTP/")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn text(field: Option<&[u8]>) -> &str {
        std::str::from_utf8(field.unwrap()).unwrap()
    }

    #[test]
    fn a_line_of_the_http_module_is_taken_apart() {
        let line = parse(
            b"2024/10/21 08:41:45 [crit] 165#166: *18127 SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, request: \"GET /path HTTP/1.1\", upstream: \"https://192.0.2.2:443/path\", host: \"a.test\", referrer: \"https://b.test/\"\n",
        );
        assert_eq!(line.time, read_time(b"2024/10/21 08:41:45"));
        assert_eq!(line.time, Some(1_729_500_105));
        assert_eq!((line.level, line.pid, line.connection), (Some("crit"), Some(165), Some(18127)));
        assert!(line.message.ends_with(b"number 112)"));
        assert_eq!(text(line.action), "SSL handshaking to upstream");
        assert_eq!((text(line.client), text(line.server)), ("192.0.2.1", "a.test"));
        assert_eq!(text(line.request), "GET /path HTTP/1.1");
        assert_eq!(
            (text(line.upstream), text(line.host)),
            ("https://192.0.2.2:443/path", "a.test")
        );
        assert!(line.by_nginx && !line.stream);
    }

    #[test]
    fn what_a_client_sent_is_not_read_as_a_field() {
        let line = parse(
            b"2024/10/21 08:41:45 [error] 1#1: *2 upstream timed out (110: Connection timed out) while SSL handshaking to upstream, client: 192.0.2.1, server: , request: \"GET /\xff\\\"x HTTP/1.1\", upstream: \"https://192.0.2.2/\", host: \"a.test\", referrer: \"x\", upstream: \"https://evil.test/\"",
        );
        assert_eq!(text(line.server), "");
        assert_eq!(text(line.upstream), "https://192.0.2.2/");
        assert_eq!(line.request, Some(b"GET /\xff\\\"x HTTP/1.1".as_slice()));
        let line = parse(
            b"2024/10/21 08:41:45 [info] 1#1: *2 SSL_read() failed (SSL: error:0A00010B:SSL routines::wrong version number) while reading client request body, client: 192.0.2.1, server: a.test, request: \"POST / HTTP/1.1\", host: \"a.test\", referrer: \"bytes from/to client:0/0\"",
        );
        assert!(!line.stream);
    }

    #[test]
    fn a_shipper_may_stand_before_the_line() {
        for prefix in
            ["<11>Oct 21 08:41:45 web nginx: ", "2024-10-21T08:41:45Z stderr F ", "nginx-1  | "]
        {
            let text = format!(
                "{prefix}2024/10/21 08:41:45 [info] 7#7: *1 peer closed connection in SSL handshake while SSL handshaking, client: 192.0.2.1, server: 0.0.0.0:443"
            );
            let line = parse(text.as_bytes());
            assert_eq!((line.level, line.connection), (Some("info"), Some(1)), "{prefix}");
            assert_eq!(&*line.message, b"peer closed connection in SSL handshake");
        }
        let start = parse(b"nginx: [emerg] cannot load certificate \"/x.pem\"");
        assert_eq!((start.level, start.time), (Some("emerg"), None));
    }

    #[test]
    fn stream_lines_count_bytes() {
        let line = parse(b"2024/10/21 08:41:45 [error] 7#7: *3 peer closed connection in SSL handshake (104: Connection reset by peer) while SSL handshaking to upstream, client: 192.0.2.1, server: 0.0.0.0:443, upstream: \"192.0.2.2:443\", bytes from/to client:0/0, bytes from/to upstream:0/0");
        assert!(line.stream);
        assert_eq!(text(line.upstream), "192.0.2.2:443");
    }

    #[test]
    fn the_calendar_is_right() {
        for (date, expected) in
            [("1970/01/01", 0), ("2000/02/29", 951_782_400), ("2026/12/31", 1_798_675_200)]
        {
            assert_eq!(read_time(format!("{date} 00:00:00").as_bytes()), Some(expected));
        }
        assert_eq!(read_time(b"2026/13/01 00:00:00"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in any::<Vec<u8>>()) {
            let line = parse(&bytes);
            crate::log::classify::classify(&line);
        }

        #[test]
        fn no_text_of_this_shape_makes_it_fail(text in "[0-9]{0,4}(/| |\\[error\\]|\\*1|, client: |, upstream: \"|\"|error:0A[0-9]{6}|:|while )*.{0,20}") {
            crate::log::classify::classify(&parse(text.as_bytes()));
        }
    }
}
