//! One line of an access log: its variables about TLS and upstreams, independent of the format.

use std::borrow::Cow;

use super::time::days;

/// The variables that are used.
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
    SslCiphers,
    SslCurves,
    SslSessionReused,
    SslServerName,
    Host,
    ServerPort,
    ConnectionRequests,
    HttpUserAgent,
    UpstreamAddr,
    UpstreamStatus,
    UpstreamConnectTime,
}

/// Names of each variable: nginx's own first, then usual JSON keys.
pub(super) const NAMES: &[(Variable, &[&str])] = &[
    (Variable::RemoteAddr, &["remote_addr", "client_ip", "client", "remote_ip", "ip", "remote"]),
    (Variable::TimeLocal, &["time_local"]),
    (Variable::TimeIso8601, &["time_iso8601", "timestamp", "time", "ts", "date"]),
    (Variable::Msec, &["msec"]),
    (Variable::Status, &["status", "code", "response", "response_status"]),
    (Variable::SslProtocol, &["ssl_protocol", "tls_version", "tls_protocol", "ssl_version"]),
    (Variable::SslCipher, &["ssl_cipher", "tls_cipher"]),
    (Variable::SslCurve, &["ssl_curve", "tls_curve"]),
    (Variable::SslCiphers, &["ssl_ciphers", "tls_ciphers"]),
    (Variable::SslCurves, &["ssl_curves", "tls_curves"]),
    (Variable::SslSessionReused, &["ssl_session_reused", "tls_session_reused", "session_reused"]),
    (Variable::SslServerName, &["ssl_server_name", "sni"]),
    (Variable::Host, &["host", "http_host", "server_name", "vhost"]),
    (Variable::ServerPort, &["server_port"]),
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
        if matches!(name, "http_host" | "server_name") {
            return Some(Self::Host);
        }
        NAMES.iter().find(|(_, names)| names[0] == name).map(|(variable, _)| *variable)
    }
}

/// The values of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access<'a> {
    values: [Option<Cow<'a, [u8]>>; VARIABLES],
}

impl<'a> Access<'a> {
    /// A value; `None` if it is empty or `-`.
    pub fn get(&self, variable: Variable) -> Option<&[u8]> {
        self.values[variable as usize]
            .as_deref()
            .filter(|value| !value.is_empty() && *value != b"-")
    }

    /// Sets a value.
    pub fn set(&mut self, variable: Variable, value: impl Into<Cow<'a, [u8]>>) {
        self.values[variable as usize] = Some(value.into());
    }

    /// Whether the line has the variable, even if it is empty.
    pub fn has(&self, variable: Variable) -> bool {
        self.values[variable as usize].is_some()
    }

    /// Seconds since 1970 on the host's clock, without time zone, as in error logs.
    pub fn time(&self) -> Option<i64> {
        let local = self.get(Variable::TimeLocal).and_then(read_local);
        local.or_else(|| self.get(Variable::TimeIso8601).and_then(read_iso))
    }
}

/// Whether this is a TLS version as OpenSSL writes it, such as `TLSv1.3`.
pub fn is_version(word: &[u8]) -> bool {
    matches!(word, b"SSLv2" | b"SSLv3" | b"TLSv1" | b"TLSv1.1" | b"TLSv1.2" | b"TLSv1.3")
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
    super::time::read_time(&rest.concat())
}

fn two_digits(number: usize) -> [u8; 2] {
    let digit = |number: usize| b'0' + u8::try_from(number % 10).unwrap_or(0);
    [digit(number / 10), digit(number)]
}

/// `2026-01-31T23:59:59+01:00`.
fn read_iso(text: &[u8]) -> Option<i64> {
    let mut time: [u8; 19] = text.get(..19)?.try_into().ok()?;
    (time[4], time[7], time[10]) = (b'/', b'/', b' ');
    super::time::read_time(&time)
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
    use crate::log::time::read_time;

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
}
