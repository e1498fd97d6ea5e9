//! A fast parser: it only reads the parts of a line that are needed for counting.

use std::sync::LazyLock;

use memchr::{memchr, memmem, memrchr};

use super::line::{self, TIME};
use super::prefilter::may_be_about_tls;

static CLIENT: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(b", client: "));

/// A line, taken apart as far as that needs no other line.
pub(super) enum QuickLine<'a> {
    /// A line that the slow parser reads.
    Unusual,
    /// A line of nginx's own files that is not about TLS, and whether its level is below warn.
    Other(bool),
    /// A line of nginx's own files that may be about TLS, and whether its level is below warn.
    Candidate(bool, QuickCandidate<'a>),
}

/// A line that may be about TLS.
#[derive(Clone, Copy)]
pub(super) struct QuickCandidate<'a> {
    /// Seconds since 1970 on the host's clock.
    pub(super) time: Option<i64>,
    /// Worker and connection.
    pub(super) connection: Option<(u64, u64)>,
    /// The message and the action.
    pub(super) message: &'a [u8],
    /// The fields behind them.
    pub(super) fields: QuickFields<'a>,
}

impl<'a> QuickLine<'a> {
    pub(super) fn of(bytes: &'a [u8], minute: &mut LastMinute) -> Self {
        let Some((time, rest)) = plain_head(bytes) else { return Self::Unusual };
        let (verbose, rest) = level(rest);
        let (connection, message) = connection(rest);
        let (message, fields) = message.split_at(CLIENT.find(message).unwrap_or(message.len()));
        if !message.starts_with(b"SSL") && !may_be_about_tls(message, connection.is_some()) {
            return Self::Other(verbose);
        }
        let fields = QuickFields::of(fields);
        if fields.escaped {
            return Self::Unusual;
        }
        let time = minute.time(time);
        Self::Candidate(verbose, QuickCandidate { time, connection, message, fields })
    }
}

/// Length of `2026/01/31 23:59:`.
const MINUTE: usize = 17;

/// The last minute that was read: nginx often writes many lines within one.
#[derive(Debug, Default)]
pub(super) struct LastMinute([u8; MINUTE], Option<i64>);

impl LastMinute {
    /// The time of a line that starts with one.
    fn time(&mut self, text: &[u8]) -> Option<i64> {
        let (minute, second) = text.split_at(MINUTE);
        if self.0 != *minute {
            self.1 = line::read_time(&[minute, b"00"].concat());
            self.0.copy_from_slice(minute);
        }
        let digit = |at: usize| second.get(at).filter(|byte| byte.is_ascii_digit());
        let (tens, ones) = (digit(0)?, digit(1)?);
        Some(self.1? + i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    }
}

/// The date and the text after it, for a line in nginx's own files.
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

/// Whether a line is below warn, and the text after `[level] `.
fn level(rest: &[u8]) -> (bool, &[u8]) {
    let end = memchr(b']', &rest[..rest.len().min(10)]).map_or(0, |at| at + 1);
    (matches!(rest.get(1), Some(b'i' | b'n' | b'd')), rest[end..].trim_ascii_start())
}

pub(super) fn is_verbose(level: &str) -> bool {
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

/// The fields that are needed for counting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuickFields<'a> {
    pub(super) client: Option<&'a [u8]>,
    pub(super) server: Option<&'a [u8]>,
    /// The upstream's address and port.
    pub(super) upstream: Option<&'a [u8]>,
    /// Everything in the fields that the class depends on, as bits.
    pub(super) flags: usize,
    /// Whether quotes are escaped or doubled, as in a line that was cut out of JSON or CSV.
    pub(super) escaped: bool,
}

/// The number of bits in `flags` of [`QuickFields`].
pub(super) const FLAGS: u32 = 8;

impl<'a> QuickFields<'a> {
    pub(super) fn of(fields: &'a [u8]) -> Self {
        let Some(rest) = fields.strip_prefix(b", client: ") else { return Self::default() };
        let (client, rest) = rest.split_at(memchr(b',', rest).unwrap_or(rest.len()));
        let (server, rest) = match rest.strip_prefix(b", server: ") {
            Some(rest) => {
                let (server, rest) = rest.split_at(memchr(b',', rest).unwrap_or(rest.len()));
                (Some(server), rest)
            }
            None => (None, rest),
        };
        // In http, a request comes first.
        let stream = rest.starts_with(b", upstream: ") || rest.starts_with(b", bytes from/to");
        let escaped = ESCAPED.iter().any(|start| rest.starts_with(start));
        // Requests and referrers contain arbitrary text of the client, so they are not searched.
        let rest = behind_quoted(rest, b", request: \"");
        let rest = behind_quoted(rest, b", subrequest: \"");
        let upstream = rest.strip_prefix(b", upstream: \"");
        let upstream = upstream.map(|rest| &rest[..memchr(b'"', rest).unwrap_or(rest.len())]);
        let url = upstream.unwrap_or_default();
        let authority = authority(url);
        let flags = [
            true,
            upstream.is_some(),
            url.starts_with(b"grpc"),
            server == Some(b"_"),
            has_other_port(authority),
            has_tls_scheme(url),
            url.starts_with(b"http:"),
            stream,
        ];
        let flags = flags.iter().enumerate().map(|(bit, flag)| usize::from(*flag) << bit).sum();
        let upstream = Some(authority).filter(|authority| !authority.is_empty());
        Self { client: Some(client), server, upstream, flags, escaped }
    }
}

/// The start of the field after the server if quotes are escaped or doubled.
const ESCAPED: [&[u8]; 4] =
    [b", request: \\\"", b", request: \"\"", b", upstream: \\\"", b", upstream: \"\""];

/// The text after that field, if it comes next.
fn behind_quoted<'a>(rest: &'a [u8], name: &[u8]) -> &'a [u8] {
    let Some(value) = rest.strip_prefix(name) else { return rest };
    value.get(line::end_of_quoted(value, b'"') + 1..).unwrap_or_default()
}

/// `192.0.2.1:443` of `https://192.0.2.1:443/path`, `unix:/run/x` of `https://unix:/run/x:/path`.
pub(super) fn authority(upstream: &[u8]) -> &[u8] {
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

/// The prefix of a unix socket.
const UNIX: &[u8] = b"unix:";

/// The longest scheme, such as `https:`.
const MAX_SCHEME: usize = 8;

/// Whether an authority has a port other than 443.
fn has_other_port(authority: &[u8]) -> bool {
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

/// Whether nginx uses TLS with an upstream, by its scheme.
pub(super) fn has_tls_scheme(upstream: &[u8]) -> bool {
    [b"https:".as_slice(), b"grpcs:", b"suwsgi:"].iter().any(|scheme| upstream.starts_with(scheme))
}
