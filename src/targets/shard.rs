//! Targets spread over several runs: by a hash of the host, so that neither the order of the list nor what else is in it
//! moves a target, and every port of a host is leant on by one run only.

use std::fmt;
use std::str::FromStr;

use super::{Host, Target};
use crate::certificate::parse::Fingerprint;

/// One of several runs over the same targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// From 1.
    pub index: u32,
    /// How many there are.
    pub count: u32,
}

/// Why a text names no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no shard: expected I/N with I from 1 to N, such as 3/8, or I:N with I from 0")]
pub struct ShardError(String);

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        // Kubernetes and most schedulers count their jobs from 0, and can do no sums.
        let parts = text.split_once('/').map(|parts| (parts, 0));
        let parts = parts.or_else(|| text.split_once(':').map(|parts| (parts, 1)));
        let shard = parts.and_then(|((index, count), more)| {
            let index: u32 = index.parse().ok()?;
            Some(Self { index: index.checked_add(more)?, count: count.parse().ok()? })
        });
        let valid = shard.filter(|shard| (1..=shard.count).contains(&shard.index));
        valid.ok_or_else(|| ShardError(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// Whether this run is to test the targets of this host.
    pub fn holds(&self, host: &Host) -> bool {
        let Fingerprint(digest) = Fingerprint::of(host.to_string().as_bytes());
        let number = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        number % u64::from(self.count) == u64::from(self.index - 1)
    }
}

impl Target {
    /// What names the target from run to run: 16 hexadecimal digits, the same where address, names, role, prelude and client are.
    pub fn id(&self) -> String {
        let connect_to = self.connect_to.as_ref();
        let connect_to = connect_to.map(|(host, port)| format!("{host}:{port}"));
        let parts = [
            self.name.clone(),
            self.host.to_string(),
            self.port.to_string(),
            connect_to.unwrap_or_default(),
            self.server_name.clone().unwrap_or_default(),
            format!("{:?}", self.role),
            self.starttls.map(|protocol| protocol.name().to_owned()).unwrap_or_default(),
            if self.nginx.is_some() { "as nginx" } else { "" }.to_owned(),
        ];
        let mut digits = Fingerprint::of(parts.join("\0").as_bytes()).to_string();
        digits.truncate(16);
        digits
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;
    use crate::targets::options::Options;

    #[track_caller]
    fn check_error(text: &str) {
        assert!(text.parse::<Shard>().unwrap_err().to_string().contains("expected I/N"), "{text}");
    }

    #[test]
    fn a_shard_is_counted_from_one_or_zero() {
        assert_eq!("3/8".parse(), Ok(Shard { index: 3, count: 8 }));
        assert_eq!("0:8".parse(), Ok(Shard { index: 1, count: 8 }));
        for text in ["0/8", "8:8", "4294967295:8", "9/8", "1/0", "1", "a/b", "-1/2", "1/2/3", ""] {
            check_error(text);
        }
    }

    #[test]
    fn the_assignment_never_changes() {
        let at = |name: &str| {
            let host = Host::Name(name.to_owned());
            (1..=8).find(|index| Shard { index: *index, count: 8 }.holds(&host))
        };
        assert_eq!([at("a.test"), at("b.test"), at("www.example.com")], ASSIGNED);
    }

    const ASSIGNED: [Option<u32>; 3] = [Some(7), Some(6), Some(1)];

    #[test]
    fn what_is_asked_differently_has_another_id() {
        let id = |address: &str, options: &Options| {
            options.target(address.parse().unwrap(), None, None).id()
        };
        let plain = Options::default();
        let starttls = Options { starttls: Some(crate::targets::StartTls::Smtp), ..plain.clone() };
        let ids = [
            id("a.test:443", &plain),
            id("a.test:444", &plain),
            id("a.test:443:127.0.0.1:1", &plain),
            id("a.test:443", &starttls),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert_eq!(ids[0], id("a.test", &plain));
    }

    proptest! {
        #[test]
        fn every_host_is_in_exactly_one_shard(name in "[a-z.]{1,30}", count in 1_u32..200) {
            let host = Host::Name(name);
            let holders = (1..=count).filter(|index| Shard { index: *index, count }.holds(&host));
            prop_assert_eq!(holders.count(), 1);
        }
    }
}
