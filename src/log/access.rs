//! One line of an access log: the variables that say something about TLS and upstreams, whatever the format is.

use std::borrow::Cow;

use serde_json::Value;

use super::format::Format;
use super::line::days;

/// Variables that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is nginx's variable of the same name")]
pub enum Variable {
    RemoteAddr,
    TimeLocal,
    TimeIso8601,
    Msec,
    Status,
    SslProtocol,
    SslCipher,
    SslCurve,
    SslSessionReused,
    SslServerName,
    ConnectionRequests,
    HttpUserAgent,
    UpstreamAddr,
    UpstreamStatus,
    UpstreamConnectTime,
}

/// Names, nginx's own first, then what people call it in JSON.
const NAMES: &[(Variable, &[&str])] = &[
    (Variable::RemoteAddr, &["remote_addr", "client_ip", "client", "remote_ip", "ip", "remote"]),
    (Variable::TimeLocal, &["time_local"]),
    (Variable::TimeIso8601, &["time_iso8601", "timestamp", "time", "ts", "date"]),
    (Variable::Msec, &["msec"]),
    (Variable::Status, &["status", "code", "response", "response_status"]),
    (Variable::SslProtocol, &["ssl_protocol", "tls_version", "tls_protocol", "ssl_version"]),
    (Variable::SslCipher, &["ssl_cipher", "tls_cipher"]),
    (Variable::SslCurve, &["ssl_curve", "tls_curve"]),
    (Variable::SslSessionReused, &["ssl_session_reused", "tls_session_reused", "session_reused"]),
    (Variable::SslServerName, &["ssl_server_name", "sni"]),
    (Variable::ConnectionRequests, &["connection_requests"]),
    (Variable::HttpUserAgent, &["http_user_agent", "user_agent", "agent", "ua"]),
    (Variable::UpstreamAddr, &["upstream_addr", "upstream"]),
    (Variable::UpstreamStatus, &["upstream_status"]),
    (Variable::UpstreamConnectTime, &["upstream_connect_time"]),
];

const VARIABLES: usize = NAMES.len();

impl Variable {
    /// The variable of this name, without its `$`.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, names)| names[0] == name).map(|(variable, _)| *variable)
    }
}

/// The values of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access<'a> {
    values: [Option<Cow<'a, [u8]>>; VARIABLES],
}

impl<'a> Access<'a> {
    /// A value; what is empty or `-` was not there.
    pub fn get(&self, variable: Variable) -> Option<&[u8]> {
        self.values[variable as usize]
            .as_deref()
            .filter(|value| !value.is_empty() && *value != b"-")
    }

    /// Sets a value.
    pub fn set(&mut self, variable: Variable, value: impl Into<Cow<'a, [u8]>>) {
        self.values[variable as usize] = Some(value.into());
    }

    /// Whether the line has the variable at all.
    pub fn has(&self, variable: Variable) -> bool {
        self.values[variable as usize].is_some()
    }

    /// Seconds since 1970 on the clock of the host, as error logs have it: the zone is left out.
    pub fn time(&self) -> Option<i64> {
        let local = self.get(Variable::TimeLocal).and_then(read_local);
        local.or_else(|| self.get(Variable::TimeIso8601).and_then(read_iso))
    }
}

/// How access lines are read.
#[derive(Clone, Debug)]
pub enum Shape {
    /// By the first of these formats that fits.
    Given(Vec<Format>),
    /// As what most formats begin with, or as JSON by the names of its keys.
    Guess(Format),
}

impl Default for Shape {
    fn default() -> Self {
        Self::Guess(Format::combined())
    }
}

impl Shape {
    /// Reads a line; `None` where it is none of an access log.
    pub fn read<'a>(&self, line: &'a [u8]) -> Option<Access<'a>> {
        match self {
            Self::Given(formats) => formats.iter().find_map(|format| format.read(line)),
            Self::Guess(_) if line.starts_with(b"{") => object(line),
            Self::Guess(combined) => guess(combined, line),
        }
    }
}

/// The start is nginx's own format; of what follows, the words that can only be a version, a cipher or reuse are taken.
fn guess<'a>(combined: &Format, line: &'a [u8]) -> Option<Access<'a>> {
    let (mut access, rest) = combined.read_start(line)?;
    access.time()?;
    for word in rest.split(|byte| matches!(byte, b' ' | b'"' | b'=' | b',' | b'|' | b'\t')) {
        if is_version(word) {
            access.set(Variable::SslProtocol, word);
        } else if is_cipher(word) {
            access.set(Variable::SslCipher, word);
        }
    }
    Some(access)
}

/// `TLSv1.3` and its kin, as OpenSSL writes them.
pub fn is_version(word: &[u8]) -> bool {
    matches!(word, b"SSLv2" | b"SSLv3" | b"TLSv1" | b"TLSv1.1" | b"TLSv1.2" | b"TLSv1.3")
}

fn is_cipher(word: &[u8]) -> bool {
    let starts = [b"TLS_".as_slice(), b"ECDHE-", b"DHE-", b"AES128-", b"AES256-", b"DES-CBC3"];
    starts.iter().any(|start| word.starts_with(start))
}

fn object(line: &[u8]) -> Option<Access<'static>> {
    let Ok(Value::Object(object)) = serde_json::from_slice(line) else { return None };
    let mut access = Access::default();
    for (key, value) in &object {
        let key = key.trim_start_matches(['$', '@']).to_ascii_lowercase();
        let known = NAMES.iter().find(|(_, names)| names.contains(&&*key));
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        if let Some((variable, _)) = known.filter(|(variable, _)| !access.has(*variable)) {
            access.set(*variable, text.into_bytes());
        }
    }
    let telling = [Variable::Status, Variable::SslProtocol, Variable::UpstreamStatus];
    telling.iter().any(|variable| access.has(*variable)).then_some(access)
}

const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// `31/Jan/2026:23:59:59 +0100`.
fn read_local(text: &[u8]) -> Option<i64> {
    let month = text.get(3..6)?;
    let month = MONTHS.chunks(3).position(|name| name == month)?;
    let rest = [
        text.get(7..11)?,
        b"/",
        &two_digits(month + 1),
        b"/",
        text.get(..2)?,
        b" ",
        text.get(12..20)?,
    ];
    super::line::read_time(&rest.concat())
}

fn two_digits(number: usize) -> [u8; 2] {
    let digit = |number: usize| b'0' + u8::try_from(number % 10).unwrap_or(0);
    [digit(number / 10), digit(number)]
}

/// `2026-01-31T23:59:59+01:00`.
fn read_iso(text: &[u8]) -> Option<i64> {
    let mut time: [u8; 19] = text.get(..19)?.try_into().ok()?;
    (time[4], time[7], time[10]) = (b'/', b'/', b' ');
    super::line::read_time(&time)
}

/// Seconds since 1970 of `2026-01-31`, `2026-01-31T10:00` or `2026-01-31 10:00:00`, on the host's clock.
pub fn read_moment(text: &str) -> Option<i64> {
    let full = match text.len() {
        10 => {
            let mut parts = text.splitn(3, ['-', '/']).map(|part| part.parse::<i64>().ok());
            let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
            let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
            return valid.then(|| days(year, month, day) * 86_400);
        }
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    };
    read_iso(full.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::line::read_time;

    #[test]
    fn the_wall_clock_is_read_from_either_form() {
        let expected = read_time(b"2026/01/31 23:59:59");
        assert_eq!(read_local(b"31/Jan/2026:23:59:59 +0100"), expected);
        assert_eq!(read_iso(b"2026-01-31T23:59:59+01:00"), expected);
        assert_eq!(read_moment("2026-01-31 23:59:59"), expected);
        assert_eq!(read_moment("2026-01-31"), read_time(b"2026/01/31 00:00:00"));
        assert_eq!(read_moment("soon"), None);
        assert_eq!(read_moment("2026-99-31"), None);
    }

    #[test]
    fn a_format_that_is_not_told_is_guessed() {
        let shape = Shape::default();
        let line = br#"192.0.2.1 - - [31/Jan/2026:23:59:59 +0000] "GET /TLSv1 HTTP/1.1" 200 5 "-" "curl TLSv1.1" TLSv1.2/ECDHE TLSv1.3 TLS_AES_128_GCM_SHA256"#;
        let access = shape.read(line).unwrap();
        assert_eq!(access.get(Variable::SslProtocol), Some(b"TLSv1.3".as_slice()));
        assert_eq!(access.get(Variable::SslCipher), Some(b"TLS_AES_128_GCM_SHA256".as_slice()));
        let object = br#"{"@timestamp":"2026-01-31T23:59:59Z","client_ip":"192.0.2.1","status":502,"tls_version":"TLSv1.2"}"#;
        let access = shape.read(object).unwrap();
        assert_eq!(access.get(Variable::SslProtocol), Some(b"TLSv1.2".as_slice()));
        assert_eq!(access.get(Variable::Status), Some(b"502".as_slice()));
        assert!(access.time().is_some());
        assert!(shape.read(b"{\"a\":1}").is_none() && shape.read(b"junk").is_none());
    }
}
