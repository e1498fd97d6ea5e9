//! Statistics of access logs about TLS: versions, ciphers, session reuse, and the answers of upstreams.

use std::collections::BTreeMap;

use super::access::{Access, Variable};
use super::series::{Grid, Series};
use super::sketch::{Distinct, NameCounts, hash};
use super::tally::Moments;

/// The most versions that are counted; OpenSSL has seven.
const VERSIONS: usize = 16;

/// Requests by version.
#[derive(Clone, Debug, Default)]
pub struct VersionTraffic {
    /// All of them.
    pub requests: u64,
    /// Distinct clients.
    pub clients: Distinct,
    /// Requests by the name that clients sent.
    pub names: NameCounts,
    /// Requests by user agent.
    pub agents: NameCounts,
    /// Requests over time.
    pub series: Series,
}

/// Everything that was counted.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// All requests.
    pub requests: u64,
    /// Whether the lines contain the TLS version.
    pub tells_version: bool,
    /// Requests over TLS by version.
    pub versions: BTreeMap<Vec<u8>, VersionTraffic>,
    /// By cipher.
    pub ciphers: NameCounts,
    /// By curve.
    pub curves: NameCounts,
    /// Connections, or requests, that resumed a session.
    pub reused: u64,
    /// Those that did not.
    pub full: u64,
    /// Whether reuse is counted by connection, not by request.
    pub by_connection: bool,
    /// Answers of 502 and 504.
    pub bad_gateway: u64,
    /// Those without a completed connection or handshake to the upstream.
    pub not_connected: u64,
    /// Whether the lines show the result of each attempt to reach an upstream.
    pub tells_tries: bool,
    /// Attempts to reach an upstream that never connected.
    pub failed_tries: NameCounts,
    /// Connection and handshake to upstreams.
    pub connect_time: Histogram,
    /// The buckets of every series.
    pub grid: Option<Grid>,
}

impl Traffic {
    /// Counts a request.
    pub fn add(&mut self, access: &Access<'_>, moments: &mut Moments) {
        self.requests += 1;
        self.tells_version |= access.has(Variable::SslProtocol);
        if let Some(version) = access.get(Variable::SslProtocol) {
            self.version(version, access);
        }
        for (variable, names) in
            [(Variable::SslCipher, &mut self.ciphers), (Variable::SslCurve, &mut self.curves)]
        {
            if let Some(name) = access.get(variable) {
                names.add(name);
            }
        }
        self.reuse(access);
        self.upstreams(access, moments);
    }

    fn version(&mut self, version: &[u8], access: &Access<'_>) {
        let slot = access.time().map(|time| self.slot(time));
        if !self.versions.contains_key(version) {
            if self.versions.len() >= VERSIONS || version.len() > 16 {
                return;
            }
            self.versions.insert(version.to_vec(), VersionTraffic::default());
        }
        let Some(counted) = self.versions.get_mut(version) else { return };
        counted.requests += 1;
        access.get(Variable::RemoteAddr).inspect(|client| counted.clients.add(hash(client)));
        for (variable, names) in [
            (Variable::SslServerName, &mut counted.names),
            (Variable::HttpUserAgent, &mut counted.agents),
        ] {
            if let Some(name) = access.get(variable) {
                names.add(name);
            }
        }
        slot.inspect(|slot| counted.series.add(*slot));
    }

    fn slot(&mut self, time: i64) -> usize {
        let grid = self.grid.get_or_insert_with(|| Grid::around(time));
        if grid.slot(time).is_none() {
            let change = grid.extend(time);
            self.versions.values_mut().for_each(|version| version.series.follow(change));
        }
        grid.slot(time).unwrap_or(0)
    }

    /// If lines number the requests of a connection, only the first one counts.
    fn reuse(&mut self, access: &Access<'_>) {
        let first = access.get(Variable::ConnectionRequests).map(|number| number == b"1");
        self.by_connection |= first.is_some();
        if first == Some(false) {
            return;
        }
        match access.get(Variable::SslSessionReused) {
            Some(b"r") => self.reused += 1,
            Some(b".") => self.full += 1,
            _ => {}
        }
    }

    fn upstreams(&mut self, access: &Access<'_>, moments: &mut Moments) {
        let bad = matches!(access.get(Variable::Status), Some(b"502" | b"504"));
        self.bad_gateway += u64::from(bad);
        let addresses = tries(access.get(Variable::UpstreamAddr));
        let times = tries(access.get(Variable::UpstreamConnectTime));
        self.tells_tries |=
            access.has(Variable::UpstreamAddr) && access.has(Variable::UpstreamConnectTime);
        // A list that is only `-` counts as absent, but shows that the only attempt failed.
        let alone = access.has(Variable::UpstreamConnectTime) && times.is_empty();
        let times = if alone { vec![b"-".as_slice()] } else { times };
        for time in &times {
            if let Some(time) = milliseconds(time) {
                self.connect_time.add(time);
            }
        }
        for (place, address) in addresses.iter().enumerate() {
            let failed = times.get(place).is_some_and(|time| *time == b"-");
            if failed {
                self.failed_tries.add(address);
            }
            if bad && let Some(time) = access.time() {
                moments.answered(time, address);
            }
        }
        let never = !times.is_empty() && times.iter().all(|time| *time == b"-");
        self.not_connected += u64::from(bad && never && !addresses.is_empty());
    }

    /// The share of connections that resumed a session, from 0 to 1; `None` if the lines do not show it.
    pub fn reuse_ratio(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
        let share = |part: u64, whole: u64| part as f64 / whole as f64;
        (self.reused + self.full > 0).then(|| share(self.reused, self.reused + self.full))
    }

    /// Requests over TLS.
    pub fn tls(&self) -> u64 {
        self.versions.values().map(|version| version.requests).sum()
    }
}

/// The attempts in a list, separated by `, ` and ` : `.
fn tries(list: Option<&[u8]>) -> Vec<&[u8]> {
    let Some(list) = list else { return Vec::new() };
    let words =
        list.split(|byte| *byte == b' ').map(|word| word.strip_suffix(b",").unwrap_or(word));
    words.filter(|word| !word.is_empty() && *word != b":").take(64).collect()
}

/// Milliseconds of `0.123`.
fn milliseconds(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let thousandths: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    seconds.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(thousandths)
}

/// The number of buckets of [`Histogram`]: each starts 5 % above the one before.
const BUCKETS: usize = 400;

/// A histogram of durations, with an error of at most 5 %.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: u64,
}

impl Histogram {
    /// Counts a duration in milliseconds.
    pub fn add(&mut self, milliseconds: u64) {
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
        }
        let bucket = (1..BUCKETS).find(|bucket| edge(*bucket) > milliseconds).unwrap_or(BUCKETS);
        self.counts[bucket - 1] += 1;
        self.total += 1;
        self.longest = self.longest.max(milliseconds);
    }

    /// The number of durations.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The percentile, in milliseconds.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let wanted = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some((edge(bucket + 1) - 1).min(self.longest));
            }
        }
        None
    }
}

/// The lower edge of a bucket: steps of one millisecond at first, then of 5 %.
fn edge(bucket: usize) -> u64 {
    const FINE: usize = 20;
    if bucket <= FINE {
        return bucket as u64;
    }
    let steps = i32::try_from(bucket - FINE).unwrap_or(i32::MAX);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "400 buckets reach a hundred days"
    )]
    let edge = (FINE as f64 * 1.05_f64.powi(steps)).ceil() as u64;
    edge
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::format::AccessLogFormat;

    fn read(format: &str, lines: &[&str]) -> (Traffic, Moments) {
        let format = AccessLogFormat::compile(format).unwrap();
        let (mut traffic, mut moments) = (Traffic::default(), Moments::default());
        for line in lines {
            traffic.add(&format.read(line.as_bytes()).unwrap(), &mut moments);
        }
        (traffic, moments)
    }

    #[test]
    fn versions_and_reuse_are_counted() {
        let (traffic, _) = read(
            "$remote_addr $ssl_protocol $ssl_session_reused $connection_requests",
            &["a TLSv1.3 r 1", "a TLSv1.3 r 2", "b TLSv1.2 . 1", "c - - 1", "d TLSv1.3 r 1"],
        );
        assert_eq!((traffic.requests, traffic.tls()), (5, 4));
        assert_eq!(traffic.versions[b"TLSv1.3".as_slice()].clients.count(), (2, true));
        assert_eq!((traffic.reused, traffic.full, traffic.by_connection), (2, 1, true));
    }

    #[test]
    fn attempts_that_never_connected_are_distinguished_from_slow_ones() {
        let (traffic, _) = read(
            "$status|$upstream_addr|$upstream_connect_time",
            &["502|a:443|-", "200|a:443, b:443|-, 0.012", "200|b:443|0.002", "502|b:443|0.002"],
        );
        assert_eq!((traffic.bad_gateway, traffic.not_connected), (2, 1));
        assert!(traffic.tells_tries);
        let (silent, _) = read("$status|$upstream_status", &["502|502"]);
        assert_eq!((silent.bad_gateway, silent.tells_tries), (1, false));
        assert_eq!(traffic.failed_tries.ranked(), [(b"a:443".as_slice(), 2)]);
        assert_eq!(traffic.connect_time.total(), 3);
        assert_eq!(traffic.connect_time.percentile(50), Some(2));
        assert_eq!(traffic.connect_time.percentile(100), Some(12));
    }

    #[test]
    fn percentiles_are_near() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|time| histogram.add(time * 10));
        for percent in [1, 50, 90, 99] {
            let (found, exact) = (histogram.percentile(percent).unwrap(), percent * 100);
            assert!(found.abs_diff(exact) * 100 <= exact * 6, "{percent}: {found}");
        }
        assert_eq!(Histogram::default().percentile(50), None);
    }
}
