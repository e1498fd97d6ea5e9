//! Distributes targets over several runs by a hash of the host: a target's shard does not depend on the list, and only
//! one run connects to the ports of a host.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::{FilePart, Role, StartTls, Target, TargetKind};
use crate::certificate::parse::Fingerprint;

/// One of several runs over the same targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// From 1.
    pub index: u32,
    /// The number of shards.
    pub count: u32,
}

/// Why a text is not a shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid shard {0:?}: expected I/N with I from 1 to N, such as 3/8, or I:N with I from 0")]
pub struct ShardError(String);

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        // Kubernetes and most schedulers number their jobs from 0, and cannot calculate.
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
    /// Whether this run tests this target: all targets of one host are in one shard.
    pub fn holds(&self, target: &Target) -> bool {
        self.holds_name(&target.host().map_or_else(|| target.name.clone(), ToString::to_string))
    }

    fn holds_name(self, name: &str) -> bool {
        let Fingerprint(digest) = Fingerprint::of(name.as_bytes());
        let number = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        number % u64::from(self.count) == u64::from(self.index - 1)
    }
}

/// A long list has many ids, and this is faster than to format them.
const DIGITS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

impl Target {
    /// Identifies the target across runs: 16 hexadecimal digits, equal if the address, names, role, STARTTLS and client
    /// are equal.
    pub fn id(&self) -> String {
        let mut text = self.name.clone();
        // Writing to memory cannot fail.
        let _ = match &self.kind {
            TargetKind::Endpoint { host, port, .. } => write!(text, "\0{host}\0{port}\0"),
            // The certificates of a file may have the same host as what of it could not be read.
            TargetKind::File { host, part: FilePart::Unread } => {
                write!(text, "\0unread-file\0{host}\0")
            }
            TargetKind::File { host, .. } => write!(text, "\0file\0{host}\0"),
            TargetKind::ClientFile { host, .. } => write!(text, "\0client-file\0{host}\0"),
            TargetKind::Configuration => write!(text, "\0configuration\0\0"),
        };
        if let TargetKind::Endpoint { connect_to: Some((host, port)), .. } = &self.kind {
            let _ = write!(text, "{host}:{port}");
        }
        let role = match self.role {
            Role::Listener => "Listener",
            Role::Upstream => "Upstream",
        };
        let server_name = self.server_name.as_deref().unwrap_or_default();
        let starttls = self.starttls.map(StartTls::name).unwrap_or_default();
        let client = match (self.nginx.is_some(), self.quic) {
            (true, _) => "as nginx",
            (false, true) => "QUIC",
            (false, false) => "",
        };
        let _ = write!(text, "\0{server_name}\0{role}\0{starttls}\0{client}");
        let Fingerprint(digest) = Fingerprint::of(text.as_bytes());
        let halves = digest.iter().take(8).flat_map(|byte| [byte >> 4, byte & 15]);
        halves.map(|half| DIGITS[usize::from(half)]).collect()
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
        let at =
            |name: &str| (1..=8).find(|index| Shard { index: *index, count: 8 }.holds_name(name));
        assert_eq!([at("a.test"), at("b.test"), at("www.example.com")], ASSIGNED);
    }

    const ASSIGNED: [Option<u32>; 3] = [Some(7), Some(6), Some(1)];

    #[test]
    fn what_is_asked_differently_has_another_id() {
        let id = |address: &str, options: &Options| {
            options.target(address.parse().unwrap(), None, None).id()
        };
        let plain = Options::default();
        let starttls = Options { starttls: Some(StartTls::Smtp), ..plain.clone() };
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
            let holds = |index: &u32| Shard { index: *index, count }.holds_name(&name);
            let holders = (1..=count).filter(holds);
            prop_assert_eq!(holders.count(), 1);
        }
    }
}
