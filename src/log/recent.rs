//! The messages that were read last, with fields like those of their last line: most lines of a log differ from one
//! before only in the client and the request.

use memchr::memchr;

use super::quick::{CLIENT, QuickFields, QuickHead, plain_end};
use super::sketch::HashedText;

/// A verdict's place, and whether no line with this message has one, whatever its fields.
pub(super) type KnownVerdict = (Option<usize>, bool);

/// What is known of a line with a recent message.
pub(super) enum RecentLine<'a> {
    /// It is not about TLS.
    Never,
    /// Its fields, which are like those of the last line with this message, and the verdict's place.
    Like(QuickFields<'a>, Option<usize>),
}

/// Recent messages, in sets by some of their bytes.
#[derive(Debug, Default)]
pub(super) struct RecentMessages(Vec<[RecentMessage; WAYS]>);

/// A message that may be about TLS, and its last line.
#[derive(Debug, Default)]
struct RecentMessage {
    /// The message and the start of the fields.
    text: Vec<u8>,
    on_connection: bool,
    fields: LastFields,
    known: KnownVerdict,
}

/// The texts of fields that say as much as the fields themselves.
#[derive(Debug, Default)]
struct LastFields {
    /// From the client to the end of the line, or to the start of the request; empty if nothing is known.
    server: Vec<u8>,
    has_request: bool,
    /// From the request to the end of the upstream's address; empty if there is no upstream.
    upstream: Vec<u8>,
    /// Where the address is in that, and its hash.
    authority: Option<(usize, u64)>,
    flags: usize,
}

/// The longest fields that are remembered, in bytes.
const LONG: usize = 1024;

/// Sets of messages, a power of two.
const SETS: usize = 128;

/// Messages of each set.
const WAYS: usize = 2;

/// The start of the server's field.
const SERVER: &[u8] = b", server: ";

/// Where the request starts.
const REQUEST: &[u8] = b", request: \"";

/// Where the upstream starts, after the request.
const UPSTREAM: &[u8] = b", upstream: \"";

impl RecentMessages {
    /// What is known of a line.
    #[inline]
    pub(super) fn line<'a>(&self, head: &QuickHead<'a>) -> Option<RecentLine<'a>> {
        let set = self.0.get(set(head.rest)?)?;
        set.iter().find_map(|recent| recent.line(head))
    }

    /// Remembers a line.
    pub(super) fn keep(
        &mut self,
        head: &QuickHead<'_>,
        fields: &QuickFields<'_>,
        known: KnownVerdict,
    ) {
        let (message, rest) = head.message_and_fields();
        let (Some(rest), Some(set)) = (rest.strip_prefix(CLIENT), set(head.rest)) else { return };
        if self.0.is_empty() {
            self.0.resize_with(SETS, Default::default);
        }
        let set = &mut self.0[set];
        let text = &head.rest[..message.len() + CLIENT.len()];
        if set[0].text != text {
            set.swap(0, 1);
        }
        let [recent, _] = set;
        recent.text.clear();
        recent.text.extend_from_slice(text);
        recent.on_connection = head.connection.is_some();
        recent.known = known;
        let client = fields.client.map_or(0, <[u8]>::len);
        recent.fields.keep(rest.get(client..).unwrap_or_default(), fields);
    }
}

impl RecentMessage {
    #[inline]
    fn line<'a>(&self, head: &QuickHead<'a>) -> Option<RecentLine<'a>> {
        if self.text.is_empty()
            || self.on_connection != head.connection.is_some()
            || !head.rest.starts_with(&self.text)
        {
            return None;
        }
        let rest = &head.rest[self.text.len()..];
        let (client, rest) = rest.split_at(memchr(b',', rest)?);
        let (verdict, never) = self.known;
        if never {
            return self.fields.is_unescaped(rest).then_some(RecentLine::Never);
        }
        Some(RecentLine::Like(self.fields.of(client, rest)?, verdict))
    }
}

impl LastFields {
    /// Remembers the fields behind the client, if only what does not count may differ in the next line.
    fn keep(&mut self, rest: &[u8], fields: &QuickFields<'_>) {
        self.server.clear();
        self.upstream.clear();
        self.authority = None;
        self.flags = fields.flags;
        if rest.len() > LONG {
            return;
        }
        let Some(server) = fields.server else { return };
        let (start, rest) = rest.split_at((SERVER.len() + server.len()).min(rest.len()));
        let Some(value) = rest.strip_prefix(REQUEST) else {
            if rest.is_empty() {
                self.server.extend_from_slice(start);
                self.has_request = false;
            }
            return;
        };
        let Some(end) = plain_end(value) else { return };
        let after = &value[end + 1..];
        if let Some(url) = after.strip_prefix(UPSTREAM) {
            let Some(upstream) = fields.upstream else { return };
            // What follows the address must not be able to change it.
            let scheme = memchr(b':', url).filter(|at| url[*at..].starts_with(b"://"));
            let Some(place) = scheme.map(|at| UPSTREAM.len() + at + 3) else { return };
            let address = after.get(place..).unwrap_or_default();
            let ends = address.get(upstream.text.len()) == Some(&b'/');
            if !ends || !address.starts_with(upstream.text) || address.starts_with(b"unix:") {
                return;
            }
            self.upstream.extend_from_slice(&after[..=place + upstream.text.len()]);
            self.authority = Some((place, upstream.hash));
        }
        self.server.extend_from_slice(start);
        self.server.extend_from_slice(REQUEST);
        self.has_request = true;
    }

    #[inline]
    fn behind_server<'a>(&self, rest: &'a [u8]) -> Option<&'a [u8]> {
        rest.strip_prefix(&*self.server).filter(|_| !self.server.is_empty())
    }

    /// Whether the text behind the client starts like the last one, and has no escaped quotes.
    #[inline]
    fn is_unescaped(&self, rest: &[u8]) -> bool {
        let Some(after) = self.behind_server(rest) else { return false };
        if self.has_request { !after.starts_with(b"\"") } else { after.is_empty() }
    }

    /// The fields of a line, by its client and the text behind that.
    #[inline]
    fn of<'a>(&self, client: &'a [u8], rest: &'a [u8]) -> Option<QuickFields<'a>> {
        let after = self.behind_server(rest)?;
        let request = if self.has_request { REQUEST.len() } else { 0 };
        let server = rest.get(SERVER.len()..self.server.len() - request)?;
        let mut fields = QuickFields {
            client: Some(client),
            server: Some(server),
            upstream: None,
            flags: self.flags,
        };
        if !self.has_request {
            return after.is_empty().then_some(fields);
        }
        let after = &after[plain_end(after)? + 1..];
        match self.authority {
            Some((place, hash)) => {
                if !after.starts_with(&self.upstream) {
                    return None;
                }
                let text = &after[place..self.upstream.len() - 1];
                fields.upstream = Some(HashedText { text, hash });
            }
            None if after.starts_with(UPSTREAM) => return None,
            None => {}
        }
        Some(fields)
    }
}

/// Where OpenSSL's code is in most messages.
const CODE: usize = b"SSL_do_handshake() failed (SSL: error:".len();

/// The set of a message, by some of its first bytes; `None` for one that is too short.
#[inline]
fn set(rest: &[u8]) -> Option<usize> {
    let start: &[u8; CODE + 8] = rest.first_chunk()?;
    let [first, code] = [start.first_chunk()?, start.last_chunk()?];
    let mixed = u64::from_le_bytes(*first).rotate_left(32) ^ u64::from_le_bytes(*code);
    let mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SETS.trailing_zeros());
    usize::try_from(mixed).ok()
}
