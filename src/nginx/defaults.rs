//! nginx's defaults by release (from its change log and the tags of its source).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::directives::value;
use crate::tls::version::ProtocolVersion;

/// A release of nginx.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NginxRelease {
    /// The first number.
    pub major: u16,
    /// The second; even for a stable branch.
    pub minor: u16,
    /// The third.
    pub patch: u16,
}

impl NginxRelease {
    /// `major.minor.patch`.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }
}

impl fmt::Display for NginxRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The text contains no release of nginx.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid nginx version {0:?}: expected one like 1.26.3")]
pub struct UnknownNginxRelease(pub String);

impl FromStr for NginxRelease {
    type Err = UnknownNginxRelease;

    /// Parses `1.26.3`, `1.26`, `nginx/1.26.3` or `openresty/1.25.3.1`; a missing third number is 0.
    fn from_str(text: &str) -> Result<Self, UnknownNginxRelease> {
        let unknown = || UnknownNginxRelease(text.to_owned());
        let numbers = text.rsplit_once('/').map_or(text, |(_, numbers)| numbers);
        let mut parts = Vec::new();
        for part in numbers.split('.') {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            parts.push(part.parse().ok().filter(|_| digits).ok_or_else(unknown)?);
        }
        match *parts.as_slice() {
            [major, minor] => Ok(Self::new(major, minor, 0)),
            [major, minor, patch] | [major, minor, patch, _] => Ok(Self::new(major, minor, patch)),
            _ => Err(unknown()),
        }
    }
}

/// The default protocols by first release, for `ssl_protocols` and `*_ssl_protocols`.
pub const PROTOCOLS: [(NginxRelease, &[ProtocolVersion]); 5] = {
    use ProtocolVersion as P;
    [
        (NginxRelease::new(0, 8, 19), &[P::SSL3, P::TLS1]),
        (NginxRelease::new(1, 1, 13), &[P::SSL3, P::TLS1, P::TLS1_1, P::TLS1_2]),
        (NginxRelease::new(1, 9, 1), &[P::TLS1, P::TLS1_1, P::TLS1_2]),
        (NginxRelease::new(1, 23, 4), &[P::TLS1, P::TLS1_1, P::TLS1_2, P::TLS1_3]),
        (NginxRelease::new(1, 27, 3), &[P::TLS1_2, P::TLS1_3]),
    ]
};

/// From this release on, `ssl_protocols` and the TLS 1.3 suites of the server that the name selects apply; before,
/// those of the socket's default server. Needs OpenSSL 1.1.1.
pub const PROTOCOLS_BY_NAME: NginxRelease = NginxRelease::new(1, 29, 2);

/// From this release on, `ssl_trusted_certificate` is enough for `ssl_verify_client`.
pub const VERIFY_WITHOUT_CLIENT_CERTIFICATE: NginxRelease = NginxRelease::new(1, 27, 2);

/// The first release with `ssl_conf_command` and its kin for upstreams.
pub const CONF_COMMANDS: NginxRelease = NginxRelease::new(1, 19, 4);

/// From this release on, `ssl_certificate` accepts variables.
pub const CERTIFICATE_VARIABLES: NginxRelease = NginxRelease::new(1, 15, 9);

/// The default protocols of a release.
pub fn protocols(version: NginxRelease) -> &'static [ProtocolVersion] {
    let known = PROTOCOLS.iter().rev().find(|(since, _)| *since <= version);
    known.map_or(PROTOCOLS[0].1, |(_, protocols)| protocols)
}

/// The protocols in the arguments of `ssl_protocols`, oldest first; nginx combines repeated directives.
pub fn protocols_of(arguments: &[String]) -> Vec<ProtocolVersion> {
    let mut named: Vec<ProtocolVersion> =
        arguments.iter().filter_map(|text| value::protocol(text)).collect();
    named.retain(|version| *version >= ProtocolVersion::SSL3);
    named.sort_unstable();
    named.dedup();
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_people_write_it() {
        for (text, read) in [("1.26.3", "1.26.3"), ("1.26", "1.26.0"), ("nginx/1.9.1", "1.9.1")] {
            assert_eq!(text.parse::<NginxRelease>().unwrap().to_string(), read);
        }
        for text in ["", "1", "1.", "+1.2", "1.2.3.4.5", "latest", "1.70000.1"] {
            assert!(text.parse::<NginxRelease>().is_err(), "{text}");
        }
    }

    #[test]
    fn default_protocols_follow_the_release() {
        let check = |version: &str, expected: &str| {
            let names: Vec<&str> = protocols(version.parse().unwrap())
                .iter()
                .filter_map(|version| version.name())
                .collect();
            assert_eq!(names.join(" "), expected, "{version}");
        };
        check("1.8.1", "SSLv3 TLSv1 TLSv1.1 TLSv1.2");
        check("1.23.3", "TLSv1 TLSv1.1 TLSv1.2");
        check("1.23.4", "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3");
        check("1.27.2", "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3");
        check("1.27.3", "TLSv1.2 TLSv1.3");
        check("0.1", "SSLv3 TLSv1");
    }

    #[test]
    fn named_protocols_add_up_in_any_order() {
        let words = ["TLSv1.3", "tlsv1.2", "SSLv2", "TLSv1.3"].map(str::to_owned);
        assert_eq!(protocols_of(&words), [ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]);
    }
}
