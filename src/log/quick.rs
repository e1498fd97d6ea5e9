//! A fast parser: it only reads the parts of a line that are needed for counting.

use memchr::{memchr, memchr_iter};

use super::line::{self, TIME};
use super::sketch::HashedText;

/// The start of a line of nginx's own files, and the rest.
#[derive(Clone, Copy)]
pub(super) struct QuickHead<'a> {
    /// The date.
    pub(super) time: &'a [u8],
    /// Whether the level is below warn.
    pub(super) verbose: bool,
    /// Worker and connection.
    pub(super) connection: Option<(u64, u64)>,
    /// The message and everything after it.
    pub(super) rest: &'a [u8],
}

impl<'a> QuickHead<'a> {
    /// `None` if the line does not look like one of nginx's own files.
    pub(super) fn of(bytes: &'a [u8], recent: &mut RecentHeads) -> Option<Self> {
        let (time, after) = plain_head(bytes)?;
        let slot = RecentHeads::slot(after);
        if let Some(known) = slot.and_then(|slot| recent.0.get(slot))
            && !known.text.is_empty()
            && let Some(numbered) = after.strip_prefix(&*known.text)
        {
            let (number, rest) = connection_number(numbered);
            let rest = rest.unwrap_or(&after[known.text.len() - 1..]);
            let connection = Some((known.worker, number));
            return Some(Self { time, verbose: known.verbose, connection, rest });
        }
        let (verbose, rest) = level(after)?;
        let (connection, rest) = connection(rest);
        if let (Some(slot), Some((worker, _)), Some(star)) = (slot, connection, star(after)) {
            if recent.0.is_empty() {
                recent.0.resize_with(HEADS, RecentHead::default);
            }
            let text = after[..=star].to_vec();
            recent.0[slot] = RecentHead { text, verbose, worker };
        }
        Some(Self { time, verbose, connection, rest })
    }

    /// The message with the action, and the fields behind them.
    pub(super) fn message_and_fields(&self) -> (&'a [u8], &'a [u8]) {
        let is_client = |at: &usize| self.rest[*at..].starts_with(CLIENT);
        let end = memchr_iter(b',', self.rest).find(is_client);
        self.rest.split_at(end.unwrap_or(self.rest.len()))
    }
}

/// The start of the fields.
pub(super) const CLIENT: &[u8] = b", client: ";

/// Texts between the date and the connection that were read last: there are as many as workers and levels.
#[derive(Debug, Default)]
pub(super) struct RecentHeads(Vec<RecentHead>);

/// What `[error] 12#34: *` says.
#[derive(Debug, Default)]
struct RecentHead {
    text: Vec<u8>,
    verbose: bool,
    worker: u64,
}

/// The number of texts that are remembered, a power of two.
const HEADS: usize = 64;

impl RecentHeads {
    /// The place of a text, by its first bytes.
    #[inline]
    fn slot(text: &[u8]) -> Option<usize> {
        let start: &[u8; 13] = text.first_chunk()?;
        let [first, last] = [start.first_chunk()?, start.last_chunk()?];
        let mixed = u64::from_le_bytes(*first).rotate_left(32) ^ u64::from_le_bytes(*last);
        let mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - HEADS.trailing_zeros());
        usize::try_from(mixed).ok()
    }
}

/// Where the connection's number starts, in a text that has one.
fn star(text: &[u8]) -> Option<usize> {
    text.iter().take(64).position(|byte| *byte == b'*')
}

/// Length of `2026/01/31 23:59:`.
const MINUTE: usize = 17;

/// The last minute that was read: nginx often writes many lines within one.
#[derive(Debug, Default)]
pub(super) struct LastMinute([u8; MINUTE], Option<i64>);

impl LastMinute {
    /// The time of a line that starts with one.
    pub(super) fn time(&mut self, text: &[u8]) -> Option<i64> {
        let (minute, second) = text.split_at(MINUTE);
        if self.0 != *minute {
            self.1 = line::read_time(&[minute, b"00"].concat());
            self.0.copy_from_slice(minute);
        }
        let digit = |at: usize| second.get(at).filter(|byte| byte.is_ascii_digit());
        let (tens, ones) = (digit(0).filter(|tens| **tens < b'6')?, digit(1)?);
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

/// Whether a line is below warn, and the text after `[level] `; `None` if nginx has no such level.
fn level(rest: &[u8]) -> Option<(bool, &[u8])> {
    let end = memchr(b']', &rest[..rest.len().min(10)])?;
    let level = str::from_utf8(rest.get(1..end)?).ok()?;
    line::LEVELS.contains(&level).then(|| (is_verbose(level), rest[end + 1..].trim_ascii_start()))
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
    let (connection, message) = connection_number(numbered);
    (Some((worker, connection)), message.unwrap_or(rest))
}

/// `56 ` after the `*`, and the message, if it follows.
#[inline]
fn connection_number(numbered: &[u8]) -> (u64, Option<&[u8]>) {
    let (connection, used) = number(numbered);
    (connection, numbered[used..].strip_prefix(b" "))
}

#[inline]
fn number(bytes: &[u8]) -> (u64, usize) {
    let (mut number, mut used) = (0, 0);
    while used < 19
        && let Some(byte) = bytes.get(used)
        && byte.is_ascii_digit()
    {
        number = number * 10 + u64::from(byte - b'0');
        used += 1;
    }
    (number, used)
}

/// The first fields, which every line about a connection has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FirstFields<'a> {
    pub(super) client: Option<&'a [u8]>,
    pub(super) server: Option<&'a [u8]>,
    /// Whether quotes are escaped or doubled, as in a line that was cut out of JSON or CSV.
    pub(super) escaped: bool,
    rest: &'a [u8],
}

/// The fields that are needed for counting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuickFields<'a> {
    pub(super) client: Option<&'a [u8]>,
    pub(super) server: Option<&'a [u8]>,
    /// The upstream's address and port.
    pub(super) upstream: Option<HashedText<'a>>,
    /// Everything in the fields that the class depends on, as bits.
    pub(super) flags: usize,
}

/// The number of bits in `flags` of [`QuickFields`].
pub(super) const FLAGS: u32 = 8;

impl<'a> FirstFields<'a> {
    pub(super) fn of(fields: &'a [u8]) -> Self {
        let Some(rest) = fields.strip_prefix(CLIENT) else { return Self::default() };
        let (client, rest) = rest.split_at(memchr(b',', rest).unwrap_or(rest.len()));
        let (server, rest) = match rest.strip_prefix(b", server: ") {
            Some(rest) => {
                let (server, rest) = rest.split_at(memchr(b',', rest).unwrap_or(rest.len()));
                (Some(server), rest)
            }
            None => (None, rest),
        };
        let value =
            rest.strip_prefix(b", request: ").or_else(|| rest.strip_prefix(b", upstream: "));
        let escaped =
            value.is_some_and(|value| value.starts_with(b"\\\"") || value.starts_with(b"\"\""));
        Self { client: Some(client), server, escaped, rest }
    }

    /// All of them.
    pub(super) fn all(self) -> QuickFields<'a> {
        let Self { client, server, rest, .. } = self;
        if client.is_none() {
            return QuickFields::default();
        }
        // In http, a request comes first.
        let stream = rest.starts_with(b", upstream: ") || rest.starts_with(b", bytes from/to");
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
        QuickFields { client, server, upstream: upstream.map(HashedText::of), flags }
    }
}

/// The text after that field, if it comes next.
#[inline]
fn behind_quoted<'a>(rest: &'a [u8], name: &[u8]) -> &'a [u8] {
    let Some(value) = rest.strip_prefix(name) else { return rest };
    let end = plain_end(value).unwrap_or_else(|| line::end_of_quoted(value, b'"'));
    value.get(end + 1..).unwrap_or_default()
}

/// What [`line::end_of_quoted`] finds for a request line as nearly all are.
pub(super) fn plain_end(value: &[u8]) -> Option<usize> {
    let end = memchr(b'"', value)?;
    let (request, after) = value.split_at(end);
    let [b' ', b'H', b'T', b'T', b'P', b'/', version @ ..] = request.last_chunk::<9>()? else {
        return None;
    };
    let followed = after.starts_with(b"\", upstream: \"") || after.starts_with(b"\", host: \"");
    (followed && !version.contains(&b' ')).then_some(end)
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
    match authority.iter().rposition(|byte| *byte == b':') {
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
    upstream.starts_with(b"https:")
        || upstream.starts_with(b"grpcs:")
        || upstream.starts_with(b"suwsgi:")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::*;

    proptest! {
        #[test]
        fn the_end_of_a_plain_request_is_the_end_of_any(
            text in "(GET /|\"| HTTP/1\\.[01]|\", (upstream|host|referrer): \"| |x){0,9}"
        ) {
            if let Some(end) = plain_end(text.as_bytes()) {
                assert_eq!(end, line::end_of_quoted(text.as_bytes(), b'"'), "{text}");
            }
        }
    }

    #[test]
    fn most_requests_are_plain() {
        assert_eq!(plain_end(b"GET /x HTTP/1.1\", host: \"a.test\""), Some(15));
        assert_eq!(plain_end(b"GET /\" HTTP/1.1\", host: \"a.test\""), None);
    }
}
